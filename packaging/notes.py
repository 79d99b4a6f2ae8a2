"""Writes the changelog's section of a version, and fails if the tag, Cargo.toml and CHANGELOG.md do not agree.

    python3 packaging/notes.py v0.1.0 OUT
"""

import argparse
import pathlib
import re
import tomllib

ROOT = pathlib.Path(__file__).parent.parent


def section(changelog: str, version: str) -> str | None:
    """What stands below `## VERSION` with a date, up to the next heading of that level."""
    heading = rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)$"
    found = re.search(heading + r"(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    return found and found[1].strip() or None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tag", help="the tag: v and the version")
    parser.add_argument("out", type=pathlib.Path, help="the file to write")
    arguments = parser.parse_args()
    with open(ROOT / "Cargo.toml", "rb") as file:
        version = tomllib.load(file)["package"]["version"]
    if arguments.tag != f"v{version}":
        parser.error(f"the tag is {arguments.tag!r}, and the version of Cargo.toml {version}")
    notes = section((ROOT / "CHANGELOG.md").read_text(), version)
    if notes is None:
        parser.error(f"CHANGELOG.md has no text below a heading `## {version} (YYYY-MM-DD)`")
    arguments.out.write_text(notes + "\n")


if __name__ == "__main__":
    main()
