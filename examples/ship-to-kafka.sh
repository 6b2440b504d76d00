#!/bin/sh
# Ships the lines of a log to Kafka, by way of a spool on disk.
#
#     ship-to-kafka.sh LOG SPOOL
#
# What the broker does not take stays in the spool, over restarts of this script and of the machine. A batch that fails
# is tried again, then left behind while the rest goes on, and tried once more every minute. Delivery is at least once;
# batches may change places, lines within a batch do not.
#
#     BROKERS, TOPIC   where to           [localhost:9092, the name of the log]
#     SINK             a command of the shell that takes lines on its input, in place of kcat
set -eu

[ $# = 2 ] || { echo "usage: $0 LOG SPOOL" >&2; exit 2; }
log=$1 spool=$2
: "${BROKERS:=localhost:9092}" "${TOPIC:=$(basename "$log" .log)}"
export BROKERS TOPIC
# One message a line. With acks=all, kcat's exit status 0 means that the broker has them. 'exec', so that it is the
# command itself which 'each' watches, and kills when it has to.
: "${SINK:=exec kcat -P -b \"\$BROKERS\" -t \"\$TOPIC\" -X acks=all -X enable.idempotence=true}"

# Into the spool: from the log's end on, across rotations. --no-end: the next run goes on with the same stream.
mkfifo "$spool.fifo" 2>/dev/null || [ -p "$spool.fifo" ]
tail -n 0 -F "$log" >"$spool.fifo" 2>/dev/null &
tail=$!
spillpipe push --wait --no-end --records lines --max-disk 10G "$spool" <"$spool.fifo" &
push=$!

# Out of it, beside that. Four batches at once; a sink that hangs is killed.
spillpipe each "$spool" --follow --jobs 4 --batch-bytes 1M --batch-age 1s --timeout 1m \
    --on-failure leave --retries 3 --retry-every "${RETRY_EVERY:-1m}" -- sh -c "$SINK" &
each=$!

# Without the tail, push comes to its end; what is in the spool then goes out at the next run.
trap 'kill $tail 2>/dev/null; wait $push || :; kill $each 2>/dev/null; wait $each || :; rm -f "$spool.fifo"' EXIT
trap 'exit 0' INT TERM
wait $each
