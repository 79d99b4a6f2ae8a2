//! `report.md`.

use super::{audit, hostile_audit, text};

#[test]
fn the_report_carries_what_a_reviewer_asks() {
    let audit = audit();
    let report = text(&audit, "report.md");
    for part in [
        "10 of 12",
        "| irc |",
        "**0 lost**",
        "aws ec2 revoke-security-group-egress --group-id sg-0a1b2c3d4e5f90001 --security-group-rule-ids sgr-0a1b2c3d4e5fa0002",
        "old-admin",
        "flows/custom",
    ] {
        assert!(report.contains(part), "{part}");
    }
    for rule in &audit.rules.rules {
        assert!(report.contains(&rule.id));
    }
}

/// Every table row has as many cells as its header, and no name of a stranger
/// becomes markup.
#[test]
fn hostile_names_stay_text() {
    let report = text(&hostile_audit(), "report.md");
    let mut width = None;
    for line in report.lines() {
        if !line.starts_with('|') {
            width = None;
            continue;
        }
        let cells = line
            .replace("\\\\", "")
            .replace("\\|", "")
            .matches('|')
            .count();
        assert_eq!(cells, *width.get_or_insert(cells), "{line}");
    }
    assert!(!report.contains("<script") && !report.contains("<img") && !report.contains("<b>"));
    let live = report.replace("\\]", "").replace("\\:", "");
    assert!(
        !live.contains("](http") && !live.contains("http://") && !report.contains("\n# heading")
    );
    assert!(
        !report
            .chars()
            .any(|c| (c.is_control() && c != '\n') || c == '\u{202e}')
    );
}

/// Without describe-security-group-rules in the snapshot there are no rule ids.
#[test]
fn a_rule_without_an_id_is_revoked_by_what_it_says() {
    let fixture = crate::common::fixtures();
    let audit = crate::common::audit_paths(
        &[fixture.join("open-egress/positive.log")],
        &fixture.join("inventory"),
    );
    let report = text(&audit, "report.md");
    let command = r#"aws ec2 revoke-security-group-egress --group-id sg-0000000000000000a --ip-permissions '[{"IpProtocol":"-1","IpRanges":[{"CidrIp":"0.0.0.0/0"}]}]'"#;
    assert!(report.contains(command), "{report}");
}
