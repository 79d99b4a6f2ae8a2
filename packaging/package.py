"""Builds closegate for Linux twice, makes every package of it, and tries each where nothing else is: `make package`.

    python3 packaging/package.py [--out DIR] [--wheel FILE] [--static PROGRAM] [--tools DIR] [--untried]

- The dynamic program needs glibc 2.28 or later: maturin builds the wheel with zig as linker. The packages for Debian and
  RPM get the program of the wheel.
- The static program needs nothing but Linux: the archive, the npm packages and the image get it.
- maturin also writes the list of crates (a CycloneDX SBOM), which goes into every package.

Both are built for this machine's processor. Tools come from packaging/requirements.txt into target/package/tools; umoci,
skopeo, lintian, rpm, man, dpkg-dev and Node.js have to be there. --wheel and --static take what an earlier run built.
"""

import argparse
import hashlib
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile

import archive
import linux
import notices
import project
import trials

TARGET = f"{platform.machine()}-unknown-linux-gnu"
# A processor as OCI names it.
PROCESSORS = {"x86_64": "amd64", "aarch64": "arm64"}
WORK = project.ROOT / "target/package"
REQUIREMENTS = project.ROOT / "packaging/requirements.txt"


def tools() -> pathlib.Path:
    """The directory with the programs of packaging/requirements.txt, which are installed if that file is newer."""
    place = WORK / "tools"
    ready = place / ".ready"
    if not ready.is_file() or ready.stat().st_mtime < REQUIREMENTS.stat().st_mtime:
        shutil.rmtree(place, ignore_errors=True)
        project.run(sys.executable, "-m", "venv", place)
        project.run(place / "bin/pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", REQUIREMENTS)
        ready.touch()
    return place / "bin"


def build(*words: object, place: str, bins: pathlib.Path, flags: str = "") -> None:
    """Runs a build with its output on this script's; `place` is the directory below target/package that Cargo gets."""
    environment = dict(os.environ)
    for name in ["CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"]:
        environment.pop(name, None)
    environment |= {
        "CARGO_TARGET_DIR": str(WORK / place),
        "PATH": f"{bins}{os.pathsep}{os.environ['PATH']}",
        "RUSTFLAGS": flags,
        "SOURCE_DATE_EPOCH": str(project.source_date()),
    }
    subprocess.run([str(word) for word in words], cwd=project.ROOT, env=environment, check=True)


def wheel(bins: pathlib.Path, out: pathlib.Path) -> pathlib.Path:
    options = ["--release", "--locked", "--target", TARGET, "--zig", "--compatibility", "manylinux_2_28"]
    out.mkdir(parents=True, exist_ok=True)
    notices.write(TARGET, project.ROOT / "LICENSE-THIRD-PARTY")
    with tempfile.TemporaryDirectory() as directory:
        build(bins / "maturin", "build", *options, "--out", directory, place="dynamic", bins=bins)
        [made] = pathlib.Path(directory).glob("*.whl")
        return pathlib.Path(shutil.copy(made, out))


def static(bins: pathlib.Path) -> pathlib.Path:
    cargo = os.environ.get("CARGO", "cargo")
    flags = "-C target-feature=+crt-static"
    build(cargo, "build", "--release", "--locked", "--target", TARGET, place="static", bins=bins, flags=flags)
    return WORK / "static" / TARGET / "release/closegate"


def member(wheel: pathlib.Path, end: str, file: pathlib.Path) -> pathlib.Path:
    """Writes the one member of a wheel whose name ends so to a file."""
    with zipfile.ZipFile(wheel) as content:
        [name] = [name for name in content.namelist() if name.endswith(end)]
        file.write_bytes(content.read(name))
    return file


def npm(archives: pathlib.Path, out: pathlib.Path) -> None:
    """The npm packages as tarballs."""
    with tempfile.TemporaryDirectory() as directory:
        packages = pathlib.Path(directory) / "packages"
        script = project.ROOT / "packaging/npm.py"
        names = project.run(sys.executable, "-B", script, archives, packages).split()
        for name in names:
            project.run("npm", "pack", "--silent", "--pack-destination", out.resolve(), f"./{name}", cwd=packages)


def packages(wheel: pathlib.Path, program: pathlib.Path, out: pathlib.Path, bins: pathlib.Path) -> None:
    """Everything that is made of a wheel and of a static program."""
    with tempfile.TemporaryDirectory() as directory:
        top = pathlib.Path(directory)
        sbom = member(wheel, ".dist-info/sboms/closegate.cyclonedx.json", top / "closegate.cdx.json")
        shutil.copy(sbom, out / f"closegate-{project.version()}.cdx.json")
        licences = top / "LICENSE-THIRD-PARTY"
        notices.write(TARGET, licences)
        dynamic = member(wheel, ".data/scripts/closegate", top / "closegate")
        dynamic.chmod(0o755)
        linux.packages(dynamic, out, sbom, licences, bins)
        archive.write(program, TARGET, out, [sbom, licences])
        npm(out, out)
        script = project.ROOT / "packaging/image.py"
        pair = f"{PROCESSORS[platform.machine()]}={program}"
        project.run(sys.executable, "-B", script, out, pair, "--beside", sbom, "--beside", licences)


def checksums(out: pathlib.Path) -> str:
    """SHA256SUMS, as `sha256sum --check` reads it."""
    lines = []
    for path in sorted(out.iterdir()):
        if path.is_file() and path.suffix not in [".sha256"] and path.name != "SHA256SUMS":
            lines.append(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n")
    return "".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    out = "directory for the packages, emptied first; target/package/out without this"
    parser.add_argument("--out", type=pathlib.Path, default=WORK / "out", help=out)
    parser.add_argument("--wheel", type=pathlib.Path, help="a wheel that was built, instead of building one")
    parser.add_argument("--static", type=pathlib.Path, help="a static program that was built, instead of building one")
    own = "directory with the programs of packaging/requirements.txt, instead of installing them"
    parser.add_argument("--tools", type=pathlib.Path, help=own)
    parser.add_argument("--untried", action="store_true", help="make the packages without trying them")
    arguments = parser.parse_args()
    out = arguments.out
    for given in [arguments.wheel, arguments.static]:
        if given and out.resolve() in given.resolve().parents:
            parser.error(f"{given} is in {out}, which is emptied")
    bins = arguments.tools or tools()
    built = arguments.wheel or wheel(bins, WORK)
    program = arguments.static or static(bins)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    shutil.copy(built, out)
    packages(built, program, out, bins)
    (out / "SHA256SUMS").write_text(checksums(out))
    print((out / "SHA256SUMS").read_text(), end="")
    if not arguments.untried:
        trials.every(out, bins)


if __name__ == "__main__":
    main()
