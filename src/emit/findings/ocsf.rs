//! The Open Cybersecurity Schema Framework.

use serde_json::{Value, json};

use super::{Groups, is_posture, partition, place, text, times};
use crate::documents::{FindingRow, Rating, ReportDocument, Severity};
use crate::net::json;

/// OCSF 1.5.0, an event per line: Compliance Finding (2003) for what groups permit, Detection Finding (2004) for the rest.
pub fn ocsf(report: &ReportDocument) -> String {
    let groups = Groups::new(report);
    report
        .findings
        .iter()
        .map(|f| json::line(&ocsf_finding(report, &groups, f)) + "\n")
        .collect()
}

fn ocsf_finding(report: &ReportDocument, groups: &Groups<'_>, f: &FindingRow) -> Value {
    let (account, region) = place(groups, f);
    let posture = is_posture(f);
    let class = if posture { 2003 } else { 2004 };
    let severity = match f.severity {
        Severity::Critical => (5, "Critical"),
        Severity::High => (4, "High"),
        Severity::Medium => (3, "Medium"),
        Severity::Low => (2, "Low"),
        Severity::Info => (1, "Informational"),
    };
    let milliseconds = |seconds: u64| seconds.saturating_mul(1000);
    let (first, last) = times(report, f);
    let mut resources: Vec<Value> = Vec::new();
    let resource = |kind: &str, id: &str| json!({"uid": id, "type": kind, "region": region, "cloud_partition": partition(region)});
    resources.extend(
        f.group_id
            .iter()
            .map(|id| resource("AwsEc2SecurityGroup", id)),
    );
    resources.extend(
        f.interface_id
            .iter()
            .map(|id| resource("AwsEc2NetworkInterface", id)),
    );
    let mut event = json!({
        "activity_id": 1,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": class,
        "class_name": if posture { "Compliance Finding" } else { "Detection Finding" },
        "type_uid": class * 100 + 1,
        "type_name": if posture { "Compliance Finding: Create" } else { "Detection Finding: Create" },
        "severity_id": severity.0,
        "severity": severity.1,
        "status_id": 1,
        "status": "New",
        "time": milliseconds(report.window.end.max(first)),
        "message": text(&f.detail, 2000),
        "metadata": {
            "version": "1.5.0",
            "uid": f.id,
            "profiles": ["cloud"],
            "event_code": f.kind,
            "product": {"name": "closegate", "vendor_name": "closegate", "version": report.tool.version, "uid": "closegate"},
        },
        "cloud": {"provider": "AWS", "region": region, "account": {"uid": account, "name": account, "type_id": 10, "type": "AWS Account"}},
        "finding_info": {
            "uid": f.id,
            "title": f.title,
            "desc": text(&f.detail, 2000),
            "types": [f.kind],
            "created_time": milliseconds(first),
            "first_seen_time": milliseconds(first),
            "last_seen_time": milliseconds(last),
        },
        "remediation": {"desc": f.remediation},
        "resources": resources,
        "unmapped": {"confidence": f.confidence, "outcome": f.outcome, "known_since": f.known_since, "evidence": f.evidence, "benchmarks": f.benchmarks},
    });
    if let Some(pattern) = &f.pattern {
        event["unmapped"]["count"] = f.count.into();
        event["unmapped"]["destinations"] = pattern.as_str().into();
    }
    if posture {
        event["compliance"] = json!({
            "status_id": 3,
            "status": "Fail",
            "control": f.kind,
            "standards": if f.benchmarks.is_empty() { json!(["closegate"]) } else { json!(f.benchmarks) },
        });
    } else {
        event["confidence_id"] = match f.confidence {
            Rating::High => 3,
            Rating::Medium => 2,
            Rating::Low => 1,
        }
        .into();
        event["is_alert"] = (f.severity != Severity::Info).into();
    }
    event
}
