//! The command line as a user meets it.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use assert_cmd::assert::Assert;
use clap_complete::Shell;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::common::{closegate, fixtures, sample};

fn audit(flows: &str, inventory: &Path, out: &Path) -> Assert {
    closegate()
        .args(["audit", "--flows", flows, "--inventory"])
        .arg(inventory)
        .arg("--out")
        .arg(out)
        .assert()
}

/// One sentence on standard error that names the thing and says what to do, and a line that says where to read more.
pub(crate) fn fails(assert: Assert, code: i32, says: &[&str]) {
    let output = assert.code(code).get_output().clone();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.stdout.is_empty(), "results only on standard output");
    let (error, _) = crate::troubleshooting::parts(&error);
    for word in says {
        assert!(error.contains(word), "`{word}` is not in: {error}");
    }
}

#[test]
fn demo_says_what_matters_in_eighty_columns() {
    let output = closegate()
        .arg("demo")
        .assert()
        .success()
        .get_output()
        .clone();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.stderr.is_empty());
    assert!(
        !text.contains('\u{1b}'),
        "no colours where nobody can see them"
    );
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    for word in [
        "irc",
        "third-party-dns",
        "10 of 12 groups",
        "nothing breaks",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    let output = |name: &str| {
        let mut command = closegate();
        command.env(name, "1").env("TERM", "xterm").arg("demo");
        String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
    };
    assert!(
        output("CLICOLOR_FORCE").contains('\u{1b}'),
        "colours on request"
    );
    assert_eq!(output("NO_COLOR"), text);
}

#[test]
fn audit_writes_the_files_of_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let flows = sample().join("flows/default").display().to_string();
    audit(&flows, &sample().join("inventory"), &out).success();
    for file in [
        "audit.json",
        "connections.parquet",
        "findings.sarif",
        "graph.dot",
        "graph.json",
        "report.html",
        "report.json",
        "report.md",
        "rules/apply.sh",
        "rules/mutual.tf",
        "rules/other.tf",
        "rules/plan.md",
        "rules/rollback.sh",
        "rules/rules.json",
    ] {
        assert!(out.join(file).metadata().unwrap().len() > 0, "{file}");
    }
    // Again, in its place; and nothing is left beside it.
    let first = fs::read(out.join("audit.json")).unwrap();
    audit(&flows, &sample().join("inventory"), &out).success();
    assert_eq!(first, fs::read(out.join("audit.json")).unwrap());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_directory_of_something_else_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("thesis.txt"), "years of work").unwrap();
    let flows = sample().join("flows/default").display().to_string();
    let assert = audit(&flows, &sample().join("inventory"), dir.path());
    fails(assert, 2, &["holds `thesis.txt`", "not part of a run"]);
    assert_eq!(
        fs::read(dir.path().join("thesis.txt")).unwrap(),
        b"years of work"
    );
}

#[test]
fn every_unusable_input_is_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let (inventory, empty) = (sample().join("inventory"), dir.path().join("empty"));
    fs::create_dir(&empty).unwrap();
    let empty_text = empty.display().to_string();
    let flows = sample().join("flows/default").display().to_string();

    fails(
        audit("no/such.log", &inventory, &out),
        2,
        &["no/such.log", "does not exist"],
    );
    fails(audit("no/*.log", &inventory, &out), 2, &["matches no file"]);
    fails(
        audit(&empty_text, &inventory, &out),
        2,
        &["is an empty directory"],
    );
    #[cfg(not(feature = "aws"))]
    fails(
        audit("s3://bucket/x", &inventory, &out),
        2,
        &["s3://bucket/x", "aws s3 sync"],
    );
    #[cfg(feature = "aws")]
    fails(
        audit("athena:logs.flows", &inventory, &out),
        2,
        &["athena:logs.flows", "--since"],
    );
    fails(
        audit(&flows, &empty, &out),
        2,
        &["holds no security groups", "describe-security-groups"],
    );
    fails(
        audit(&flows, Path::new("nowhere"), &out),
        2,
        &["nowhere", "is not a directory"],
    );

    fs::write(
        empty.join("groups.json"),
        "{\"SecurityGroups\": [{\"GroupId\": 7}]}",
    )
    .unwrap();
    fails(
        audit(&flows, &empty, &out),
        2,
        &["groups.json", "SecurityGroups", "fetch it again"],
    );
    fs::write(empty.join("groups.json"), "{\"SecurityGroups\": [").unwrap();
    fails(audit(&flows, &empty, &out), 2, &["groups.json", "line 1"]);
    assert!(!out.exists(), "nothing is written by a run that fails");
}

#[test]
fn nothing_usable_in_the_logs_is_exit_code_3() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let log = dir.path().join("flows.log");
    let inventory = fixtures().join("inventory");
    let path = log.display().to_string();

    fs::write(&log, "what is this\n").unwrap();
    fails(
        audit(&path, &inventory, &out),
        3,
        &["line 1", "--log-format"],
    );
    fs::write(&log, "").unwrap();
    fails(audit(&path, &inventory, &out), 3, &["they are empty"]);
    fs::write(&log, "PAR1....").unwrap();
    fails(audit(&path, &inventory, &out), 3, &["Parquet"]);
    fs::write(&log, "version resource-type account-id tgw-id srcaddr dstaddr\n6 TransitGateway 1 tgw-1 10.0.0.1 10.0.0.2\n").unwrap();
    fails(
        audit(&path, &inventory, &out),
        3,
        &["Transit Gateway flow log", "VPC flow logs"],
    );
    fs::write(
        &log,
        "6 TransitGateway 123456789012 tgw-1 tgw-attach-1 1 2 3\n",
    )
    .unwrap();
    fails(
        audit(&path, &inventory, &out),
        3,
        &["Transit Gateway flow log"],
    );
    fs::write(
        &log,
        "version srcaddr dstaddr srcport dstport protocol start\n",
    )
    .unwrap();
    fails(audit(&path, &inventory, &out), 3, &["`action`"]);
    assert!(!out.exists());
}

#[test]
fn a_wrong_command_line_is_exit_code_2() {
    let dir = tempfile::tempdir().unwrap();
    let flows = sample().join("flows/default").display().to_string();
    let run = |extra: &[&str]| {
        closegate()
            .args(["audit", "--flows", &flows, "--inventory"])
            .arg(sample().join("inventory"))
            .arg("--out")
            .arg(dir.path().join("run"))
            .args(extra)
            .assert()
    };
    fails(
        run(&["--since", "yesterday"]),
        2,
        &["--since `yesterday`", "14d"],
    );
    fails(
        run(&[
            "--since",
            "2026-11-03T00:00:00Z",
            "--until",
            "2026-11-02T00:00:00Z",
        ]),
        2,
        &["swap"],
    );
    fails(
        run(&["--log-format", "${version} ${colour}"]),
        2,
        &["`colour`"],
    );
    fails(
        run(&["--log-format", "${version} ${srcaddr}"]),
        2,
        &["`dstaddr`"],
    );
    closegate().args(["audit", "--flows"]).assert().code(2);
    closegate().arg("nonsense").assert().code(2);
}

#[test]
fn since_and_until_bound_the_window_and_what_they_leave_out_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    closegate()
        .args([
            "audit",
            "--since",
            "2026-11-03T00:00:00Z",
            "--until",
            "2026-11-04T00:00:00Z",
            "--flows",
        ])
        .arg(sample().join("flows/custom"))
        .arg("--inventory")
        .arg(sample().join("inventory"))
        .arg("--out")
        .arg(&out)
        .assert()
        .success();
    let audit: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("audit.json")).unwrap()).unwrap();
    let input = &audit["input"];
    assert!(audit["window"]["start"].as_u64().unwrap() >= 1_793_664_000 - 600);
    assert!(audit["window"]["end"].as_u64().unwrap() < 1_793_750_400 + 600);
    let total =
        input["records_read"].as_u64().unwrap() + input["records_outside_window"].as_u64().unwrap();
    assert_eq!(total, 6687);
}

#[test]
fn fail_on_decides_between_0_and_1() {
    let run = |severity: &str| {
        let dir = tempfile::tempdir().unwrap();
        closegate()
            .args(["audit", "--fail-on", severity, "--flows"])
            .arg(fixtures().join("ftp/positive.log"))
            .arg("--inventory")
            .arg(fixtures().join("open-egress/near-miss-inventory"))
            .arg("--out")
            .arg(dir.path().join("run"))
            .assert()
    };
    run("critical").code(0);
    run("high").code(0);
    run("medium").code(1);
}

#[test]
fn standard_input_several_gzip_members_and_a_glob_are_one_log() {
    let log = fs::read_to_string(fixtures().join("irc/positive.log")).unwrap();
    let (head, tail) = log.split_at(log.len() / 2);
    let mut members = Vec::new();
    for part in [head, tail] {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(part.as_bytes()).unwrap();
        members.extend(gzip.finish().unwrap());
    }
    let dir = tempfile::tempdir().unwrap();
    let run = |flows: &str, stdin: &[u8]| {
        let out = dir.path().join("run");
        closegate()
            .args(["audit", "--flows", flows, "--inventory"])
            .arg(fixtures().join("inventory"))
            .arg("--out")
            .arg(&out)
            .write_stdin(stdin)
            .assert()
            .success();
        let text = fs::read_to_string(out.join("rules/rules.json")).unwrap();
        let audit: serde_json::Value =
            serde_json::from_slice(&fs::read(out.join("audit.json")).unwrap()).unwrap();
        (
            text,
            audit["input"]["records_read"].clone(),
            audit["findings"].clone(),
        )
    };
    let plain = run(
        &fixtures().join("irc/positive.log").display().to_string(),
        b"",
    );
    assert_eq!(run("-", &members), plain);
    assert_eq!(
        run(&fixtures().join("irc/pos*.log").display().to_string(), b""),
        plain
    );
}

#[test]
fn can_answers_with_the_rules_on_both_sides() {
    let can = |from: &str, to: &str, service: &str| {
        let assert = closegate()
            .args(["can", "--json", "--inventory"])
            .arg(sample().join("inventory"))
            .args([from, to, service])
            .assert();
        let output = assert.get_output().clone();
        let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(
            output.status.code(),
            Some(i32::from(answer["allowed"] != true))
        );
        answer
    };
    // web → db, by address: out by the open rules of both its groups, in by name.
    let answer = can("10.20.10.11", "10.20.20.21", "tcp/3306");
    assert_eq!(answer["allowed"], true);
    assert_eq!(answer["egress"]["rules"].as_array().unwrap().len(), 2);
    assert_eq!(
        answer["ingress"]["rules"][0]["security_group_rule_id"],
        "sgr-0a1b2c3d4e5fa0007"
    );
    // The function may leave, but the cache does not let it in.
    let answer = can("10.20.20.61", "10.20.20.31", "tcp/6379");
    assert_eq!(
        (&answer["allowed"], &answer["egress"]["allowed"]),
        (&false.into(), &true.into())
    );
    // A group as a whole; an instance; somebody outside.
    assert_eq!(
        can("sg-0a1b2c3d4e5f90002", "sg-0a1b2c3d4e5f90003", "tcp/3306")["allowed"],
        true
    );
    assert_eq!(
        can("sg-0a1b2c3d4e5f90009", "sg-0a1b2c3d4e5f90003", "tcp/3306")["allowed"],
        false
    );
    assert_eq!(
        can("i-0a1b2c3d4e5f80003", "eni-0a1b2c3d4e5f70006", "tcp/3306")["allowed"],
        true
    );
    let answer = can("8.8.8.8", "10.20.0.10", "tcp/443");
    assert_eq!(
        (&answer["allowed"], &answer["egress"]),
        (&true.into(), &serde_json::Value::Null)
    );
    assert_eq!(can("10.20.0.5", "10.20.10.11", "icmp/8/0")["allowed"], true);
    assert_eq!(
        can("10.20.10.12", "10.20.10.11", "icmp/8/0")["allowed"],
        false
    );
    // The peered VPC, by reference and by address; DNS, which nothing judges.
    assert_eq!(
        can("10.30.0.11", "10.20.10.12", "tcp/9100")["allowed"],
        true
    );
    assert_eq!(
        can("10.20.10.41", "10.30.0.21", "tcp/5432")["allowed"],
        true
    );
    assert_eq!(
        can("10.20.10.71", "10.20.0.2", "udp/53")["egress"]["ungated"],
        true
    );
}

#[test]
fn can_says_what_it_does_not_know() {
    let can = |from: &str, to: &str, service: &str| {
        closegate()
            .args(["can", "--inventory"])
            .arg(sample().join("inventory"))
            .args([from, to, service])
            .assert()
    };
    fails(
        can("sg-0", "10.20.20.21", "tcp/3306"),
        2,
        &["`sg-0`", "snapshot"],
    );
    fails(can("8.8.8.8", "9.9.9.9", "tcp/443"), 2, &["neither"]);
    fails(
        can("10.20.10.11", "10.20.20.21", "tcp"),
        2,
        &["`tcp`", "tcp/443"],
    );
    fails(
        can("10.20.10.11", "10.20.20.21", "tcp/70000"),
        2,
        &["tcp/70000"],
    );
    // A number could be a port, or a protocol.
    for number in ["22", "50", "0"] {
        fails(
            can("10.20.10.11", "10.20.20.21", number),
            2,
            &["tcp/443", "protocol/50"],
        );
    }
    let says = |from: &str, service: &str, code: i32, says: &str| {
        let assert = can(from, "10.20.20.21", service).code(code);
        let text = String::from_utf8(assert.get_output().stdout.clone()).unwrap();
        assert!(text.starts_with(says), "{text}");
    };
    says(
        "web",
        "protocol/50",
        1,
        "protocol/50 from group web (sg-0a1b2c3d4e5f90002) to 10.20.20.21 on eni-0a1b2c3d4e5f70006",
    );
    says("web", "tcp/3306", 0, "tcp/3306 from group web");
    says(
        "10.20.10.11",
        "icmp/8/0",
        1,
        "icmp/8/0 from 10.20.10.11 on eni-",
    );
    fails(
        can("wbe", "10.20.20.21", "tcp/22"),
        2,
        &["`wbe`", "group's name"],
    );
    let output = can("10.20.10.11", "10.20.20.21", "tcp/22")
        .code(1)
        .get_output()
        .clone();
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("ingress  no rule allows it")
    );
}

#[test]
fn everything_has_help_a_version_and_completions() {
    closegate()
        .arg("--version")
        .assert()
        .success()
        .stdout("closegate 0.1.0\n");
    for command in [
        "audit",
        "verify",
        "explain",
        "demo",
        "can",
        "schema",
        "completions",
        "man",
    ] {
        let output = closegate()
            .args([command, "--help"])
            .assert()
            .success()
            .get_output()
            .clone();
        assert!(
            String::from_utf8(output.stdout)
                .unwrap()
                .contains("Usage: closegate"),
            "{command}"
        );
    }
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let output = closegate()
            .args(["completions", &shell.to_string()])
            .assert()
            .success()
            .get_output()
            .clone();
        assert!(
            String::from_utf8(output.stdout)
                .unwrap()
                .contains("inventory")
        );
    }
    closegate().arg("man").assert().success();
    for (name, _) in closegate::emit::SCHEMAS {
        let output = closegate()
            .args(["schema", name])
            .assert()
            .success()
            .get_output()
            .clone();
        let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(schema["type"], "object");
    }
}

/// Ctrl-C while it waits for its input: 130, and nothing half-written.
#[test]
fn an_interrupted_run_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_closegate"))
        .args(["audit", "--flows", "-", "--inventory"])
        .arg(fixtures().join("inventory"))
        .arg("--out")
        .arg(dir.path().join("run"))
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Held open to the end: `wait` would close it, and the run would end by itself.
    let stdin = child.stdin.take();
    let scratch = || fs::read_dir(dir.path()).unwrap().count();
    while scratch() == 0 {
        std::thread::sleep(std::time::Duration::from_millis(5));
        assert_eq!(child.try_wait().unwrap(), None);
    }
    let id = child.id().to_string();
    std::process::Command::new("kill")
        .args(["-INT", &id])
        .status()
        .unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(scratch(), 0);
    drop(stdin);
}

#[test]
fn a_broken_pipe_ends_quietly() {
    let script = format!(
        "{} completions bash | head -c 1; exit ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_closegate")
    );
    let output = std::process::Command::new("bash")
        .args(["-c", &script])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert!(output.status.success());
}

/// However the program is built, jemalloc has its options: nothing but the name of a symbol says so.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[test]
fn jemalloc_has_its_options() {
    let output = closegate()
        .env("_RJEM_MALLOC_CONF", "confirm_conf:true")
        .arg("--version")
        .output()
        .unwrap();
    let says = String::from_utf8(output.stderr).unwrap();
    for option in ["thp:always", "percpu_arena:percpu", "dirty_decay_ms:60000"] {
        let set = format!("Set conf value: {option}\n");
        assert!(says.contains(&set), "{says}");
    }
}
