//! Small accounts with logs whose right answer is known.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use assert_cmd::Command;
use serde_json::{Value, json};

use crate::common::{closegate, printed};

/// A day in seconds, and how many of them the logs span: enough for a group to be ready.
pub(crate) const DAY: u64 = 86_400;
pub(crate) const DAYS: u64 = 16;
pub(crate) const START: u64 = 1_760_000_000 / DAY * DAY;

/// An account and its logs.
pub(crate) struct Case {
    pub(crate) inventory: Value,
    /// Conversations, each as `observers client:port server:port protocol`; the first packet is the client's, and the server answers.
    pub(crate) conversations: Vec<&'static str>,
    pub(crate) flags: bool,
    /// Days on which the conversations take place.
    pub(crate) days: u64,
}

pub(crate) fn open_egress() -> Value {
    json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}])
}

pub(crate) fn group(id: &str, ingress: &Value) -> Value {
    json!({"GroupId": id, "GroupName": id, "VpcId": "vpc-1", "OwnerId": "111122223333", "IpPermissions": ingress, "IpPermissionsEgress": open_egress()})
}

pub(crate) fn interface(id: &str, address: &str, groups: &[&str]) -> Value {
    let groups: Vec<Value> = groups.iter().map(|id| json!({"GroupId": id})).collect();
    json!({"NetworkInterfaceId": id, "InterfaceType": "interface", "VpcId": "vpc-1", "SubnetId": "subnet-1", "PrivateIpAddress": address, "Groups": groups})
}

pub(crate) fn from_group(port: u16, pair: &Value) -> Value {
    json!([{"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": [pair]}])
}

impl Case {
    /// web (sg-a) on eni-1, db (sg-b) on eni-2, which admits web to 3306.
    pub(crate) fn web_and_db(conversations: &[&'static str]) -> Self {
        Self {
            inventory: json!({
                "SecurityGroups": [group("sg-a", &json!([])), group("sg-b", &from_group(3306, &json!({"GroupId": "sg-a"})))],
                "NetworkInterfaces": [interface("eni-1", "10.0.0.1", &["sg-a"]), interface("eni-2", "10.0.0.2", &["sg-b"])],
                "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
            }),
            conversations: conversations.to_vec(),
            flags: false,
            days: DAYS,
        }
    }

    pub(crate) fn log(&self) -> String {
        let flags = if self.flags { " ${tcp-flags}" } else { "" };
        let mut log = format!(
            "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status{}\n",
            flags.replace(['$', '{', '}'], "")
        );
        for day in 0..self.days {
            for (number, conversation) in self.conversations.iter().enumerate() {
                let start = START + day * DAY + number as u64;
                let parts: Vec<&str> = conversation.split(' ').collect();
                let [observers, client, server, protocol] = parts[..] else {
                    panic!("{conversation}")
                };
                // An IPv6 address has a bar before its port.
                let ends = [client, server]
                    .map(|end| end.split_once('|').or(end.split_once(':')).unwrap());
                for observer in observers.split(',') {
                    for ([from, to], opens) in
                        [([ends[0], ends[1]], true), ([ends[1], ends[0]], false)]
                    {
                        let flags = match (self.flags, opens) {
                            (false, _) => "",
                            (true, true) => " 2",
                            (true, false) => " 18",
                        };
                        writeln!(
                            log,
                            "2 111122223333 {observer} {} {} {} {} {protocol} 10 1000 {start} {} ACCEPT OK{flags}",
                            from.0, to.0, from.1, to.1, start + 30
                        )
                        .unwrap();
                    }
                }
            }
        }
        log
    }

    pub(crate) fn write(&self, dir: &Path) {
        fs::create_dir(dir.join("inventory")).unwrap();
        fs::write(dir.join("inventory/all.json"), self.inventory.to_string()).unwrap();
        fs::write(dir.join("flows.log"), self.log()).unwrap();
    }

    /// The run, and what it prints.
    pub(crate) fn run(&self) -> (Value, String) {
        let dir = tempfile::tempdir().unwrap();
        self.write(dir.path());
        let text = printed(&mut audit_in(dir.path()));
        (document_in(dir.path()), text)
    }

    /// The same without flags and with them.
    pub(crate) fn runs(mut self) -> [(Value, String); 2] {
        [false, true].map(|flags| {
            self.flags = flags;
            self.run()
        })
    }
}

/// An audit of the case in a directory.
pub(crate) fn audit_in(dir: &Path) -> Command {
    let mut command = closegate();
    command
        .args(["audit", "--flows"])
        .arg(dir.join("flows.log"))
        .arg("--inventory")
        .arg(dir.join("inventory"))
        .arg("--out")
        .arg(dir.join("run"));
    command
}

/// What it wrote.
pub(crate) fn document_in(dir: &Path) -> Value {
    serde_json::from_slice(&fs::read(dir.join("run/audit.json")).unwrap()).unwrap()
}

/// Connections as `initiator responder service verdict reason state`.
pub(crate) fn connections(audit: &Value) -> Vec<String> {
    let line = |c: &Value| {
        format!(
            "{} {} {}/{} {} {} {}",
            c["initiator"]["address"].as_str().unwrap(),
            c["responder"]["address"].as_str().unwrap(),
            c["protocol"].as_str().unwrap(),
            c["port"],
            c["verdict"].as_str().unwrap(),
            c["reason"].as_str().unwrap_or("-"),
            c["after"]["state"].as_str().unwrap(),
        )
    };
    let mut all: Vec<String> = audit["connections"]
        .as_array()
        .unwrap()
        .iter()
        .map(line)
        .collect();
    all.sort();
    all
}

pub(crate) fn kinds(audit: &Value) -> Vec<&str> {
    let findings = audit["findings"].as_array().unwrap().iter();
    findings.map(|f| f["kind"].as_str().unwrap()).collect()
}

pub(crate) fn ready<'a>(audit: &'a Value, group: &str) -> &'a Value {
    let all = audit["readiness"].as_array().unwrap();
    all.iter().find(|r| r["group_id"] == group).unwrap()
}

pub(crate) fn adds_up(audit: &Value) {
    let replay = &audit["replay"];
    let sum: u64 = ["permitted", "quarantined", "rejected", "lost"]
        .iter()
        .map(|key| replay[key].as_u64().unwrap())
        .sum();
    assert_eq!(
        replay["connections"].as_u64().unwrap(),
        sum + replay["unjudged"]["connections"].as_u64().unwrap(),
        "{replay}"
    );
}
