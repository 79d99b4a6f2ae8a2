//! How far rules go beyond what was seen.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;

use closegate::audit::{self, Audit};
use closegate::config::Config;
use closegate::ingest::{self, Settings};
use closegate::inventory::{Direction, Inventory, Target};
use closegate::suggest::{Level, Reason, Rung, Status};

use crate::common::{at, fixtures};

fn audit(level: Level, destinations: &[(String, u16)]) -> Audit {
    audit_with(&at(level), destinations)
}

fn audit_with(config: &Config, destinations: &[(String, u16)]) -> Audit {
    let mut log =
        "interface-id srcaddr srcport dstaddr dstport protocol action tcp-flags start log-status\n"
            .to_owned();
    for (to, port) in destinations {
        writeln!(
            log,
            "eni-0000000000000000a 10.0.0.10 40000 {to} {port} 6 ACCEPT 2 1000 OK"
        )
        .unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("flows.log");
    std::fs::write(&path, log).unwrap();
    let sources = ingest::find(&[path.display().to_string()]).unwrap();
    let (table, intake) = audit::read(&sources, &Settings::default(), |_| {});
    let audit = audit::audit(
        Inventory::load(&fixtures().join("inventory")).unwrap(),
        table,
        intake,
        config,
    );
    assert!(audit.replay.lost.is_empty());
    audit
}

/// Prefixes and reasons of the rules.
fn rules(audit: &Audit) -> Vec<(String, Reason)> {
    audit
        .rules
        .rules
        .iter()
        .map(|r| (r.rule.target.to_string(), r.reason))
        .collect()
}

fn scattered(count: u32) -> Vec<(String, u16)> {
    (0..count)
        .map(|n| {
            (
                format!("{}.{}.{}.7", 20 + n, n * 37 % 250, n * 91 % 250),
                443,
            )
        })
        .collect()
}

#[test]
fn exact_adds_nothing_however_many_there_are() {
    let audit = audit(Level::Exact, &scattered(40));
    assert_eq!(audit.rules.rules.len(), 40);
    assert!(
        rules(&audit)
            .iter()
            .all(|(target, reason)| target.ends_with("/32") && *reason == Reason::Exact)
    );
}

/// Each limit of a level can be set; the others stay.
#[test]
fn the_limits_of_a_level_can_be_configured() {
    let parse = |text: &str| Config::parse(text, Path::new("c.toml")).unwrap();
    let rules_with = |text: &str, count| {
        let text = format!("[generalise]\nlevel = \"balanced\"\n[generalise.balanced]\n{text}");
        rules(&audit_with(&parse(&text), &scattered(count))).len()
    };
    assert_eq!(rules_with("", 20), 1, "one open port");
    assert_eq!(rules_with("exact-up-to = 20", 20), 20);
    assert_eq!(rules_with("unpinned-ports = []", 20), 20);
    assert_eq!(rules_with("unpinned-ports = [8443]", 20), 20);
    assert_eq!(rules_with("unpinned-ports = \"any\"", 20), 1);
    let close: Vec<(String, u16)> = (0..16)
        .map(|n| (format!("198.51.100.{}", n * 8), 9000))
        .collect();
    let widths = |text: &str| {
        let text = format!("[generalise]\nlevel = \"compact\"\n[generalise.compact]\n{text}");
        rules(&audit_with(&parse(&text), &close))
    };
    assert_eq!(
        widths(""),
        [("198.51.100.0/24".to_owned(), Reason::Covered)]
    );
    assert_eq!(widths("widest = 26").len(), 2);
    assert_eq!(widths("coverage = 7\nunpinned-ports = []").len(), 16);
}

/// Few addresses stay exact.
#[test]
fn balanced_leaves_few_addresses_alone() {
    assert_eq!(
        rules(&audit(Level::Balanced, &scattered(12))),
        rules(&audit(Level::Exact, &scattered(12)))
    );
}

/// One in four was seen: a /26 of it; the lone one stays alone.
#[test]
fn a_wider_prefix_needs_enough_of_it_seen() {
    let mut to: Vec<(String, u16)> = (0..64)
        .step_by(4)
        .map(|n| (format!("198.51.100.{}", n + 1), 9000))
        .collect();
    to.push(("192.0.2.200".to_owned(), 9000));
    let found = rules(&audit(Level::Balanced, &to));
    assert_eq!(
        found,
        [
            ("192.0.2.200/32".to_owned(), Reason::Exact),
            ("198.51.100.0/26".to_owned(), Reason::Covered)
        ]
    );
    // Port 9000 is no web port: it is never opened to the world at this level.
    let odd: Vec<(String, u16)> = scattered(40)
        .into_iter()
        .map(|(to, _)| (to, 9000))
        .collect();
    assert_eq!(audit(Level::Balanced, &odd).rules.rules.len(), 40);
    assert_eq!(
        rules(&audit(Level::Compact, &odd)),
        [("0.0.0.0/0".to_owned(), Reason::Unpinned)]
    );
}

/// DNS over HTTPS goes to 443 as well: what is quarantined keeps the port closed.
#[test]
fn nothing_quarantined_is_let_through_by_a_wider_rule() {
    let mut to = scattered(40);
    to.push(("8.8.8.8".to_owned(), 443));
    for level in Level::ALL {
        let audit = audit(level, &to);
        assert_eq!(
            (audit.replay.quarantined, audit.rules.rules.len()),
            (1, 40),
            "{level:?}"
        );
        let resolver: IpAddr = "8.8.8.8".parse().unwrap();
        let reaches =
            |target: &Target| matches!(target, Target::Cidr(net) if net.contains(&resolver));
        assert!(!audit.rules.rules.iter().any(|r| reaches(&r.rule.target)));
    }
}

/// More than sixty exact rules do not fit, so this group alone goes further.
#[test]
fn quotas_are_met_by_going_further() {
    let audit = audit(Level::Exact, &scattered(65));
    assert_eq!(rules(&audit), [("0.0.0.0/0".to_owned(), Reason::Unpinned)]);
    let [pressure] = &audit.rules.pressure[..] else {
        panic!("one group would have too many");
    };
    assert_eq!(
        (
            pressure.at_level.rules,
            pressure.rung,
            pressure.fewest.rules
        ),
        (66, Rung::OnePort, 2)
    );
}

/// Fewer rules, more exposure: the curve only ever goes one way.
#[test]
fn the_trade_off_is_one() {
    let audit = audit(Level::Exact, &scattered(40));
    let curve: Vec<(u64, u128)> = audit
        .proof
        .trade_off
        .iter()
        .map(|t| (t.rules, t.addresses))
        .collect();
    assert_eq!(curve, [(40, 40), (1, 1 << 32), (1, 1 << 32)]);
    assert!(
        audit
            .proof
            .trade_off
            .windows(2)
            .all(|pair| pair[0].rules >= pair[1].rules && pair[0].exposure <= pair[1].exposure)
    );
}

/// Passive FTP: the server's rule names a range, and clients use some of it.
#[test]
fn a_named_range_that_is_used_becomes_one_pair() {
    let groups = r#"{"SecurityGroups":[
        {"GroupId":"sg-0a","GroupName":"client","VpcId":"v","OwnerId":"1","IpPermissionsEgress":[{"IpProtocol":"-1","IpRanges":[{"CidrIp":"0.0.0.0/0"}]}]},
        {"GroupId":"sg-0b","GroupName":"ftp","VpcId":"v","OwnerId":"1","IpPermissions":[
            {"IpProtocol":"tcp","FromPort":21,"ToPort":21,"UserIdGroupPairs":[{"GroupId":"sg-0a"}]},
            {"IpProtocol":"tcp","FromPort":21000,"ToPort":21099,"UserIdGroupPairs":[{"GroupId":"sg-0a"}]}]}]}"#;
    let interfaces = r#"{"NetworkInterfaces":[
        {"NetworkInterfaceId":"eni-a","VpcId":"v","PrivateIpAddress":"10.0.0.1","Groups":[{"GroupId":"sg-0a"}]},
        {"NetworkInterfaceId":"eni-b","VpcId":"v","PrivateIpAddress":"10.0.0.2","Groups":[{"GroupId":"sg-0b"}]}]}"#;
    let mut log =
        "interface-id srcaddr srcport dstaddr dstport protocol action tcp-flags start\n".to_owned();
    for port in [21, 21003, 21017, 21040, 21098] {
        writeln!(log, "eni-a 10.0.0.1 40000 10.0.0.2 {port} 6 ACCEPT 2 1000").unwrap();
    }
    let ports = |level| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("flows.log"), &log).unwrap();
        let sources = ingest::find(&[dir.path().display().to_string()]).unwrap();
        let (table, intake) = audit::read(&sources, &Settings::default(), |_| {});
        let inventory =
            Inventory::from_files([("a", groups.as_bytes()), ("b", interfaces.as_bytes())])
                .unwrap();
        let audit = audit::audit(inventory, table, intake, &at(level));
        assert!(audit.replay.lost.is_empty());
        let egress = audit
            .rules
            .rules
            .iter()
            .filter(|r| r.rule.direction == Direction::Egress);
        let mut ports: Vec<String> = egress.map(|r| r.rule.services()).collect();
        ports.sort();
        // The ingress half of the range stands already and is kept.
        let kept = audit
            .rules
            .rules
            .iter()
            .filter(|r| r.status == Status::Keep)
            .count();
        (ports, kept)
    };
    let exact = ["tcp/21", "tcp/21003", "tcp/21017", "tcp/21040", "tcp/21098"]
        .map(ToOwned::to_owned)
        .to_vec();
    assert_eq!(ports(Level::Exact), (exact, 1));
    assert_eq!(
        ports(Level::Balanced),
        (vec!["tcp/21".to_owned(), "tcp/21000-21099".to_owned()], 2)
    );
}
