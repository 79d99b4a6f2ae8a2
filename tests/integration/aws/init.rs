//! `closegate init` asks a live account for its flow logs, and writes nothing.

use std::fs;

use super::peers::Peer;

const SOURCE: &str = "s3://logs/by-hand/AWSLogs/123456789012/vpcflowlogs/us-east-1/";

#[test]
fn an_account_says_which_flow_logs_it_has() {
    let moto = Peer::moto();
    let proxy = Peer::faults(&moto);
    let dir = tempfile::tempdir().unwrap();
    let init = |peer: &Peer, more: &[&str]| {
        let mut command = peer.closegate();
        command.current_dir(dir.path()).arg("init").args(more);
        command
    };
    let said = |peer: &Peer, more: &[&str]| crate::common::printed(&mut init(peer, more));

    // Nothing is logged yet: the command that switches it on names the VPC of the region.
    let before = said(&moto, &[]);
    assert!(before.contains("0 flow logs, 1 VPC"), "{before}");
    assert!(before.contains("aws ec2 create-flow-logs"), "{before}");
    assert!(before.contains("--region us-east-1"), "{before}");
    assert!(!before.contains("closegate audit"), "{before}");

    moto.run("ec2_estate.py", &["log_vpcs"]);
    // The configured region, whose name the other commands need not be told.
    let here = said(&moto, &[]);
    assert!(here.contains("account 123456789012, us-east-1"), "{here}");
    assert!(!here.contains("create-flow-logs"), "{here}");
    assert!(
        here.contains("  closegate collect inventory --out inventory --region us-east-1\n"),
        "{here}"
    );
    let audit =
        format!("  closegate audit --flows {SOURCE} --since 14d --inventory inventory --out run\n");
    assert!(here.contains(&audit), "{here}");

    // A region of its own, and both.
    let there = said(&moto, &["--region", "eu-west-1"]);
    let audit = "  AWS_REGION=eu-west-1 closegate audit --flows 'cloudwatch:/vpc/all of it' --since 14d --inventory inventory --out run\n";
    assert!(there.contains(audit), "{there}");
    let both = said(&moto, &["--region", "us-east-1", "eu-west-1"]);
    assert!(both.contains("2 flow logs, 2 VPCs"), "{both}");
    assert!(
        both.contains(&format!(
            "--flows 'cloudwatch:/vpc/all of it' {SOURCE} --since"
        )),
        "{both}"
    );

    // A snapshot says the same of the flow logs.
    let mut collect = moto.closegate();
    collect.current_dir(dir.path()).args([
        "collect",
        "inventory",
        "--out",
        "snapshot",
        "--region",
        "us-east-1",
    ]);
    collect.assert().success();
    let offline = said(&moto, &["--inventory", "snapshot"]);
    let flow_log = |text: &str| {
        let lines = text.lines().skip_while(|line| !line.starts_with("fl-"));
        let own: Vec<String> = lines
            .take_while(|line| !line.is_empty())
            .map(str::to_owned)
            .collect();
        own
    };
    assert_eq!(flow_log(&offline), flow_log(&here));
    assert!(flow_log(&here).len() > 2, "{here}");
    assert!(offline.contains(&format!(
        "  closegate audit --flows {SOURCE} --since 14d --inventory snapshot --out run\n"
    )));

    // A call that is refused ends it: without it nothing is known of the flow logs.
    proxy.break_with(
        r#"[{"op":"DescribeFlowLogs","kind":"error","code":"UnauthorizedOperation","status":403,"times":-1}]"#,
    );
    let refused = init(&proxy, &[]).assert().code(4);
    let error = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
    let (sentence, anchor) = crate::troubleshooting::parts(&error);
    assert!(sentence.contains("DescribeFlowLogs"), "{error}");
    assert_eq!(anchor, "aws-refused");
    let left: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "init wrote something: {left:?}");
}
