//! Whether the evidence is enough to lock a group.

use std::fmt::Write as _;

use closegate::audit::Audit;

use crate::common::{audit_text, fixtures};

const START: u64 = 1_793_577_600;
const DAY: u64 = 86_400;

/// Connections of the interface `eni-…a` by destination and days, over twenty
/// days of which day 5 has no record at all.
fn audit(connections: &[(&str, &[u64])], more: &str) -> Audit {
    let mut log = "interface-id srcaddr srcport dstaddr dstport protocol action tcp-flags start end log-status\n".to_owned();
    for (to, days) in connections {
        for day in *days {
            let start = START + day * DAY + 60;
            writeln!(
                log,
                "eni-0000000000000000a 10.0.0.10 40000 {to} 443 6 ACCEPT 2 {start} {} OK",
                start + 50
            )
            .unwrap();
        }
    }
    audit_text(&(log + more), &fixtures().join("inventory"))
}

fn all_but_the_fifth() -> Vec<u64> {
    (0..20).filter(|day| *day != 5).collect()
}

#[test]
fn the_estimates_are_the_textbooks() {
    let daily = all_but_the_fifth();
    let audit = audit(
        &[
            ("198.51.100.1", &daily),
            ("198.51.100.2", &[3]),
            ("198.51.100.3", &[1, 2]),
        ],
        "",
    );
    let app = &audit.proof.readiness[0];
    assert_eq!(
        (app.days, app.gaps, app.connections, app.once),
        (19, 1, 3, 1)
    );
    // 19 + 1 + 2 incidences, one connection on one day only.
    assert!((app.chance_of_new.unwrap() - 1.0 / 22.0).abs() < 1e-12);
    // f1 = f2 = 1 on 19 days.
    assert!((app.unseen - 0.5 * 18.0 / 19.0).abs() < 1e-12);
    assert_eq!(app.new_by_day[..4], [1, 1, 0, 1]);
    assert_eq!(app.new_by_day.iter().sum::<u64>(), 3);
}

/// Four fifths of twenty days end on the sixteenth: what is first seen after that
/// would have been broken.
#[test]
fn the_hold_out_finds_what_came_late() {
    let daily = all_but_the_fifth();
    let audit = audit(
        &[
            ("198.51.100.1", &daily),
            ("198.51.100.2", &[18]),
            ("198.51.100.3", &[2, 19]),
        ],
        "",
    );
    assert_eq!(
        (audit.proof.hold_out.connections, audit.proof.hold_out.lost),
        (3, 1)
    );
    assert_eq!(audit.proof.readiness[0].missed, 1);
    assert!(
        audit.proof.readiness[0]
            .wait_for()
            .iter()
            .any(|reason| reason.contains("nothing new in the last fifth"))
    );
}

#[test]
fn a_group_is_ready_when_nothing_is_left_to_wait_for() {
    let daily: Vec<u64> = (0..20).collect();
    let audit = audit(&[("198.51.100.1", &daily), ("198.51.100.2", &daily)], "");
    assert_eq!(audit.proof.readiness[0].wait_for(), Vec::<String>::new());
    assert!(
        !audit.proof.readiness[1].is_ready(),
        "the other group has no records"
    );
    assert!(
        audit
            .verdict()
            .starts_with("Don't revoke yet: 1 of 2 groups in use has"),
        "{}",
        audit.verdict()
    );
}

/// A damaged time stretches the window over three thousand years; the report stays
/// what it is.
#[test]
fn a_wild_time_does_no_harm() {
    let wild =
        "eni-0000000000000000a 10.0.0.10 40000 198.51.100.1 443 6 ACCEPT 2 1 99999999999 OK\n";
    let audit = audit(&[("198.51.100.1", &[0, 1])], wild);
    assert_eq!(audit.connections.len(), 1);
    assert!(audit.proof.readiness[0].new_by_day.len() <= 128);
}

#[test]
fn dropped_records_are_no_evidence() {
    let daily: Vec<u64> = (0..20).collect();
    let skipped = format!(
        "eni-0000000000000000a - - - - - - - {START} {} SKIPDATA\n",
        START + 599
    );
    let audit = audit(&[("198.51.100.1", &daily)], &skipped);
    assert!((audit.proof.readiness[0].skipped - 1.0 / 21.0).abs() < 1e-12);
    assert!(
        audit.proof.readiness[0]
            .wait_for()
            .iter()
            .any(|reason| reason.contains("skipped"))
    );
}
