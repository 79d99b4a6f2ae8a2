//! What commands show beside their results: progress, notices, colours and details.

use std::process::Command;

use crate::common::{closegate, fixtures, printed, root, sample};

/// Runs a program on a terminal of so many columns, and prints what the terminal got; signals it after that many seconds.
const ON_A_TERMINAL: &str = r"
import fcntl, os, pty, select, signal, struct, subprocess, sys, termios, time
columns, wait, program = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]
own, terminal = pty.openpty()
fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', 50, columns, 0, 0))
feed = wait > 0
child = subprocess.Popen(program, stdin=subprocess.PIPE if feed else subprocess.DEVNULL, stdout=terminal, stderr=terminal, env={'TERM': 'xterm'})
os.close(terminal)
got, start, signalled = b'', time.time(), False
row = b'2 123456789012 eni-0a1b2c3d4e5f70003 10.20.10.11 203.0.113.66 41000 6667 6 12 1440 1793500000 1793500060 ACCEPT OK\n'
while True:
    if feed and not signalled:
        try: os.write(child.stdin.fileno(), row * 500)
        except BrokenPipeError: pass
        if time.time() - start > wait and b'reading' in got:
            child.send_signal(signal.SIGTERM); signalled = True
    ready, _, _ = select.select([own], [], [], 0.02)
    if ready:
        try: got += os.read(own, 65536)
        except OSError: break
        if not got: break
    elif child.poll() is not None: break
print(child.wait(), repr(got.decode(errors='replace')))
";

fn on_a_terminal(columns: &str, wait: &str, arguments: &[&str]) -> String {
    let python = root().join("target/peers/bin/python");
    assert!(python.exists(), "run `make peers`");
    let done = Command::new(python)
        .args([
            "-c",
            ON_A_TERMINAL,
            columns,
            wait,
            env!("CARGO_BIN_EXE_closegate"),
        ])
        .args(arguments)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{error}");
    String::from_utf8(done.stdout).unwrap()
}

/// The bar is gone, one line says why, and the code is 130.
#[test]
fn an_interruption_leaves_no_bar() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run").display().to_string();
    let inventory = sample().join("inventory").display().to_string();
    let audit = [
        "audit",
        "--flows",
        "-",
        "--log-format",
        "${version} ${account-id} ${interface-id} ${srcaddr} ${dstaddr} ${srcport} ${dstport} ${protocol} ${packets} ${bytes} ${start} ${end} ${action} ${log-status}",
        "--inventory",
        &inventory,
        "--out",
        &out,
    ];
    let got = on_a_terminal("100", "1.0", &audit);
    assert!(got.starts_with("130 "), "{got}");
    assert!(got.contains("reading"), "a bar was shown: {got}");
    let last = got.rsplit("\\x1b[2K").next().unwrap();
    assert!(
        last.contains("interrupted") && !last.contains("reading"),
        "{got}"
    );
    assert_eq!(got.matches("interrupted").count(), 1, "{got}");
    for option in ["--no-progress", "--quiet"] {
        let got = on_a_terminal("100", "0", &["demo", option]);
        assert!(
            !got.contains("bytes_per") && !got.contains("\\x1b[2K"),
            "{got}"
        );
    }
}

#[test]
fn the_summary_fits_the_terminal() {
    for columns in ["20", "60", "120"] {
        let got = on_a_terminal(columns, "0", &["demo", "--color", "never", "--no-progress"]);
        assert!(got.starts_with("0 "), "{got}");
        let threats = got.split("\\r\\n").filter(|line| line.contains(" medium "));
        let room = columns.parse::<usize>().unwrap().max(40);
        for line in threats {
            assert!(line.chars().count() <= room, "{columns}: {line}");
        }
    }
}

#[test]
fn colours_come_when_they_are_wanted() {
    let demo = |choice: &str, variable: Option<(&str, &str)>| {
        let mut command = closegate();
        command.args(["demo", "--color", choice]);
        if let Some((name, value)) = variable {
            command.env(name, value);
        }
        printed(&mut command).contains('\u{1b}')
    };
    assert!(!demo("auto", None), "a pipe has no colours");
    assert!(demo("always", None));
    assert!(demo("always", Some(("NO_COLOR", "1"))));
    assert!(!demo("never", Some(("CLICOLOR_FORCE", "1"))));
    let coloured = |variables: &[&str]| {
        let arguments = [variables, &["demo", "--no-progress"]].concat();
        on_a_terminal("80", "0", &arguments).contains("\\x1b[1m")
    };
    assert!(coloured(&[]), "a terminal has colours");
    assert!(!coloured(&["--color", "never"]));
}

/// `--verbose` says what is read and how long the steps take; `--quiet` says nothing but results and errors.
#[test]
fn details_come_when_they_are_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("run");
    let log = fixtures().join("irc/positive.log");
    let said = |options: &[&str]| {
        let done = closegate()
            .args(options)
            .args(["audit", "--flows"])
            .arg(&log)
            .arg("--inventory")
            .arg(fixtures().join("inventory"))
            .arg("--out")
            .arg(&out)
            .assert()
            .success();
        let output = done.get_output().clone();
        (
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (result, notices) = said(&[]);
    assert_eq!(notices, "");
    let (verbose_result, details) = said(&["--verbose"]);
    assert_eq!(verbose_result, result);
    for wanted in [
        "reading ",
        "irc/positive.log",
        "connections and findings: ",
        "rules and proof: ",
        "writing: ",
    ] {
        assert!(details.contains(wanted), "{wanted}: {details}");
    }
    assert_eq!(said(&["-q"]), (result, String::new()));
    closegate().args(["-q", "-v", "demo"]).assert().code(2);
    // Every command takes them, before or behind its name.
    closegate()
        .args(["explain", "--quiet", "nowhere", "r-0"])
        .assert()
        .code(2)
        .stdout("");
}

/// `--format` names the format everywhere; `rules` takes `--emit` too.
#[test]
fn one_option_names_the_format() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run").display().to_string();
    closegate().args(["demo", "--out", &run]).assert().success();
    let rules = |option: &str| printed(closegate().args(["rules", &run, option, "terraform"]));
    assert_eq!(rules("--format"), rules("--emit"));
    for (command, format) in [("report", "csv"), ("graph", "dot")] {
        assert!(!printed(closegate().args([command, &run, "--format", format])).is_empty());
    }
}
