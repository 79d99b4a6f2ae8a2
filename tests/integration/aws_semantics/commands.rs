//! The same through the program: what is true of a case is true in every command.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use super::account::FORMATS;
use super::case::Case;
use super::files;
use crate::common::{closegate, printed};

/// A case of a file, by name, written down for the program.
fn written(file: &str, name: &str, format: usize) -> TempDir {
    let (_, text) = files().into_iter().find(|(own, _)| own == file).unwrap();
    let mut cases = Case::read_all(&text).into_iter();
    let case = cases.find(|case| case.name == name).unwrap();
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("inventory")).unwrap();
    let inventory = case.inventory().to_string();
    fs::write(dir.path().join("inventory/all.json"), inventory).unwrap();
    fs::write(dir.path().join("flows.log"), case.log(format)).unwrap();
    dir
}

fn command(dir: &TempDir, name: &[&str]) -> assert_cmd::Command {
    let mut command = closegate();
    command.args(name).arg("--inventory");
    command.arg(dir.path().join("inventory"));
    command
}

/// The run of a case, and its `audit.json`.
fn audited(dir: &TempDir) -> (PathBuf, Value) {
    let run = dir.path().join("run");
    let mut audit = command(dir, &["audit"]);
    audit.arg("--flows").arg(dir.path().join("flows.log"));
    audit.arg("--out").arg(&run).assert().success();
    let document = fs::read(run.join("audit.json")).unwrap();
    (run, serde_json::from_slice(&document).unwrap())
}

/// What happened under today's rules passes today's rules.
#[test]
fn today_s_rules_break_nothing_of_what_they_let_through() {
    for (file, name) in [
        (
            "balancers",
            "A target that admits the balancer's group admits its clients",
        ),
        (
            "balancers",
            "A client inside the VPC behind a balancer without groups",
        ),
        (
            "lists",
            "Egress by a list whose entries were not saved is unknown",
        ),
        (
            "lists",
            "Ingress by a list without entries does not turn the direction",
        ),
        (
            "icmp",
            "An echo-only ingress rule stays, and no wider one is proposed",
        ),
        (
            "overlapping",
            "An address over Direct Connect that an unconnected VPC has too",
        ),
        (
            "overlapping",
            "A pair that a rule names with its active peering needs no other file",
        ),
        (
            "direction",
            "NFS from a privileged port, seen amid the connection",
        ),
        (
            "direction",
            "A rule for a server's secondary address, seen from both ends",
        ),
    ] {
        for format in 0..FORMATS.len() {
            let dir = written(file, name, format);
            let mut verify = command(&dir, &["verify", "--current", "--json"]);
            verify.arg("--flows").arg(dir.path().join("flows.log"));
            let said: Value = serde_json::from_str(&printed(&mut verify)).unwrap();
            assert_eq!(said["lost"], 0, "{name}: {said}");
        }
    }
}

/// Every writing format of a run, and what is in its files.
#[test]
fn no_format_opens_more_than_an_echo_only_rule_does() {
    let dir = written(
        "icmp",
        "An echo-only ingress rule stays, and no wider one is proposed",
        0,
    );
    let (run, document) = audited(&dir);
    assert_eq!(document["proof"]["wider"], serde_json::json!([]));
    for format in [
        "terraform-module",
        "terraform",
        "terraform-json",
        "cloudformation",
        "aws-cli",
        "csv",
        "json",
    ] {
        let text = printed(closegate().arg("rules").arg(&run).args(["--emit", format]));
        // The one rule for all of ICMP is the egress of the initiator, whose open egress it replaces.
        let ingress = [
            "authorize-security-group-ingress",
            "aws_vpc_security_group_ingress_rule",
            "AWS::EC2::SecurityGroupIngress",
            "target_sg_id",
            "sg-b,ingress",
        ];
        for word in ingress {
            assert!(!text.contains(word), "{format}: {text}");
        }
    }
}

/// Client, balancer, target: the target's connection is a leg of the client's.
#[test]
fn a_balanced_connection_names_its_balancer_and_its_client_s_connection() {
    let dir = written(
        "balancers",
        "A client inside the VPC behind a balancer without groups",
        0,
    );
    let (run, document) = audited(&dir);
    let connections = document["connections"].as_array().unwrap();
    let to = |port: u64| connections.iter().find(|c| c["port"] == port).unwrap();
    let (leg, client) = (to(8443), to(443));
    assert_eq!(leg["leg_of"], client["id"]);
    assert_eq!(leg["initiator"]["through"], "net/front/0123456789abcdef");
    assert_eq!(leg["initiator"]["groups"], serde_json::json!([]));
    let id = client["id"].as_str().unwrap();
    let text = printed(closegate().arg("explain").arg(&run).arg(id));
    assert!(text.contains(leg["id"].as_str().unwrap()), "{text}");
}

/// Answers, exit codes and reasons.
#[test]
fn questions_are_answered_with_their_exit_codes() {
    let ask = |dir: &TempDir, question: [&str; 3]| {
        let mut can = command(dir, &["can"]);
        let done = can.args(question).output().unwrap();
        let text = String::from_utf8(done.stdout).unwrap();
        (done.status.code().unwrap(), text)
    };
    let dir = written("can", "An interface to itself", 0);
    let (code, text) = ask(&dir, ["eni-a", "eni-a", "tcp/443"]);
    assert!(code == 0 && text.contains("no group judges it"), "{text}");
    let dir = written("can", "ICMPv6 between dual-stack ends", 0);
    assert_eq!(ask(&dir, ["eni-a", "eni-b", "icmpv6/128"]).0, 0);
    let dir = written(
        "can",
        "The public address of an interface of ours is judged by its ingress",
        0,
    );
    let (code, text) = ask(&dir, ["eni-x", "203.0.113.20", "tcp/443"]);
    assert!(
        code == 1 && text.contains("the public address of eni-b"),
        "{text}"
    );
    let dir = written(
        "icmp",
        "What an ICMP rule for one type says to a question",
        0,
    );
    let (code, text) = ask(&dir, ["eni-a", "eni-b", "icmp"]);
    assert!(code == 2 && text.contains("icmp/8"), "{text}");
}
