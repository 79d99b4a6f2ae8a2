//! AWS on loopback: emulators that `make peers` installs, and a proxy that breaks what passes.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{closegate, root};
use crate::peers::needed;

/// A server that ends with the test.
pub(super) struct Peer {
    process: Child,
    port: u16,
    /// Where it keeps what it was given.
    _state: tempfile::TempDir,
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn python() -> Command {
    Command::new(needed(root().join("target/peers/bin/python")))
}

fn script(name: &str) -> PathBuf {
    root().join("tests/peers").join(name)
}

impl Peer {
    fn start(name: &str, start: impl FnOnce(&mut Command, u16)) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let state = tempfile::tempdir().unwrap();
        let mut command = python();
        command.arg(script(name)).current_dir(state.path());
        start(&mut command, port);
        let mut process = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                process.try_wait().unwrap().is_none(),
                "{name} ended by itself"
            );
            assert!(
                begun.elapsed() < Duration::from_mins(1),
                "{name} does not listen"
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Self {
            process,
            port,
            _state: state,
        }
    }

    /// EC2, with what it lacks put right.
    pub(super) fn moto() -> Self {
        Self::start("moto_peer.py", |command, port| {
            command.arg(port.to_string());
        })
    }

    /// S3, CloudWatch Logs and Athena.
    pub(super) fn ministack() -> Self {
        Self::start("mini_peer.py", |command, port| {
            let state = command.get_current_dir().unwrap().to_path_buf();
            command.envs([
                ("BIND_HOST", "127.0.0.1"),
                ("IOT_MTLS_ENABLED", "0"),
                ("SFTP_ENABLED", "0"),
                ("ATHENA_ENGINE", "duckdb"),
            ]);
            command.env("GATEWAY_PORT", port.to_string());
            command
                .env("S3_DATA_DIR", state.join("s3"))
                .env("STATE_DIR", state.join("state"));
        })
    }

    /// Logs Insights, over some log files.
    pub(super) fn insights(files: &[PathBuf]) -> Self {
        Self::start("fake_insights.py", |command, port| {
            command
                .arg(port.to_string())
                .arg(root().join("src/flow/presume.rs"))
                .args(files);
        })
    }

    /// CloudTrail, which remembers the records in a file.
    pub(super) fn cloudtrail(records: &Path) -> Self {
        Self::start("fake_cloudtrail.py", |command, port| {
            command.arg(port.to_string()).arg(records);
        })
    }

    /// A proxy before a peer, that breaks what it is told to break.
    pub(super) fn faults(before: &Self) -> Self {
        let upstream = before.port;
        Self::start("faultproxy.py", move |command, port| {
            command.args([port.to_string(), upstream.to_string()]);
        })
    }

    pub(super) fn url(&self) -> String {
        // Not `localhost`: names of buckets before it don't resolve.
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What a proxy breaks from now on; it forgets what it saw.
    pub(super) fn break_with(&self, rules: &str) {
        self.ask("DELETE", "/__faults", "");
        self.ask("POST", "/__faults", rules);
    }

    /// The operations that passed a proxy since the last rules, and what was done to them.
    pub(super) fn seen(&self) -> Vec<(String, Option<String>)> {
        serde_json::from_str(&self.ask("GET", "/__log", "")).unwrap()
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> String {
        use std::io::{Read as _, Write as _};
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }

    /// Runs one of our scripts against it.
    pub(super) fn run(&self, name: &str, arguments: &[&str]) -> String {
        let done = python()
            .arg(script(name))
            .arg(self.url())
            .args(arguments)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(
            done.status.success(),
            "{name}: {}{}",
            text(&done.stdout),
            text(&done.stderr)
        );
        text(&done.stdout)
    }

    /// What makes this AWS.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_ENDPOINT_URL", self.url()),
        ]
    }

    /// The program, with this for AWS.
    pub(super) fn closegate(&self) -> assert_cmd::Command {
        let mut command = closegate();
        command.envs(self.environment());
        command.timeout(Duration::from_mins(2));
        command
    }
}
