"""Installs closegate for the rest of a GitHub job, with pip or from an archive of a release. Part of action.yml."""

import hashlib
import os
import pathlib
import re
import subprocess
import sys
import tarfile

# How a runner names its platform, and rustc's name of the target that an archive is for.
TARGETS = {
    ("Linux", "X64"): "x86_64-unknown-linux-gnu",
    ("Linux", "ARM64"): "aarch64-unknown-linux-gnu",
    ("macOS", "X64"): "x86_64-apple-darwin",
    ("macOS", "ARM64"): "aarch64-apple-darwin",
}


def stop(message: str):
    # One line: a newline would end the command that GitHub reads.
    print(f"::error title=closegate::{' '.join(message.split())}")
    sys.exit(2)


def with_pip(version: str, place: pathlib.Path) -> pathlib.Path:
    """The directory of the program, in a Python environment of its own."""
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    package = f"closegate=={version}" if version else "closegate"
    command = [place / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # A wheel or nothing: a source package would run its own build.
    subprocess.run([*command, "--only-binary", ":all:", package], check=True)
    return place / "bin"


def from_release(version: str, digest: str, place: pathlib.Path) -> pathlib.Path:
    """The directory of the program, from the archive of a release that has this SHA-256."""
    if not version:
        stop("`install: release` needs `version`")
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        stop("`install: release` needs `sha256`, the 64 digits that stand in the archive's .sha256 file")
    system = os.environ["RUNNER_OS"], os.environ["RUNNER_ARCH"]
    if system not in TARGETS:
        stop(f"there is no archive for {' '.join(system)}; use `install: pip`")
    top = f"closegate-{version}-{TARGETS[system]}"
    place.mkdir(parents=True)
    command = ["gh", "release", "download", f"v{version}", "--repo", os.environ["ACTION_REPOSITORY"]]
    subprocess.run([*command, "--pattern", f"{top}.tar.gz", "--dir", place], check=True)
    archive = place / f"{top}.tar.gz"
    found = hashlib.sha256(archive.read_bytes()).hexdigest()
    if found != digest:
        stop(f"the SHA-256 of {archive.name} is {found}, not the one that `sha256` names")
    # One file is read, and nothing else is unpacked.
    with tarfile.open(archive) as tar:
        content = tar.extractfile(f"{top}/closegate").read()
    program = place / "bin/closegate"
    program.parent.mkdir()
    program.write_bytes(content)
    program.chmod(0o755)
    return program.parent


def main() -> None:
    version = os.environ["CLOSEGATE_VERSION"].strip().removeprefix("v")
    if version and not re.fullmatch(r"[0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.-]*", version):
        stop("`version` is not a version such as 0.1.0")
    place = pathlib.Path(os.environ["RUNNER_TEMP"]) / "closegate-program"
    kind = os.environ["CLOSEGATE_INSTALL"]
    if kind == "pip":
        bin_directory = with_pip(version, place)
    elif kind == "release":
        bin_directory = from_release(version, os.environ["CLOSEGATE_SHA256"].strip().lower(), place)
    elif kind == "none":
        return
    else:
        stop("`install` is one of pip, release, none")
    with open(os.environ["GITHUB_PATH"], "a") as file:
        file.write(f"{bin_directory}\n")


if __name__ == "__main__":
    main()
