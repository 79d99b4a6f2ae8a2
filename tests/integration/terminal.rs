//! What a user sees on a terminal: progress, notices, colours, width, and what Ctrl-C leaves. `script` makes the terminal.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::common::{closegate, fixtures, sample};

/// A command line on a terminal of so many columns. What the terminal shows comes from standard output, with all control
/// sequences; the terminal is one for both streams. The process writes its id to `id`.
fn on_terminal(columns: u16, id: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let quoted: Vec<String> = [env!("CARGO_BIN_EXE_closegate")]
        .iter()
        .chain(arguments)
        .map(|argument| format!("'{argument}'"))
        .collect();
    let line = format!(
        "stty rows 50 cols {columns}; echo $$ > '{}'; exec {}",
        id.display(),
        quoted.join(" ")
    );
    let mut command = Command::new("script");
    command
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("SHELL", "/bin/sh")
        .env("TERM", "xterm-256color")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

/// An audit whose input never ends, in a directory of its own.
struct Waiting {
    dir: tempfile::TempDir,
    child: Child,
    /// Held open, so that the input does not end.
    _input: fs::File,
}

impl Waiting {
    /// Starts it, and waits until it has read something.
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (pipe, id) = (dir.path().join("pipe"), dir.path().join("id"));
        let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let out = dir.path().join("new/runs/run");
        let inventory = fixtures().join("inventory");
        let [pipe_text, out, inventory] =
            [&pipe, &out, &inventory].map(|path| path.display().to_string());
        let arguments = [
            "audit",
            "--flows",
            &pipe_text,
            "--inventory",
            &inventory,
            "--out",
            &out,
        ];
        let child = on_terminal(100, &id, &arguments, &[]).spawn().unwrap();
        let mut input = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(&pipe)
            .unwrap();
        let log = fs::read(fixtures().join("irc/positive.log")).unwrap();
        std::io::Write::write_all(&mut input, &log).unwrap();
        while !dir.path().join("new/runs").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        // The bar appears with the first bytes.
        std::thread::sleep(Duration::from_millis(500));
        Self {
            dir,
            child,
            _input: input,
        }
    }

    /// Sends a signal. Returns what the terminal showed, the exit code, and what is left.
    fn stop(self, signal: &str) -> (String, Option<i32>, Vec<PathBuf>) {
        let id = fs::read_to_string(self.dir.path().join("id")).unwrap();
        let sent = Command::new("kill")
            .args([signal, id.trim()])
            .status()
            .unwrap();
        assert!(sent.success());
        let output = self.child.wait_with_output().unwrap();
        let mut left: Vec<PathBuf> = fs::read_dir(self.dir.path())
            .unwrap()
            .map(|entry| PathBuf::from(entry.unwrap().file_name()))
            .collect();
        left.sort();
        (
            String::from_utf8(output.stdout).unwrap(),
            output.status.code(),
            left,
        )
    }
}

/// A text without the control sequences of colours and of the cursor.
fn without_sequences(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |before, part| {
        let end = part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';');
        before + end.get(1..).unwrap_or_default()
    })
}

/// What stays on the screen: the lines, without what was erased (a return to the line's start, or `ESC [2K`).
fn screen(shown: &str) -> Vec<String> {
    let visible = |line: &str| {
        let last = line.rsplit(['\r', '\x07']).next().unwrap_or_default();
        without_sequences(last.rsplit("\x1b[2K").next().unwrap_or_default())
    };
    shown
        .replace("\r\n", "\n")
        .lines()
        .map(visible)
        .filter(|line| !line.is_empty())
        .collect()
}

#[test]
fn an_interruption_leaves_one_line_and_no_file() {
    for signal in ["-INT", "-TERM"] {
        let (shown, code, left) = Waiting::start().stop(signal);
        assert_eq!(code, Some(130), "{signal}: {shown:?}");
        assert_eq!(screen(&shown), ["interrupted"], "{signal}: {shown:?}");
        assert_eq!(left, ["id", "pipe"].map(PathBuf::from), "{signal}");
    }
}

/// An audit of the sample data on a terminal: what it shows.
fn audit_on_terminal(columns: u16, options: &[&str], variables: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run").display().to_string();
    let flows = sample().join("flows/custom").display().to_string();
    let inventory = sample().join("inventory").display().to_string();
    let mut arguments = vec![
        "audit",
        "--flows",
        &flows,
        "--inventory",
        &inventory,
        "--out",
        &out,
    ];
    arguments.extend(options);
    let output = on_terminal(columns, &dir.path().join("id"), &arguments, variables)
        .output()
        .unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{shown}");
    shown
}

const RED: &str = "\x1b[31m";

#[test]
fn a_terminal_shows_progress_unless_told_otherwise() {
    assert!(audit_on_terminal(100, &[], &[]).contains("reading "));
    for option in ["--no-progress", "--quiet", "-q"] {
        let shown = audit_on_terminal(100, &[option], &[]);
        assert!(!shown.contains("reading "), "{option}: {shown:?}");
        assert!(shown.contains("to revoke"), "{option}: {shown:?}");
    }
}

#[test]
fn colours_follow_the_option_then_the_environment_then_the_terminal() {
    for (options, variables, coloured) in [
        (&[][..], &[][..], true),
        (&[], &[("NO_COLOR", "1")], false),
        (&[], &[("CLICOLOR", "0")], false),
        (&["--color", "never"], &[], false),
        (&["--color=always"], &[("NO_COLOR", "1")], true),
    ] {
        let shown = audit_on_terminal(100, options, variables);
        assert_eq!(
            shown.contains(RED),
            coloured,
            "{options:?} {variables:?}: {shown:?}"
        );
    }
    for (options, coloured) in [(&[][..], false), (&["--color", "always"], true)] {
        let demo = closegate().arg("demo").args(options).output().unwrap();
        let printed = String::from_utf8(demo.stdout).unwrap();
        assert_eq!(printed.contains(RED), coloured, "{options:?}: {printed:?}");
    }
    // Help and errors of the command line are printed before the options are known.
    for arguments in [
        &["--color", "never", "audit", "--help"][..],
        &["audit", "--color=never"],
    ] {
        let dir = tempfile::tempdir().unwrap();
        let output = on_terminal(100, &dir.path().join("id"), arguments, &[])
            .output()
            .unwrap();
        let shown = String::from_utf8(output.stdout).unwrap();
        assert!(
            shown.contains("--inventory") && !shown.contains('\x1b'),
            "{arguments:?}: {shown:?}"
        );
    }
}

#[test]
fn verbose_names_files_counts_and_times_on_standard_error() {
    let dir = tempfile::tempdir().unwrap();
    let audit = |option: Option<&str>| {
        let output = closegate()
            .args(["audit", "--flows"])
            .arg(sample().join("flows/custom"))
            .arg("--inventory")
            .arg(sample().join("inventory"))
            .arg("--out")
            .arg(dir.path().join("run"))
            .args(option)
            .output()
            .unwrap();
        assert!(output.status.success());
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap())
    };
    let [plain_result, plain] = audit(None);
    assert_eq!(plain, "");
    for option in ["-v", "--verbose"] {
        let [result, details] = audit(Some(option));
        assert_eq!(result, plain_result);
        for wanted in [
            "day-1.log.gz: ",
            "day-3.log.gz: ",
            "inventory: ",
            "3 sources",
            " records",
            "audited: ",
            "wrote the run",
        ] {
            assert!(details.contains(wanted), "{wanted} in {details}");
        }
        let timed = |line: &&str| {
            line.trim_start()
                .split_once(" s  ")
                .is_some_and(|(time, _)| time.parse::<f64>().is_ok())
        };
        assert_eq!(details.lines().filter(timed).count(), 4, "{details}");
    }
    closegate().args(["demo", "-q", "-v"]).assert().code(2);
}

/// Errors, results and the reason of an exit code are no notices.
#[test]
fn quiet_keeps_errors_and_results() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let assert = closegate()
        .args(["audit", "--quiet", "--fail-on", "info", "--flows"])
        .arg(fixtures().join("irc/positive.log"))
        .arg("--inventory")
        .arg(fixtures().join("inventory"))
        .arg("--out")
        .arg(&run)
        .assert();
    let output = assert.code(1).get_output().clone();
    assert!(
        String::from_utf8(output.stderr)
            .unwrap()
            .starts_with("--fail-on: ")
    );
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .contains("to revoke")
    );
    crate::cli::fails(
        closegate()
            .args(["explain", "-q"])
            .arg(&run)
            .arg("r-none")
            .assert(),
        2,
        &["r-none"],
    );
}

/// Every command takes them, before its name and after it.
#[test]
fn every_command_takes_the_options_of_output() {
    for arguments in [
        &["--quiet", "query"][..],
        &["query", "--quiet"],
        &["query", "--no-progress", "-v", "--color", "never"],
        &["schema", "audit", "-q"],
        &["tables", "list", "-q"],
    ] {
        closegate().args(arguments).assert().success();
    }
}

/// Columns of the widest line of the table of threat findings.
fn table_width(shown: &str) -> usize {
    let lines = screen(shown);
    let table = lines
        .iter()
        .skip_while(|line| !line.starts_with(" critical") && !line.starts_with(" high"));
    table
        .take_while(|line| !line.starts_with("Report:") && !line.starts_with(" and "))
        .map(|line| line.trim_end().chars().count())
        .max()
        .expect("there are threat findings")
}

/// The table is as wide as the terminal lets it be, 80 columns in a pipe, and any width is one.
#[test]
fn the_summary_fits_the_terminal() {
    let wide = table_width(&audit_on_terminal(200, &["--color", "never"], &[]));
    let narrow = table_width(&audit_on_terminal(40, &["--color", "never"], &[]));
    assert!(narrow <= 40, "{narrow}");
    assert!(wide > narrow && wide <= 200, "{wide}");
    for columns in [0, 1, 2, 7, 20] {
        let shown = audit_on_terminal(columns, &[], &[]);
        assert!(shown.contains("to revoke"), "{columns}: {shown:?}");
    }
    let piped = crate::common::printed(closegate().arg("demo"));
    assert!(
        piped.lines().all(|line| line.chars().count() <= 90),
        "{piped}"
    );
}

/// What a command says behind its result on a terminal: the lines from "Next:" on.
fn next_of(dir: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
    let mut command = on_terminal(400, &dir.join("id"), arguments, variables);
    let output = command.current_dir(dir).output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    let lines = screen(&shown).into_iter();
    lines
        .skip_while(|line| !line.starts_with("Next: "))
        .collect()
}

/// The command that stands on a line of its own.
fn command_in(lines: &[String]) -> Vec<&str> {
    lines
        .iter()
        .filter_map(|line| line.strip_prefix("      "))
        .collect()
}

/// A week of a policy, each command being the one that the last one proposed, with a path that a shell would take apart.
#[test]
fn each_command_ends_with_the_next_one() {
    let dir = tempfile::tempdir().unwrap();
    let sample = sample();
    let (flows, inventory) = (sample.join("flows/custom"), sample.join("inventory"));
    let (flows, inventory) = (flows.to_str().unwrap(), inventory.to_str().unwrap());
    let arguments = [
        "audit",
        "--flows",
        flows,
        "--inventory",
        inventory,
        "--out",
        "my run",
    ];
    let next = next_of(dir.path(), &arguments, &[]);
    let commands = command_in(&next);
    assert!(
        commands[0].starts_with("closegate explain 'my run' f-"),
        "{next:?}"
    );
    assert_eq!(
        commands[1..],
        ["closegate policy update 'my run' --policy policy"]
    );
    // Three days are too few.
    let waits = next.iter().find(|line| line.starts_with("Then: ")).unwrap();
    assert!(waits.contains("wait for more logs, and revoke nothing"));

    // What is proposed does what it says, as a shell reads it.
    let program = Path::new(env!("CARGO_BIN_EXE_closegate"));
    let shell = |line: &str| {
        let output = Command::new("/bin/sh")
            .args(["-c", line])
            .env_clear()
            .env("PATH", program.parent().unwrap())
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
    };
    for command in &commands {
        shell(command);
    }
    assert!(dir.path().join("policy/policy.toml").is_file());
    let next = next_of(
        dir.path(),
        &["policy", "update", "my run", "--policy", "policy"],
        &[],
    );
    assert_eq!(
        command_in(&next),
        ["closegate policy status --policy policy --run 'my run'"]
    );
    let next = next_of(dir.path(), &["policy", "status", "--policy", "policy"], &[]);
    let decide = command_in(&next);
    assert!(
        decide[0].starts_with("closegate policy decide accept ")
            && decide[0].ends_with(" --policy policy"),
        "{next:?}"
    );
    shell(decide[0]);
}

#[test]
fn nothing_is_proposed_where_nobody_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    assert!(!next_of(dir.path(), &["demo"], &[]).is_empty());
    for (arguments, variables) in [
        (&["demo", "--quiet"][..], &[][..]),
        (&["demo"], &[("CI", "true")]),
        (&["completions", "bash"], &[]),
        (&["schema", "audit"], &[]),
        (&["tables", "list"], &[]),
    ] {
        let next = next_of(dir.path(), arguments, variables);
        assert!(next.is_empty(), "{arguments:?}: {next:?}");
    }
    // A program reads JSON, and what is in a pipe.
    let made = closegate()
        .current_dir(dir.path())
        .args(["demo", "--out", "run"])
        .output()
        .unwrap();
    assert!(made.status.success() && made.stderr.is_empty(), "{made:?}");
    let said = String::from_utf8(made.stdout).unwrap();
    assert!(!said.contains("Next:"), "{said}");
    assert!(!next_of(dir.path(), &["diff", "run", "run"], &[]).is_empty());
    assert!(next_of(dir.path(), &["diff", "run", "run", "--json"], &[]).is_empty());
    // An error says where to read more, and nothing of a next step.
    assert!(next_of(dir.path(), &["explain", "run", "r-none"], &[]).is_empty());
}
