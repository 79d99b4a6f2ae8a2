//! The project's pipelines and those that people run: linters read the files, and the tests run their scripts.

mod action;
mod installing;
mod nightly;
mod organization;
mod packages;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::common::{closegate, root};
use crate::peers::{has, terraform_with_provider};
use crate::queries::peer;

/// A directory with programs that stand in for others. Scripts find them before any other.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new(programs: &[(&str, &str)]) -> Self {
        let place = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(place.path("bin")).unwrap();
        for (name, text) in programs {
            place.program(name, text);
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn program(&self, name: &str, text: &str) {
        let path = self.path("bin").join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A command in the directory, whose environment is nothing but the path.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:/usr/bin:/bin", self.path("bin").display());
        command
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", path);
        command
    }
}

/// What a program printed on both streams.
fn said(done: &Output) -> String {
    let out = String::from_utf8_lossy(&done.stdout);
    let error = String::from_utf8_lossy(&done.stderr);
    format!("{out}{error}")
}

fn succeeds(command: &mut Command) -> String {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", said(&done));
    String::from_utf8(done.stdout).unwrap()
}

/// Files of the project whose names end so, below a directory.
fn files(below: &str, end: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(below)).unwrap();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with(end))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{below} has no {end}");
    files
}

/// The workflows and the action.
fn github() -> Vec<PathBuf> {
    let mut files = files(".github/workflows", ".yml");
    files.push(root().join("action.yml"));
    files
}

#[test]
fn linters_find_nothing_in_the_workflows_and_the_action() {
    let mut jactionlint = Command::new(peer("jactionlint"));
    succeeds(
        jactionlint
            .args(["--strict-exit", "--no-color"])
            .args(github())
            .arg(".github/dependabot.yml")
            .current_dir(root()),
    );
    let mut zizmor = Command::new(peer("zizmor"));
    succeeds(
        zizmor
            .args(["--offline", "--no-progress", "--persona", "pedantic"])
            .args(github())
            .arg(".github/dependabot.yml")
            .current_dir(root()),
    );
}

/// What the linters don't hold: where the hash of an action comes from is written down, and a workflow starts without permissions.
#[test]
fn every_action_is_pinned_and_listed() {
    let listed = fs::read_to_string(root().join("docs/release.md")).unwrap();
    let mut used = 0;
    for file in github() {
        let text = fs::read_to_string(&file).unwrap();
        assert!(
            file.ends_with("action.yml") || text.contains("\npermissions: {}\n"),
            "{}",
            file.display()
        );
        assert!(
            !text.contains("pull_request_target"),
            "{}: untrusted code would run with secrets",
            file.display()
        );
        for line in text.lines() {
            let Some((_, uses)) = line.split_once("uses: ") else {
                continue;
            };
            let (action, version) = uses.split_once(" # v").expect(line);
            let (name, hash) = action.split_once('@').expect(line);
            assert!(
                hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{line}"
            );
            let row = format!("| `{name}` | {version} | `{hash}` |");
            assert!(listed.contains(&row), "docs/release.md lacks {row}");
            used += 1;
        }
    }
    assert!(used > 20, "{used} actions");
}

/// Licences, duplicates and sources of the dependencies. Advisories have to be downloaded: the workflow `audit` does that.
#[test]
fn dependencies_are_as_deny_toml_has_them() {
    let mut deny = Command::new(peer("cargo-deny"));
    succeeds(
        deny.args(["--locked", "check", "bans", "licenses", "sources"])
            .current_dir(root()),
    );
}

#[test]
fn nothing_is_misspelt() {
    let mut typos = Command::new(peer("typos"));
    succeeds(typos.args(["--format", "brief"]).current_dir(root()));
}

/// The command of the hook is one that closegate has, and says what a hook has to say.
#[test]
fn the_hook_checks_a_policy() {
    let file = root().join(".pre-commit-hooks.yaml");
    succeeds(
        Command::new(peer("pre-commit"))
            .arg("validate-manifest")
            .arg(&file),
    );
    let hooks: serde_json::Value =
        serde_saphyr::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let hook = &hooks[0];
    let entry = hook["entry"].as_str().unwrap().split(' ').skip(1);
    let arguments = hook["args"].as_array().unwrap().iter();
    let line: Vec<&str> = entry
        .chain(arguments.map(|word| word.as_str().unwrap()))
        .collect();
    let dir = tempfile::tempdir().unwrap();
    let policy = dir.path().join("policy");
    let exit = || {
        let done = closegate().current_dir(dir.path()).args(&line).assert();
        done.get_output().status.code()
    };
    assert_eq!(exit(), Some(2), "there is no policy");
    fs::create_dir(&policy).unwrap();
    fs::write(policy.join("policy.toml"), "schema = 1\n").unwrap();
    assert_eq!(exit(), Some(0));
    fs::write(policy.join("sg-0a1b.toml"), "schema = 1\nwrong = true\n").unwrap();
    assert_eq!(exit(), Some(1), "an unknown key");
}

/// A program that writes down its arguments, one a line, and ends as it is told.
const RECORDS: &str =
    "#!/bin/sh\nprintf '[%s]' \"$@\" >> calls\necho >> calls\necho differs\nexit ${CODE:-0}\n";

#[test]
fn the_gitlab_template_runs_closegate() {
    let file = root().join("ci/gitlab.yml");
    let schema = ["--builtin-schema", "vendor.gitlab-ci"];
    succeeds(
        Command::new(peer("check-jsonschema"))
            .args(schema)
            .args(["--data-transform", "gitlab-ci"])
            .arg(&file),
    );
    let jobs: serde_json::Value =
        serde_saphyr::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let script = jobs[".closegate"]["script"].as_array().unwrap();
    let script: Vec<&str> = script.iter().map(|line| line.as_str().unwrap()).collect();
    let place = Place::new(&[("python3", "#!/bin/sh\n")]);
    let installed = place.path("closegate/bin");
    fs::create_dir_all(&installed).unwrap();
    let pip = RECORDS.replace("${CODE:-0}", "0");
    for (name, text) in [("pip", &*pip), ("closegate", RECORDS)] {
        place.program(name, text);
        fs::copy(place.path("bin").join(name), installed.join(name)).unwrap();
    }
    let run = |variables: &[(&str, &str)]| {
        let _ = fs::remove_file(place.path("calls"));
        let mut command = place.command("sh");
        command
            .args(["-eu", "-c", &script.join("\n")])
            .env("HOME", place.dir.path());
        for (name, value) in jobs[".closegate"]["variables"].as_object().unwrap() {
            command.env(name, value.as_str().unwrap());
        }
        let code = command.envs(variables.iter().copied()).status().unwrap();
        // The first is pip's.
        let calls: Vec<String> = place
            .text("calls")
            .lines()
            .skip(1)
            .map(str::to_owned)
            .collect();
        (code.code(), calls)
    };
    let drift = "[drift][--policy=policy][--inventory=inventory][--quiet]";
    let sarif = format!("{drift}[--format=sarif][--out=closegate.sarif]");
    assert_eq!(run(&[]), (Some(0), vec![drift.to_owned(), sarif]));
    assert_eq!(place.text("closegate.txt"), "differs\n");
    // Differences fail the job after both files are written; an error before the second.
    let (code, calls) = run(&[("CODE", "1")]);
    assert_eq!((code, calls.len()), (Some(1), 2));
    let (code, calls) = run(&[("CODE", "2")]);
    assert_eq!((code, calls.len()), (Some(2), 1));
    let hostile = "-x; touch made $(touch made)";
    let verify = [
        ("CLOSEGATE_MODE", "verify"),
        ("CLOSEGATE_PLAN", hostile),
        ("CLOSEGATE_STORE", "a b"),
    ];
    let line = format!("[verify][--rules={hostile}][--inventory=inventory][--store=a b][--quiet]");
    assert_eq!(run(&verify), (Some(0), vec![line]));
    assert!(!place.path("made").exists());
    let (code, calls) = run(&[("CLOSEGATE_MODE", "other")]);
    assert_eq!((code, calls.len()), (Some(2), 0));
}

/// Scripts in shell that stand in YAML are read by `ShellCheck`, as jactionlint does with the workflows.
fn shellcheck(text: &str, shell: &str) {
    if has("shellcheck") {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("script");
        fs::write(&path, text).unwrap();
        succeeds(
            Command::new("shellcheck")
                .args(["--shell", shell])
                .arg(&path),
        );
    }
}

/// Terraform's own checks of a module, on a copy.
fn terraform_takes(module: &Path) {
    let Some(mirror) = terraform_with_provider() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let config = format!(
        "provider_installation {{\n  filesystem_mirror {{\n    path = \"{mirror}\"\n  }}\n}}\n"
    );
    let rc = dir.path().join("terraform.rc");
    fs::write(&rc, config).unwrap();
    let copy = dir.path().join("module");
    fs::create_dir(&copy).unwrap();
    for entry in fs::read_dir(module).unwrap() {
        let from = entry.unwrap().path();
        if from.extension().is_some_and(|end| end == "tf") {
            fs::copy(&from, copy.join(from.file_name().unwrap())).unwrap();
        }
    }
    fs::copy(
        module.join("../buildspec.yml"),
        dir.path().join("buildspec.yml"),
    )
    .unwrap();
    for line in [
        &["fmt", "-check", "-diff"][..],
        &["init", "-backend=false", "-input=false"],
        &["validate"],
    ] {
        let mut terraform = Command::new("terraform");
        succeeds(
            terraform
                .args(line)
                .current_dir(&copy)
                .env("TF_CLI_CONFIG_FILE", &rc),
        );
    }
}
