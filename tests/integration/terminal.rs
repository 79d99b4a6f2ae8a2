//! What a user sees on a terminal: progress, colours, width, and what Ctrl-C leaves. `script` makes the terminal.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::common::fixtures;

/// A command line on a terminal of so many columns. What the terminal shows comes from standard output, with all control
/// sequences; the terminal is one for both streams. The process writes its id to `id`.
fn on_terminal(columns: u16, id: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
    let quoted: Vec<String> = [env!("CARGO_BIN_EXE_closegate")]
        .iter()
        .chain(arguments)
        .map(|argument| format!("'{argument}'"))
        .collect();
    let line = format!(
        "stty cols {columns}; echo $$ > '{}'; exec {}",
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
        let [pipe_text, out, inventory] = [&pipe, &out, &inventory].map(|path| path.display().to_string());
        let arguments = ["audit", "--flows", &pipe_text, "--inventory", &inventory, "--out", &out];
        let child = on_terminal(100, &id, &arguments, &[]).spawn().unwrap();
        let mut input = fs::OpenOptions::new().read(true).write(true).open(&pipe).unwrap();
        let log = fs::read(fixtures().join("irc/positive.log")).unwrap();
        std::io::Write::write_all(&mut input, &log).unwrap();
        while !dir.path().join("new/runs").exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
        // The bar appears with the first bytes.
        std::thread::sleep(Duration::from_millis(500));
        Self { dir, child, _input: input }
    }

    /// Sends a signal. Returns what the terminal showed, the exit code, and what is left.
    fn stop(self, signal: &str) -> (String, Option<i32>, Vec<PathBuf>) {
        let id = fs::read_to_string(self.dir.path().join("id")).unwrap();
        let sent = Command::new("kill").args([signal, id.trim()]).status().unwrap();
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

/// What stays on the screen: the lines, without what was erased (a return to the line's start, or `ESC [2K`).
fn screen(shown: &str) -> Vec<String> {
    let visible = |line: &str| {
        let last = line.rsplit(['\r', '\x07']).next().unwrap_or_default();
        last.rsplit("\x1b[2K").next().unwrap_or_default().to_owned()
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
