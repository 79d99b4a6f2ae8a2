//! Errors lead to the section of docs/troubleshooting.md that is about them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;

use crate::common::{closegate, fixtures, root};

const PAGE: &str = "docs/troubleshooting.md#";

/// The sentence of an error, and the anchor that it leads to.
pub(crate) fn parts(error: &str) -> (&str, &str) {
    let lines: Vec<&str> = error.trim_end().lines().collect();
    let [sentence, place] = lines.as_slice() else {
        panic!("one sentence, and where to read more: {error}");
    };
    let place = place.strip_prefix("see ").unwrap_or_default();
    let (_, anchor) = place.split_once(PAGE).unwrap_or_else(|| panic!("{error}"));
    (*sentence, anchor)
}

/// The anchors that the program knows.
fn known() -> BTreeSet<String> {
    let source = fs::read_to_string(root().join("src/cli/trouble.rs")).unwrap();
    let anchors = source.lines().filter_map(|line| {
        let (_, anchor) = line.split_once(" => \"")?;
        Some(anchor.strip_suffix("\",")?.to_owned())
    });
    anchors.collect()
}

/// The anchor that GitHub gives to a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
        _ => None,
    });
    kept.collect()
}

#[test]
fn every_anchor_is_a_heading_of_the_page() {
    let page = fs::read_to_string(root().join("docs/troubleshooting.md")).unwrap();
    let headings: Vec<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(anchor)
        .collect();
    let once: BTreeSet<&String> = headings.iter().collect();
    assert_eq!(once.len(), headings.len(), "{headings:?}");
    let known = known();
    assert!(known.len() > 20, "{known:?}");
    for wanted in &known {
        assert!(headings.contains(wanted), "{wanted} in {headings:?}");
    }
    // What leads from one section to another leads somewhere.
    for link in page.split("](#").skip(1) {
        let link = link.split(')').next().unwrap().to_owned();
        assert!(headings.contains(&link), "{link}");
    }
}

/// A directory to work in, with what the cases need.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        for empty in ["empty", "not-a-policy"] {
            fs::create_dir(place.path(empty)).unwrap();
        }
        for (name, text) in [
            ("nothing.log", ""),
            ("no-header.log", "5 vpc-1 subnet-1 ACCEPT\n"),
            ("notes/mine.txt", "mine"),
            (
                "bare/a.json",
                r#"{"SecurityGroups":[],"NetworkInterfaces":[]}"#,
            ),
            ("broken/a.json", r#"{"SecurityGroups":"#),
            ("wrong.toml", "nothing = 1\n"),
            ("answers/a.csv", "a,b\n1,2\n"),
            ("plan.json", "{}"),
            ("block.txt", ""),
            ("bad-policy/policy.toml", "schema = 99\n"),
        ] {
            let path = place.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        place.run(&["demo", "--out", "run"]).assert().success();
        place
            .run(&["policy", "update", "run", "--policy", "policy"])
            .assert()
            .success();
        let mut ingest = place.run(&["ingest", "--store", "store", "--flows"]);
        ingest.arg(log("irc/positive.log"));
        ingest.arg("--inventory").arg(fixtures().join("inventory"));
        ingest.assert().success();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, arguments: &[&str]) -> Command {
        let mut command = closegate();
        command.current_dir(self.dir.path()).args(arguments);
        command
    }

    /// An audit of some sources by some inventory.
    fn audit(&self, flows: &Path, inventory: &Path, more: &[&str]) -> Command {
        let mut command = self.run(&["audit", "--out", "out", "--flows"]);
        command.arg(flows).arg("--inventory").arg(inventory);
        command.args(more);
        command
    }
}

fn log(name: &str) -> PathBuf {
    fixtures().join(name)
}

/// The anchors that a list of failing commands leads to.
fn anchors(cases: Vec<(i32, &str, Command)>) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for (code, expected, mut command) in cases {
        let done = command.assert().code(code).get_output().clone();
        let error = String::from_utf8(done.stderr).unwrap();
        let (sentence, anchor) = parts(&error);
        assert!(sentence.starts_with("error: "), "{error}");
        assert_eq!(anchor, expected, "{error}");
        assert!(done.stdout.is_empty(), "{error}");
        seen.insert(anchor.to_owned());
    }
    seen
}

/// Failures about what is read.
fn about_sources(place: &Place) -> Vec<(i32, &'static str, Command)> {
    let inventory = fixtures().join("inventory");
    let good = log("irc/positive.log");
    let audit = |flows: &str| place.audit(Path::new(flows), &inventory, &[]);
    vec![
        (
            2,
            "option-refused",
            place.audit(&good, &inventory, &["--since", "yesterday"]),
        ),
        (2, "flow-source-not-found", audit("no/such.log")),
        (3, "no-records-read", audit("nothing.log")),
        (3, "unknown-format", audit("no-header.log")),
        (
            3,
            "no-records-in-the-window",
            place.audit(&good, &inventory, &["--until", "2001-01-01"]),
        ),
        (2, "unknown-format", {
            place.audit(&good, &inventory, &["--log-format", "${version}"])
        }),
        (2, "answer-of-an-engine-refused", audit("answers:answers")),
        (
            2,
            "inventory-not-readable",
            place.audit(&good, &place.path("broken"), &[]),
        ),
        (
            2,
            "inventory-without-groups-or-interfaces",
            place.audit(&good, &place.path("bare"), &[]),
        ),
        (2, "not-in-the-inventory", {
            let mut can = place.run(&["can", "--inventory"]);
            can.arg(&inventory).args(["sg-none", "10.0.0.1", "tcp/443"]);
            can
        }),
        (
            2,
            "configuration-refused",
            place.audit(&good, &inventory, &["--config", "wrong.toml"]),
        ),
        (
            2,
            "table-or-list-refused",
            place.audit(&good, &inventory, &["--blocklist", "bad=block.txt"]),
        ),
    ]
}

/// Failures about what closegate made, and about what it is to write.
fn about_results(place: &Place) -> Vec<(i32, &'static str, Command)> {
    let inventory = fixtures().join("inventory");
    let good = log("irc/positive.log");
    let damaged = place.path("damaged-store");
    fs::create_dir(&damaged).unwrap();
    fs::write(damaged.join("manifest.json"), "{").unwrap();
    let mut cases = vec![
        (2, "output-place-refused", {
            let mut audit = place.run(&["audit", "--out", "notes", "--flows"]);
            audit.arg(&good).arg("--inventory").arg(&inventory);
            audit
        }),
        (2, "not-a-store", place.run(&["store", "verify", "empty"])),
        (
            2,
            "store-damaged",
            place.run(&["store", "verify", "damaged-store"]),
        ),
        (2, "store-refuses-a-file", {
            let mut ingest = place.run(&["ingest", "--store", "store", "--flows", "-"]);
            ingest.arg("--inventory").arg(&inventory).write_stdin("");
            ingest
        }),
        (
            2,
            "policy-invalid",
            place.run(&["policy", "status", "--policy", "bad-policy"]),
        ),
        (
            2,
            "policy-invalid",
            place.run(&["policy", "status", "--policy", "not-a-policy"]),
        ),
        (
            2,
            "run-not-readable",
            place.run(&["report", "empty", "--format", "json"]),
        ),
        (2, "rules-plan-or-state-not-readable", {
            let mut verify = place.run(&["verify", "--rules", "plan.json", "--flows"]);
            verify.arg(&good).arg("--inventory").arg(&inventory);
            verify
        }),
    ];
    if cfg!(target_os = "linux") {
        let full = place.run(&["report", "run", "--format", "json", "--out", "/dev/full"]);
        cases.push((2, "output-not-written", full));
    }
    if !cfg!(feature = "aws") {
        cases.push((2, "not-in-this-build", place.run(&["collect"])));
    }
    cases
}

/// AWS that says no, on a port of this machine, until the test ends.
#[cfg(feature = "aws")]
fn refusing() -> u16 {
    use std::io::{BufRead as _, BufReader, Read as _, Write as _};

    const NO: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error><RequestId>1</RequestId></ErrorResponse>";
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let (mut line, mut length) = (String::new(), 0);
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                let lower = line.to_lowercase();
                if let Some(value) = lower.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                line.clear();
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            // The program may have gone.
            let _ = write!(
                stream,
                "HTTP/1.1 403 Forbidden\r\nContent-Type: text/xml\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{NO}",
                NO.len()
            );
        }
    });
    port
}

/// Failures of AWS; where there are no credentials, nothing is sent to anybody.
#[cfg(feature = "aws")]
fn about_aws(place: &Place) -> Vec<(i32, &'static str, Command)> {
    let init = |port: u16| {
        let mut command = place.run(&["init", "--region", "us-east-1"]);
        command.env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"));
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command
    };
    let mut refused = init(refusing());
    refused.env("AWS_ACCESS_KEY_ID", "test");
    refused.env("AWS_SECRET_ACCESS_KEY", "test");
    vec![(4, "aws-refused", refused), (4, "aws-not-reached", init(1))]
}

#[cfg(not(feature = "aws"))]
fn about_aws(_: &Place) -> Vec<(i32, &'static str, Command)> {
    Vec::new()
}

/// A policy that another run is writing.
fn while_in_use(place: &Place) -> BTreeSet<String> {
    let marker = place.path("policy/policy.toml");
    let held = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(marker)
        .unwrap();
    held.lock().unwrap();
    let update = place.run(&["policy", "update", "run", "--policy", "policy"]);
    anchors(vec![(2, "in-use-by-another-run", update)])
}

#[test]
fn every_kind_of_failure_leads_to_its_section() {
    let place = Place::new();
    let mut seen = anchors(about_sources(&place));
    seen.extend(anchors(about_results(&place)));
    seen.extend(anchors(about_aws(&place)));
    seen.extend(while_in_use(&place));
    let mut left: BTreeSet<String> = known().difference(&seen).cloned().collect();
    // tests/integration/aws/sources.rs breaks off what is read.
    left.remove("reading-from-aws-broke-off");
    if cfg!(feature = "aws") {
        left.remove("not-in-this-build");
    } else {
        left.remove("aws-refused");
        left.remove("aws-not-reached");
    }
    if !cfg!(target_os = "linux") {
        left.remove("output-not-written");
    }
    assert_eq!(left, BTreeSet::new());
}
