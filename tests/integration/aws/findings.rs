//! Findings in Security Hub.

use closegate::documents::ReportDocument;
use closegate::emit::asff;
use serde_json::Value;

use super::peers::Peer;
use crate::emit::{audit, hostile_audit, text, tools};

/// Imported twice, every finding is there once, under its own id.
#[test]
fn security_hub_takes_the_findings_and_a_second_import_updates() {
    let peer = Peer::moto();
    let mut all: Vec<String> = Vec::new();
    for audit in [audit(), hostile_audit()] {
        let document: Value = serde_json::from_str(&text(&audit, "report.json")).unwrap();
        let report: ReportDocument = serde_json::from_value(document).unwrap();
        all.extend(audit.findings.iter().map(|f| f.id.clone()));
        all.sort();
        // Both windows are short: that is one finding of the account.
        all.dedup();
        assert_eq!(tools::read(&peer.url(), "asff", &asff(&report)), all);
    }
}
