//! Killed while it writes, whenever that is: the old policy or the new one, for who reads it and for who writes it next.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use super::{Place, texts};

const PROGRAM: &str = env!("CARGO_BIN_EXE_closegate");

/// What a killed run left is read as one policy or the other, and the next command that writes leaves that one.
struct Halves {
    old: BTreeMap<String, String>,
    new: BTreeMap<String, String>,
    /// How often it was the old one, and the new one.
    found: [usize; 2],
}

impl Halves {
    fn look(&mut self, place: &Place, name: &str) {
        let read = place.entries(name);
        // Decides nothing, and writes nothing but what was left.
        let arguments = ["accept", "--state", "declined"];
        place.command("decide", name, &arguments).assert().success();
        let dir = place.path(name);
        let files = texts(&dir);
        assert!(
            files == self.old || files == self.new,
            "{name}: {:?}",
            fs::read_dir(&dir).unwrap().collect::<Vec<_>>()
        );
        let is_new = files == self.new;
        let state = if is_new { "accepted" } else { "proposed" };
        assert!(
            read.values().all(|found| found == state),
            "{name}: {read:?}"
        );
        let left = fs::read_dir(&dir).unwrap();
        let mut left = left.map(|entry| entry.unwrap().file_name());
        assert!(
            left.all(|name| !name.to_string_lossy().starts_with(".closegate")),
            "{name}"
        );
        self.found[usize::from(is_new)] += 1;
    }
}

fn copy(files: &BTreeMap<String, String>, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for (name, text) in files {
        fs::write(to.join(name), text).unwrap();
    }
}

/// A policy, and what it becomes when all of it is accepted.
fn halves(place: &Place) -> Halves {
    place.update(&place.path("run"), "old");
    let old = texts(&place.path("old"));
    copy(&old, &place.path("new"));
    place
        .command("decide", "new", &["accept", "--state", "proposed"])
        .assert()
        .success();
    let new = texts(&place.path("new"));
    assert_ne!(old, new);
    Halves {
        old,
        new,
        found: [0, 0],
    }
}

/// The system kills who writes more into a file than it may: each limit kills another file's writing, or none.
#[test]
fn killed_in_the_middle_of_a_file() {
    let place = Place::new();
    let mut halves = halves(&place);
    let most = halves.new.values().map(String::len).max().unwrap() / 1024 + 1;
    let mut killed = 0;
    for blocks in 0..=most {
        let name = format!("limit-{blocks}");
        copy(&halves.old, &place.path(&name));
        let done = Command::new("bash")
            .args(["-c", "ulimit -f \"$1\"; shift; exec \"$@\"", "bash"])
            .arg(blocks.to_string())
            .arg(PROGRAM)
            .args(["policy", "decide", "accept", "--state", "proposed"])
            .arg("--policy")
            .arg(place.path(&name))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        killed += usize::from(!done.status.success());
        halves.look(&place, &name);
    }
    // The smallest limit stops the first file, and the largest none.
    assert!(killed > 0 && killed <= most, "{killed} of {most}");
    assert_eq!(halves.found, [killed, most + 1 - killed]);
}

/// Killed after some time, from at once to when it would be done.
#[test]
fn killed_at_any_time() {
    let place = Place::new();
    let mut halves = halves(&place);
    let mut wait = Duration::ZERO;
    for number in 0..40 {
        let name = format!("time-{number}");
        copy(&halves.old, &place.path(&name));
        let mut running = Command::new(PROGRAM)
            .args(["policy", "decide", "accept", "--state", "proposed"])
            .arg("--policy")
            .arg(place.path(&name))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        sleep(wait);
        let is_done = running.try_wait().unwrap().is_some();
        running.kill().unwrap();
        running.wait().unwrap();
        halves.look(&place, &name);
        // Once it is done by itself, it is killed a little earlier again.
        wait = if is_done {
            wait / 2
        } else {
            wait + Duration::from_millis(1)
        };
    }
    assert!(halves.found[0] > 0, "{:?}", halves.found);
}
