"""Asks an engine what `closegate query` printed, and keeps the answers: engines.py ENGINE QUESTION ANSWER [QUESTION ANSWER]...

The end of ANSWER's name says how it is kept: .text.parquet has every column as text, .parquet has the engine's own types,
.csv has a header, .json has a line for each row. Spark writes directories. `trino` and `athena` check the grammar only."""

import json
import os
import sys
import tempfile
from pathlib import Path

engine, *rest = sys.argv[1:]
pairs = [(Path(question).read_text(), answer) for question, answer in zip(rest[::2], rest[1::2])]


def duckdb():
    import duckdb

    for question, answer in pairs:
        cursor = duckdb.connect()
        columns = "CAST(COLUMNS(*) AS varchar)" if answer.endswith(".text.parquet") else "*"
        kind = {"parquet": "parquet", "csv": "csv, header", "json": "json"}[answer.rsplit(".", 1)[1]]
        cursor.execute(f"COPY (SELECT {columns} FROM ({question})) TO '{answer}' (FORMAT {kind})")


def clickhouse():
    import chdb

    for question, answer in pairs:
        columns = "*"
        if answer.endswith(".text.parquet"):
            names = [json.loads(line)["name"] for line in chdb.query(f"DESCRIBE ({question})", "JSONEachRow").data().splitlines()]
            columns = ", ".join(f"CAST({name} AS Nullable(String)) AS {name}" for name in names)
        kind = {"parquet": "Parquet", "csv": "CSVWithNames", "json": "JSONEachRow"}[answer.rsplit(".", 1)[1]]
        Path(answer).write_bytes(chdb.query(f"SELECT {columns} FROM ({question})", kind).bytes())


def spark():
    from pyspark.sql import SparkSession

    # Two workers, each a process of its own, as a cluster has them.
    os.chdir(tempfile.mkdtemp())
    builder = SparkSession.builder.master(os.environ.get("CLOSEGATE_SPARK", "local-cluster[2,1,1024]"))
    settings = {
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.shuffle.partitions": "4",
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    for question, answer in pairs:
        frame = session.sql(question)
        if answer.endswith(".text.parquet"):
            frame = frame.select([frame[name].cast("string").alias(name) for name in frame.columns])
        if answer.endswith(".parquet"):
            frame.write.parquet(answer)
        elif answer.endswith(".csv"):
            frame.write.csv(answer, header=True, quoteAll=True, escape='"')
        else:
            Path(answer).write_text("".join(row + "\n" for row in frame.toJSON().collect()))
    session.stop()


def trino():
    import sqlglot
    import trino_sql_validator

    for question, answer in pairs:
        said = trino_sql_validator.validate(question)
        assert said.valid and not said.warnings, (question, said)
        statements = sqlglot.parse(question, read=engine)
        assert len(statements) == 1 and not isinstance(statements[0], sqlglot.exp.Command), question
        Path(answer).write_text("valid\n")


{"duckdb": duckdb, "clickhouse": clickhouse, "spark": spark, "trino": trino, "athena": trino}[engine]()
