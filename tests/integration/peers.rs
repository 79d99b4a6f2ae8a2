//! The programs that the tests run against, and what happens where one is missing: that fails under CI, and is printed elsewhere.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::root;

/// A peer that this machine lacks.
pub(crate) fn not_run(peer: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "{peer} is missing: run `make peers`, or install it"
    );
    // Not by a macro: a passing test keeps that output to itself.
    let line = format!("NOT RUN: {peer} is not on this machine\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

/// Whether a program is there. Where it isn't, that is reported.
pub(crate) fn has(program: &str) -> bool {
    let version = if program == "terraform" {
        "version"
    } else {
        "--version"
    };
    let there = Command::new(program).arg(version).output().is_ok();
    if !there {
        not_run(program);
    }
    there
}

/// A package that `make peers` installs for Node.
pub(crate) fn node_package(name: &str) -> bool {
    let there = root()
        .join("target/peers/browser/node_modules")
        .join(name)
        .is_dir();
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
    let found = places.iter().map(Path::new).find(|place| place.is_file());
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
        .find(|dir| dir.join("registry.terraform.io/hashicorp/aws").is_dir());
    if mirror.is_none() {
        not_run("Terraform's AWS provider");
    }
    mirror
        .filter(|_| has("terraform"))
        .map(|dir| dir.display().to_string())
}
