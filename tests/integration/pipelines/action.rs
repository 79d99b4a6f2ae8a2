//! The scripts of the GitHub action, with stand-ins for closegate and for GitHub's client, and once with closegate itself.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::{Place, said, succeeds};
use crate::common::{closegate, root, sample};
use crate::peers::node_package;
use crate::queries::peer;

/// Runs a script of the action with what the runner and `action.yml` give it, and more.
fn script(place: &Place, name: &str, variables: &[(&str, &str)]) -> Output {
    let file = root().join("ci/github").join(name);
    let mut command = place.command(peer("python"));
    command.arg("-B").arg(file);
    for name in ["GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"] {
        command.env(name, place.path(name));
    }
    for name in ["CLOSEGATE_VERSION", "CLOSEGATE_SHA256"] {
        command.env(name, "");
    }
    command
        .env("RUNNER_TEMP", place.dir.path())
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn code(done: &Output) -> i32 {
    done.status.code().unwrap()
}

/// Prints its arguments to a file, one call a line. Writes SARIF with one result if it is asked for.
const CLOSEGATE: &str = r#"#!/bin/sh
printf '[%s]' "$@" >> calls
echo >> calls
for word; do
    case $word in
    --out=*)
        printf '{"runs": [{"results": [{"level": "%s"}]}]}' "$LEVEL" > "${word#--out=}"
        exit "$CODE"
        ;;
    esac
done
printf '%s\n' "$TEXT"
exit "$CODE"
"#;

/// The outputs of the step, if it ended well.
fn run(place: &Place, variables: &[(&str, &str)]) -> Result<Value, i32> {
    for name in ["calls", "GITHUB_OUTPUT"] {
        let _ = fs::remove_file(place.path(name));
    }
    let usual = [
        ("CLOSEGATE_MODE", "drift"),
        ("CLOSEGATE_POLICY", "policy"),
        ("CLOSEGATE_INVENTORY", "inventory"),
        ("CLOSEGATE_FAIL_ON", "warning"),
        ("LEVEL", "warning"),
        ("CODE", "0"),
        ("TEXT", "differs"),
    ];
    let done = script(place, "run.py", &[&usual[..], variables].concat());
    if !done.status.success() {
        return Err(code(&done));
    }
    let outputs = place.text("GITHUB_OUTPUT");
    let pairs = outputs.lines().map(|line| line.split_once('=').unwrap());
    Ok(pairs.collect())
}

#[test]
fn inputs_become_arguments_and_stay_values() {
    let place = Place::new(&[("closegate", CLOSEGATE)]);
    let hostile = "--out=made; touch made $(touch made)";
    let outputs = run(
        &place,
        &[
            ("CLOSEGATE_POLICY", hostile),
            ("CLOSEGATE_PLAN", "plan.json"),
            ("CLOSEGATE_FLOWS", "s3://bucket/a\n\n  b c\n"),
            ("CLOSEGATE_CONFIG", "team.toml"),
        ],
    )
    .unwrap();
    let sarif = outputs["sarif-file"].as_str().unwrap();
    let line = format!(
        "[drift][--policy={hostile}][--plan=plan.json][--inventory=inventory][--config=team.toml][--flows=s3://bucket/a][--flows=b c]"
    );
    assert_eq!(
        place.text("calls"),
        format!("{line}[--quiet]\n{line}[--format=sarif][--out={sarif}][--quiet]\n")
    );
    assert!(!place.path("made").exists());
    let text = fs::read_to_string(outputs["text-file"].as_str().unwrap()).unwrap();
    assert_eq!(text, "differs\n");

    let verify = [
        ("CLOSEGATE_MODE", "verify"),
        ("CLOSEGATE_PLAN", "plan.json"),
        ("CLOSEGATE_STORE", "store"),
    ];
    let outputs = run(&place, &verify).unwrap();
    assert_eq!(
        place.text("calls"),
        "[verify][--rules=plan.json][--inventory=inventory][--store=store][--quiet]\n"
    );
    assert_eq!(outputs.get("sarif-file"), None);
}

#[test]
fn what_fails_the_job() {
    let place = Place::new(&[("closegate", CLOSEGATE)]);
    for (exit, level, fail_on, result, failed) in [
        ("0", "note", "warning", "clean", "false"),
        ("1", "warning", "warning", "differences", "true"),
        ("1", "warning", "error", "differences", "false"),
        ("1", "error", "error", "differences", "true"),
        ("1", "error", "never", "differences", "false"),
    ] {
        let variables = [
            ("CODE", exit),
            ("LEVEL", level),
            ("CLOSEGATE_FAIL_ON", fail_on),
        ];
        let outputs = run(&place, &variables).unwrap();
        let found = (&outputs["result"], &outputs["failed"]);
        assert_eq!(found, (&json!(result), &json!(failed)), "{variables:?}");
    }
    // What closegate could not do fails the job whatever `fail-on` says.
    for exit in [2, 3, 4] {
        let exit_text = exit.to_string();
        let variables = [("CODE", &*exit_text), ("CLOSEGATE_FAIL_ON", "never")];
        assert_eq!(run(&place, &variables), Err(exit));
    }
    // Wrong inputs end before closegate runs.
    for wrong in [
        ("CLOSEGATE_MODE", "audit"),
        ("CLOSEGATE_MODE", "verify"),
        ("CLOSEGATE_POLICY", " "),
        ("CLOSEGATE_FAIL_ON", "note"),
    ] {
        assert_eq!(run(&place, &[wrong]), Err(2), "{wrong:?}");
        assert_eq!(place.text("calls"), "");
    }
    let both = [("CLOSEGATE_FLOWS", "a"), ("CLOSEGATE_STORE", "b")];
    assert_eq!(run(&place, &both), Err(2));
}

/// A line that looks like a command to the runner is printed where the runner reads none.
#[test]
fn the_log_takes_no_command_from_a_name() {
    let place = Place::new(&[("closegate", CLOSEGATE)]);
    let variables = [
        ("CLOSEGATE_MODE", "drift"),
        ("CLOSEGATE_POLICY", "policy"),
        ("CLOSEGATE_INVENTORY", "inventory"),
        ("CLOSEGATE_FAIL_ON", "never"),
        ("LEVEL", "note"),
        ("CODE", "1"),
        ("TEXT", "::add-mask::x\n::0::\n::stop-commands::1"),
    ];
    let done = script(&place, "run.py", &variables);
    let log = String::from_utf8(done.stdout).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    let token = lines[0].strip_prefix("::stop-commands::").unwrap();
    let end = format!("::{token}::");
    assert!(token.len() == 32 && lines.last() == Some(&&*end), "{log}");
    assert_eq!(lines.iter().filter(|line| **line == end).count(), 1);
}

/// The program itself, on the sample data: today's rules break nothing, and a plan that takes them away does.
#[test]
fn verify_runs_the_program() {
    let program = env!("CARGO_BIN_EXE_closegate");
    let place = Place::new(&[]);
    place.program(
        "closegate",
        &format!("#!/bin/sh\nexec '{program}' \"$@\"\n"),
    );
    let demo = place.path("run");
    closegate()
        .args(["demo", "--out"])
        .arg(&demo)
        .assert()
        .success();
    let (inventory, flows) = (sample().join("inventory"), sample().join("flows/custom"));
    let rules = demo.join("rules/rules.json");
    let mut change: Value = serde_json::from_slice(&fs::read(&rules).unwrap()).unwrap();
    let verify = |rules: &Path| {
        let variables = [
            ("CLOSEGATE_MODE", "verify"),
            ("CLOSEGATE_PLAN", rules.to_str().unwrap()),
            ("CLOSEGATE_INVENTORY", inventory.to_str().unwrap()),
            ("CLOSEGATE_FLOWS", flows.to_str().unwrap()),
        ];
        let outputs = run(&place, &variables).unwrap();
        let text = fs::read_to_string(outputs["text-file"].as_str().unwrap()).unwrap();
        (outputs["result"].clone(), outputs["failed"].clone(), text)
    };
    // The sample's quarantined connections are what the change denies on purpose: `verify` counts them.
    let (_, _, whole) = verify(rules.as_path());
    change["rules"] = json!([]);
    let without = place.path("without.json");
    fs::write(&without, change.to_string()).unwrap();
    let (result, failed, text) = verify(without.as_path());
    assert_eq!((result, failed), (json!("differences"), json!("true")));
    assert_ne!(text, whole);
}

/// Answers as GitHub's client does, from files, and keeps what is sent.
const GH: &str = r#"#!/bin/sh
printf '%s ' "$@" >> calls
echo >> calls
case "$*" in
*--slurp*)
    cat comments.json
    ;;
*)
    while [ $# -gt 0 ]; do
        [ "$1" != --input ] || cp "$2" sent.json
        shift
    done
    [ ! -e refused ] || exit 1
    echo '{}'
    ;;
esac
"#;

fn comment(place: &Place, result: &str, variables: &[(&str, &str)]) -> Output {
    for name in ["calls", "sent.json", "GITHUB_STEP_SUMMARY"] {
        let _ = fs::remove_file(place.path(name));
    }
    let (event, text) = (place.path("event.json"), place.path("text"));
    let usual = [
        ("GITHUB_EVENT_PATH", event.to_str().unwrap()),
        ("GITHUB_REPOSITORY", "team/network"),
        ("CLOSEGATE_MODE", "drift"),
        ("CLOSEGATE_RESULT", result),
        ("CLOSEGATE_TEXT", text.to_str().unwrap()),
        ("CLOSEGATE_COMMENT", "true"),
        ("CLOSEGATE_ID", "default"),
    ];
    script(place, "comment.py", &[&usual[..], variables].concat())
}

/// A pull request, with the comments that it has.
fn pull_request(comments: &Value) -> Place {
    let place = Place::new(&[("gh", GH)]);
    let write = |name: &str, text: String| fs::write(place.path(name), text).unwrap();
    write(
        "event.json",
        json!({"pull_request": {"number": 7}}).to_string(),
    );
    write("comments.json", json!([comments]).to_string());
    write("text", "web: rule-missing\n".to_owned());
    place
}

fn sent(place: &Place) -> String {
    let sent: Value = serde_json::from_str(&place.text("sent.json")).unwrap();
    sent["body"].as_str().unwrap().to_owned()
}

#[test]
fn a_pull_request_has_one_comment_that_is_replaced() {
    let place = pull_request(&json!([]));
    assert_eq!(code(&comment(&place, "differences", &[])), 0);
    let body = sent(&place);
    assert!(place.text("calls").contains("--method POST"));
    assert!(
        place
            .text("calls")
            .contains(" repos/team/network/issues/7/comments")
    );
    assert_eq!(place.text("GITHUB_STEP_SUMMARY"), body);

    // A person may write the same text: only a bot's comment is replaced, and only the one of this id.
    let comments = json!([
        {"id": 1, "user": {"type": "User"}, "body": body},
        {"id": 2, "user": {"type": "Bot"}, "body": format!("> {body}")},
        {"id": 3, "user": {"type": "Bot"}, "body": body.replace("default", "other")},
        {"id": 4, "user": {"type": "Bot"}, "body": body},
    ]);
    let place = pull_request(&comments);
    assert_eq!(code(&comment(&place, "clean", &[])), 0);
    assert!(place.text("calls").contains("--method PATCH"));
    assert!(
        place
            .text("calls")
            .contains(" repos/team/network/issues/comments/4 ")
    );
    assert!(sent(&place).contains("Nothing differs"));

    // Nothing to say, no pull request, or no comment wanted: nothing is sent.
    let place = pull_request(&json!([]));
    assert_eq!(code(&comment(&place, "clean", &[])), 0);
    assert!(!place.path("sent.json").exists());
    assert_eq!(
        code(&comment(
            &place,
            "differences",
            &[("CLOSEGATE_COMMENT", "false")]
        )),
        0
    );
    assert_eq!(place.text("calls"), "");
    assert_eq!(
        code(&comment(
            &place,
            "differences",
            &[("CLOSEGATE_ID", "a --> b")]
        )),
        2
    );
    fs::write(place.path("event.json"), "{}").unwrap();
    assert_eq!(code(&comment(&place, "differences", &[])), 0);
    assert_eq!(place.text("calls"), "");

    // A refusal is a warning: a pull request from a fork has a token that may only read.
    let place = pull_request(&json!([]));
    fs::write(place.path("refused"), "").unwrap();
    let done = comment(&place, "differences", &[]);
    assert!(
        done.status.success() && said(&done).contains("::warning"),
        "{}",
        said(&done)
    );
}

/// Names that somebody chose stand in a code block, whatever they are.
#[test]
fn hostile_text_stays_in_its_code_block() {
    let long = "x".repeat(200_000);
    let ticks = "`".repeat(50_000);
    for text in [
        "```\n# heading\n[a](https://example.com) @team <img src=x>\n````\n~~~",
        "<!-- closegate drift default -->\n\n</details>",
        "a\r\n```\r# b \u{202e}c\u{1b}[31m\u{0}",
        long.as_str(),
        ticks.as_str(),
    ] {
        let place = pull_request(&json!([]));
        fs::write(place.path("text"), text).unwrap();
        assert_eq!(code(&comment(&place, "differences", &[])), 0);
        let body = sent(&place);
        assert!(body.chars().count() < 65_536, "GitHub takes no more");
        assert!(!body.contains(['\u{202e}', '\u{1b}', '\u{0}', '\r']));
        if !node_package("marked") {
            return;
        }
        let file = place.path("body.md");
        fs::write(&file, &body).unwrap();
        let read = succeeds(
            Command::new("node")
                .arg(root().join("tests/peers/read_markdown.mjs"))
                .arg(root().join("target/peers"))
                .arg(&file),
        );
        let read: Value = serde_json::from_str(&read).unwrap();
        let kinds = read["kinds"].as_object().unwrap();
        let known = ["html", "heading 3", "paragraph", "text", "code", "space"];
        assert!(
            kinds.keys().all(|kind| known.contains(&&**kind)),
            "{kinds:?}"
        );
        assert_eq!(
            (&kinds["html"], &kinds["code"]),
            (&json!(1), &json!(1)),
            "{body:.300}"
        );
    }
}

/// An archive of a release is installed if it is the one that the workflow names.
#[test]
fn a_release_is_installed_by_its_digest() {
    let place = Place::new(&[]);
    place.program(
        "gh",
        "#!/bin/sh\necho \"$*\" >> calls\nwhile [ $# -gt 0 ]; do\n    case $1 in --dir) dir=$2 ;; --pattern) name=$2 ;; esac\n    shift\ndone\ncp \"archives/$name\" \"$dir/\"\n",
    );
    place.program("closegate", "#!/bin/sh\necho it runs\n");
    let version = env!("CARGO_PKG_VERSION");
    let target = "aarch64-unknown-linux-gnu";
    succeeds(
        place
            .command(peer("python"))
            .arg("-B")
            .arg(root().join("packaging/archive.py"))
            .arg(place.path("bin/closegate"))
            .args([target, "archives"]),
    );
    let digest = place.text(&format!(
        "archives/closegate-{version}-{target}.tar.gz.sha256"
    ));
    let digest = digest.split(' ').next().unwrap();
    let install = |digest: &str, version: &str, processor: &str| {
        let _ = fs::remove_dir_all(place.path("closegate-program"));
        script(
            &place,
            "install.py",
            &[
                ("CLOSEGATE_INSTALL", "release"),
                ("CLOSEGATE_VERSION", version),
                ("CLOSEGATE_SHA256", digest),
                ("ACTION_REPOSITORY", "someone/closegate"),
                ("RUNNER_OS", "Linux"),
                ("RUNNER_ARCH", processor),
            ],
        )
    };
    let other = digest.replace(|digit: char| digit.is_ascii_digit(), "0");
    for (digest, version, processor) in [
        (&*other, version, "ARM64"),
        ("", version, "ARM64"),
        (digest, "", "ARM64"),
        (digest, "../1.0.0", "ARM64"),
        (digest, version, "X86"),
    ] {
        let done = install(digest, version, processor);
        assert_eq!(code(&done), 2, "{digest} {version} {processor}");
        assert!(said(&done).contains("::error"), "{}", said(&done));
        assert!(!place.path("GITHUB_PATH").exists());
    }
    let done = install(digest, version, "ARM64");
    assert_eq!(code(&done), 0, "{}", said(&done));
    let bin = place.text("GITHUB_PATH");
    let installed = Path::new(bin.trim()).join("closegate");
    assert_eq!(succeeds(&mut Command::new(installed)), "it runs\n");
    assert!(place.text("calls").contains("--repo someone/closegate"));
}

/// pip takes the wheel of the version, and no source package.
#[test]
fn pip_installs_a_wheel() {
    let place = Place::new(&[]);
    let make = r##"
import zipfile
with zipfile.ZipFile("closegate-9.9.9-py3-none-any.whl", "w") as wheel:
    program = zipfile.ZipInfo("closegate-9.9.9.data/scripts/closegate")
    program.external_attr = 0o100755 << 16
    wheel.writestr(program, "#!/bin/sh\necho from a wheel\n")
    wheel.writestr("closegate-9.9.9.dist-info/METADATA", "Metadata-Version: 2.1\nName: closegate\nVersion: 9.9.9\n")
    wheel.writestr("closegate-9.9.9.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr("closegate-9.9.9.dist-info/RECORD", "")
"##;
    succeeds(place.command(peer("python")).args(["-c", make]));
    let install = |version: &str| {
        let _ = fs::remove_dir_all(place.path("closegate-program"));
        let variables = [
            ("CLOSEGATE_INSTALL", "pip"),
            ("CLOSEGATE_VERSION", version),
            ("PIP_NO_INDEX", "1"),
            ("PIP_FIND_LINKS", place.dir.path().to_str().unwrap()),
        ];
        script(&place, "install.py", &variables)
    };
    assert!(!install("9.9.8").status.success());
    let done = install("9.9.9");
    assert_eq!(code(&done), 0, "{}", said(&done));
    let bin = place.text("GITHUB_PATH");
    let installed = Path::new(bin.trim()).join("closegate");
    assert_eq!(succeeds(&mut Command::new(installed)), "from a wheel\n");
}
