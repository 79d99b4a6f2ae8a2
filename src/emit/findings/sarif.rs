//! SARIF 2.1.0.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::group;
use crate::documents::{Rating, ReportDocument, Severity};
use crate::findings::{KINDS, Kind};
use crate::net::{json, visible};

/// Where something is written: a file and a line of it.
pub type Places = BTreeMap<String, (String, u64)>;

/// SARIF 2.1.0. GitHub wants a place in a file for each result: the line where a group is written, if `places` knows it by the group's
/// name, else the report.
pub fn sarif(report: &ReportDocument, places: &Places) -> String {
    let kinds: Vec<&Kind> = KINDS
        .iter()
        .copied()
        .filter(|kind| report.findings.iter().any(|f| f.kind == kind.id))
        .collect();
    let rule = |kind: &&Kind| {
        json!({
            "id": kind.id,
            "name": kind.id,
            "shortDescription": {"text": kind.title},
            "fullDescription": {"text": kind.remediation},
            "help": {"text": format!("{} Sources: {}.", kind.remediation, kind.sources.join("; "))},
            "defaultConfiguration": {"level": level(kind.severity)},
            "properties": {
                "tags": ["security", "network"],
                "precision": if kind.confidence == Rating::High { "high" } else { "medium" },
                "security-severity": security_severity(kind.severity),
            },
        })
    };
    let results = report.findings.iter().map(|f| {
        let group = group(report, f);
        let (file, line) = group.and_then(|g| places.get(&g.name).cloned()).unwrap_or_else(|| ("report.md".to_owned(), 1));
        let logical = f.group_id.iter().chain(&f.interface_id).map(|id| json!({"fullyQualifiedName": visible(id, usize::MAX), "kind": "resource"}));
        json!({
            "ruleId": f.kind,
            "ruleIndex": kinds.iter().position(|kind| kind.id == f.kind),
            "level": level(f.severity),
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
                "security-severity": security_severity(f.severity),
            },
        })
    });
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": report.tool.name,
                "semanticVersion": report.tool.version,
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

/// The level that SARIF gives a severity.
const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// The number that GitHub sorts by: critical above 9, high above 7, medium above 4.
const fn security_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "3.0",
        Severity::Info => "1.0",
    }
}
