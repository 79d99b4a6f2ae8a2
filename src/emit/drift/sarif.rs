//! Differences from the policy in SARIF 2.1.0.

use serde_json::{Value, json};

use crate::documents::{DifferenceRow, DriftDocument, DriftKind, DriftLevel};
use crate::emit::findings::{message, uri};
use crate::net::{json, plural, thousands, visible};

/// Results of a run, at most: GitHub rejects a file with more (sarif-support-for-code-scanning).
const RESULTS: usize = 25_000;

/// SARIF 2.1.0: a result for each difference, at the place in the policy where it is decided. With a plan, what stands today is
/// a note, for a pull request must not be blamed for it.
pub fn drift_sarif(document: &DriftDocument) -> String {
    let mut rows: Vec<&DifferenceRow> = document.differences.iter().collect();
    let left_out = rows.len().saturating_sub(RESULTS);
    if left_out > 0 {
        rows.sort_by_key(|row| (!row.decides, row.level));
        rows.truncate(RESULTS);
    }
    let kinds: Vec<DriftKind> = DriftKind::ALL
        .iter()
        .copied()
        .filter(|kind| rows.iter().any(|row| row.kind == *kind))
        .collect();
    let rule = |kind: &DriftKind| {
        json!({
            "id": kind.as_str(),
            "name": kind.as_str(),
            "shortDescription": {"text": title(*kind)},
            "fullDescription": {"text": title(*kind)},
            "help": {"text": format!("{} docs/drift.md of closegate describes every kind.", title(*kind))},
            "defaultConfiguration": {"level": "warning"},
            "properties": {"tags": ["security", "network", "drift"]},
        })
    };
    let result = |row: &&DifferenceRow| {
        let level = if document.with_plan && !row.is_of_plan() {
            DriftLevel::Note
        } else {
            row.level
        };
        let group = row.group_id.iter();
        let logical = group
            .map(|id| json!({"fullyQualifiedName": visible(id, usize::MAX), "kind": "resource"}));
        json!({
            "ruleId": row.kind.as_str(),
            "ruleIndex": kinds.iter().position(|kind| *kind == row.kind),
            "level": level.as_str(),
            "message": {"text": message(&format!("{} {}", row.what, row.to_do))},
            "locations": [{
                "physicalLocation": {"artifactLocation": {"uri": uri(&row.file)}, "region": {"startLine": row.line}},
                "logicalLocations": logical.collect::<Vec<Value>>(),
            }],
            "partialFingerprints": {"closegate/v1": row.id},
            "properties": {
                "key": row.key,
                "rule": row.rule,
                "decides": row.decides,
                "endedByPlan": row.ended_by_plan,
                "connections": row.connections,
                "evidence": row.evidence,
            },
        })
    };
    let mut sarif = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": document.tool.name,
                "semanticVersion": document.tool.version,
                "rules": kinds.iter().map(rule).collect::<Vec<Value>>(),
            }},
            "automationDetails": {"id": if document.with_plan { "closegate-drift-plan/" } else { "closegate-drift/" }},
            "results": rows.iter().map(result).collect::<Vec<Value>>(),
        }],
    });
    if left_out > 0 {
        let text = format!(
            "{} left out: GitHub takes {} in a run, and these are the most severe. --format json has all of them.",
            plural(left_out as u64, "result"),
            thousands(RESULTS as u64),
        );
        sarif["runs"][0]["invocations"] = json!([{
            "executionSuccessful": true,
            "toolExecutionNotifications": [{"level": "warning", "message": {"text": text}}],
        }]);
    }
    json::pretty(&sarif)
}

/// A kind in a sentence.
const fn title(kind: DriftKind) -> &'static str {
    match kind {
        DriftKind::RuleMissing => "A rule that the policy wants does not stand.",
        DriftKind::GroupReopened => "Open egress stands on a locked group.",
        DriftKind::RuleOutside => "A locked group has egress that the policy does not permit.",
        DriftKind::RuleCovered => "A locked group has a rule that a wider accepted one covers.",
        DriftKind::IngressOutside => "A locked group has ingress that the policy does not have.",
        DriftKind::RulesUnknown => "The inventory lacks a group's rules.",
        DriftKind::GroupUncovered => "The policy has no file for a group that is in use.",
        DriftKind::GroupGone => "A group of the policy is not in the inventory.",
        DriftKind::ListGone => "A prefix list of the policy is not in the inventory.",
        DriftKind::DecisionExpired => "The last day of an accepted entry is over.",
        DriftKind::ServiceNotWritten => "An accepted entry names an AWS service.",
        DriftKind::EntryUnused => "No connection has needed an accepted entry for long.",
        DriftKind::ConnectionNotCovered => "No accepted entry permits accepted connections.",
        DriftKind::ConnectionDeclined => "Connections are accepted that a declined entry is about.",
        DriftKind::ConnectionQuarantined => {
            "Connections are quarantined, and the policy does not permit them."
        }
        DriftKind::PlanBreaks => "The plan removes what an accepted entry needs.",
        DriftKind::PlanLoses => "The plan denies connections that are accepted today.",
        DriftKind::PlanOpens => "The plan permits what the policy does not.",
        DriftKind::PlanUnknown => "A part of the plan is known only after it is applied.",
    }
}
