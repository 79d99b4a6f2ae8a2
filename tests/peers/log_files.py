"""Puts flow log files where AWS delivers them, in an emulator.

log_files.py URL s3 BUCKET LAYOUT FILE...       LAYOUT: plain, hourly, hive, hive-hourly
    log_files.py URL many BUCKET FILE...            an object for each few rows
    log_files.py URL logs GROUP FILE...             one stream for each interface
    log_files.py URL objects BUCKET KEY=FILE...     packed where the key ends with .gz
"""

import gzip
import sys
from collections import defaultdict
from pathlib import Path

from ec2_estate import client

LAYOUTS = {
    "plain": "AWSLogs/111122223333/vpcflowlogs/us-east-1/{y}/{m}/{d}/",
    "hourly": "AWSLogs/111122223333/vpcflowlogs/us-east-1/{y}/{m}/{d}/{h}/",
    "hive": "AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=us-east-1/year={y}/month={m}/day={d}/",
    "hive-hourly": "AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=us-east-1"
    "/year={y}/month={m}/day={d}/hour={h}/",
}


def lines(path):
    content = Path(path).read_bytes()
    return (gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content).decode().splitlines()


def s3(url, bucket, layout, *files):
    api = client(url, "s3")
    api.create_bucket(Bucket=bucket)
    for path in map(Path, files):
        stamp = next((p for p in path.name.split("_") if len(p) == 14 and p.endswith("Z")), "20261101T0000Z")
        parts = dict(y=stamp[:4], m=stamp[4:6], d=stamp[6:8], h=stamp[9:11])
        key = "some prefix/" + LAYOUTS[layout].format(**parts) + path.name
        api.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
    # What lies beside flow logs.
    api.put_object(
        Bucket=bucket, Key="some prefix/AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/01/x.json.gz", Body=b"{}"
    )
    api.put_object(Bucket=bucket, Key="some prefix/AWSLogs/111122223333/vpcflowlogs/", Body=b"")


def many(url, bucket, *files):
    """One object for each few rows: more than a listing's page."""
    api = client(url, "s3")
    api.create_bucket(Bucket=bucket)
    number = 0
    for path in files:
        header, *rows = lines(path)
        for start in range(0, len(rows), 6):
            body = "\n".join([header, *rows[start : start + 6], ""]).encode()
            key = f"AWSLogs/1/vpcflowlogs/us-east-1/2026/11/02/1_vpcflowlogs_us-east-1_fl-1_20261102T0000Z_{number}.log.gz"
            api.put_object(Bucket=bucket, Key=key, Body=gzip.compress(body))
            number += 1
    print(number)


def logs(url, group, *files):
    api = client(url, "logs")
    api.create_log_group(logGroupName=group)
    streams = defaultdict(list)
    for path in files:
        header, *rows = lines(path)
        names = header.split()
        for row in rows:
            values = dict(zip(names, row.split()))
            # A busy group has more streams than one call may name.
            part = f"-{len(row) % 11}{values['end'][-1]}" if "busy" in group else ""
            streams[values["interface-id"] + part + "-all"].append((int(values["start"]) * 1000, row))
    for stream, events in streams.items():
        api.create_log_stream(logGroupName=group, logStreamName=stream)
        events.sort()
        for start in range(0, len(events), 5000):
            batch = [{"timestamp": t, "message": m} for t, m in events[start : start + 5000]]
            api.put_log_events(logGroupName=group, logStreamName=stream, logEvents=batch)
    print(len(streams))


def objects(url, bucket, *named):
    api = client(url, "s3")
    api.create_bucket(Bucket=bucket)
    for key, path in (name.rsplit("=", 1) for name in named):
        body = Path(path).read_bytes()
        api.put_object(Bucket=bucket, Key=key, Body=gzip.compress(body) if key.endswith(".gz") else body)


if __name__ == "__main__":
    url, what, *rest = sys.argv[1:]
    {"s3": s3, "many": many, "logs": logs, "objects": objects}[what](url, *rest)
