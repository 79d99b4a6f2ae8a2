"""Runs statements in an Athena emulator, one a file, and waits for each: athena_table.py URL DATABASE FILE..."""

import sys
import time
from pathlib import Path

from ec2_estate import client

url, database, *files = sys.argv[1:]
client(url, "s3").create_bucket(Bucket="answers")
client(url, "glue").create_database(DatabaseInput={"Name": database})
athena = client(url, "athena")
for path in files:
    query = athena.start_query_execution(
        QueryString=Path(path).read_text(),
        QueryExecutionContext={"Database": database},
        ResultConfiguration={"OutputLocation": "s3://answers/ddl/"},
    )["QueryExecutionId"]
    while True:
        status = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"]
        if status["State"] not in ("QUEUED", "RUNNING"):
            break
        time.sleep(0.05)
    assert status["State"] == "SUCCEEDED", status
