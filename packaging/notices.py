"""Writes the licences of the crates that are in the program: a text once, with the crates that carry it.

    python3 packaging/notices.py TARGET OUT

TARGET is the target as rustc names it: a program holds other crates on another system. In the project's directory the
file is called LICENSE-THIRD-PARTY, which the wheel takes along (pyproject.toml).
"""

import argparse
import json
import os
import pathlib
import re

import project

NAMES = re.compile(r"(licen[cs]e|copying|copyright|notice|unlicense)", re.IGNORECASE)
# Code whose file is named like a licence.
CODE = {".c", ".h", ".html", ".js", ".json", ".pl", ".py", ".rs", ".sh", ".toml"}
HEADING = """\
closegate contains the libraries below. Each text is followed by those that carry it.

It also contains Rust's standard library, under the MIT licence or the Apache License 2.0.
"""
GLIBC = """\
The static program for Linux, in the archive, the npm package and the image, also contains the GNU C Library, under the
GNU Lesser General Public License, version 2.1 or later. {repository} has the source, from which closegate can be
linked with another version of that library.
"""
LGPL = pathlib.Path("/usr/share/common-licenses/LGPL-2.1")


def crates(target: str) -> list[dict]:
    """The crates that the program is linked from, in order of their names. Those that only a build or a test needs are not."""
    cargo = os.environ.get("CARGO", "cargo")
    words = [cargo, "metadata", "--locked", "--format-version=1", "--filter-platform", target]
    metadata = json.loads(project.run(*words, cwd=project.ROOT))
    packages = {package["id"]: package for package in metadata["packages"]}
    links = {node["id"]: node["deps"] for node in metadata["resolve"]["nodes"]}
    found: set[str] = set()
    left = [metadata["resolve"]["root"]]
    while left:
        crate = left.pop()
        if crate not in found:
            found.add(crate)
            linked = [link["pkg"] for link in links[crate] if any(kind["kind"] is None for kind in link["dep_kinds"])]
            left += [name for name in linked if not macros(packages[name])]
    found.remove(metadata["resolve"]["root"])
    return sorted((packages[crate] for crate in found), key=lambda crate: (crate["name"], crate["version"]))


def macros(crate: dict) -> bool:
    """Whether a crate runs in the compiler alone."""
    return any("proc-macro" in target["kind"] for target in crate["targets"])


def texts(crate: dict) -> list[str]:
    """The licences that a crate carries, and those of the C code in it, without differences that no reader sees.

    Where C code may be used under the GPL or another licence, the other one counts.
    """
    top = pathlib.Path(crate["manifest_path"]).parent
    files = sorted(path for depth in ["*", "*/*"] for path in top.glob(depth) if path.is_file() and NAMES.match(path.name))
    content = [path.read_text(encoding="utf-8", errors="replace") for path in files if path.suffix not in CODE]
    plain = ["\n".join(line.rstrip() for line in text.strip().splitlines()) for text in content]
    return [text for text in plain if "GNU GENERAL PUBLIC LICENSE" not in text[:200]]


def written(found: list[dict]) -> str:
    carriers: dict[str, list[str]] = {}
    bare = []
    for crate in found:
        name = f"{crate['name']} {crate['version']}"
        of_crate = texts(crate)
        for text in of_crate:
            carriers.setdefault(text, []).append(name)
        if not of_crate:
            bare.append(f"{name}: {crate['license']}, {', '.join(crate['authors']) or 'no authors named'}")
    parts = [HEADING]
    for text, names in carriers.items():
        parts.append(f"{'=' * 80}\n\n{text}\n\n{'-' * 80}\n" + "".join(f"{name}\n" for name in dict.fromkeys(names)))
    if bare:
        parts.append(f"{'=' * 80}\n\nThese carry no text. Their licence is one of those above:\n\n" + "".join(f"{line}\n" for line in bare))
    return "\n".join(parts)


def write(target: str, out: pathlib.Path) -> None:
    text = written(crates(target))
    if target.endswith("-linux-gnu"):
        lesser = LGPL.read_text() if LGPL.is_file() else ""
        text += "\n".join(["", "=" * 80, "", GLIBC.format(repository=project.crate()["repository"]), lesser])
    out.write_text(text, encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("target", help="the target as rustc names it")
    parser.add_argument("out", type=pathlib.Path, help="file to write")
    arguments = parser.parse_args()
    write(arguments.target, arguments.out)


if __name__ == "__main__":
    main()
