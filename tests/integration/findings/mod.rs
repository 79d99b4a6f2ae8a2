//! One file per kind of finding: what it must find, and what it must pass over.

mod beaconing;
mod blocklisted_address;
mod callback_port;
mod crypto_mining;
mod database_out;
mod default_group_in_use;
mod dns_over_https;
mod dns_over_tls;
mod expired_approval;
mod ftp;
mod guessed_direction;
mod host_sweep;
mod irc;
mod large_upload;
mod mail_submission;
mod new_destination;
mod one_sided;
mod open_egress;
mod open_egress_port;
mod open_through_another_group;
mod port_scan;
mod proxy_out;
mod quota_pressure;
mod rdp_out;
mod rpc;
mod short_window;
mod skipped_records;
mod smb;
mod smtp;
mod ssh_out;
mod stale_reference;
mod telnet;
mod third_party_dns;
mod tor;
mod traps;
mod unpinned_internet;
mod unresolved_interface;
mod unused_egress_rule;
mod unused_group;
mod unusual_protocol;
mod vnc_out;
mod wide_egress;
mod winrm_out;

use closegate::audit::Audit;
use closegate::config::Config;
use closegate::findings::{Baseline, Blocklist, Finding, Outcome, Rating, Severity};
use closegate::resolve::Verdict;
use closegate::suggest::Level;

use crate::common::{at, audit_with, fixtures};

/// Audits one log of a kind's fixture, with the fixture's own inventory if it
/// has one.
fn audit(kind: &str, log: &str) -> Audit {
    let fixture = fixtures().join(kind);
    let own = fixture.join(format!("{log}-inventory"));
    let inventory = if own.is_dir() {
        own
    } else {
        fixtures().join("inventory")
    };
    let mut config = at(Level::Balanced);
    let own = fixture.join(format!("{log}.toml"));
    if let Ok(text) = std::fs::read_to_string(&own) {
        config.policy = Config::parse(&text, &own).unwrap().policy;
    }
    if let Ok(list) = std::fs::read_to_string(fixture.join("list.txt")) {
        config.policy.blocklists = vec![Blocklist::parse("somebody's", &list)];
    }
    if let Ok(list) = std::fs::read_to_string(fixture.join(format!("{log}.list"))) {
        config.policy.blocklists = vec![Blocklist::parse(kind, &list)];
    }
    let baseline = ["baseline.json".to_owned(), format!("{log}-baseline.json")];
    if let Some(json) = baseline
        .iter()
        .find_map(|name| std::fs::read(fixture.join(name)).ok())
    {
        config.policy.baseline = Some(Baseline::new(
            "baseline",
            closegate::documents::read(&json).unwrap(),
        ));
    }
    audit_with(&config, &[fixture.join(format!("{log}.log"))], &inventory)
}

fn of_kind<'a>(audit: &'a Audit, kind: &str) -> Vec<&'a Finding> {
    audit
        .findings
        .iter()
        .filter(|f| f.kind.id == kind)
        .collect()
}

/// The positive log gives exactly these destinations and services, each with
/// evidence, and quarantined or with a rule as the kind says.
fn destinations(kind: &str, expected: &[(&str, &str)], quarantined: bool) {
    let audit = audit(kind, "positive");
    let findings = of_kind(&audit, kind);
    let mut found: Vec<(String, String)> = findings
        .iter()
        .map(|f| {
            (
                f.found.remote.unwrap().to_string(),
                f.found.service.unwrap().to_string(),
            )
        })
        .collect();
    found.sort();
    let expected: Vec<(String, String)> = expected
        .iter()
        .map(|&(a, b)| (a.to_owned(), b.to_owned()))
        .collect();
    assert_eq!(found, expected);
    for finding in findings {
        assert_eq!(finding.quarantined, quarantined);
        let expected = if quarantined {
            Outcome::Denied
        } else {
            Outcome::RuleWritten
        };
        assert_eq!(finding.outcome, Some(expected), "{kind}");
        assert_eq!(
            finding.found.local.unwrap().is_ipv4(),
            finding.found.remote.unwrap().is_ipv4()
        );
        assert!(finding.records > 0 && !finding.evidence.is_empty());
        for &position in &finding.evidence {
            let held_back = matches!(audit.connections[position].verdict, Verdict::Quarantined(_));
            assert_eq!(held_back, quarantined);
            let has_rule = audit
                .rules
                .rules
                .iter()
                .any(|r| r.evidence.contains(&position));
            assert_eq!(has_rule, expected == Outcome::RuleWritten, "{kind}");
        }
    }
}

/// The near-miss log gives none of the kind, though it gives connections.
fn near_misses(kind: &str) {
    let audit = audit(kind, "near-miss");
    assert!(
        !audit.connections.is_empty(),
        "a near miss is traffic all the same"
    );
    let found: Vec<&str> = of_kind(&audit, kind)
        .iter()
        .map(|f| f.found.detail.as_str())
        .collect();
    assert_eq!(found, Vec::<&str>::new());
}

/// A list with the kind's own name: its address on 443 is a sure and severe finding, and the kind's port elsewhere is neither.
fn listed(kind: &str, port: &str) {
    let audit = audit(kind, "listed");
    let found: Vec<_> = of_kind(&audit, kind)
        .iter()
        .map(|f| {
            let remote = f.found.remote.unwrap().to_string();
            let service = f.found.service.unwrap().to_string();
            (remote, service, f.severity, f.confidence)
        })
        .collect();
    let expected = [
        ("198.51.100.9", "tcp/443", Severity::High, Rating::High),
        ("198.51.100.10", port, Severity::Low, Rating::Low),
    ];
    let expected = expected.map(|(remote, service, severity, rating)| {
        (remote.to_owned(), service.to_owned(), severity, rating)
    });
    assert_eq!(found, expected);
    assert!(of_kind(&audit, "blocklisted-address").is_empty());
}
