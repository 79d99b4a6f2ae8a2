#!/usr/bin/env bash
# Compares the same files read from S3 on loopback and from the disk.
#
# usage: benches/s3.sh DIR [TIMES]
#
# DIR holds flows/ and inventory/, as benches/compare.sh makes them. Needs `make peers` and a release build.
set -euo pipefail
cd "$(dirname "$0")/.."
data=$1 times=${2:-3} port=${PORT:-4577}
closegate=${CARGO_TARGET_DIR:-target}/release/closegate
state=$(mktemp -d)
BIND_HOST=127.0.0.1 IOT_MTLS_ENABLED=0 SFTP_ENABLED=0 GATEWAY_PORT=$port S3_DATA_DIR=$state/s3 STATE_DIR=$state/state \
    target/peers/bin/python tests/peers/mini_peer.py > "$state/log" 2>&1 &
server=$!
trap 'kill $server; rm -rf "$state"' EXIT
until (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> "$state/probe"; do sleep 0.1; done
target/peers/bin/python tests/peers/log_files.py "http://127.0.0.1:$port" s3 logs plain "$data"/flows/*
export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1 AWS_ENDPOINT_URL=http://127.0.0.1:$port
seconds() {
    local start=$EPOCHREALTIME
    "$closegate" ingest --flows "$1" --inventory "$data/inventory" --store "$state/store" > "$state/out"
    local end=$EPOCHREALTIME
    rm -rf "$state/store"
    awk "BEGIN { printf \"%.2f\", $end - $start }"
}
for _ in $(seq "$times"); do
    local_time=$(seconds "$data/flows") s3_time=$(seconds s3://logs/)
    awk "BEGIN { printf \"disk %s s, S3 %s s: %.0f %% of the throughput\n\", $local_time, $s3_time, 100 * $local_time / $s3_time }"
done
