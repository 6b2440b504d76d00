#!/usr/bin/env bash
# The session of the README, measured: a SQL dump, unthrottled, into a slow consumer, by way of a temporary file, of
# mbuffer with a file behind it, and of spillpipe. Prints a Markdown table. The temporary file is written through a pipe,
# as every tool here is, and for comparison by the producer itself.
#
#   benches/session.sh [RUNS [SIZE [CONSUMER]]]
#
# RUNS      rounds; each does every way once, in turn, and begins with another one    [5]
# SIZE      of the dump, as spillpipe's own sizes are written                         [1.2G]
# CONSUMER  a command from standard input to standard output; its output must depend
#           on nothing but its input                                                  [pv -q -L 200m]
#
# In the environment: TMPDIR is where everything is put [/var/tmp], CARGO_TARGET_DIR where cargo builds, SPILLPIPE a
# binary to use in place of the one that is built here, SPILLPIPE_ARGS options for it [none: its defaults].
#
# The producer is dd, which reads the dump from the page cache and writes 128 KiB a call; it is done when its last
# byte was taken. Whatever comes out of the consumer is compared, byte by byte, with what it makes of the dump itself.
set -euo pipefail

runs=${1:-5}
size=${2:-1.2G}
consumer=${3:-pv -q -L 200m}
base=${TMPDIR:-/var/tmp}
ways=('cat > file' '> file, no pipe' 'mbuffer -T' spillpipe)

die() {
    printf 'session.sh: %s\n' "$1" >&2
    exit 1
}

# need PROGRAM PACKAGE
need() {
    command -v "$1" >/dev/null || die "$1 is missing: install it (Debian: apt install $2)"
}

# median FORMAT < NUMBERS: the median, and least and greatest in brackets
median() {
    sort -g | awk -v f="$1" '
        { v[NR] = $1 }
        END {
            m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
            if (NR == 1) printf f, m
            else printf f " (" f "–" f ")", m, v[1], v[NR]
        }'
}

since() {
    awk -v from="$1" -v to="$2" 'BEGIN { printf "%.3f\n", to - from }'
}

produce() {
    dd if="$dump" bs=128K status=none
}

# Runs the consumer and compares what it makes with what it should.
consume() {
    bash -c "$consumer" | cmp -s - "$expected" || die "what came out is not what went in (or this failed: $consumer)"
}

# Bytes on disk of the files under $dir that process $1 has open, also those without a name.
disk_of() {
    # The process may end while this looks: then it is what could be seen.
    (find "/proc/$1/fd" -lname "$dir/*" -exec stat -Lc %b {} + 2>/dev/null || true) |
        awk '{ n += $1 } END { printf "%.0f\n", n * 512 }'
}

# via_temp_file WRITER...: the producer into it
via_temp_file() {
    local start=$EPOCHREALTIME taken
    "$@" >"$dir/file"
    taken=$EPOCHREALTIME
    consume <"$dir/file"
    since "$start" "$EPOCHREALTIME" >"$dir/total"
    since "$start" "$taken" >"$dir/producer"
    stat -c '%b %B' "$dir/file" | awk '{ print $1 * $2 }' >"$dir/disk"
    echo - >"$dir/memory"
}

produce_to_cat() {
    produce | cat
}

# via_tool COMMAND...: the producer into it, it into the consumer; its disk and memory are looked at all the while
via_tool() {
    local consumer_pid tool_pid start disk=0 memory=0 now
    mkfifo "$dir/fifo"
    consume <"$dir/fifo" &
    consumer_pid=$!
    start=$EPOCHREALTIME
    {
        produce
        echo "$EPOCHREALTIME" >"$dir/taken"
    } | "$@" >"$dir/fifo" &
    tool_pid=$!
    while kill -0 "$tool_pid" 2>/dev/null; do
        now=$(disk_of "$tool_pid")
        disk=$((now > disk ? now : disk))
        now=$(awk '/^VmHWM:/ { printf "%.0f", $2 * 1024 }' "/proc/$tool_pid/status" 2>/dev/null || true)
        memory=$((${now:-0} > memory ? now : memory))
        sleep 0.1
    done
    wait "$tool_pid" || die "this failed: $*"
    wait "$consumer_pid"
    since "$start" "$EPOCHREALTIME" >"$dir/total"
    since "$start" "$(<"$dir/taken")" >"$dir/producer"
    echo "$disk" >"$dir/disk"
    echo "$memory" >"$dir/memory"
}

via_mbuffer() {
    # It takes no more than it was told to beforehand.
    via_tool mbuffer -q -m "$((dump_bytes / 1048576 + 16))M" -s 128k -T "$dir/mbuffer"
}

via_spillpipe() {
    # shellcheck disable=SC2086 # several options, split on purpose
    via_tool "$spillpipe" -T "$dir" --stats "$dir/stats" ${SPILLPIPE_ARGS-}
    jq .disk_peak_bytes "$dir/stats" >"$dir/disk"
    jq .rss_peak_bytes "$dir/stats" >"$dir/memory"
    jq -c '[.chunks, {ratio, producer_waited_seconds}] | add' "$dir/stats" >>"$dir/codecs"
}

# run WAY NUMBER: one measurement, kept in $dir/WAY.*
run() {
    local figure
    rm -f "$dir"/{file,fifo,taken,producer,total,disk,memory}
    # What was written before is not to be written during the measurement; the dump is to be in the page cache.
    sync -f "$dir"
    cat "$dump" >/dev/null
    case $1 in
        0) via_temp_file produce_to_cat ;;
        1) via_temp_file produce ;;
        2) via_mbuffer ;;
        3) via_spillpipe ;;
    esac
    for figure in producer total disk memory; do
        cat "$dir/$figure" >>"$dir/$1.$figure"
    done
    printf 'round %s, %s: producer %s s, total %s s, disk %s MB\n' "$2" "${ways[$1]}" "$(<"$dir/producer")" \
        "$(<"$dir/total")" "$(($(<"$dir/disk") / 1000000))" >&2
}

# ratio WAY FIGURE: to the temporary file's, round by round
ratio() {
    paste "$dir/$1.$2" "$dir/0.$2" | awk '{ print $1 / $2 }' | median %.2f
}

megabytes() {
    if [[ $(head -n 1 "$1") == - ]]; then
        printf -- '–'
        return
    fi
    awk '{ print $1 / 1e6 }' "$1" | median %.0f
}

[[ $runs =~ ^[1-9][0-9]*$ ]] || die "'$runs' is no number of runs"
need mbuffer mbuffer
need zstd zstd
need jq jq
need dd coreutils
need cmp diffutils
need "${consumer%% *}" "${consumer%% *}"
cd "$(dirname "$0")/.."
if [[ -z ${SPILLPIPE-} ]]; then
    need cargo cargo
    cargo build --quiet --release
fi
cargo build --quiet --release --example sqldump
target=${CARGO_TARGET_DIR:-target}/release
spillpipe=$(realpath "${SPILLPIPE:-$target/spillpipe}")

dir=$(realpath "$(mktemp -d "$base/session.XXXXXX")")
trap 'rm -rf "$dir"' EXIT
dump=$dir/dump.sql
"$target/examples/sqldump" "$size" >"$dump"
dump_bytes=$(stat -c %s "$dump")
dump_zstd_bytes=$(zstd -1 -qc "$dump" | wc -c)
expected=$dump
case $consumer in
    'pv '* | cat) ;;
    *)
        expected=$dir/expected
        bash -c "$consumer" <"$dump" >"$expected"
        ;;
esac

for ((round = 1; round <= runs; round++)); do
    for ((i = 0; i < ${#ways[@]}; i++)); do
        run $(((round + i) % ${#ways[@]})) "$round"
    done
done

for way in "${!ways[@]}"; do
    [[ $(wc -l <"$dir/$way.total") == "$runs" ]] || die "${ways[$way]}: not every run was measured"
done

cpu_model=$(awk -F': ' '/^model name/ { print $2; exit }' /proc/cpuinfo)
printf '\nInput: %d MB of SQL dump (zstd -1: %s to 1). ' "$((dump_bytes / 1000000))" \
    "$(awk -v a="$dump_bytes" -v b="$dump_zstd_bytes" 'BEGIN { printf "%.1f", a / b }')"
# shellcheck disable=SC2016 # Markdown, no expansion
printf 'Consumer: `%s`. ' "$consumer"
printf 'Machine: %s cores (%s), Linux %s, %s, %s GB of memory; no fsync. ' "$(nproc)" "$cpu_model" "$(uname -r)" \
    "$(findmnt -no FSTYPE -T "$dir")" "$(awk '/^MemTotal/ { printf "%.0f", $2 / 1e6 }' /proc/meminfo)"
# shellcheck disable=SC2016 # Markdown, no expansion
printf 'Median of %s (least–greatest), the ways in turn; ratios are to `cat > file`, round by round.\n\n' "$runs"
echo '| by way of | producer done, s | ratio | all done, s | ratio | peak disk, MB | peak resident memory, MB |'
echo '|---|---|---|---|---|---|---|'
for way in "${!ways[@]}"; do
    printf '| %s | %s | %s | %s | %s | %s | %s |\n' "${ways[$way]}" "$(median %.2f <"$dir/$way.producer")" \
        "$(ratio "$way" producer)" "$(median %.2f <"$dir/$way.total")" "$(ratio "$way" total)" \
        "$(megabytes "$dir/$way.disk")" "$(megabytes "$dir/$way.memory")"
done
# shellcheck disable=SC2016 # Markdown, no expansion
printf '\nWhat `auto` chose, in chunks a codec, run by run:\n\n```\n%s\n```\n' "$(<"$dir/codecs")"
