#!/bin/sh
# Compares a whole audit with one group-by in DuckDB and in Polars, and with decompression alone.
#
# usage: benches/compare.sh [TOPOLOGY] [--rows ROWS] [--files FILES] [--days DAYS]
#        benches/compare.sh --extrapolate
#
# Makes the data, runs each program in turn on the same files and cores, three times each, and prints its
# best time and peak memory. TOPOLOGY is internal, destinations or scans (examples/flow-logs); without it,
# all three. The data are ROWS rows of the default format (10 million) in FILES gzip files (one for each
# 200,000 rows). The files cover five minutes each, or are spread over DAYS days.
#
# With --extrapolate, closegate alone reads 40 and 160 million rows of the internal topology, and a straight line
# through both gives the time of a billion rows. Removes these data again: the larger ones take about 2 GB.
#
# Needs Python 3 with venv, and GNU time.
set -eu

usage() {
    sed -n 's/^# \(usage:.*\)/\1/p; s/^#\( *benches\/compare.sh --.*\)/\1/p' "$0" >&2
    exit 2
}

topologies='' rows=10000000 files='' days='' extrapolate=''
while [ $# -gt 0 ]; do
    case $1 in
        internal | destinations | scans) topologies="$topologies $1" ;;
        --extrapolate) extrapolate=yes ;;
        --rows | --files | --days)
            [ $# -gt 1 ] || usage
            case $2 in '' | *[!0-9]*) usage ;; esac
            case $1 in --rows) rows=$2 ;; --files) files=$2 ;; --days) days=$2 ;; esac
            shift
            ;;
        *) usage ;;
    esac
    shift
done

cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
work=$target/compare
venv=$work/venv
flow_logs=$target/release/examples/flow-logs
closegate=$target/release/closegate
mkdir -p "$work"
cargo build --release --no-default-features --features jemalloc --bin closegate --example flow-logs

# data TOPOLOGY ROWS: makes the data, unless they are there, and names their directory in $data
data() {
    count=$2
    count_of_files=${files:-$((count / 200000 > 2 ? count / 200000 : 2))}
    data=$work/$1-$count-$count_of_files-${days:-slots}
    if [ ! -e "$data/ready" ]; then
        rm -rf "$data"
        "$flow_logs" make "$1" "$count" "$count_of_files" "$data" ${days:+"$days"}
        touch "$data/ready"
    fi
    cat "$data"/flows/* > /dev/null
}

# best NAME COMMAND...: seconds and KiB of the best of three runs
best() {
    name=$1
    shift
    : > "$work/times"
    for _ in 1 2 3; do
        rm -rf "$work/out" "$work/store"
        /usr/bin/time -f '%e %M' -a -o "$work/times" "$@" > "$work/said" 2>&1 || { cat "$work/said"; exit 1; }
    done
    sort -n "$work/times" | head -n 1 | while read -r seconds kib; do
        printf '%-28s %7s s %9s KiB\n' "$name" "$seconds" "$kib"
        echo "$name|$seconds|$kib" >> "$work/results"
    done
}

best_audit() { best "$1" "$closegate" audit --flows "$data/flows" --inventory "$data/inventory" --out "$work/out"; }
best_ingest() { best "$1" "$closegate" ingest --flows "$data/flows" --inventory "$data/inventory" --store "$work/store"; }

peers() {
    [ ! -e "$venv/.ready" ] || return 0
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check duckdb polars
    touch "$venv/.ready"
}

compare() {
    data "$1" "$rows"
    if [ ! -e "$data/parquet.ready" ]; then
        "$venv/bin/python" benches/peers.py convert "$data/flows" "$data/parquet"
        touch "$data/parquet.ready"
    fi
    printf '\n%s, %s rows in %s files\n\n' "$1" "$rows" "$count_of_files"
    : > "$work/results"
    best 'decompression alone' "$flow_logs" floor "$data/flows"
    best_audit 'closegate audit'
    best_ingest 'closegate ingest'
    rm -rf "$work/kept"
    mv "$work/store" "$work/kept"
    best 'closegate audit --store' "$closegate" audit --store "$work/kept" --inventory "$data/inventory" --out "$work/out"
    rm -rf "$work/kept"
    best 'DuckDB, one group-by' "$venv/bin/python" benches/peers.py duckdb text "$data/flows"
    best 'Polars, one group-by' "$venv/bin/python" benches/peers.py polars text "$data/flows"
    best 'closegate fold, Parquet' "$flow_logs" fold "$data/parquet"
    best 'DuckDB, Parquet' "$venv/bin/python" benches/peers.py duckdb parquet "$data/parquet"
    best 'Polars, Parquet' "$venv/bin/python" benches/peers.py polars parquet "$data/parquet"
    echo
    awk -F'|' '
        function ratio(name, one, other, aim,    measured) {
            measured = seconds[one] / seconds[other]
            printf "%-24s %5.2f   (aim: at most %.2f%s)\n", name, measured, aim, (measured > aim ? "; missed" : "")
        }
        { seconds[$1] = $2 }
        END {
            ratio("audit  / DuckDB", "closegate audit", "DuckDB, one group-by", 0.50)
            ratio("audit  / Polars", "closegate audit", "Polars, one group-by", 0.60)
            ratio("ingest / decompression", "closegate ingest", "decompression alone", 3.00)
            ratio("fold / DuckDB, Parquet", "closegate fold, Parquet", "DuckDB, Parquet", 1.00)
        }' "$work/results"
}

extrapolate() {
    few=$1 many=$2
    : > "$work/results"
    for rows in "$few" "$many"; do
        data internal "$rows"
        printf '\ninternal, %s rows in %s files\n\n' "$rows" "$count_of_files"
        best_audit "audit $rows"
        best_ingest "ingest $rows"
        rm -rf "$data" "$work/out" "$work/store"
    done
    printf '\nA billion rows, extrapolated: not measured, a straight line through both points\n\n'
    awk -F'|' -v few="$few" -v many="$many" '
        function line(name,    from, to) {
            from = seconds[name " " few]
            to = seconds[name " " many]
            printf "%-28s %7.0f s\n", "closegate " name, from + (to - from) / (many - few) * (1e9 - few)
        }
        { seconds[$1] = $2 }
        END { line("audit"); line("ingest") }' "$work/results"
}

if [ "$extrapolate" ]; then
    extrapolate 40000000 160000000
else
    peers
    for topology in ${topologies:-internal destinations scans}; do
        compare "$topology"
    done
fi
