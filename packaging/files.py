"""Writes what a Linux package puts beside the program: man pages, completions, copyright and changelogs.

    python3 packaging/files.py PROGRAM OUT SBOM NOTICES

The program itself writes the man pages and the completions, so they are those of its version. OUT gets a copy of it too:
Cargo.toml tells cargo-deb and cargo-generate-rpm where the files of OUT go, which they expect in target/package/files.
"""

import argparse
import datetime
import email.utils
import gzip
import pathlib
import re
import shutil

import project

# A shell, and the name that its completions have.
COMPLETIONS = {"bash": "closegate.bash", "zsh": "_closegate", "fish": "closegate.fish"}
COPYRIGHT = """\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: closegate
Source: {repository}
Comment: The program contains libraries, each under its own licence.
 /usr/share/doc/closegate/LICENSE-THIRD-PARTY has the texts.

Files: *
Copyright: 2026 The authors of closegate
License: Apache-2.0
 On Debian systems, the full text of the Apache License, Version 2.0 is in
 /usr/share/common-licenses/Apache-2.0.
"""
# What lintian may not complain about, and why.
OVERRIDES = """\
# The package is not made for an upload to Debian, where the first version closes a bug.
closegate: initial-upload-closes-no-bugs
# cargo-deb writes the fields of a source package into the package.
closegate: unknown-field Vcs-Browser
closegate: unknown-field Vcs-Git
"""
CHANGELOG = """\
closegate ({version}-1) unstable; urgency=medium

  * Version {version}. /usr/share/doc/closegate/changelog.gz has its changes.

 -- {maintainer}  {date}
"""


def compressed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def manual(program: pathlib.Path, out: pathlib.Path) -> None:
    """The page of closegate, and one of each command. Their date is that of the source."""
    plain = out / "plain"
    project.run(program, "man", "--out", plain)
    pages = sorted(plain.iterdir())
    for page in pages:
        (out / f"{page.name}.gz").write_bytes(compressed(page.read_bytes()))
    shutil.rmtree(plain)
    if not re.search(rb"^\.TH closegate 1 ", gzip.decompress((out / "closegate.1.gz").read_bytes()), re.MULTILINE):
        raise SystemExit(f"`{program} man` wrote no page of closegate")


def changelog() -> str:
    """Debian's own form of a changelog, with this version alone."""
    crate = project.crate()
    moment = datetime.datetime.fromtimestamp(project.source_date(), datetime.timezone.utc)
    maintainer = crate["metadata"]["deb"]["maintainer"]
    return CHANGELOG.format(version=crate["version"], maintainer=maintainer, date=email.utils.format_datetime(moment))


def write(program: pathlib.Path, out: pathlib.Path, sbom: pathlib.Path, notices: pathlib.Path) -> None:
    if out.exists():
        shutil.rmtree(out)
    (out / "man").mkdir(parents=True)
    shutil.copyfile(program, out / "closegate")
    (out / "closegate").chmod(0o755)
    program = (out / "closegate").resolve()
    manual(program, out / "man")
    for shell, name in COMPLETIONS.items():
        (out / name).write_text(project.run(program, "completions", shell))
    (out / "copyright").write_text(COPYRIGHT.format(repository=project.crate()["repository"]))
    (out / "lintian-overrides").write_text(OVERRIDES)
    (out / "changelog.Debian.gz").write_bytes(compressed(changelog().encode()))
    (out / "changelog.gz").write_bytes(compressed((project.ROOT / "CHANGELOG.md").read_bytes()))
    shutil.copyfile(sbom, out / "closegate.cdx.json")
    shutil.copyfile(notices, out / "LICENSE-THIRD-PARTY")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path, help="closegate, which this machine can run")
    parser.add_argument("out", type=pathlib.Path, help="directory to write, and to replace if it is there")
    parser.add_argument("sbom", type=pathlib.Path, help="the list of crates")
    parser.add_argument("notices", type=pathlib.Path, help="what packaging/notices.py wrote")
    arguments = parser.parse_args()
    write(arguments.program, arguments.out, arguments.sbom, arguments.notices)


if __name__ == "__main__":
    main()
