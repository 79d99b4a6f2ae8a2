"""CloudTrail's LookupEvents as far as closegate asks it: fake_cloudtrail.py PORT FILE

FILE holds a JSON list of records as trail files have them; a text among them is an event whose record is damaged. An
answer has two events at most, the newest first. Like AWS, it takes two calls a second, and a token only with the
attributes that it was given for. Whatever else is asked, it answers UnknownOperationException.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PAGE = 2
RECORDS = json.loads(Path(sys.argv[2]).read_text())
CALLS = []


def event(record):
    if isinstance(record, str):
        return {"EventId": "damaged", "EventName": "RunInstances", "EventTime": 0, "CloudTrailEvent": record}
    return {
        "EventId": record["eventID"],
        "EventName": record["eventName"],
        "EventTime": 1760000000,
        "EventSource": "ec2.amazonaws.com",
        "Resources": [],
        "CloudTrailEvent": json.dumps(record),
    }


def answer(asked):
    now = time.monotonic()
    CALLS.append(now)
    if len([call for call in CALLS if now - call < 1]) > 2:
        return 400, {"__type": "ThrottlingException", "message": "Rate exceeded"}
    attributes = asked.get("LookupAttributes", [])
    if len(attributes) != 1 or attributes[0]["AttributeKey"] != "EventName":
        return 400, {"__type": "InvalidLookupAttributesException", "message": "one EventName"}
    name = attributes[0]["AttributeValue"]
    of_name = [event for event in map(event, RECORDS) if event["EventName"] == name][::-1]
    told, _, start = asked.get("NextToken", f"{name}:0").partition(":")
    if told != name:
        return 400, {"__type": "InvalidNextTokenException", "message": "a token of other attributes"}
    start = int(start)
    page = {"Events": of_name[start : start + PAGE]}
    if start + PAGE < len(of_name):
        page["NextToken"] = f"{name}:{start + PAGE}"
    return 200, page


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("X-Amz-Target", "").endswith(".LookupEvents"):
            status, said = answer(json.loads(body))
        else:
            status, said = 400, {"__type": "UnknownOperationException", "message": "LookupEvents only"}
        text = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
