//! What detections of this sort are usually wrong about.

use closegate::audit::Audit;
use closegate::config::Config;
use closegate::findings::{Family, Finding};
use closegate::resolve::Verdict;

use crate::common::{audit_with, fixtures};

const HEADER: &str = "interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action tcp-flags pkt-dst-aws-service log-status\n";
const OURS: &str = "10.0.0.10";
const STRANGER: &str = "198.51.100.9";

/// One row as the fixtures' first interface records it.
struct Seen<'a> {
    from: (&'a str, u16),
    to: (&'a str, u16),
    protocol: u8,
    action: &'a str,
    flags: u8,
    service: &'a str,
}

impl Seen<'_> {
    fn row(&self) -> String {
        let Seen {
            from: (src, src_port),
            to: (dst, dst_port),
            protocol,
            action,
            flags,
            service,
        } = self;
        format!(
            "eni-0000000000000000a {src} {dst} {src_port} {dst_port} {protocol} 5 600 1793577600 1793577659 {action} {flags} {service} OK\n"
        )
    }
}

fn ask<'a>(from: (&'a str, u16), to: (&'a str, u16), protocol: u8) -> Seen<'a> {
    Seen {
        from,
        to,
        protocol,
        action: "ACCEPT",
        flags: 0,
        service: "-",
    }
}

fn audit(rows: &[Seen<'_>], toml: &str) -> Audit {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("x.log");
    let text: String = rows.iter().map(Seen::row).collect();
    std::fs::write(&log, HEADER.to_owned() + &text).unwrap();
    let config = Config::parse(toml, &log).unwrap();
    audit_with(&config, &[log], &fixtures().join("inventory"))
}

fn destinations(audit: &Audit) -> Vec<&Finding> {
    let of_family = |f: &&Finding| f.kind.family == Family::Destination;
    audit.findings.iter().filter(of_family).collect()
}

/// Protocol and port of everything that a destination is suspicious for.
const SUSPICIOUS: &[(u8, u16)] = &[
    (6, 21),
    (6, 22),
    (6, 23),
    (6, 25),
    (6, 53),
    (17, 53),
    (6, 111),
    (6, 135),
    (6, 139),
    (6, 445),
    (6, 465),
    (6, 587),
    (6, 853),
    (17, 853),
    (6, 888),
    (6, 1080),
    (6, 1433),
    (6, 2222),
    (6, 3128),
    (6, 3306),
    (6, 3333),
    (6, 3389),
    (6, 4444),
    (6, 5432),
    (6, 5900),
    (6, 5985),
    (6, 6379),
    (6, 6667),
    (6, 6697),
    (6, 9001),
    (6, 9030),
    (6, 11211),
    (6, 14444),
    (6, 27017),
    (6, 50501),
];

/// A customer may use any of these ports for its own end; what we answer there was not opened by us, with flags and without.
#[test]
fn a_reply_to_a_clients_port_is_no_finding() {
    for &(protocol, port) in SUSPICIOUS {
        for flags in [[2, 18], [0, 0]] {
            let mut rows = [
                ask((STRANGER, port), (OURS, 8080), protocol),
                ask((OURS, 8080), (STRANGER, port), protocol),
            ];
            if protocol == 6 {
                [rows[0].flags, rows[1].flags] = flags;
            }
            // The rules that let it in are about TCP.
            if protocol == 17 {
                continue;
            }
            let audit = audit(&rows, "");
            let found: Vec<&str> = destinations(&audit).iter().map(|f| f.kind.id).collect();
            assert!(found.is_empty(), "{protocol}/{port}: {found:?}");
        }
    }
}

/// What was refused is no reason for a rule, and not quarantined either: nothing got out.
#[test]
fn a_refused_attempt_gives_neither_rule_nor_quarantine() {
    for &(protocol, port) in SUSPICIOUS {
        let refused = Seen {
            action: "REJECT",
            ..ask((OURS, 40_000), (STRANGER, port), protocol)
        };
        let audit = audit(&[refused], "");
        assert!(
            audit
                .connections
                .iter()
                .all(|c| c.verdict == Verdict::Rejected)
        );
        assert!(
            audit
                .rules
                .rules
                .iter()
                .all(|rule| rule.evidence.is_empty())
        );
        assert!(destinations(&audit).is_empty(), "{protocol}/{port}");
    }
}

/// An address of S3 is AWS; one of EC2 is any customer's machine.
#[test]
fn an_address_of_ec2_is_a_stranger_and_one_of_s3_is_not() {
    for (service, strange) in [
        ("S3", false),
        ("DYNAMODB", false),
        ("EC2", true),
        ("-", true),
    ] {
        let row = Seen {
            service,
            flags: 2,
            ..ask((OURS, 40_000), ("203.0.113.80", 6667), 6)
        };
        let audit = audit(&[row], "");
        assert_eq!(!destinations(&audit).is_empty(), strange, "{service}");
    }
}

/// A relay of one group is not everybody's.
#[test]
fn an_approval_of_one_group_excuses_no_other() {
    let toml = |group: &str| {
        format!(
            "[[approve]]\ngroup = \"{group}\"\ndestination = [\"{STRANGER}\"]\nport = 25\nreason = \"relay\"\nowner = \"x\"\n"
        )
    };
    for (group, excused) in [("app", true), ("peer", false)] {
        let row = Seen {
            flags: 2,
            ..ask((OURS, 40_000), (STRANGER, 25), 6)
        };
        let audit = audit(&[row], &toml(group));
        assert_eq!(destinations(&audit).is_empty(), excused, "{group}");
    }
}

/// Windows and DNS among private addresses are ordinary.
#[test]
fn neighbours_are_no_strangers() {
    for &(protocol, port) in SUSPICIOUS {
        let row = ask((OURS, 40_000), ("10.0.0.20", port), protocol);
        assert!(
            destinations(&audit(&[row], "")).is_empty(),
            "{protocol}/{port}"
        );
    }
}

/// Flags are or-ed over a window, and a long flow shows none: without them the end with the suspicious port is still the one that was
/// called, if no rule of today lets its packets in.
#[test]
fn without_flags_the_rules_say_who_opened_it() {
    let rows = [
        ask((OURS, 40_000), (STRANGER, 6667), 6),
        ask((STRANGER, 6667), (OURS, 40_000), 6),
    ];
    let audit = audit(&rows, "");
    let found: Vec<&str> = destinations(&audit).iter().map(|f| f.kind.id).collect();
    assert_eq!(found, ["irc"]);
}
