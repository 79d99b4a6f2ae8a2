"""CloudWatch Logs Insights as far as closegate asks it: fake_insights.py PORT FILE...

No emulator executes Insights. This one knows the three questions of queries/insights/connections.txt by their first line
and answers them from flow log files by its own account of what they mean: it is no judge of their syntax. An answer has
10,000 rows at most, a query needs three looks to complete, and the fifth query is refused once.
"""

import gzip
import json
import re
import sys
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MOST = 10_000
LISTENERS = {int(n) for n in re.findall(r"\d+", re.search(r"LISTENERS: &\[u16\] = &\[(.*?)\]", Path(sys.argv[2]).read_text(), re.S)[1])}


def read(paths):
    rows = []
    for path in paths:
        header, *lines = gzip.decompress(Path(path).read_bytes()).decode().splitlines()
        names = header.replace("-", "_").split()
        rows += [dict(zip(names, line.split())) for line in lines]
    return rows


def port_class(port):
    return 1 if port in LISTENERS else 0 if port < 1024 else 3 if port >= 32768 else 2


def kept(row):
    """Which of the three questions a row belongs to."""
    if row["protocol"] not in ("6", "17"):
        return "3 of 3"
    src, dst = port_class(int(row["srcport"])), port_class(int(row["dstport"]))
    flags = int(row.get("tcp_flags", "0").replace("-", "0")) & 18 if row["protocol"] == "6" else 0
    if {src, dst} == {0, 1} or src == dst:
        return "3 of 3"
    if src > dst:
        return "3 of 3" if flags == 18 else "2 of 3"
    return "3 of 3" if flags == 2 else "1 of 3"


def coverage(start, end, rows):
    groups = defaultdict(list)
    for row in rows:
        if row["log_status"] != "OK" and start <= int(row["start"]) <= end:
            groups[row["interface_id"], row["log_status"]].append(row)
    return [
        [
            {"field": "interface_id", "value": interface},
            {"field": "log_status", "value": status},
            {"field": "records", "value": str(len(members))},
            {"field": "first_seen", "value": min(member["start"] for member in members)},
            {"field": "last_seen", "value": max(member["end"] for member in members)},
        ]
        for (interface, status), members in sorted(groups.items())
    ]


def answer(question, start, end, rows):
    if '"SKIPDATA"' in question:
        return coverage(start, end, rows)
    rows = [row for row in rows if row["log_status"] == "OK"]
    which = re.search(r"(\d of 3)", question)[1]
    ports = {"1 of 3": ["srcport"], "2 of 3": ["dstport"], "3 of 3": ["srcport", "dstport"]}[which]
    dropped = {"1 of 3": "dstport", "2 of 3": "srcport", "3 of 3": "srcport"}[which]
    names = re.search(r" by ([a-z_, \n]+)", question)[1].replace("\n", "").split(",")
    names = [name.strip() for name in names]
    assert names[:3] == ["interface_id", "srcaddr", "dstaddr"] and names[3 : 3 + len(ports)] == ports, names
    groups = defaultdict(list)
    for row in rows:
        if kept(row) == which and start <= int(row["start"]) <= end:
            groups[tuple(row[name] for name in names)].append(row)
    found = []
    for key, members in sorted(groups.items())[:MOST]:
        values = dict(zip(names, key))
        number = lambda name: [int(member[name]) for member in members]
        clients = {int(member[dropped]) for member in members}
        values |= {
            "records": str(len(members)),
            "packets": f"{sum(number('packets'))}.0",
            "bytes": str(sum(number("bytes"))),
            "first_seen": str(min(number("start"))),
            "last_seen": str(max(number("end"))),
            "least_port": str(min(clients)),
            "most_port": str(max(clients)),
            "distinct_ports": str(len(clients)),
        }
        found.append([{"field": name, "value": value} for name, value in values.items()])
    return found


class Handler(BaseHTTPRequestHandler):
    queries, looks, refused = [], defaultdict(int), []

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        operation = self.headers["X-Amz-Target"].split(".")[-1]
        status, said = getattr(self, operation)(body)
        content = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def StartQuery(self, body):
        assert body["logGroupName"] == "/vpc/flow logs" and body["endTime"] >= body["startTime"]
        if len(self.queries) == 4 and not self.refused:
            self.refused.append(1)
            return 400, {"__type": "LimitExceededException", "message": "too many concurrent queries"}
        self.queries.append(answer(body["queryString"], body["startTime"], body["endTime"], ROWS))
        return 200, {"queryId": str(len(self.queries) - 1)}

    def GetQueryResults(self, body):
        query = int(body["queryId"])
        self.looks[query] += 1
        if self.looks[query] < 3:
            return 200, {"status": ["Scheduled", "Running"][self.looks[query] - 1], "results": []}
        return 200, {"status": "Complete", "results": self.queries[query], "statistics": {"bytesScanned": 1e6}}


if __name__ == "__main__":
    ROWS = read(sys.argv[3:])
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
