"""Reads findings as the tools that they are made for do: ASFF by the AWS SDK's model of BatchImportFindings and an emulator of
Security Hub, OCSF and SARIF by models of their schemas. Imports twice, and says how many findings there are then.

    finding_formats.py URL asff FILE
    finding_formats.py - ocsf FILE
    finding_formats.py - sarif FILE
"""

import json
import sys

LIMITS = {"Title": 256, "Description": 1024, "Id": 512, "GeneratorId": 512}


def asff(url, path):
    import boto3

    hub = boto3.client(
        "securityhub", endpoint_url=url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
    )
    for _ in range(2):
        for line in open(path, encoding="utf-8"):
            assert len(line.encode()) < 240 * 100 * 1024
            batch = json.loads(line)
            assert 1 <= len(batch["Findings"]) <= 100
            for finding in batch["Findings"]:
                for key, limit in LIMITS.items():
                    assert 1 <= len(finding[key]) <= limit, (key, finding[key])
                assert len(finding["Remediation"]["Recommendation"]["Text"]) <= 512
                assert len(finding["AwsAccountId"]) == 12 and 1 <= len(finding["Resources"]) <= 32
                assert all(len(value) <= 2048 for value in finding["ProductFields"].values())
                assert finding["Severity"]["Label"] in {"INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL"}
            # Refuses what the service model does not know or lacks.
            answer = hub.batch_import_findings(**batch)
            assert answer["FailedCount"] == 0, answer
    pages = hub.get_paginator("get_findings").paginate()
    return [finding["Id"] for page in pages for finding in page["Findings"]]


def ocsf(_, path):
    from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding
    from py_ocsf_models.events.findings.detection_finding import DetectionFinding

    found = []
    for line in open(path, encoding="utf-8"):
        event = json.loads(line)
        model = {2003: ComplianceFinding, 2004: DetectionFinding}[event["class_uid"]]
        assert model.model_validate(event)
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        found.append(event["finding_info"]["uid"])
    return found


def sarif(_, path):
    from sarif_pydantic import Sarif

    document = json.load(open(path, encoding="utf-8"))
    assert Sarif.model_validate(document)
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(rules) == len(set(rules))
    for result in run["results"]:
        # What GitHub asks for (sarif-support-for-code-scanning).
        assert rules[result["ruleIndex"]] == result["ruleId"] and result["message"]["text"]
        place = result["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] and place["region"]["startLine"] >= 1
        assert result["level"] in {"error", "warning", "note"}
    return [result["partialFingerprints"]["closegate/v1"] for result in run["results"]]


url, form, path = sys.argv[1:]
print("\n".join(sorted({"asff": asff, "ocsf": ocsf, "sarif": sarif}[form](url, path))))
