//! What is written for a group whose rules fit after all, step by step.

use std::collections::BTreeSet;
use std::fs;
use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::{Value, json};

use super::account::{Account, Run, ingress, rows, scattered, sparse, target};
use crate::cli::fails;
use crate::common::{closegate, root};

/// Addresses, what is written for them, and what quota-pressure says of it.
type Step = (Vec<String>, u16, &'static [&'static str], &'static str);

/// Each step gives up more than the one before it, and none is taken that isn't needed.
#[test]
fn a_group_goes_no_further_than_it_has_to() {
    let every = |step: usize, networks: usize| -> Vec<String> {
        let all = (0..networks * 256).step_by(step);
        all.map(|n| format!("198.51.{}.{}", n / 256, n % 256))
            .collect()
    };
    let mut published = [sparse(3, 160, 30), sparse(13, 224, 30)].concat();
    published.extend(scattered(5));
    let ranges = fs::read_to_string(root().join("src/inventory/aws-ranges.txt")).unwrap();
    for prefix in ["3.160.0.0/14", "13.224.0.0/14"] {
        assert!(ranges.contains(&format!(" {prefix} ")), "{prefix}");
    }
    let steps: [Step; 4] = [
        (
            every(4, 1),
            9000,
            &["198.51.0.0/24"],
            "as at level balanced",
        ),
        (
            every(16, 8),
            9000,
            &["198.51.0.0/21"],
            "as at level compact",
        ),
        (
            published,
            443,
            &["3.160.0.0/14", "13.224.0.0/14"],
            "with the prefixes that AWS publishes",
        ),
        (
            scattered(61),
            9000,
            &["0.0.0.0/0"],
            "one port open to the whole internet",
        ),
    ];
    for (addresses, port, expected, says) in steps {
        let mut account = Account::app(&addresses, port);
        let run = account.run();
        let found = run.targets("sg-0a", "egress");
        for prefix in expected {
            assert!(found.contains(prefix), "{says}: {found:?}");
        }
        assert!(found.len() < 60, "{says}: {found:?}");
        assert_eq!(found.contains("0.0.0.0/0"), expected == ["0.0.0.0/0"]);
        let said = run.only_pressure();
        assert!(
            said.contains(says) && said.contains("AWS takes 60"),
            "{said}"
        );
        assert_eq!(run.revoked(), BTreeSet::from(["sg-0a"]));
        assert!(rows(&run.change, "decisions").is_empty());

        // As many as AWS takes, beside the open egress that has yet to go, stay as they are.
        account.log.clear();
        let few = &addresses[addresses.len().saturating_sub(59)..];
        account.connect("eni-a", "10.0.0.10", few, port);
        let run = account.run();
        assert_eq!(run.pressure(), Vec::<&str>::new());
        assert_eq!(run.targets("sg-0a", "egress").len(), few.len());
    }
}

/// A prefix list of AWS that counts for 55 rules stands for one address, until it doesn't fit.
#[test]
fn lists_that_cost_more_than_their_addresses_give_way_first() {
    let list = |id: &str, name: &str, cidr: &str| json!({"PrefixListId": id, "PrefixListName": format!("com.amazonaws.{name}"), "OwnerId": "AWS", "Cidrs": [cidr]});
    let lists = json!({"PrefixLists": [
        list("pl-00000001", "global.cloudfront.origin-facing", "203.0.113.0/24"),
        list("pl-00000002", "us-east-1.route53-healthchecks", "198.51.100.0/24"),
    ]});
    let cases: [(u32, &[&str]); 3] = [
        (0, &["pl-00000001"]),
        (1, &["198.51.100.0/32", "203.0.113.7/32"]),
        // 25 rules for 26 addresses is a bargain.
        (26, &["203.0.113.7/32", "pl-00000002"]),
    ];
    for (checks, expected) in cases {
        let mut to = vec!["203.0.113.7".to_owned()];
        to.extend((0..checks).map(|n| format!("198.51.100.{}", n * 2)));
        let mut account = Account::app(&to, 443);
        account.files.push(("lists.json", lists.to_string()));
        let run = account.run();
        let expected: BTreeSet<&str> = expected.iter().copied().collect();
        assert_eq!(run.targets("sg-0a", "egress"), expected);
        let said = run.pressure().concat();
        let says =
            "egress rules; AWS takes 60. They are written with addresses instead of prefix lists";
        assert_eq!(said.contains(says), checks > 0, "{said}");
    }
}

/// The inventory's own ip-ranges.json replaces the table that is compiled in.
#[test]
fn published_ranges_are_those_of_the_inventory() {
    let prefix = |prefix: &str| json!({"ip_prefix": prefix, "region": "eu-west-1", "service": "AMAZON", "network_border_group": "eu-west-1"});
    let ranges = json!({"syncToken": "1", "createDate": "2026-11-01-00-00-00", "ipv6_prefixes": [], "prefixes": [prefix("203.0.0.0/14")]});
    let mut account = Account::app(&sparse(203, 0, 90), 443);
    account.files.push(("ip-ranges.json", ranges.to_string()));
    let run = account.run();
    let gathered = BTreeSet::from(["203.0.0.0/14"]);
    assert_eq!(run.targets("sg-0a", "egress"), gathered);
    account.files.clear();
    let everywhere = BTreeSet::from(["0.0.0.0/0"]);
    assert_eq!(account.run().targets("sg-0a", "egress"), everywhere);
}

/// Two services of a group may need two steps: ranges for one where its port can't be opened, and an open port for the other.
#[test]
fn a_later_step_keeps_what_an_earlier_one_gave() {
    let published = [sparse(3, 160, 45), sparse(13, 224, 45)].concat();
    let mut account = Account::app(&published, 443);
    account.connect("eni-a", "10.0.0.10", &["8.8.8.8".to_owned()], 443);
    account.connect("eni-a", "10.0.0.10", &scattered(70), 9000);
    let run = account.run();
    assert_eq!(
        run.targets("sg-0a", "egress"),
        BTreeSet::from(["0.0.0.0/0", "3.160.0.0/14", "13.224.0.0/14"]),
        "{:?}",
        run.pressure()
    );
    assert_eq!(run.revoked(), BTreeSet::from(["sg-0a"]));
}

/// What is on a blocklist is in no prefix that a step opens, and its port is not opened to the internet.
#[test]
fn no_step_permits_what_is_quarantined() {
    let reaches = |run: &Run, address: &str| {
        let address: IpAddr = address.parse().unwrap();
        let mut targets = run
            .to_add()
            .filter_map(|rule| target(rule).parse::<IpNet>().ok());
        targets.any(|prefix| prefix.contains(&address))
    };
    let dense: Vec<String> = (0..100).map(|n| format!("198.51.100.{}", n * 2)).collect();
    let published = [sparse(3, 160, 45), sparse(13, 224, 45)].concat();
    let cases = [
        (scattered(70), "198.51.100.9"),
        (dense, "198.51.100.9"),
        (published, "3.161.2.3"),
    ];
    for (mut addresses, bad) in cases {
        addresses.push(bad.to_owned());
        let mut account = Account::app(&addresses, 9000);
        account.blocklist = format!("{bad}\n");
        let run = account.run();
        assert_eq!(run.audit["replay"]["quarantined"], 1);
        assert!(!reaches(&run, bad), "{bad}");
        assert!(run.targets("sg-0a", "egress").len() <= 60);
        assert_eq!(run.pressure().len(), 1);
        // Without the list, the step is taken.
        account.blocklist.clear();
        let run = account.run();
        assert!(reaches(&run, bad) && run.targets("sg-0a", "egress").len() <= 2);
    }
    let mut account = Account::app(&scattered(70), 443);
    account.connect("eni-a", "10.0.0.10", &["8.8.8.8".to_owned()], 443);
    account.run().assert_left_out("sg-0a", "egress");
}

/// One service has too many addresses. Another one has few, which fit: its port stays closed to the internet.
#[test]
fn no_port_is_opened_that_need_not_be() {
    let mut account = Account::app(&scattered(70), 443);
    let few: Vec<String> = (0..5)
        .map(|n| format!("{}.9.{}.3", 100 + n, n * 11))
        .collect();
    account.connect("eni-a", "10.0.0.10", &few, 22);
    let run = account.run();
    let opened = |rule: &&Value| target(rule) == "0.0.0.0/0";
    let ports: Vec<&Value> = run
        .to_add()
        .filter(opened)
        .map(|rule| &rule["from_port"])
        .collect();
    assert_eq!(ports, [443]);
}

/// The rules come before the open egress goes, so that both stand for a while: AWS refuses the sixty-first rule in the middle of the
/// first stage.
#[test]
fn the_rules_fit_while_the_open_egress_still_stands() {
    let run = Account::app(&scattered(60), 443).run();
    let added = run.targets("sg-0a", "egress").len();
    assert!(added < 60, "{added} to add, beside 0.0.0.0/0");
}

/// IPv4 and IPv6 rules count apart.
#[test]
fn families_have_quotas_of_their_own() {
    let v6 = |count: u32| (0..count).map(|n| format!("2a00:1450:{n:x}::1"));
    let mut to = scattered(59);
    to.extend(v6(59));
    let run = Account::app(&to, 443).run();
    assert_eq!(run.targets("sg-0a", "egress").len(), 118);
    assert_eq!(run.pressure(), Vec::<&str>::new());
    to.extend(v6(61).skip(59));
    let run = Account::app(&to, 443).run();
    assert!(run.targets("sg-0a", "egress").contains("::/0"));
    assert!(run.only_pressure().contains("egress rules; AWS takes 60"));
}

/// What AWS has raised, the configuration says; or an account that has more already.
#[test]
fn a_raised_quota_lets_exact_rules_stand() {
    let more = ["192.0.2.1", "192.0.2.9"].map(ToOwned::to_owned);
    let mut account = Account::app(&scattered(150), 443);
    account.configuration = "[quotas]\nrules-per-group = 151\n".to_owned();
    let run = account.run();
    assert_eq!(run.targets("sg-0a", "egress").len(), 150);
    assert_eq!(run.pressure(), Vec::<&str>::new());
    account.connect("eni-a", "10.0.0.10", &more, 443);
    let run = account.run();
    assert!(run.only_pressure().contains("egress rules; AWS takes 151"));

    let mut account = Account::app(&scattered(79), 443);
    account.group("sg-0b", &ingress(80), &json!([]));
    account.interface("eni-b", "10.0.0.11", &["sg-0b"]);
    let run = account.run();
    assert_eq!(run.targets("sg-0a", "egress").len(), 79);
    assert_eq!(run.pressure(), Vec::<&str>::new());
    account.connect("eni-a", "10.0.0.10", &more, 443);
    let run = account.run();
    assert!(run.only_pressure().contains("egress rules; AWS takes 80"));

    // Another account's rules say nothing of this one's quota.
    account.groups[1]["OwnerId"] = json!("444455556666");
    let run = account.run();
    assert!(run.only_pressure().contains("egress rules; AWS takes 60"));
}

#[test]
fn quotas_that_aws_does_not_have_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for (text, says) in [
        (
            "rules-per-group = 0",
            "line 3, column 19: quotas.rules-per-group is 0; give a whole number from 1 to 1000",
        ),
        (
            "rules-per-group = 1001",
            "line 3, column 19: quotas.rules-per-group is 1001; give",
        ),
        (
            "rules-per-group = 60.5",
            "line 3, column 19: quotas.rules-per-group is 60.5; give",
        ),
        (
            "groups-per-interface = 17",
            "line 3, column 24: quotas.groups-per-interface is 17; give a whole number from 1 to 16",
        ),
        (
            "rules-per-grup = 60",
            "line 3, column 1: quotas.rules-per-grup is not a key; did you mean rules-per-group?",
        ),
        (
            "rules-per-group = 201",
            "line 2, column 1: quotas: rules-per-group times groups-per-interface is more than 1000",
        ),
        (
            "rules-per-group = 100\ngroups-per-interface = 11",
            "line 2, column 1: quotas: rules-per-group times groups-per-interface is more than 1000",
        ),
    ] {
        fs::write(
            dir.path().join("closegate.toml"),
            format!("\n[quotas]\n{text}\n"),
        )
        .unwrap();
        let mut command = closegate();
        command.current_dir(dir.path()).args(["config", "check"]);
        fails(
            command.assert(),
            2,
            &["configuration `closegate.toml`", says],
        );
    }
    for text in [
        "rules-per-group = 200",
        "groups-per-interface = 16",
        "rules-per-group = 1000\ngroups-per-interface = 1",
    ] {
        fs::write(
            dir.path().join("closegate.toml"),
            format!("[quotas]\n{text}\n"),
        )
        .unwrap();
        let mut command = closegate();
        command.current_dir(dir.path()).args(["config", "check"]);
        command.assert().success();
    }
}
