//! What a release is packed with.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::{Place, said, succeeds};
use crate::common::root;
use crate::peers::has;
use crate::queries::peer;

/// The version of Cargo.toml.
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn python(place: &Place, script: &str) -> Command {
    let mut command = place.command(peer("python"));
    command.arg("-B").arg(root().join("packaging").join(script));
    command
}

/// An archive of a stand-in program; its name.
fn archive(place: &Place, target: &str, out: &str) -> String {
    let mut command = python(place, "archive.py");
    succeeds(command.arg(place.path("bin/closegate")).args([target, out]));
    format!("closegate-{VERSION}-{target}.tar.gz")
}

#[test]
fn an_archive_is_the_same_every_time() {
    let place = Place::new(&[("closegate", "#!/bin/sh\necho hello\n")]);
    let target = "x86_64-unknown-linux-gnu";
    let name = archive(&place, target, "first");
    // Another time, owner's rights and place change nothing.
    fs::remove_file(place.path("bin/closegate")).unwrap();
    place.program("closegate", "#!/bin/sh\necho hello\n");
    archive(&place, target, "second");
    let read = |out: &str| fs::read(place.path(out).join(&name)).unwrap();
    assert_eq!(read("first"), read("second"));
    let check = format!("{name}.sha256");
    let mut sum = place.command("sha256sum");
    succeeds(
        sum.args(["--check", &check])
            .current_dir(place.path("first")),
    );
    let mut tar = place.command("tar");
    succeeds(tar.args(["-xzf", &name]).current_dir(place.path("first")));
    let unpacked = place.path("first").join(name.trim_end_matches(".tar.gz"));
    assert_eq!(
        succeeds(&mut Command::new(unpacked.join("closegate"))),
        "hello\n"
    );
    assert!(unpacked.join("LICENSE").is_file());
}

/// npm's packages, as npm would lay them out: the launcher passes on arguments and the exit code, and signals.
#[test]
fn the_launcher_starts_the_program_of_its_platform() {
    if !has("node") {
        return;
    }
    let node = |place: &Place| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut command = place.command("node");
        command
            .env("PATH", path)
            .arg("node_modules/closegate/closegate.js");
        command
    };
    let program = "#!/bin/sh\n[ \"$1\" != wait ] || { echo waits; exec sleep 60; }\nprintf '[%s]' \"$@\"\nexit 3\n";
    let place = Place::new(&[("closegate", program)]);
    for target in ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu"] {
        archive(&place, target, "archives");
    }
    let mut npm = python(&place, "npm.py");
    let made = succeeds(npm.args([
        "archives",
        "node_modules",
        "--repository",
        "https://example.com/a/b",
    ]));
    assert_eq!(
        made,
        "closegate-linux-x64\nclosegate-linux-arm64\nclosegate\n"
    );
    let read = |name: &str| -> Value {
        serde_json::from_str(&place.text(&format!("node_modules/{name}/package.json"))).unwrap()
    };
    let launcher = read("closegate");
    assert_eq!(
        launcher["optionalDependencies"],
        json!({"closegate-linux-x64": VERSION, "closegate-linux-arm64": VERSION})
    );
    assert_eq!(
        launcher["repository"]["url"],
        "git+https://example.com/a/b.git"
    );
    assert_eq!(
        launcher.get("scripts"),
        None,
        "npm runs nothing when it installs"
    );
    let arm = read("closegate-linux-arm64");
    assert_eq!(
        (&arm["os"], &arm["cpu"]),
        (&json!(["linux"]), &json!(["arm64"]))
    );

    let done = node(&place).args(["a b", "--c"]).output().unwrap();
    assert_eq!(done.status.code(), Some(3), "{}", said(&done));
    assert_eq!(done.stdout, b"[a b][--c]");
    let mut waits = node(&place);
    let mut child = waits
        .arg("wait")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = [0_u8; 6];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
    let kill = format!("kill -TERM {}", child.id());
    succeeds(place.command("sh").args(["-c", &kill]));
    assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
    for platform in ["x64", "arm64"] {
        fs::remove_dir_all(place.path(&format!("node_modules/closegate-linux-{platform}")))
            .unwrap();
    }
    let done = node(&place).output().unwrap();
    assert_eq!(done.status.code(), Some(2));
    assert!(said(&done).contains("is not installed"), "{}", said(&done));
}

/// A release needs a tag, a version and a section of the changelog that agree.
#[test]
fn a_release_has_notes() {
    let place = Place::new(&[]);
    fs::create_dir(place.path("packaging")).unwrap();
    fs::copy(
        root().join("packaging/notes.py"),
        place.path("packaging/notes.py"),
    )
    .unwrap();
    fs::copy(root().join("Cargo.toml"), place.path("Cargo.toml")).unwrap();
    let notes = |tag: &str, changelog: &str| {
        fs::write(place.path("CHANGELOG.md"), changelog).unwrap();
        let mut command = place.command(peer("python"));
        command.args(["-B", "packaging/notes.py", tag, "notes.md"]);
        let done = command.output().unwrap();
        done.status.success().then(|| place.text("notes.md"))
    };
    let tag = format!("v{VERSION}");
    let heading = format!("## {VERSION} (2026-11-30)");
    let changelog = format!(
        "# Changelog\n\n## Unreleased\n\n- c\n\n{heading}\n\n- a\n- b\n\n## 0.0.1 (2026-01-01)\n\n- z\n"
    );
    assert_eq!(notes(&tag, &changelog).as_deref(), Some("- a\n- b\n"));
    assert_eq!(
        notes("v0.0.1", &changelog),
        None,
        "not the version of Cargo.toml"
    );
    assert_eq!(
        notes(&tag, &changelog.replace(" (2026-11-30)", "")),
        None,
        "no date"
    );
    assert_eq!(
        notes(&tag, &changelog.replace("- a\n- b\n", "")),
        None,
        "no text"
    );
}

/// The files below the root from which the compiler made the library, as it wrote them down when it last did.
fn files_of_this_build() -> BTreeSet<String> {
    let program = Path::new(env!("CARGO_BIN_EXE_closegate"));
    let built = program.with_file_name("deps");
    let mut newest: Option<(SystemTime, String)> = None;
    for entry in fs::read_dir(built).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name().into_string().unwrap();
        if !name.starts_with("closegate-") || path.extension().is_none_or(|end| end != "d") {
            continue;
        }
        let text = fs::read_to_string(path).unwrap();
        let written = entry.metadata().unwrap().modified().unwrap();
        let is_newer = newest.as_ref().is_none_or(|(time, _)| written > *time);
        if text.contains(" src/lib.rs") && is_newer {
            newest = Some((written, text));
        }
    }
    let (_, text) = newest.expect("the library was compiled");
    let (_, read) = text.lines().next().unwrap().split_once(": ").unwrap();
    let top = root().canonicalize().unwrap();
    // A space in a name is `\ `.
    let read = read.replace("\\ ", "\0");
    let read = read.split(' ').map(|path| path.replace('\0', " "));
    read.map(|path| {
        let path = root().join(path).canonicalize().unwrap();
        let below = path.strip_prefix(&top).expect("it is of this crate");
        below.to_str().unwrap().to_owned()
    })
    .collect()
}

/// Whoever builds the package of the crate has every file that this build read, and none that no build needs.
#[test]
fn the_crate_holds_what_it_is_compiled_from() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["package", "--list", "--allow-dirty"])
        .current_dir(root());
    let listed = succeeds(&mut cargo);
    let listed: BTreeSet<&str> = listed.lines().collect();
    let read = files_of_this_build();
    assert!(read.len() > 300, "{read:?}");
    let missing: Vec<&String> = read
        .iter()
        .filter(|path| !listed.contains(&***path))
        .collect();
    assert!(missing.is_empty(), "add to `include`: {missing:?}");
    let known = [
        ".cargo_vcs_info.json",
        "CHANGELOG.md",
        "Cargo.lock",
        "Cargo.toml",
        "Cargo.toml.orig",
        "LICENSE",
        "README.md",
    ];
    // Other features and other systems read more of `src`.
    let idle: Vec<&&str> = listed
        .iter()
        .filter(|path| !read.contains(**path) && !known.contains(path) && !path.starts_with("src/"))
        .collect();
    assert!(
        idle.is_empty(),
        "no build needs what `include` names: {idle:?}"
    );
}

/// `cargo binstall` asks for the archive by the name that it has, and finds the program in it.
#[test]
fn binstall_finds_the_program() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let package = &manifest["package"];
    let binstall = &package["metadata"]["binstall"];
    let target = "x86_64-unknown-linux-gnu";
    let filled = |key: &str| {
        let mut text = binstall[key].as_str().unwrap().to_owned();
        for (name, value) in [
            ("repo", package["repository"].as_str().unwrap()),
            ("name", "closegate"),
            ("version", VERSION),
            ("target", target),
            ("bin", "closegate"),
            ("binary-ext", ""),
        ] {
            text = text.replace(&format!("{{ {name} }}"), value);
        }
        assert!(!text.contains('{'), "{key}: {text}");
        text
    };
    let place = Place::new(&[("closegate", "#!/bin/sh\n")]);
    let name = archive(&place, target, "out");
    let address = filled("pkg-url");
    assert!(
        address.ends_with(&format!("/releases/download/v{VERSION}/{name}")),
        "{address}"
    );
    let mut tar = place.command("tar");
    let members = succeeds(tar.arg("-tzf").arg(place.path("out").join(&name)));
    let program = filled("bin-dir");
    assert!(members.lines().any(|member| member == program), "{members}");
}

/// `make package` packs with the programs that the tests packed with. zig links, which no test does.
#[test]
fn the_packers_are_those_of_the_tests() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let peers = read("tests/peers/requirements.txt");
    let peers: BTreeSet<&str> = peers.lines().collect();
    let packers = read("packaging/requirements.txt");
    let others: Vec<&str> = packers
        .lines()
        .filter(|line| !peers.contains(line))
        .collect();
    assert!(
        others.len() == 1 && others[0].starts_with("ziglang=="),
        "{others:?}"
    );
}
