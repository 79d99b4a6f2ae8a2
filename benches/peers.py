"""The group-by that stands behind an audit, in DuckDB or Polars: nothing else is done.

usage: peers.py duckdb|polars text|parquet DIR
       peers.py convert DIR OUT    the same files as Parquet, as AWS delivers them
"""

import glob
import os
import sys
import time

COLUMNS = (
    "version account_id interface_id srcaddr dstaddr srcport dstport protocol packets bytes start end action log_status"
).split()
KEYS = ["interface_id", "srcaddr", "dstaddr", "port", "protocol", "action"]


def duckdb(kind: str, files: list[str]) -> int:
    import duckdb

    connection = duckdb.connect()
    connection.execute(f"SET threads = {len(os.sched_getaffinity(0))}")
    types = {c: "BIGINT" if c in ("packets", "bytes", "start", "end") else "VARCHAR" for c in COLUMNS}
    types |= {c: "INTEGER" for c in ("srcport", "dstport", "protocol")}
    source = (
        f"read_csv({files!r}, delim=' ', header=true, columns={types!r}, nullstr='-', auto_detect=false)"
        if kind == "text"
        else f"read_parquet({files!r})"
    )
    return connection.execute(
        f"""SELECT count(*) FROM (
            SELECT interface_id, srcaddr, dstaddr, least(srcport, dstport) AS port, protocol, action,
                   count(*), sum(packets), sum(bytes), min(start), max("end")
            FROM {source} GROUP BY ALL)"""
    ).fetchone()[0]


def polars(kind: str, files: list[str]) -> int:
    import polars as pl

    if kind == "text":
        integers = dict.fromkeys(["packets", "bytes", "start", "end"], pl.Int64)
        integers |= dict.fromkeys(["srcport", "dstport", "protocol"], pl.Int32)
        schema = {c: integers.get(c, pl.String) for c in COLUMNS}
        frame = pl.scan_csv(
            files, separator=" ", has_header=False, skip_rows=1, schema=schema, null_values="-"
        )
    else:
        frame = pl.scan_parquet(files)
    grouped = (
        frame.with_columns(port=pl.min_horizontal("srcport", "dstport"))
        .group_by(KEYS)
        .agg(pl.len(), pl.sum("packets"), pl.sum("bytes"), pl.min("start"), pl.max("end"))
    )
    return grouped.collect(engine="streaming").height


def convert(where: str, out: str) -> None:
    import polars as pl

    os.makedirs(out, exist_ok=True)
    integers = dict.fromkeys(["packets", "bytes", "start", "end"], pl.Int64)
    integers |= dict.fromkeys(["version", "srcport", "dstport", "protocol"], pl.Int32)
    schema = {c: integers.get(c, pl.String) for c in COLUMNS}
    for path in sorted(glob.glob(f"{where}/*")):
        frame = pl.read_csv(path, separator=" ", has_header=False, skip_rows=1, schema=schema, null_values="-")
        name = os.path.basename(path).replace(".log.gz", ".log.parquet")
        frame.write_parquet(os.path.join(out, name), compression="gzip")


def main() -> None:
    if sys.argv[1] == "convert":
        convert(*sys.argv[2:4])
        return
    engine, kind, where = sys.argv[1:4]
    files = sorted(glob.glob(f"{where}/*"))
    begin = time.monotonic()
    groups = {"duckdb": duckdb, "polars": polars}[engine](kind, files)
    print(f"{engine} {kind}: {groups} groups in {time.monotonic() - begin:.2f} s")


if __name__ == "__main__":
    main()
