//! Every package is made of this build, and tried as those who install it do.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use super::{Place, said, succeeds};
use crate::common::root;
use crate::peers::{has, not_run};
use crate::queries::peer;

/// What makes and reads packages, with the right to install them in a root directory of the trial's own.
fn tools() -> bool {
    let programs = [
        "dpkg-deb", "lintian", "man", "npm", "rpm", "skopeo", "umoci",
    ];
    let there = programs.map(has);
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n"
        || Command::new("sudo")
            .args(["--non-interactive", "true"])
            .output()
            .is_ok_and(|done| done.status.success());
    if !root {
        not_run("root, or sudo without a password,");
    }
    root && !there.contains(&false)
}

/// A place whose `closegate` starts the one of this build. As a script it is packed at once.
fn place() -> Place {
    let program = env!("CARGO_BIN_EXE_closegate");
    let text = format!("#!/bin/sh\nexec '{program}' \"$@\"\n");
    Place::new(&[("closegate", text.as_str())])
}

/// A command that finds Cargo and what it needs.
fn with_cargo(place: &Place, program: impl AsRef<OsStr>) -> Command {
    let mut path = place.path("bin").into_os_string();
    path.push(":");
    path.push(env::var_os("PATH").unwrap_or_default());
    let mut command = place.command(program);
    command
        .env("PATH", path)
        .env("CARGO_TARGET_DIR", place.path("target"))
        .env("SOURCE_DATE_EPOCH", "1790000000");
    for name in ["HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"] {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
    command
}

fn script(place: &Place, name: &str) -> Command {
    let mut command = with_cargo(place, peer("python"));
    command.arg("-B").arg(root().join("packaging").join(name));
    command
}

/// In place of a build, maturin is told what this one wrote. Everything else that it asks Cargo is answered.
const CARGO: &str = "#!/bin/sh\ncase $1 in\nrustc) printf '%s\\n' \"$BUILT\" ;;\n*) exec \"$REAL\" \"$@\" ;;\nesac\n";

/// A wheel of the place's program, made with pyproject.toml.
fn wheel(place: &Place) -> PathBuf {
    let mut metadata = with_cargo(place, env!("CARGO"));
    metadata
        .args(["metadata", "--format-version=1", "--no-deps"])
        .current_dir(root());
    let metadata: Value = serde_json::from_str(&succeeds(&mut metadata)).unwrap();
    let program = place.path("bin/closegate");
    let built = json!({
        "reason": "compiler-artifact",
        "package_id": metadata["packages"][0]["id"],
        "manifest_path": root().join("Cargo.toml"),
        "target": {
            "kind": ["bin"], "crate_types": ["bin"], "name": "closegate", "src_path": root().join("src/main.rs"),
            "edition": "2024", "doc": true, "doctest": false, "test": true,
        },
        "profile": {"opt_level": "3", "debuginfo": 0, "debug_assertions": false, "overflow_checks": false, "test": false},
        "features": [],
        "filenames": [program],
        "executable": program,
        "fresh": false,
    });
    let finished = json!({"reason": "build-finished", "success": true});
    place.program("cargo", CARGO);
    let mut maturin = with_cargo(place, peer("maturin"));
    maturin
        .args(["build", "--release", "--locked", "--compatibility=linux"])
        .arg("--manifest-path")
        .arg(root().join("Cargo.toml"))
        .arg("--out")
        .arg(place.path("wheels"))
        .env("BUILT", format!("{built}\n{finished}"))
        .env("REAL", env!("CARGO"));
    succeeds(&mut maturin);
    fs::remove_file(place.path("bin/cargo")).unwrap();
    let mut wheels = fs::read_dir(place.path("wheels")).unwrap();
    wheels.next().unwrap().unwrap().path()
}

#[test]
fn every_package_installs_and_runs() {
    if !tools() {
        return;
    }
    let place = place();
    let wheel = wheel(&place);
    let mut package = script(&place, "package.py");
    package.arg("--wheel").arg(wheel);
    package.arg("--static").arg(place.path("bin/closegate"));
    package.arg("--tools").arg(root().join("target/peers/bin"));
    let out = succeeds(package.arg("--out").arg(place.path("out")));
    for kind in [
        "checksums",
        "wheel",
        "npm",
        "deb",
        "rpm",
        "archive",
        "image",
        "sbom",
    ] {
        assert!(out.contains(&format!("tried: {kind}\n")), "{kind}: {out}");
    }
}

#[test]
fn the_same_input_makes_the_same_packages() {
    if !tools() {
        return;
    }
    let place = place();
    fs::write(place.path("sbom"), "{}").unwrap();
    let made = |out: &str| {
        let mut linux = script(&place, "linux.py");
        linux.args(["bin/closegate", out, "sbom", "sbom"]);
        linux.arg("--tools").arg(root().join("target/peers/bin"));
        let mut image = script(&place, "image.py");
        image
            .args([out, "amd64=bin/closegate", "arm64=bin/closegate"])
            .args(["--certificates", "sbom"]);
        let names = succeeds(&mut linux) + &succeeds(&mut image);
        let read = |name: &str| fs::read(place.path(out).join(name)).unwrap();
        names
            .lines()
            .map(|name| (name.to_owned(), read(name)))
            .collect::<Vec<(String, Vec<u8>)>>()
    };
    let (first, second) = (made("first"), made("second"));
    assert_eq!(first.len(), 3);
    for ((name, content), (_, again)) in first.iter().zip(&second) {
        assert!(content == again, "{name} differs");
    }
}

/// A trial fails with a program of another version, with one that needs libraries, and with a damaged file.
#[test]
fn a_trial_can_fail() {
    if !tools() {
        return;
    }
    let place = Place::new(&[("closegate", "#!/bin/sh\necho closegate 0.0.0\n")]);
    let target = "x86_64-unknown-linux-gnu";
    let archive = || {
        let mut archive = script(&place, "archive.py");
        succeeds(archive.args(["bin/closegate", target, "out"]));
    };
    let trial = || {
        let done = script(&place, "trials.py")
            .args(["out", "archive"])
            .output()
            .unwrap();
        (done.status.success(), said(&done))
    };
    archive();
    let (succeeded, text) = trial();
    assert!(!succeeded && text.contains("closegate 0.0.0"), "{text}");
    fs::copy("/bin/true", place.path("bin/closegate")).unwrap();
    archive();
    let (succeeded, text) = trial();
    assert!(!succeeded && text.contains("No such file"), "{text}");
    let name = format!(
        "out/closegate-{}-{target}.tar.gz",
        env!("CARGO_PKG_VERSION")
    );
    fs::write(place.path(&name), "damaged").unwrap();
    let (succeeded, text) = trial();
    assert!(!succeeded && text.contains("FAILED"), "{text}");
}
