"""How the answer of an engine grows with the rows: engines.py CLOSEGATE [ROWS]...

Over one topology: 2,000 interfaces, 16,250 connections, each recorded at both ends in both directions. A question is asked once for each
day of up to 10,000,000 rows, as the Spark job and `--flows athena:` do. The rows are made while DuckDB reads them, so the time holds
that as well; it is measured by itself beside it."""

import resource
import subprocess
import sys
import tempfile
import time

import duckdb

TOPOLOGY = """
CREATE OR REPLACE VIEW logs.flow_logs AS
WITH exchanges AS (
    SELECT n // 4 AS exchange, n % 4 AS direction, hash(n // 4) AS dice FROM range({first}, {last}) AS numbers(n)
), connections AS (
    SELECT *, CAST(dice % 16250 AS bigint) AS connection FROM exchanges
), ends AS (
    SELECT
        *,
        connection % 2000 AS client,
        (connection % 2000 + 1 + CAST(hash(connection) % 8 AS bigint) + 100 * CAST(hash(connection + 1000000) % 20 AS bigint)) % 2000 AS server,
        32768 + CAST(hash(exchange + 1) % 28232 AS bigint) AS own,
        1793577600 + 86400 * {day} + CAST(hash(exchange + 2) % 86340 AS bigint) AS first
    FROM connections
), records AS (
    SELECT
        *,
        [443, 80, 5432, 3306, 6379, 8080, 9200, 2049][server % 8 + 1] AS port,
        CASE WHEN direction < 2 THEN client ELSE server END AS recorder,
        CASE WHEN direction % 2 = 0 THEN client ELSE server END AS sender,
        CASE WHEN direction % 2 = 0 THEN server ELSE client END AS receiver
    FROM ends
)
SELECT
    2 AS version,
    '111122223333' AS account_id,
    'eni-' || recorder AS interface_id,
    '10.' || sender // 250 || '.' || sender % 250 || '.7' AS srcaddr,
    '10.' || receiver // 250 || '.' || receiver % 250 || '.7' AS dstaddr,
    CASE WHEN direction % 2 = 0 THEN own ELSE port END AS srcport,
    CASE WHEN direction % 2 = 0 THEN port ELSE own END AS dstport,
    6 AS protocol,
    1 + dice % 40 AS packets,
    60 + dice % 90000 AS bytes,
    first AS start,
    first + 58 AS "end",
    CASE WHEN connection % 100 = 0 THEN 'REJECT' ELSE 'ACCEPT' END AS action,
    'OK' AS log_status
FROM records
"""

MADE = "SELECT max(srcaddr), max(dstaddr), max(interface_id), max(srcport), max(packets), max(start) FROM logs.flow_logs"
FLOWS = "SELECT DISTINCT interface_id, src, dst, src_port, dst_port, protocol, action, dropped FROM answers"
DAY = 10_000_000

closegate, *sizes = sys.argv[1:]
command = [closegate, "query", "connections", "--engine", "duckdb", "--table", "logs.flow_logs"]
question = subprocess.run(command, check=True, capture_output=True, text=True).stdout
print("| rows | days | rows in the answers | flows | making the rows, s | asking, s | memory, GB |")
print("|---:|---:|---:|---:|---:|---:|---:|")
for rows in [int(size) for size in sizes or ["1000000", "10000000", "100000000"]]:
    cursor = duckdb.connect()
    spilled = tempfile.TemporaryDirectory()
    cursor.execute(f"SET temp_directory = '{spilled.name}'")
    cursor.execute("SET threads = 1; SET preserve_insertion_order = false; SET memory_limit = '5GB'; CREATE SCHEMA logs")
    days = -(-rows // DAY)
    made = asked = 0
    for day in range(days):
        cursor.execute(TOPOLOGY.format(first=rows * day // days, last=rows * (day + 1) // days, day=day))
        start = time.monotonic()
        cursor.execute(MADE).fetchall()
        made += time.monotonic() - start
        start = time.monotonic()
        cursor.execute(f"INSERT INTO answers ({question})" if day else f"CREATE TABLE answers AS ({question})")
        asked += time.monotonic() - start
    (answer,) = cursor.execute("SELECT count(*) FROM answers").fetchone()
    (flows,) = cursor.execute(f"SELECT count(*) FROM ({FLOWS})").fetchone()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"| {rows:,} | {days} | {answer:,} | {flows:,} | {made:.1f} | {asked:.1f} | {memory:.1f} |", flush=True)
