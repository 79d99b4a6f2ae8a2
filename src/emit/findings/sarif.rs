//! SARIF 2.1.0.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Groups;
use crate::documents::{FindingRow, Rating, ReportDocument, Severity};
use crate::findings::{KINDS, Kind};
use crate::net::{json, plural, thousands, visible};

/// Where something is written: a file and a line of it.
pub type Places = BTreeMap<String, (String, u64)>;

/// Results of a run, at most: GitHub rejects a file with more (sarif-support-for-code-scanning).
const RESULTS: usize = 25_000;

/// SARIF 2.1.0. GitHub wants a place in a file for each result: the line where a group is written, if `places` knows it by the group's
/// name, else the report. Of more findings than GitHub takes, the most severe are results, and a notification counts the others.
pub fn sarif(report: &ReportDocument, places: &Places) -> String {
    let groups = Groups::new(report);
    let findings = most_severe(report);
    let left_out = report.findings.len() - findings.len();
    let kinds: Vec<&Kind> = KINDS
        .iter()
        .copied()
        .filter(|kind| findings.iter().any(|f| f.kind == kind.id))
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
    let results = findings.iter().map(|f| {
        let group = groups.of(f);
        let (file, line) = group.and_then(|g| places.get(&g.name).cloned()).unwrap_or_else(|| ("report.md".to_owned(), 1));
        let logical = f.group_id.iter().chain(&f.interface_id).map(|id| json!({"fullyQualifiedName": visible(id, usize::MAX), "kind": "resource"}));
        let mut result = json!({
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
        });
        if let Some(pattern) = &f.pattern {
            result["properties"]["count"] = f.count.into();
            result["properties"]["destinations"] = pattern.as_str().into();
        }
        if let Some(account) = &f.account_id {
            result["properties"]["account"] = account.as_str().into();
        }
        result
    });
    let mut document = json!({
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
    if left_out > 0 {
        document["runs"][0]["invocations"] = invocations(left_out);
    }
    json::pretty(&document)
}

/// As many findings as a run may have results. The others are not as severe; among equals, threats come first.
fn most_severe(report: &ReportDocument) -> Vec<&FindingRow> {
    let mut findings: Vec<&FindingRow> = report.findings.iter().collect();
    if findings.len() > RESULTS {
        findings.sort_by_key(|f| f.severity);
        findings.truncate(RESULTS);
    }
    findings
}

/// Says that some findings are no results.
fn invocations(left_out: usize) -> Value {
    let text = format!(
        "{} left out: GitHub takes {} in a run, and these are the most severe. report/findings.csv and audit.json of the run have every finding.",
        plural(left_out as u64, "result"),
        thousands(RESULTS as u64),
    );
    json!([{
        "executionSuccessful": true,
        "toolExecutionNotifications": [{"level": "warning", "message": {"text": text}}],
    }])
}

/// A message in plain text: no placeholder, for which braces are doubled (SARIF 2.1.0, 3.11.5), and no embedded link,
/// whose brackets and backslashes are escaped (3.11.6).
pub(in crate::emit) fn message(text: &str) -> String {
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
pub(in crate::emit) fn uri(path: &str) -> String {
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
