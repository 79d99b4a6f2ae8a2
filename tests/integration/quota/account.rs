//! Accounts that are made for a test, and their runs.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::closegate;

const LOG: &str = "interface-id srcaddr srcport dstaddr dstport protocol action tcp-flags packets bytes start end log-status\n";

/// Groups, interfaces and what they did.
#[derive(Clone, Debug, Default)]
pub(super) struct Account {
    pub(super) groups: Vec<Value>,
    pub(super) interfaces: Vec<Value>,
    pub(super) log: String,
    /// More files of the inventory, by name.
    pub(super) files: Vec<(&'static str, String)>,
    pub(super) configuration: String,
    pub(super) blocklist: String,
}

/// A run of an account, read back.
pub(super) struct Run {
    dir: TempDir,
    pub(super) audit: Value,
    pub(super) change: Value,
}

pub(super) fn open_egress() -> Value {
    json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}], "Ipv6Ranges": [{"CidrIpv6": "::/0"}]}])
}

/// So many ingress rules, each for a port.
pub(super) fn ingress(ports: u16) -> Value {
    let rule = |port: u16| json!({"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]});
    (5000..5000 + ports).map(rule).collect()
}

/// So many scattered addresses of the internet, which neither a prefix nor AWS gathers.
pub(super) fn scattered(count: u32) -> Vec<String> {
    let address = |n: u32| {
        let first = if n < 80 { 20 + n } else { 50 + n };
        format!("{first}.{}.{}.7", n * 37 % 250, n * 91 % 250)
    };
    (0..count).map(address).collect()
}

/// So many private addresses in as many networks.
pub(super) fn private(count: u32) -> Vec<String> {
    let address = |n: u32| format!("172.{}.{}.{}", 16 + n % 16, n * 7 % 250, n * 13 % 250 + 1);
    (0..count).map(address).collect()
}

/// Addresses that are far from each other in a prefix with 2^18 of them.
pub(super) fn sparse(first: u8, second: u8, count: u32) -> Vec<String> {
    let address = |n: u32| {
        let within = (n * 31_337 + 5) % (1 << 18);
        let [_, high, middle, low] = within.to_be_bytes();
        format!("{first}.{}.{middle}.{low}", second + high)
    };
    (0..count).map(address).collect()
}

impl Account {
    /// One group with open egress on one interface, which connects to these addresses.
    pub(super) fn app(addresses: &[String], port: u16) -> Self {
        let mut account = Self::default();
        account.group("sg-0a", &json!([]), &open_egress());
        account.interface("eni-a", "10.0.0.10", &["sg-0a"]);
        account.connect("eni-a", "10.0.0.10", addresses, port);
        account
    }

    pub(super) fn group(&mut self, id: &str, ingress: &Value, egress: &Value) {
        self.groups.push(json!({
            "GroupId": id, "GroupName": &id[3..], "VpcId": "vpc-1", "OwnerId": "111122223333",
            "IpPermissions": ingress, "IpPermissionsEgress": egress,
        }));
    }

    pub(super) fn interface(&mut self, id: &str, address: &str, groups: &[&str]) {
        let groups: Vec<Value> = groups.iter().map(|id| json!({"GroupId": id})).collect();
        let last = address.rsplit('.').next().unwrap();
        self.interfaces.push(json!({
            "NetworkInterfaceId": id, "InterfaceType": "interface", "VpcId": "vpc-1", "SubnetId": "subnet-1",
            "PrivateIpAddress": address, "Ipv6Addresses": [{"Ipv6Address": format!("2600:1f18::{last}")}], "Groups": groups,
        }));
    }

    /// Accepted connections, as an interface records them.
    pub(super) fn connect(&mut self, interface: &str, address: &str, to: &[String], port: u16) {
        let last = address.rsplit('.').next().unwrap();
        for to in to {
            let from = if to.contains(':') {
                format!("2600:1f18::{last}")
            } else {
                address.to_owned()
            };
            self.record(interface, &from, to, port);
        }
    }

    pub(super) fn record(&mut self, interface: &str, from: &str, to: &str, port: u16) {
        writeln!(
            self.log,
            "{interface} {from} 40000 {to} {port} 6 ACCEPT 2 5 600 1793577600 1793577659 OK"
        )
        .unwrap();
    }

    /// Audits it; the run succeeds, and loses nothing.
    pub(super) fn run(&self) -> Run {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
        fs::create_dir(dir.path().join("inventory")).unwrap();
        let inventory =
            json!({"SecurityGroups": self.groups, "NetworkInterfaces": self.interfaces});
        write("inventory/account.json", &inventory.to_string());
        for (name, text) in &self.files {
            write(&format!("inventory/{name}"), text);
        }
        write("flows.log", &format!("{LOG}{}", self.log));
        write("closegate.toml", &self.configuration);
        write("blocklist.txt", &self.blocklist);
        let mut command = closegate();
        command.current_dir(dir.path()).args([
            "audit",
            "--flows",
            "flows.log",
            "--inventory",
            "inventory",
            "--out",
            "run",
        ]);
        if !self.blocklist.is_empty() {
            command.args(["--blocklist", "bad=blocklist.txt"]);
        }
        command.assert().success();
        let read = |name: &str| -> Value {
            let text = fs::read(dir.path().join("run").join(name)).unwrap();
            serde_json::from_slice(&text).unwrap()
        };
        let (audit, change) = (read("audit.json"), read("rules/rules.json"));
        assert_eq!(audit["replay"]["lost"], 0, "{:?}", self.groups);
        Run { dir, audit, change }
    }
}

pub(super) fn rows<'a>(document: &'a Value, key: &str) -> &'a [Value] {
    let rows = document[key].as_array();
    rows.map(Vec::as_slice).unwrap_or_default()
}

pub(super) fn target(rule: &Value) -> &str {
    let target = rule["target"].as_object().unwrap();
    target.values().next().unwrap().as_str().unwrap()
}

impl Run {
    pub(super) fn file(&self, name: &str) -> String {
        fs::read_to_string(self.dir.path().join("run").join(name)).unwrap()
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    pub(super) fn to_add(&self) -> impl Iterator<Item = &Value> {
        rows(&self.change, "rules")
            .iter()
            .filter(|rule| rule["status"] == "add")
    }

    /// The targets of a group's rules to add in one direction.
    pub(super) fn targets(&self, group: &str, direction: &str) -> BTreeSet<&str> {
        self.to_add()
            .filter(|rule| rule["group_id"] == group && rule["direction"] == direction)
            .map(target)
            .collect()
    }

    pub(super) fn revoked(&self) -> BTreeSet<&str> {
        rows(&self.change, "revocations")
            .iter()
            .map(|gone| gone["group_id"].as_str().unwrap())
            .collect()
    }

    /// What quota-pressure says.
    pub(super) fn pressure(&self) -> Vec<&str> {
        rows(&self.audit, "findings")
            .iter()
            .filter(|finding| finding["kind"] == "quota-pressure")
            .map(|finding| finding["detail"].as_str().unwrap())
            .collect()
    }

    /// The one thing that quota-pressure says.
    pub(super) fn only_pressure(&self) -> &str {
        let said = self.pressure();
        assert_eq!(said.len(), 1, "{said:?}");
        said[0]
    }

    /// Nothing is written for the group and direction, and its decision is listed.
    pub(super) fn assert_left_out(&self, group: &str, direction: &str) {
        assert_eq!(self.targets(group, direction), BTreeSet::new());
        let decisions = rows(&self.change, "decisions").iter();
        let own = decisions.filter(|d| d["group_id"] == group && d["direction"] == direction);
        assert_eq!(own.count(), 1, "{}", self.change["decisions"]);
    }
}
