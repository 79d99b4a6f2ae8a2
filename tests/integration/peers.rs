//! The programs that the tests run against, and what happens where one is missing: that fails under CI, and is printed elsewhere.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::root;

/// Whether the peers are left out, as `make quick` does by `CLOSEGATE_PEERS=none`. CI leaves nothing out.
fn left_out() -> bool {
    let Some(choice) = std::env::var_os("CLOSEGATE_PEERS") else {
        return false;
    };
    assert!(
        choice == "none" && std::env::var_os("CI").is_none(),
        "CLOSEGATE_PEERS is `none` or not set, and CI runs every test"
    );
    true
}

/// A file that `make peers` makes, for a test that can't do without it.
pub(crate) fn needed(file: PathBuf) -> PathBuf {
    let shown = file.display();
    assert!(
        !left_out(),
        "{shown} is left out: this test belongs in tests/with-peers.txt"
    );
    assert!(file.exists(), "{shown} is missing: run `make peers`");
    file
}

/// A peer that this machine lacks, or that is left out.
pub(crate) fn not_run(peer: &str) {
    let why = if left_out() {
        "is left out"
    } else {
        "is not on this machine"
    };
    assert!(
        std::env::var_os("CI").is_none(),
        "{peer} is missing: run `make peers`, or install it"
    );
    // Not by a macro: a passing test keeps that output to itself.
    let line = format!("NOT RUN: {peer} {why}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Whether a program is there. Where it isn't, that is reported.
pub(crate) fn has(program: &str) -> bool {
    let version = if program == "terraform" {
        "version"
    } else {
        "--version"
    };
    let there = !left_out() && Command::new(program).arg(version).output().is_ok();
    if !there {
        not_run(program);
    }
    there
}

/// A package that `make peers` installs for Node.
pub(crate) fn node_package(name: &str) -> bool {
    let package = root().join("target/peers/browser/node_modules").join(name);
    let there = !left_out() && package.is_dir();
    if !there {
        not_run(name);
    }
    has("node") && there
}

/// Chromium, with Node and the package that drives it.
pub(crate) fn chromium() -> Option<PathBuf> {
    let places = [
        "/usr/bin/chromium",
        "/usr/bin/chromium-browser",
        "/usr/bin/google-chrome",
    ];
    let mut places = places.iter().map(Path::new);
    let found = places.find(|place| !left_out() && place.is_file());
    if found.is_none() {
        not_run("chromium");
    }
    found
        .filter(|_| node_package("playwright-core"))
        .map(Path::to_path_buf)
}

/// Terraform, with its AWS provider in a directory: the registry can't be reached from a test.
pub(crate) fn terraform_with_provider() -> Option<String> {
    let places = "/opt/tf-plugins:/usr/share/terraform/plugins:/usr/local/share/terraform/plugins";
    let mirror = std::env::split_paths(places)
        .find(|dir| !left_out() && dir.join("registry.terraform.io/hashicorp/aws").is_dir());
    if mirror.is_none() {
        not_run("Terraform's AWS provider");
    }
    mirror
        .filter(|_| has("terraform"))
        .map(|dir| dir.display().to_string())
}
