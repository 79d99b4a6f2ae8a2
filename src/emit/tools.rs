//! Findings for other tools: SARIF, ASFF, OCSF, and a table. Each finding keeps its id, so that a second import updates it
//! and creates nothing twice.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::brief::{Brief, FindingRow, GroupBrief};
use super::formats::inert;
use super::joined;
use crate::findings::KINDS;
use crate::net::{json, visible};

/// Findings of one call of `BatchImportFindings`, at most (`API_BatchImportFindings.html`).
const BATCH: usize = 100;

/// Where something is written: a file and a line of it.
pub type Places = BTreeMap<String, (String, u64)>;

/// SARIF 2.1.0. GitHub wants a place in a file for each result: the line where a group is written, if `places` knows it by the group's
/// name, else the report.
pub fn sarif(brief: &Brief, places: &Places) -> String {
    let kinds: Vec<&crate::findings::Kind> = KINDS
        .iter()
        .copied()
        .filter(|kind| brief.findings.iter().any(|f| f.kind == kind.id))
        .collect();
    let rule = |kind: &&crate::findings::Kind| {
        json!({
            "id": kind.id,
            "name": kind.id,
            "shortDescription": {"text": kind.title},
            "fullDescription": {"text": kind.remediation},
            "help": {"text": format!("{} Sources: {}.", kind.remediation, kind.sources.join("; "))},
            "defaultConfiguration": {"level": level(kind.severity.as_str())},
            "properties": {
                "tags": ["security", "network"],
                "precision": if kind.confidence.as_str() == "high" { "high" } else { "medium" },
                "security-severity": security_severity(kind.severity.as_str()),
            },
        })
    };
    let results = brief.findings.iter().map(|f| {
        let group = group(brief, f);
        let (file, line) = group.and_then(|g| places.get(&g.name).cloned()).unwrap_or_else(|| ("report.md".to_owned(), 1));
        let logical = f.group_id.iter().chain(&f.interface_id).map(|id| json!({"fullyQualifiedName": visible(id, usize::MAX), "kind": "resource"}));
        json!({
            "ruleId": f.kind,
            "ruleIndex": kinds.iter().position(|kind| kind.id == f.kind),
            "level": level(&f.severity),
            "message": {"text": message(&f.detail)},
            "locations": [{
                "physicalLocation": {"artifactLocation": {"uri": uri(&file)}, "region": {"startLine": line}},
                "logicalLocations": logical.collect::<Vec<Value>>(),
            }],
            "partialFingerprints": {"closegate/v1": f.id},
            "properties": {
                "confidence": f.confidence,
                "outcome": f.outcome,
                "knownSince": f.known_since,
                "benchmarks": f.benchmarks,
                "evidence": f.evidence,
                "security-severity": security_severity(&f.severity),
            },
        })
    });
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": brief.tool.name,
                "semanticVersion": brief.tool.version,
                "rules": kinds.iter().map(rule).collect::<Vec<Value>>(),
            }},
            "automationDetails": {"id": "closegate/"},
            "results": results.collect::<Vec<Value>>(),
        }],
    });
    json::pretty(&document)
}

/// A message in plain text: no placeholder, for which braces are doubled (SARIF 2.1.0, 3.11.5), and no embedded link,
/// whose brackets and backslashes are escaped (3.11.6).
fn message(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in visible(text, 1000).chars() {
        match c {
            '{' | '}' => out.push(c),
            '\\' | '[' | ']' => out.push('\\'),
            _ => {}
        }
        out.push(c);
    }
    out
}

/// A relative path as a URI (RFC 3986): whatever is not unreserved is written as its bytes.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a string takes everything");
        }
    }
    out
}

/// Of SARIF.
fn level(severity: &str) -> &'static str {
    match severity {
        "critical" | "high" => "error",
        "medium" => "warning",
        _ => "note",
    }
}

/// As GitHub sorts by: critical above 9, high above 7, medium above 4.
fn security_severity(severity: &str) -> &'static str {
    match severity {
        "critical" => "9.5",
        "high" => "8.0",
        "medium" => "5.5",
        "low" => "3.0",
        _ => "1.0",
    }
}

fn group<'a>(brief: &'a Brief, f: &FindingRow) -> Option<&'a GroupBrief> {
    let id = f.group_id.as_ref()?;
    brief.groups.iter().find(|group| group.id == *id)
}

/// Account and region of a finding: those of its group, else of the first group that has them.
fn place<'a>(brief: &'a Brief, f: &FindingRow) -> (&'a str, &'a str) {
    let own = group(brief, f).into_iter().chain(&brief.groups);
    let is_account = |id: &&str| id.len() == 12 && id.bytes().all(|b| b.is_ascii_digit());
    let account = own.clone().map(|g| g.owner.as_str()).find(is_account);
    let region = own
        .map(|g| g.region.as_str())
        .find(|region| !region.is_empty());
    (
        account.unwrap_or("000000000000"),
        region.unwrap_or("us-east-1"),
    )
}

fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

/// Seconds, as RFC 3339.
fn stamp(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or_default();
    jiff::Timestamp::from_second(seconds)
        .unwrap_or_default()
        .to_string()
}

/// A text that is cut to so many characters, and never empty.
fn text(text: &str, limit: usize) -> String {
    let text = visible(text, limit - 1);
    if text.is_empty() {
        "-".to_owned()
    } else {
        text
    }
}

/// The AWS Security Finding Format: a line for each call of `aws securityhub batch-import-findings --cli-input-json`.
pub fn asff(brief: &Brief) -> String {
    let findings: Vec<Value> = brief
        .findings
        .iter()
        .map(|f| asff_finding(brief, f))
        .collect();
    let lines = findings
        .chunks(BATCH)
        .map(|batch| json::line(&json!({"Findings": batch})) + "\n");
    lines.collect()
}

fn asff_finding(brief: &Brief, f: &FindingRow) -> Value {
    let (account, region) = place(brief, f);
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
    let first = if f.first_seen == 0 {
        brief.window.start
    } else {
        f.first_seen
    };
    let mut finding = json!({
        "SchemaVersion": "2018-10-08",
        "Id": f.id,
        "ProductArn": format!("arn:{partition}:securityhub:{region}:{account}:product/{account}/default"),
        "GeneratorId": format!("closegate/{}", f.kind),
        "AwsAccountId": account,
        "CreatedAt": stamp(first),
        "UpdatedAt": stamp(brief.window.end.max(first)),
        "FirstObservedAt": stamp(first),
        "LastObservedAt": stamp(f.last_seen.max(first)),
        "Types": [if posture {
            "Software and Configuration Checks/AWS Security Best Practices/Network Reachability"
        } else {
            "TTPs/Command and Control"
        }],
        "Severity": {"Label": if f.severity == "info" { "INFORMATIONAL".to_owned() } else { f.severity.to_uppercase() }},
        "Confidence": match &*f.confidence { "high" => 90, "medium" => 60, _ => 30 },
        "Title": text(&f.title, 256),
        "Description": text(&f.detail, 1024),
        "Remediation": {"Recommendation": {"Text": text(&f.remediation, 512)}},
        "ProductFields": {
            "closegate/kind": f.kind,
            "closegate/outcome": f.outcome.as_deref().unwrap_or("none"),
            "closegate/evidence": text(&joined(&f.evidence, " "), 1024),
        },
        "Resources": resources,
        "RecordState": "ACTIVE",
    });
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

/// Whether it is about what groups allow, not about what was done.
fn is_posture(f: &FindingRow) -> bool {
    f.family == "posture"
}

/// OCSF 1.5.0, an event per line: Compliance Finding (2003) for what groups allow, Detection Finding (2004) for the rest.
pub fn ocsf(brief: &Brief) -> String {
    brief
        .findings
        .iter()
        .map(|f| json::line(&ocsf_finding(brief, f)) + "\n")
        .collect()
}

fn ocsf_finding(brief: &Brief, f: &FindingRow) -> Value {
    let (account, region) = place(brief, f);
    let posture = is_posture(f);
    let class = if posture { 2003 } else { 2004 };
    let severity = match &*f.severity {
        "critical" => (5, "Critical"),
        "high" => (4, "High"),
        "medium" => (3, "Medium"),
        "low" => (2, "Low"),
        _ => (1, "Informational"),
    };
    let milliseconds = |seconds: u64| seconds.saturating_mul(1000);
    let first = if f.first_seen == 0 {
        brief.window.start
    } else {
        f.first_seen
    };
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
        "time": milliseconds(brief.window.end.max(first)),
        "message": text(&f.detail, 2000),
        "metadata": {
            "version": "1.5.0",
            "uid": f.id,
            "profiles": ["cloud"],
            "event_code": f.kind,
            "product": {"name": "closegate", "vendor_name": "closegate", "version": brief.tool.version, "uid": "closegate"},
        },
        "cloud": {"provider": "AWS", "region": region, "account": {"uid": account, "name": account, "type_id": 10, "type": "AWS Account"}},
        "finding_info": {
            "uid": f.id,
            "title": f.title,
            "desc": text(&f.detail, 2000),
            "types": [f.kind],
            "created_time": milliseconds(first),
            "first_seen_time": milliseconds(first),
            "last_seen_time": milliseconds(f.last_seen.max(first)),
        },
        "remediation": {"desc": f.remediation},
        "resources": resources,
        "unmapped": {"confidence": f.confidence, "outcome": f.outcome, "known_since": f.known_since, "evidence": f.evidence, "benchmarks": f.benchmarks},
    });
    if posture {
        event["compliance"] = json!({
            "status_id": 3,
            "status": "Fail",
            "control": f.kind,
            "standards": if f.benchmarks.is_empty() { json!(["closegate"]) } else { json!(f.benchmarks) },
        });
    } else {
        event["confidence_id"] = match &*f.confidence {
            "high" => 3,
            "medium" => 2,
            _ => 1,
        }
        .into();
        event["is_alert"] = (f.severity != "info").into();
    }
    event
}

const COLUMNS: &[&str] = &[
    "id",
    "kind",
    "severity",
    "confidence",
    "title",
    "group_id",
    "group_name",
    "interface_id",
    "local",
    "remote",
    "protocol",
    "port",
    "first_seen",
    "last_seen",
    "records",
    "bytes",
    "outcome",
    "known_since",
    "benchmarks",
    "detail",
    "remediation",
];

/// The findings as a table.
pub fn csv(brief: &Brief) -> Result<String, super::FormatError> {
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(COLUMNS)?;
    for f in &brief.findings {
        let name = group(brief, f).map(|group| group.name.as_str());
        let some = |text: &Option<String>| text.clone().unwrap_or_default();
        let cells = [
            f.id.clone(),
            f.kind.to_string(),
            f.severity.to_string(),
            f.confidence.to_string(),
            f.title.to_string(),
            some(&f.group_id),
            name.unwrap_or_default().to_owned(),
            some(&f.interface_id),
            some(&f.local),
            some(&f.remote),
            some(&f.protocol),
            f.port.map(|port| port.to_string()).unwrap_or_default(),
            stamp(f.first_seen),
            stamp(f.last_seen),
            f.records.to_string(),
            f.bytes.to_string(),
            f.outcome.clone().unwrap_or_default().into_owned(),
            some(&f.known_since),
            f.benchmarks.join("; "),
            visible(&f.detail, 2000),
            f.remediation.to_string(),
        ];
        table.write_record(cells.map(|cell| inert(&cell)))?;
    }
    let bytes = table
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8(bytes)?)
}
