"""The flows of an audit, day by day, as a Spark job. `closegate audit --flows answers:DIR` reads what it writes.

    closegate query connections --engine spark --flows 's3a://BUCKET/AWSLogs/*/vpcflowlogs/*/{day}/*.log.gz' > connections.sql
    spark-submit connections.py --sql connections.sql --since 2026-11-01 --until 2026-11-15 --out s3a://BUCKET/answers

A question is asked once for each day, with `{day}` replaced by a day such as 2026/11/01, and {year}, {month} and {date} by its
parts. Each answer is written to DIR/day=2026-11-01. A day whose _SUCCESS is there is not asked again, so a job that was stopped
goes on where it ended. Answers of days add up if each record is in the files of one day, as AWS delivers them.
"""

import argparse
import datetime
import subprocess
import sys

MARKS = ["{day}", "{date}"]
DONE = "_SUCCESS"
QUESTION = "_question.sql"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--sql", metavar="FILE", help="what `closegate query connections --engine spark` printed")
    source.add_argument("--flows", metavar="GLOB", help="the logs of a day; `closegate` on this machine makes the question")
    parser.add_argument("--log-format", metavar="FORMAT", help="with --flows: the format of the logs [default: version 2]")
    parser.add_argument("--closegate", metavar="PROGRAM", default="closegate", help="with --flows: where closegate is")
    parser.add_argument("--since", metavar="DATE", required=True, type=datetime.date.fromisoformat, help="the first day of delivery")
    parser.add_argument("--until", metavar="DATE", required=True, type=datetime.date.fromisoformat, help="the day after the last")
    parser.add_argument("--out", metavar="DIR", required=True, help="where answers are written")
    parser.add_argument("--skip-missing", action="store_true", help="go on where a day has no files")
    return parser.parse_args()


def question(args):
    if args.sql:
        with open(args.sql, encoding="utf-8") as file:
            text = file.read()
    else:
        command = [args.closegate, "query", "connections", "--engine", "spark", "--flows", args.flows]
        command += ["--log-format", args.log_format] if args.log_format else []
        text = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
    if not any(mark in text for mark in MARKS):
        sys.exit("the question names no day: write {day} where the path of the logs has it, or every day would read all of them")
    return text


def of_day(text, day):
    parts = {"{day}": "%Y/%m/%d", "{year}": "%Y", "{month}": "%m", "{date}": "%d"}
    for mark, form in parts.items():
        text = text.replace(mark, day.strftime(form))
    return text


class Answers:
    """The directory that answers are written to, wherever Hadoop finds it."""

    def __init__(self, session, place):
        self.jvm = session.sparkContext._jvm
        self.root = self.jvm.org.apache.hadoop.fs.Path(place)
        self.files = self.root.getFileSystem(session.sparkContext._jsc.hadoopConfiguration())

    def path(self, name):
        return self.jvm.org.apache.hadoop.fs.Path(self.root, name)

    def keep_question(self, text):
        """Answers to two questions don't add up."""
        place = self.path(QUESTION)
        if not self.files.exists(place):
            out = self.files.create(place, False)
            out.write(bytearray(text.encode()))
            out.close()
            return
        stream = self.files.open(place)
        known = bytes(self.jvm.org.apache.commons.io.IOUtils.toByteArray(stream)).decode()
        stream.close()
        if known != text:
            sys.exit(f"{place.toString()} holds another question; give another --out")

    def is_done(self, name):
        return self.files.exists(self.jvm.org.apache.hadoop.fs.Path(self.path(name), DONE))

    def refuse_foreign(self, name):
        """What a stopped job left is replaced, and nothing else."""
        place = self.path(name)
        found = self.files.listStatus(place) if self.files.exists(place) else []
        for status in found:
            file = status.getPath().getName()
            if not file.startswith(("part-", "_", ".")):
                sys.exit(f"{place.toString()} holds {file}, which is no part of an answer; remove it or give another --out")


def main():
    from pyspark.errors import AnalysisException
    from pyspark.sql import SparkSession

    args = arguments()
    text = question(args)
    if args.since >= args.until:
        sys.exit("--since lies at or after --until; swap them")
    session = SparkSession.builder.appName("closegate connections").getOrCreate()
    answers = Answers(session, args.out)
    answers.keep_question(text)
    day = args.since
    while day < args.until:
        name = f"day={day}"
        if answers.is_done(name):
            print(f"{name}: done before", flush=True)
        else:
            answers.refuse_foreign(name)
            try:
                session.sql(of_day(text, day)).write.mode("overwrite").parquet(answers.path(name).toString())
                print(f"{name}: done", flush=True)
            except AnalysisException as error:
                if not (args.skip_missing and error.getCondition() == "PATH_NOT_FOUND"):
                    raise
                print(f"{name}: no files", flush=True)
        day += datetime.timedelta(days=1)
    session.stop()


if __name__ == "__main__":
    main()
