#!/bin/sh
# Uploads a stream to S3 in batches, each named by the digest of its bytes.
#
#     producer | spillpipe push SPOOL
#     upload-to-s3.sh SPOOL s3://BUCKET/PREFIX
#
# The digest is known before an upload starts, so there is no temporary file and no rename, and uploading a batch twice
# is harmless: the second time it is there already. What belongs together, in which order, is told on standard output:
# offset, bytes and name of each batch that is in the store.
#
#     HAVE   a command of the shell: prints how many bytes the object $NAME has, nothing if there is none
#     PUT    a command of the shell: stores its input as $NAME
set -eu

if [ -z "${SPILLPIPE_DIGEST:-}" ]; then
    [ $# = 2 ] || { echo "usage: $0 SPOOL s3://BUCKET/PREFIX" >&2; exit 2; }
    # Once for each batch, this script again. Failed uploads are tried again, for some two minutes; then it stops, and
    # the next run goes on where it was.
    exec spillpipe each "$1" --batch-bytes 64M --jobs 4 --retries 7 --timeout 1h -- "$0" "$2"
fi

prefix=${1%/}
NAME=$prefix/$SPILLPIPE_DIGEST
key=${NAME#s3://*/}
bucket=${NAME#s3://} && bucket=${bucket%%/*}
export NAME key bucket
: "${HAVE:=aws s3api head-object --bucket \"\$bucket\" --key \"\$key\" --query ContentLength --output text 2>/dev/null}"
: "${PUT:=aws s3 cp --quiet --expected-size \"\$SPILLPIPE_BYTES\" - \"\$NAME\"}"

# With its size: what an upload that was cut off may have left is no reason to skip it.
if [ "$(sh -c "$HAVE")" != "$SPILLPIPE_BYTES" ]; then
    sh -c "$PUT"
    [ "$(sh -c "$HAVE")" = "$SPILLPIPE_BYTES" ] || { echo "$NAME is not what was uploaded" >&2; exit 1; }
fi
echo "$SPILLPIPE_OFFSET $SPILLPIPE_BYTES $NAME"
