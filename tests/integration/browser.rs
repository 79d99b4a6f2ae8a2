//! `report.html` and Mermaid's text in a real browser. Where Chromium or Node is missing, `make test` says so in its summary.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use closegate::audit::Audit;
use serde_json::{Value, json};

use crate::common::{audit_paths, root};
use crate::emit::{audit, hostile_audit, text};
use crate::peers::chromium;

/// Opens pages in Chromium, if it is there.
pub(crate) fn look(tasks: &[Value]) {
    let Some(chromium) = chromium() else { return };
    let done = Command::new("node")
        .arg(root().join("tests/browser/report.mjs"))
        .arg(root().join("target/peers"))
        .arg(chromium)
        .args(tasks.iter().map(ToString::to_string))
        .output()
        .unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(done.status.success(), "{said}");
}

/// The named files of a run, in a directory.
fn written(audit: &Audit, dir: &Path, names: &[&str]) -> Vec<PathBuf> {
    let write = |name: &&str| {
        let path = dir.join(name);
        std::fs::write(&path, text(audit, name)).unwrap();
        path
    };
    names.iter().map(write).collect()
}

#[test]
fn the_page_works_and_says_what_the_audit_says() {
    let dir = tempfile::tempdir().unwrap();
    let files = written(&audit(), dir.path(), &["report.html", "audit.json"]);
    look(&[json!({"kind": "page", "file": files[0], "audit": files[1]})]);
}

#[test]
fn nothing_that_strangers_wrote_runs() {
    let dir = tempfile::tempdir().unwrap();
    let audit = hostile_audit();
    let files = written(&audit, dir.path(), &["report.html", "graph.json"]);
    let graph: closegate::documents::GraphDocument =
        serde_json::from_slice(&std::fs::read(&files[1]).unwrap()).unwrap();
    let mermaid = dir.path().join("graph.mmd");
    std::fs::write(&mermaid, graph.mermaid()).unwrap();
    look(&[
        json!({"kind": "hostile", "file": files[0]}),
        json!({"kind": "mermaid", "file": mermaid}),
    ]);
    // As text it is there, and only as text.
    let page = text(&audit, "report.html");
    assert_eq!(page.matches("<script").count(), 2);
    assert!(!page.contains("<img") && !page.contains("<svg/onload") && !page.contains("<iframe"));
}

/// Five hundred groups in five networks, each calling ten of those behind it.
fn large() -> Audit {
    let dir = tempfile::tempdir().unwrap();
    let address = |n: usize| format!("10.{}.{}.{}", n % 5, n / 250, 1 + n % 250);
    let open = json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]);
    let (mut groups, mut interfaces) = (Vec::new(), Vec::new());
    let mut log =
        "interface-id srcaddr srcport dstaddr dstport protocol action tcp-flags start\n".to_owned();
    for n in 0..500 {
        let vpc = format!("vpc-{}", n % 5);
        let ingress = json!([{"IpProtocol": "tcp", "FromPort": 8000, "ToPort": 8100, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]);
        groups.push(json!({"GroupId": format!("sg-{n:017x}"), "GroupName": format!("service-{n:03}-in-production"), "VpcId": vpc, "OwnerId": "111122223333",
            "IpPermissions": ingress, "IpPermissionsEgress": open}));
        interfaces.push(json!({"NetworkInterfaceId": format!("eni-{n:017x}"), "InterfaceType": "interface", "VpcId": vpc, "PrivateIpAddress": address(n),
            "Groups": [{"GroupId": format!("sg-{n:017x}")}]}));
        for k in 1..=10 {
            let to = (n + 5 * k) % 500;
            for at in [n, to] {
                writeln!(
                    log,
                    "eni-{at:017x} {} 40000 {} {} 6 ACCEPT 2 1793577600",
                    address(n),
                    address(to),
                    8000 + k
                )
                .unwrap();
            }
        }
    }
    std::fs::write(
        dir.path().join("g.json"),
        json!({"SecurityGroups": groups}).to_string(),
    )
    .unwrap();
    std::fs::write(
        dir.path().join("i.json"),
        json!({"NetworkInterfaces": interfaces}).to_string(),
    )
    .unwrap();
    let flows = dir.path().join("x.log");
    std::fs::write(&flows, log).unwrap();
    audit_paths(&[flows], dir.path())
}

#[test]
fn five_hundred_groups_are_one_small_page() {
    let dir = tempfile::tempdir().unwrap();
    let files = written(&large(), dir.path(), &["report.html"]);
    assert!(files[0].metadata().unwrap().len() < 2_000_000);
    look(&[json!({"kind": "large", "file": files[0]})]);
}
