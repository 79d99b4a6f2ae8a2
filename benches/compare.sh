#!/bin/sh
# Compares a whole audit with one group-by in DuckDB and in Polars, and with decompression alone.
#
# usage: benches/compare.sh [ROWS [FILES [DAYS]]]
#
# Makes the data, runs each program in turn on the same files and cores, three times each, and prints its
# best time and peak memory. The data are ROWS rows of the default format (10 million) in FILES gzip
# files (50) over 2,000 interfaces. The files cover five minutes each, or are spread over DAYS days.
# Needs Python 3 with venv, and GNU time.
set -eu

rows=${1:-10000000}
files=${2:-50}
days=${3:-}
here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here"
data=target/compare/$rows-$files-${days:-slots}
venv=target/compare/venv

cargo build --release --no-default-features --bin closegate --example flow-logs
flow_logs=target/release/examples/flow-logs
closegate=target/release/closegate

[ -d "$data/inventory" ] || "$flow_logs" make "$rows" "$files" "$data" $days
if [ ! -e "$venv/.ready" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check duckdb polars
    touch "$venv/.ready"
fi
if [ ! -e "$data/parquet.ready" ]; then
    "$venv/bin/python" benches/peers.py convert "$data/flows" "$data/parquet"
    touch "$data/parquet.ready"
fi

# best NAME COMMAND...: seconds and KiB of the best of three runs
best() {
    name=$1
    shift
    : > target/compare/times
    for _ in 1 2 3; do
        rm -rf target/compare/out target/compare/store
        /usr/bin/time -f '%e %M' -a -o target/compare/times "$@" > target/compare/said 2>&1 ||
            { cat target/compare/said; exit 1; }
    done
    sort -n target/compare/times | head -n 1 | while read -r seconds kib; do
        printf '%-28s %7s s %9s KiB\n' "$name" "$seconds" "$kib"
        echo "$name|$seconds" >> target/compare/results
    done
}

: > target/compare/results
cat "$data"/flows/* > /dev/null
best 'decompression alone' "$flow_logs" floor "$data/flows"
best 'closegate audit' "$closegate" audit --flows "$data/flows" --inventory "$data/inventory" --out target/compare/out
best 'closegate ingest' "$closegate" ingest --flows "$data/flows" --inventory "$data/inventory" --store target/compare/store
rm -rf target/compare/kept
"$closegate" ingest --flows "$data/flows" --inventory "$data/inventory" --store target/compare/kept > /dev/null
best 'closegate audit --store' "$closegate" audit --store target/compare/kept --inventory "$data/inventory" --out target/compare/out
best 'DuckDB, one group-by' "$venv/bin/python" benches/peers.py duckdb text "$data/flows"
best 'Polars, one group-by' "$venv/bin/python" benches/peers.py polars text "$data/flows"
best 'closegate fold, Parquet' "$flow_logs" fold "$data/parquet"
best 'DuckDB, Parquet' "$venv/bin/python" benches/peers.py duckdb parquet "$data/parquet"
best 'Polars, Parquet' "$venv/bin/python" benches/peers.py polars parquet "$data/parquet"

echo
awk -F'|' '
    { seconds[$1] = $2 }
    END {
        a = seconds["closegate audit"]
        printf "audit  / DuckDB        %5.2f   (to be at most 0.50)\n", a / seconds["DuckDB, one group-by"]
        printf "audit  / Polars        %5.2f   (to be at most 0.60)\n", a / seconds["Polars, one group-by"]
        printf "ingest / decompression %5.2f   (to be at most 4.00)\n", seconds["closegate ingest"] / seconds["decompression alone"]
        printf "fold / DuckDB, Parquet %5.2f   (to be at most 1.00)\n", seconds["closegate fold, Parquet"] / seconds["DuckDB, Parquet"]
    }' target/compare/results
