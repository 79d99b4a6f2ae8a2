//! Logs where AWS delivers them: the same result as from files.

use std::fs;
use std::path::{Path, PathBuf};

use closegate::aws::calls::{CALLS, Caller};
use serde_json::Value;

use super::peers::Peer;
use crate::common::{closegate, sample};

/// The sample logs under the names that AWS gives: a day each.
fn logs(dir: &Path) -> Vec<PathBuf> {
    (1..=3)
        .map(|day| {
            let name = format!("111122223333_vpcflowlogs_us-east-1_fl-0123456789abcdef0_2026110{}T2355Z_0000000{day}.log.gz", day + 1);
            let path = dir.join(name);
            fs::copy(sample().join(format!("flows/default/day-{day}.log.gz")), &path).unwrap();
            path
        })
        .collect()
}

fn names(paths: &[PathBuf]) -> Vec<&str> {
    paths.iter().map(|path| path.to_str().unwrap()).collect()
}

/// What an audit says, without where it was read from.
fn said(out: &Path) -> Value {
    let mut audit: Value =
        serde_json::from_slice(&fs::read(out.join("audit.json")).unwrap()).unwrap();
    let input = audit["input"].as_object_mut().unwrap();
    for key in ["sources", "bytes_read"] {
        input.remove(key);
    }
    audit
}

fn audit(command: &mut assert_cmd::Command, sources: &[&str], out: &Path) -> Value {
    run(command, sources, out).assert().success();
    said(out)
}

fn run<'a>(
    command: &'a mut assert_cmd::Command,
    sources: &[&str],
    out: &Path,
) -> &'a mut assert_cmd::Command {
    command.arg("audit").arg("--flows").args(sources);
    command
        .arg("--inventory")
        .arg(sample().join("inventory"))
        .arg("--out")
        .arg(out)
}

/// The sample logs, and what an audit of them says.
struct Story {
    dir: tempfile::TempDir,
    files: Vec<PathBuf>,
    /// Where audits go.
    out: PathBuf,
    expected: Value,
}

impl Story {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let files = logs(dir.path());
        let out = dir.path().join("run");
        let expected = audit(&mut closegate(), &names(&files), &out);
        Self {
            dir,
            files,
            out,
            expected,
        }
    }

    /// Puts the logs where `log_files.py` says; what it said.
    fn put(&self, peer: &Peer, how: &[&str]) -> String {
        let mut arguments = how.to_vec();
        arguments.extend(names(&self.files));
        peer.run("log_files.py", &arguments)
    }
}

/// Every call that passed the proxy is in the table that the policies are made from.
fn only_known_calls(proxy: &Peer, command: Caller) {
    let seen = proxy.seen();
    assert!(!seen.is_empty());
    for (operation, _) in seen {
        let mut known = CALLS.iter().filter(|call| call.command == command);
        assert!(
            known.any(|call| call.operation == operation),
            "{operation} is not in the table for {command:?}"
        );
    }
}

#[test]
fn objects_in_s3_are_read_as_files_whatever_breaks_on_the_way() {
    let ministack = Peer::ministack();
    let proxy = Peer::faults(&ministack);
    let story = Story::new();
    let (out, expected) = (&story.out, &story.expected);
    for layout in ["plain", "hourly", "hive", "hive-hourly"] {
        let bucket = format!("logs-{layout}");
        story.put(&ministack, &["s3", &bucket, layout]);
        for prefix in ["", "some prefix/", "some prefix/AWSLogs/"] {
            let url = format!("s3://{bucket}/{prefix}");
            let found = audit(&mut ministack.closegate(), &[&url], out);
            assert!(found == *expected, "{url}");
        }
    }

    let url = "s3://logs-hive/some prefix/";
    for kind in [
        "throttle", "http500", "http503", "reset", "close", "truncate",
    ] {
        proxy.break_with(&format!(
            r#"[{{"op":"GetObject","kind":"{kind}","times":3}},{{"op":"ListObjectsV2","kind":"{kind}","times":1}}]"#
        ));
        let found = audit(&mut proxy.closegate(), &[url], out);
        assert!(found == *expected, "{kind}");
        assert_eq!(
            proxy
                .seen()
                .iter()
                .filter(|(_, broken)| broken.is_some())
                .count(),
            4,
            "{kind}"
        );
    }

    // What can't be read ends the run; nothing is silently short.
    for (rules, wanted, anchor) in [
        (
            r#"[{"op":"GetObject","kind":"error","code":"AccessDenied","status":403,"skip":1,"times":1}]"#,
            "AccessDenied",
            "reading-from-aws-broke-off",
        ),
        (
            r#"[{"op":"GetObject","kind":"truncate","times":-1}]"#,
            "GetObject",
            "reading-from-aws-broke-off",
        ),
        (
            r#"[{"op":"ListObjectsV2","kind":"error","code":"ExpiredToken","status":400,"times":-1}]"#,
            "sign in again",
            "aws-refused",
        ),
    ] {
        proxy.break_with(rules);
        let mut command = proxy.closegate();
        let done = run(&mut command, &[url], out).assert().code(4);
        let text = String::from_utf8(done.get_output().stderr.clone()).unwrap();
        assert!(text.contains(wanted), "{text}");
        assert_eq!(crate::troubleshooting::parts(&text).1, anchor);
    }

    // Only what a window needs is fetched.
    proxy.break_with("[]");
    let mut command = proxy.closegate();
    run(&mut command, &[url], out)
        .args(["--since", "2026-11-04T12:00:00Z"])
        .assert()
        .success();
    let fetched = proxy
        .seen()
        .iter()
        .filter(|(operation, _)| operation == "GetObject")
        .count();
    assert_eq!(fetched, 1);
    only_known_calls(&proxy, Caller::S3);
}

#[test]
fn more_objects_than_a_listing_has_on_a_page() {
    let ministack = Peer::ministack();
    let story = Story::new();
    let (out, expected) = (&story.out, &story.expected);
    let count: usize = story
        .put(&ministack, &["many", "logs"])
        .trim()
        .parse()
        .unwrap();
    assert!(count > 1000, "{count}");
    assert!(audit(&mut ministack.closegate(), &["s3://logs"], out) == *expected);
}

#[test]
fn a_store_of_objects_goes_on_where_it_was() {
    let ministack = Peer::ministack();
    let proxy = Peer::faults(&ministack);
    let story = Story::new();
    let (out, expected) = (&story.out, &story.expected);
    story.put(&ministack, &["s3", "logs", "plain"]);
    let ingest = || {
        let mut command = proxy.closegate();
        command
            .args([
                "ingest",
                "--flows",
                "s3://logs/",
                "--hold",
                "1",
                "--threads",
                "1",
                "--store",
            ])
            .arg(story.dir.path().join("store"));
        command.arg("--inventory").arg(sample().join("inventory"));
        command
    };
    proxy.break_with(r#"[{"op":"GetObject","kind":"error","code":"AccessDenied","status":403,"skip":2,"times":1}]"#);
    ingest().assert().code(4);
    proxy.break_with("[]");
    ingest().assert().success();
    proxy.break_with("[]");
    let done = ingest().assert().success();
    let text = String::from_utf8(done.get_output().stdout.clone()).unwrap();
    assert!(
        text.contains("0 new files") && text.contains("3 files known before"),
        "{text}"
    );
    assert!(
        !proxy
            .seen()
            .iter()
            .any(|(operation, _)| operation == "GetObject"),
        "read again"
    );
    let mut command = closegate();
    command
        .arg("audit")
        .arg("--store")
        .arg(story.dir.path().join("store"));
    command
        .arg("--inventory")
        .arg(sample().join("inventory"))
        .arg("--out")
        .arg(out)
        .assert()
        .success();
    assert!(said(out) == *expected);
}

#[test]
fn events_in_cloudwatch_are_read_as_files_whatever_breaks_on_the_way() {
    let ministack = Peer::ministack();
    let proxy = Peer::faults(&ministack);
    let story = Story::new();
    let (out, expected) = (&story.out, &story.expected);
    story.put(&ministack, &["logs", "/vpc/flow logs"]);
    let source = "cloudwatch:/vpc/flow logs";
    assert!(audit(&mut ministack.closegate(), &[source], out) == *expected);
    let streams: usize = story
        .put(&ministack, &["logs", "/vpc/busy"])
        .trim()
        .parse()
        .unwrap();
    assert!(streams > 100, "{streams}");
    assert!(audit(&mut ministack.closegate(), &["cloudwatch:/vpc/busy"], out) == *expected);
    for kind in ["throttle", "http500", "reset", "truncate"] {
        proxy.break_with(&format!(
            r#"[{{"op":"FilterLogEvents","kind":"{kind}","times":3}}]"#
        ));
        assert!(
            audit(&mut proxy.closegate(), &[source], out) == *expected,
            "{kind}"
        );
        only_known_calls(&proxy, Caller::CloudWatch);
    }
    proxy.break_with(r#"[{"op":"FilterLogEvents","kind":"error","code":"AccessDeniedException","status":400,"skip":3,"times":1}]"#);
    let mut command = proxy.closegate();
    run(&mut command, &[source], out).assert().code(4);
}

/// Of an engine's answer: everything but what only rows tell, how many lines there were of what kind.
fn without_lines(mut said: Value) -> Value {
    said.as_object_mut().unwrap().remove("input");
    said
}

const WINDOW: [&str; 4] = [
    "--since",
    "2026-11-01T00:00:00Z",
    "--until",
    "2026-11-06T00:00:00Z",
];

#[test]
fn athena_answers_what_the_local_engine_finds() {
    let ministack = Peer::ministack();
    let proxy = Peer::faults(&ministack);
    let story = Story::new();
    let (out, expected) = (&story.out, &story.expected);
    story.put(&ministack, &["s3", "logs", "plain"]);
    let mut command = closegate();
    command.args([
        "query",
        "table-text",
        "--engine",
        "athena",
        "--table",
        "flows.vpc",
        "--location",
        "s3://logs/some prefix",
    ]);
    let ddl = story.dir.path().join("table.sql");
    fs::write(&ddl, &command.assert().success().get_output().stdout).unwrap();
    let text = fs::read_to_string(&ddl).unwrap();
    let portless = story.dir.path().join("portless.sql");
    let without = text
        .replace(r#""flows"."vpc""#, r#""flows"."portless""#)
        .replace("dstport int,", "");
    fs::write(&portless, without).unwrap();
    let statements = [&ddl, &portless].map(|file| file.to_str().unwrap());
    ministack.run("athena_table.py", &["flows", statements[0], statements[1]]);

    let ask = |peer: &Peer, more: &[&str]| {
        let mut command = peer.closegate();
        run(&mut command, &["athena:flows.vpc"], out)
            .args(WINDOW)
            .args(["--athena-output", "s3://answers/run"])
            .args(more);
        command
    };
    let done = ask(&ministack, &[]).assert().success();
    assert!(said(out) == *expected, "by pages");
    let costs = String::from_utf8(done.get_output().stderr.clone()).unwrap();
    assert!(
        costs.contains("queries over") && costs.contains("scanned") && costs.contains('$'),
        "{costs}"
    );
    for again in ["by files", "by files, where those of another run are"] {
        ask(&ministack, &["--athena-unload"]).assert().success();
        assert!(said(out) == *expected, "{again}");
    }

    for kind in ["throttle", "http500", "reset"] {
        proxy.break_with(&format!(
            r#"[{{"op":"GetQueryResults","kind":"{kind}","times":2}},{{"op":"GetQueryExecution","kind":"{kind}","times":2}}]"#
        ));
        ask(&proxy, &[]).assert().success();
        assert!(said(out) == *expected, "{kind}");
        only_known_calls(&proxy, Caller::Athena);
    }
    proxy.break_with(r#"[{"op":"GetQueryResults","kind":"error","code":"InvalidRequestException","skip":1,"times":1}]"#);
    ask(&proxy, &[]).assert().code(4);

    // A table without ports is refused as a file without them is.
    let mut command = ministack.closegate();
    let done = run(&mut command, &["athena:flows.portless"], out)
        .args(WINDOW)
        .assert()
        .code(3);
    let error = String::from_utf8_lossy(&done.get_output().stderr).into_owned();
    assert!(error.contains("the format has no `dstport`"), "{error}");

    let mut command = ministack.closegate();
    let done = run(&mut command, &["athena:flows.vpc"], out)
        .assert()
        .code(2);
    assert!(String::from_utf8_lossy(&done.get_output().stderr).contains("needs --since"));
}

#[test]
fn insights_answers_what_the_local_engine_finds() {
    let story = Story::new();
    let out = &story.out;
    let expected = without_lines(story.expected.clone());
    let fake = Peer::insights(&story.files);
    let mut command = fake.closegate();
    run(&mut command, &["insights:/vpc/flow logs"], out)
        .args(WINDOW)
        .assert()
        .success();
    let found = without_lines(said(out));
    for key in ["rules", "findings", "revocations", "replay", "exposure"] {
        assert_eq!(found[key], expected[key], "{key}");
    }
}
