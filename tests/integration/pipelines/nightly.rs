//! The nightly job on AWS: its templates, what they permit, and what the job does, with a directory in the place of S3.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use super::{Place, said, shellcheck, succeeds, terraform_takes};
use crate::common::{closegate, printed, root, sample};
use crate::peers::has;
use crate::queries::peer;

fn read(name: &str) -> String {
    fs::read_to_string(root().join("deploy/nightly").join(name)).unwrap()
}

/// The job's script.
fn job() -> String {
    let spec: Value = serde_saphyr::from_str(&read("buildspec.yml")).unwrap();
    let commands = spec["phases"]["build"]["commands"].as_array().unwrap();
    assert_eq!(commands.len(), 1);
    commands[0].as_str().unwrap().to_owned()
}

#[test]
fn linters_take_the_templates() {
    let template = root().join("deploy/nightly/nightly.yaml");
    let mut lint = Command::new(peer("cfn-lint"));
    succeeds(lint.args(["--include-checks", "I", "--"]).arg(template));
    terraform_takes(&root().join("deploy/nightly/terraform"));
    shellcheck(&job(), "bash");
}

#[test]
fn both_templates_run_the_same_job() {
    let template = read("nightly.yaml");
    let (_, after) = template.split_once("        BuildSpec: |\n").unwrap();
    let lines = after.lines();
    let held: Vec<&str> = lines
        .map_while(|line| line.strip_prefix("          "))
        .collect();
    assert_eq!(held.join("\n") + "\n", read("buildspec.yml"));
    assert!(read("terraform/main.tf").contains("file(\"${path.module}/../buildspec.yml\")"));
}

/// The actions of IAM that a text names in quotes: `service:Action`.
fn actions(text: &str) -> BTreeSet<&str> {
    text.split('"')
        .filter(|word| {
            word.split_once(':').is_some_and(|(service, action)| {
                let letters = |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric());
                letters(service)
                    && letters(action)
                    && action.starts_with(|first: char| first.is_ascii_uppercase())
            })
        })
        .filter(|word| !word.starts_with("aws:"))
        .collect()
}

/// The roles may do what closegate's own policies have, what the job's state needs, and nothing else.
#[test]
fn the_roles_have_the_least_permissions() {
    let policies: Vec<String> = ["collect-inventory", "flows-s3"]
        .iter()
        .map(|name| fs::read_to_string(root().join(format!("docs/iam/{name}.json"))).unwrap())
        .collect();
    let mut wanted: BTreeSet<&str> = policies.iter().flat_map(|text| actions(text)).collect();
    wanted.extend([
        "codebuild:StartBuild",
        "kms:Decrypt",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "s3:DeleteObject",
        "s3:PutObject",
        "securityhub:BatchImportFindings",
        "sts:AssumeRole",
    ]);
    assert_eq!(actions(&read("nightly.yaml")), wanted);
    assert_eq!(actions(&read("terraform/permissions.tf")), wanted);
}

/// closegate, with the sample's inventory in the place of an account and its logs in the place of a bucket.
fn closegate_of_the_sample(place: &Place) -> String {
    format!(
        "#!/bin/bash\nset -e\necho \"closegate $*\" >> \"$CALLS\"\ncase $1 in\ncollect) cp -r '{inventory}' inventory ;;\ningest)\n    words=()\n    for word; do\n        [ \"$word\" != \"$FLOW_LOGS\" ] || word='{logs}'\n        words+=(\"$word\")\n    done\n    exec '{program}' \"${{words[@]}}\"\n    ;;\ndrift) echo web differs; exit \"${{DRIFT:-0}}\" ;;\n*) exec '{program}' \"$@\" ;;\nesac\n",
        inventory = sample().join("inventory").display(),
        logs = place.path("logs").display(),
        program = env!("CARGO_BIN_EXE_closegate"),
    )
}

/// A night: a machine with nothing on it, and what is in S3.
fn night(place: &Place, variables: &[(&str, &str)]) -> Output {
    let machine = tempfile::tempdir_in(place.dir.path()).unwrap();
    let _ = fs::remove_file(place.path("calls"));
    let script = job();
    assert!(script.contains("PATH=/tmp/closegate/bin:$PATH\n"));
    let script = script.replace("PATH=/tmp/closegate/bin:$PATH\n", "");
    let mut bash = place.command("bash");
    bash.args(["-c", &script])
        .current_dir(machine.path())
        .env("S3", place.path("s3"))
        .env("CALLS", place.path("calls"))
        .env("STATE_BUCKET", "state")
        .env("FLOW_LOGS", "s3://logs/AWSLogs")
        .env("REGIONS", "eu-west-1 us-east-1")
        .env("WINDOW", "9999d")
        .env("SECURITY_HUB", "true")
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

fn place() -> Place {
    let place = Place::new(&[]);
    let python = peer("python");
    let fake = root().join("tests/peers/fake_aws.py");
    let aws = format!(
        "#!/bin/sh\nexec '{}' -B '{}' \"$@\"\n",
        python.display(),
        fake.display()
    );
    place.program("aws", &aws);
    place.program("closegate", &closegate_of_the_sample(&place));
    fs::create_dir(place.path("logs")).unwrap();
    place
}

/// Puts a day's log where the job reads.
fn log(place: &Place, day: u32) {
    let name = format!("day-{day}.log.gz");
    fs::copy(
        sample().join("flows/custom").join(&name),
        place.path("logs").join(name),
    )
    .unwrap();
}

#[test]
fn every_night_adds_to_the_store_and_reports() {
    if !has("jq") {
        return;
    }
    let place = place();
    let day_by_day = [1, 2, 3].map(|day| {
        log(&place, day);
        let done = night(&place, &[]);
        assert!(done.status.success(), "night {day}: {}", said(&done));
        let run: Value =
            serde_json::from_str(&place.text("s3/state/runs/latest/audit.json")).unwrap();
        run["input"]["records_read"].as_u64().unwrap()
    });
    assert!(
        day_by_day.is_sorted_by(|earlier, later| earlier < later),
        "{day_by_day:?}"
    );
    // What is in S3 is a store, with which an audit says what it says of the logs.
    let store = place.path("s3/state/store");
    assert!(!store.join("lock").exists());
    printed(closegate().args(["store", "verify"]).arg(&store));
    let direct = place.path("direct");
    let mut audit = closegate();
    audit.args(["audit", "--flows"]).arg(place.path("logs"));
    audit.arg("--inventory").arg(sample().join("inventory"));
    printed(audit.arg("--out").arg(&direct));
    let findings = |path: &str| -> Value {
        let document: Value = serde_json::from_str(&place.text(path)).unwrap();
        document["findings"].clone()
    };
    let found = findings("s3/state/runs/latest/audit.json");
    assert_eq!(found, findings("direct/audit.json"));
    // The manifest goes up after what it names, and before anything is removed.
    let calls = place.text("calls");
    let at = |wanted: &str| {
        calls
            .lines()
            .position(|call| call.contains(wanted))
            .expect(wanted)
    };
    let first = at("--exclude manifest.json");
    let (manifest, removes) = (at("s3 cp"), at("--delete store"));
    assert!(first < manifest && manifest < removes, "{calls}");
    // Every finding goes to the Security Hub of its region, and the account's other region gets none.
    let sent: Vec<&str> = calls
        .lines()
        .filter(|call| call.contains("securityhub"))
        .collect();
    let to = |region: &str| {
        sent.iter()
            .filter(|call| call.contains(&format!("--region {region} ")))
            .count()
    };
    assert_eq!((to("us-east-1"), to("eu-west-1")), (sent.len(), 0));
    let findings_sent: usize = sent
        .iter()
        .map(|call| call.matches("arn:aws:securityhub:us-east-1:").count())
        .sum();
    assert_eq!(findings_sent, found.as_array().unwrap().len());
}

#[test]
fn what_ends_a_night() {
    if !has("jq") {
        return;
    }
    let place = place();
    // Without logs, nothing is written.
    assert!(!night(&place, &[]).status.success());
    assert!(!place.path("s3/state/store/manifest.json").exists());
    log(&place, 1);
    // Findings that Security Hub refuses fail the job; the report is in S3 by then.
    let done = night(&place, &[("REFUSED", "2")]);
    assert!(
        !done.status.success() && said(&done).contains("refused 2"),
        "{}",
        said(&done)
    );
    assert!(place.path("s3/state/runs/latest/report.html").is_file());
    let done = night(&place, &[("REFUSED", "2"), ("SECURITY_HUB", "false")]);
    assert!(done.status.success(), "{}", said(&done));
    // With a policy, drift is reported. A difference does not fail the job; what drift could not do does.
    let policy = place.path("s3/state/policy");
    fs::create_dir(&policy).unwrap();
    fs::write(policy.join("policy.toml"), "schema = 1\n").unwrap();
    let done = night(&place, &[("DRIFT", "1")]);
    assert!(done.status.success(), "{}", said(&done));
    assert_eq!(
        place.text("s3/state/runs/latest/drift.txt"),
        "web differs\n"
    );
    assert!(!night(&place, &[("DRIFT", "2")]).status.success());
}
