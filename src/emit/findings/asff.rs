//! The AWS Security Finding Format.

use serde_json::{Value, json};

use super::{Groups, is_posture, partition, place, stamp, text, times};
use crate::documents::{FindingRow, Outcome, Rating, ReportDocument, Severity};
use crate::emit::text::joined;
use crate::net::json;

/// Findings of one call of `BatchImportFindings`, at most (`API_BatchImportFindings.html`).
const BATCH: usize = 100;

/// The AWS Security Finding Format: a line for each call of `aws securityhub batch-import-findings --cli-input-json`.
pub fn asff(report: &ReportDocument) -> String {
    let groups = Groups::new(report);
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|f| asff_finding(report, &groups, f))
        .collect();
    let lines = findings
        .chunks(BATCH)
        .map(|batch| json::line(&json!({"Findings": batch})) + "\n");
    lines.collect()
}

fn asff_finding(report: &ReportDocument, groups: &Groups<'_>, f: &FindingRow) -> Value {
    let (account, region) = place(groups, f);
    let partition = partition(region);
    let arn = |kind: &str, id: &str| format!("arn:{partition}:ec2:{region}:{account}:{kind}/{id}");
    let resource = |kind: &str, id: String| json!({"Type": kind, "Id": id, "Partition": partition, "Region": region});
    let mut resources = Vec::new();
    resources.extend(
        f.group_id
            .iter()
            .map(|id| resource("AwsEc2SecurityGroup", arn("security-group", id))),
    );
    resources.extend(
        f.interface_id
            .iter()
            .map(|id| resource("AwsEc2NetworkInterface", arn("network-interface", id))),
    );
    if resources.is_empty() {
        resources.push(resource("AwsAccount", format!("AWS::::Account:{account}")));
    }
    let posture = is_posture(f);
    let (first, last) = times(report, f);
    let mut finding = json!({
        "SchemaVersion": "2018-10-08",
        "Id": f.id,
        "ProductArn": format!("arn:{partition}:securityhub:{region}:{account}:product/{account}/default"),
        "GeneratorId": format!("closegate/{}", f.kind),
        "AwsAccountId": account,
        "CreatedAt": stamp(first),
        "UpdatedAt": stamp(report.window.end.max(first)),
        "FirstObservedAt": stamp(first),
        "LastObservedAt": stamp(last),
        "Types": [if posture {
            "Software and Configuration Checks/AWS Security Best Practices/Network Reachability"
        } else {
            "TTPs/Command and Control"
        }],
        "Severity": {"Label": if f.severity == Severity::Info { "INFORMATIONAL".to_owned() } else { f.severity.as_str().to_uppercase() }},
        "Confidence": match f.confidence { Rating::High => 90, Rating::Medium => 60, Rating::Low => 30 },
        "Title": text(&f.title, 256),
        "Description": text(&f.detail, 1024),
        "Remediation": {"Recommendation": {"Text": text(&f.remediation, 512)}},
        "ProductFields": {
            "closegate/kind": f.kind,
            "closegate/outcome": f.outcome.map_or("none", Outcome::as_str),
            "closegate/evidence": text(&joined(&f.evidence, " "), 1024),
        },
        "Resources": resources,
        "RecordState": "ACTIVE",
    });
    if let Some(pattern) = &f.pattern {
        finding["ProductFields"]["closegate/count"] = f.count.to_string().into();
        finding["ProductFields"]["closegate/destinations"] = pattern.as_str().into();
    }
    if posture {
        finding["Compliance"] = json!({"Status": "FAILED"});
    }
    if let (Some(local), Some(remote)) = (&f.local, &f.remote) {
        let key = |end: &str, address: &str| {
            format!(
                "{end}{}",
                if address.contains(':') {
                    "IpV6"
                } else {
                    "IpV4"
                }
            )
        };
        let mut network = json!({"Direction": "OUT", "Protocol": f.protocol});
        network[key("Source", local)] = local.as_str().into();
        network[key("Destination", remote)] = remote.as_str().into();
        if let Some(port) = f.port {
            network["DestinationPort"] = port.into();
        }
        finding["Network"] = network;
    }
    finding
}
