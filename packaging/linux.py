"""Makes the packages for Debian and for RPM of a program that was built.

    python3 packaging/linux.py PROGRAM OUT SBOM NOTICES [--tools DIR]

cargo-deb and cargo-generate-rpm make them, as the tables [package.metadata.deb] and [package.metadata.generate-rpm] of
Cargo.toml say. The same input gives the same bytes.
"""

import argparse
import os
import pathlib
import re
import shutil
import tempfile

import files
import project


def manifest() -> str:
    """What the two programs read of Cargo.toml: the package without the keys of its build, and their own tables.

    Lists of packages have lines of 80 characters, so the description is the shorter one.
    """
    crate = project.crate()
    text = (project.ROOT / "Cargo.toml").read_text()
    tables = [table for table in re.split(r"^(?=\[)", text, flags=re.MULTILINE) if table.startswith("[package")]
    build = r"^(edition|rust-version|auto\w+) = .*\n|^include = \[\n(?:.*\n)*?\]\n"
    package = re.sub(build, "", tables[0], flags=re.MULTILINE)
    package = package.replace(crate["description"], crate["metadata"]["generate-rpm"]["summary"])
    return "".join([package, *tables[1:]])


def view(top: pathlib.Path) -> None:
    """A package without source and dependencies: packing resolves none, and a `target` of its own has nothing of other builds."""
    (top / "Cargo.toml").write_text(manifest())
    for name in ["CHANGELOG.md", "LICENSE", "README.md"]:
        shutil.copyfile(project.ROOT / name, top / name)
    (top / "src").mkdir()
    (top / "src/main.rs").write_text("fn main() {}\n")
    (top / "target").mkdir()


def made(directory: pathlib.Path, end: str) -> pathlib.Path:
    found = [path for path in directory.iterdir() if path.name.endswith(end)]
    if len(found) != 1:
        raise SystemExit(f"{len(found)} files {end} where there has to be one")
    return found[0]


def packages(
    program: pathlib.Path, out: pathlib.Path, sbom: pathlib.Path, notices: pathlib.Path, tools: pathlib.Path
) -> list[pathlib.Path]:
    """Writes both packages; their paths."""
    out.mkdir(parents=True, exist_ok=True)
    time = project.source_date()
    with tempfile.TemporaryDirectory() as directory:
        top = pathlib.Path(directory)
        view(top)
        files.write(program, top / "target/package/files", sbom, notices)
        # The package for RPM has the times of its files.
        for path in top.rglob("*"):
            os.utime(path, (time, time))
        environment = {name: value for name, value in os.environ.items() if name != "CARGO_TARGET_DIR"}
        environment |= {"SOURCE_DATE_EPOCH": str(time), "PATH": f"{pathlib.Path(tools).resolve()}{os.pathsep}{os.environ['PATH']}"}
        result = top / "target/made"
        result.mkdir()
        project.run("cargo-deb", "--no-build", "--no-strip", "--output", f"{result}/", cwd=top, env=environment)
        project.run("cargo-generate-rpm", "--output", result, cwd=top, env=environment)
        written = []
        for end in [".deb", ".rpm"]:
            package = made(result, end)
            written.append(out / package.name)
            written[-1].write_bytes(package.read_bytes())
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path, help="closegate, which this machine can run")
    parser.add_argument("out", type=pathlib.Path, help="directory to write to; made if it is not there")
    parser.add_argument("sbom", type=pathlib.Path, help="the list of crates")
    parser.add_argument("notices", type=pathlib.Path, help="what packaging/notices.py wrote")
    tools = "directory with cargo-deb and cargo-generate-rpm, if they are not on the path"
    parser.add_argument("--tools", type=pathlib.Path, default=pathlib.Path("/usr/bin"), help=tools)
    arguments = parser.parse_args()
    for path in packages(arguments.program, arguments.out, arguments.sbom, arguments.notices, arguments.tools):
        print(path.name)


if __name__ == "__main__":
    main()
