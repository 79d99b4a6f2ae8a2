"""What the packaging scripts share: the project's directory, its Cargo.toml, and the time that packages carry."""

import os
import pathlib
import subprocess
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent


def crate() -> dict:
    """The table [package] of Cargo.toml."""
    with open(ROOT / "Cargo.toml", "rb") as file:
        return tomllib.load(file)["package"]


def version() -> str:
    return crate()["version"]


def source_date() -> int:
    """Seconds since 1970 that every file of a package carries, so that the same input gives the same bytes.

    SOURCE_DATE_EPOCH if it is set; the time of the commit; the time of Cargo.toml where there is no Git.
    """
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    commit = subprocess.run(["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True)
    if commit.returncode == 0 and commit.stdout.strip():
        return int(commit.stdout)
    return int((ROOT / "Cargo.toml").stat().st_mtime)


def run(*words: object, **more: object) -> str:
    """What a program prints on standard output; an error ends the script with both of its streams."""
    try:
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True, **more)
    except FileNotFoundError as missing:
        raise SystemExit(f"{missing.filename} is not on this machine") from missing
    if done.returncode != 0:
        line = " ".join(str(word) for word in words)
        raise SystemExit(f"`{line}` ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
