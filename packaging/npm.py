"""Makes the npm packages of a release from its archives: one for each platform, and `closegate`, which starts the right one.

    python3 packaging/npm.py ARCHIVES OUT

npm installs only the package of its own platform, because each names its `os` and `cpu`. No package runs a script when
it is installed. The version is that of Cargo.toml.
"""

import argparse
import json
import pathlib
import tarfile

from project import ROOT, crate

# The licences of the crates in the program.
NOTICES = "LICENSE-THIRD-PARTY"
# rustc's name of a target, and how Node names its platform and processor.
TARGETS = {
    "x86_64-unknown-linux-gnu": ("linux", "x64"),
    "aarch64-unknown-linux-gnu": ("linux", "arm64"),
    "x86_64-apple-darwin": ("darwin", "x64"),
    "aarch64-apple-darwin": ("darwin", "arm64"),
    "x86_64-pc-windows-msvc": ("win32", "x64"),
}


def write(directory: pathlib.Path, description: dict, repository: str) -> None:
    """What every package has: its description, and the licence."""
    directory.mkdir(parents=True, exist_ok=True)
    shared = {key: crate()[key] for key in ["version", "license"]}
    shared["repository"] = {"type": "git", "url": f"git+{repository}.git"}
    text = json.dumps({**description, **shared}, indent=2) + "\n"
    (directory / "package.json").write_text(text)
    (directory / "LICENSE").write_bytes((ROOT / "LICENSE").read_bytes())


def platform_package(archive: pathlib.Path, target: str, out: pathlib.Path, repository: str) -> str:
    """Writes the package of a platform; its name."""
    system, processor = TARGETS[target]
    name = f"closegate-{system}-{processor}"
    program = "closegate.exe" if system == "win32" else "closegate"
    (out / name / "bin").mkdir(parents=True)
    top = archive.name.removesuffix(".tar.gz")
    with tarfile.open(archive) as tar:
        for member, path in [(program, f"bin/{program}"), (NOTICES, NOTICES)]:
            if f"{top}/{member}" in tar.getnames():
                (out / name / path).write_bytes(tar.extractfile(f"{top}/{member}").read())
    (out / name / "bin" / program).chmod(0o755)
    description = f"{crate()['description']}: the program for {system} on {processor}"
    platform = {"os": [system], "cpu": [processor], "files": ["bin", NOTICES]}
    write(out / name, {"name": name, "description": description, **platform}, repository)
    return name


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("archives", type=pathlib.Path, help="directory with what packaging/archive.py wrote")
    parser.add_argument("out", type=pathlib.Path, help="directory to write the packages to, which is not there yet")
    repository = "address of the repository, which npm compares with the provenance; that of Cargo.toml without this"
    parser.add_argument("--repository", default=crate()["repository"], help=repository)
    arguments = parser.parse_args()
    version = crate()["version"]
    names = []
    for target in TARGETS:
        archive = arguments.archives / f"closegate-{version}-{target}.tar.gz"
        if archive.is_file():
            names.append(platform_package(archive, target, arguments.out, arguments.repository))
    if not names:
        parser.error(f"no archive of closegate {version} is in {arguments.archives}")
    launcher = arguments.out / "closegate"
    description = {
        "name": "closegate",
        "description": crate()["description"],
        "keywords": crate()["keywords"],
        "bin": {"closegate": "closegate.js"},
        "files": ["closegate.js"],
        "engines": {"node": ">=18"},
        # The same version, exactly: a launcher never starts another release's program.
        "optionalDependencies": dict.fromkeys(names, version),
    }
    write(launcher, description, arguments.repository)
    for source, name in [("packaging/closegate.js", "closegate.js"), ("README.md", "README.md")]:
        (launcher / name).write_bytes((ROOT / source).read_bytes())
    (launcher / "closegate.js").chmod(0o755)
    print("\n".join([*names, "closegate"]))


if __name__ == "__main__":
    main()
