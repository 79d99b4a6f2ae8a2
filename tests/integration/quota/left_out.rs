//! What is left out, because nothing makes it fit.

use std::collections::BTreeSet;

use closegate::emit::FORMATS;
use serde_json::json;

use super::account::{Account, Run, ingress, open_egress, private, rows, scattered, sparse};
use crate::common::{closegate, printed};

/// Nothing gathers private addresses, and no port is opened to all of them.
#[test]
fn what_does_not_fit_is_left_out_everywhere() {
    let mut account = Account::app(&private(65), 5000);
    account.group("sg-0b", &json!([]), &open_egress());
    account.interface("eni-b", "10.0.0.11", &["sg-0b"]);
    let beside = ["192.168.77.5".to_owned()];
    account.connect("eni-b", "10.0.0.11", &beside, 5001);
    let run = account.run();
    run.assert_left_out("sg-0a", "egress");
    assert_eq!(run.revoked(), BTreeSet::from(["sg-0b"]));
    assert_eq!(run.audit["replay"]["permitted"], 66);
    let said = run.only_pressure();
    for words in [
        "egress rules; AWS takes 60",
        "its interfaces keep their open egress",
        "split the rules over 2 groups",
        "rules per group: rules times groups per interface is then",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    for format in FORMATS {
        let mut command = closegate();
        command
            .args(["rules", "--format", format.name])
            .arg(run.path());
        let text = printed(&mut command);
        for address in private(65) {
            assert!(!text.contains(&address), "{}: {address}", format.name);
        }
        // What fits is written all the same.
        assert!(text.contains("192.168.77.5"), "{}", format.name);
    }
    for file in ["rules/apply.sh", "rules/mutual.tf", "rules/other.tf"] {
        let text = run.file(file);
        let named = private(65)
            .into_iter()
            .find(|address| text.contains(address));
        assert_eq!(named, None, "{file}");
    }
    let plan = run.file("rules/plan.md");
    let (_, decide) = plan.split_once("## Decide first").unwrap();
    for words in ["0a (sg-0a)", "egress", "split the rules over 2 groups"] {
        assert!(decide.contains(words), "{words}: {decide}");
    }
    let report = run.file("report.md");
    assert!(report.contains("more than AWS takes, so they were left out; see quota-pressure"));
    // Nothing that the decision lists is written, and the options say what they cost.
    let decision = &rows(&run.change, "decisions")[0];
    assert_eq!(decision["rules_per_group"], 60);
    for option in rows(decision, "options") {
        assert_eq!(
            (&option["possible"], &option["addresses"]),
            (&json!(true), &json!("65"))
        );
        assert!(option["rules"].as_u64().unwrap() >= 65);
    }
}

/// Five groups are as many as an interface carries, and 250 rules for each are more than AWS ever takes.
#[test]
fn options_say_whether_aws_allows_them() {
    let possible = |run: &Run| -> Vec<bool> {
        let options = rows(&rows(&run.change, "decisions")[0], "options");
        let possible = options.iter().map(|o| o["possible"].as_bool().unwrap());
        possible.collect()
    };
    assert_eq!(
        possible(&Account::app(&private(190), 5000).run()),
        [true, true]
    );
    assert_eq!(
        possible(&Account::app(&private(250), 5000).run()),
        [true, false]
    );
    let mut crowded = Account::app(&private(65), 5000);
    for id in ["sg-0b", "sg-0c", "sg-0d", "sg-0e"] {
        crowded.group(id, &json!([]), &json!([]));
    }
    let all = ["sg-0a", "sg-0b", "sg-0c", "sg-0d", "sg-0e"];
    crowded.interface("eni-b", "10.0.0.11", &all);
    crowded.connect("eni-b", "10.0.0.11", &private(65), 5000);
    assert_eq!(possible(&crowded.run()), [false, true]);
}

/// Seventy groups may each have their egress half; the halves of the one group that they all reach are more than it takes.
#[test]
fn ingress_halves_that_do_not_fit_leave_the_egress_halves() {
    let mut account = Account::default();
    let all = json!([{
        "IpProtocol": "tcp", "FromPort": 1, "ToPort": 65535,
        "IpRanges": [{"CidrIp": "10.0.0.0/8"}], "Ipv6Ranges": [{"CidrIpv6": "2600:1f18::/64"}],
    }]);
    account.group("sg-db", &all, &open_egress());
    account.interface("eni-db", "10.0.9.9", &["sg-db"]);
    let clients: Vec<String> = (0..70).map(|n| format!("sg-c{n:02}")).collect();
    for (n, client) in clients.iter().enumerate() {
        let (interface, address) = (format!("eni-c{n:02}"), format!("10.0.1.{}", n + 1));
        account.group(client, &json!([]), &open_egress());
        account.interface(&interface, &address, &[client.as_str()]);
        account.record(&interface, &address, "10.0.9.9", 5432);
        account.record("eni-db", &address, "10.0.9.9", 5432);
    }
    let run = account.run();
    run.assert_left_out("sg-db", "ingress");
    for client in &clients {
        assert_eq!(run.targets(client, "egress"), BTreeSet::from(["sg-db"]));
    }
    assert!(run.to_add().all(|rule| rule["pair"].is_null()));
    assert_eq!(run.revoked().len(), 71, "every open egress goes");
    assert_eq!(run.change["tightenings"], json!([]));
    assert_eq!(run.audit["replay"]["permitted"], 70);
    let said = run.only_pressure();
    assert!(
        said.contains("71 ingress rules") && said.contains("ingress rules of today go on serving"),
        "{said}"
    );

    // One rule more than today's fits for each of fifty.
    account.log = account
        .log
        .lines()
        .take(100)
        .fold(String::new(), |log, line| log + line + "\n");
    let run = account.run();
    assert_eq!(run.pressure(), Vec::<&str>::new());
    assert_eq!(run.targets("sg-db", "ingress").len(), 50);
}

/// The open egress that has to stay may be another group's: that of the same interface.
#[test]
fn open_egress_of_another_group_stays_where_it_serves() {
    let mut account = Account::default();
    account.group("sg-0a", &json!([]), &json!([]));
    account.group("sg-0b", &json!([]), &open_egress());
    account.interface("eni-a", "10.0.0.10", &["sg-0a", "sg-0b"]);
    account.connect("eni-a", "10.0.0.10", &private(70), 5000);
    let run = account.run();
    run.assert_left_out("sg-0a", "egress");
    assert_eq!(run.audit["replay"]["permitted"], 70);
}

/// Whatever is asked of the steps, in whatever order it comes, they answer the same.
#[test]
fn the_same_account_gives_the_same_files() {
    let mut account = Account::app(&private(65), 5000);
    for (n, id) in ["sg-0b", "sg-0c", "sg-0d"].into_iter().enumerate() {
        let (interface, address) = (format!("eni-{id}"), format!("10.0.0.{}", n + 20));
        account.group(id, &ingress(1), &open_egress());
        account.interface(&interface, &address, &[id]);
    }
    account.connect("eni-sg-0b", "10.0.0.20", &scattered(70), 9000);
    account.connect("eni-sg-0c", "10.0.0.21", &sparse(3, 160, 70), 443);
    account.connect("eni-sg-0d", "10.0.0.22", &scattered(30), 443);
    let (one, two) = (account.run(), account.run());
    for file in [
        "audit.json",
        "rules/rules.json",
        "rules/plan.md",
        "report.md",
    ] {
        assert_eq!(one.file(file), two.file(file), "{file}");
    }
    let mut lines: Vec<&str> = account.log.lines().collect();
    lines.reverse();
    account.log = lines.join("\n") + "\n";
    account.groups.reverse();
    account.interfaces.reverse();
    let other = account.run();
    for file in ["rules/rules.json", "rules/plan.md"] {
        assert_eq!(one.file(file), other.file(file), "{file}");
    }
    assert_eq!(one.pressure().len(), 3);
}
