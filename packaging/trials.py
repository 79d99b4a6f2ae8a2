"""Tries packages as those who install them do, each in a place where nothing else is.

    python3 packaging/trials.py OUT [KIND ...] [--tools DIR]

OUT holds what packaging/package.py wrote; without a kind, everything in it is tried. The first failure ends the script.
A static program runs in a root directory without another file. One that needs libraries runs beside those that its
package depends on. That needs root, or `sudo` without a password.
"""

import argparse
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

import project
import roots

# The oldest glibc that the dynamic program needs, and so do the packages with it.
GLIBC = (2, 28)
# A program of a package that runs without a root directory of its own sees no more of the environment than this.
PATH = {"PATH": "/usr/bin:/bin"}


def only(directory: pathlib.Path, pattern: str) -> pathlib.Path:
    found = sorted(directory.glob(pattern))
    if len(found) != 1:
        raise SystemExit(f"{directory} has {len(found)} files {pattern}")
    return found[0]


def expect(condition: bool, what: str) -> None:
    if not condition:
        raise SystemExit(what)


def works(words: list[object], place: pathlib.Path, environment: dict[str, str], seen: object = None) -> None:
    """The program says its version, and audits the sample data. `seen` is how it sees the place that it writes to."""
    said = project.run(*words, "--version", env=environment)
    expect(said == f"closegate {project.version()}\n", f"it says {said!r}")
    said = project.run(*words, "demo", "--out", f"{seen or place}/demo", env=environment)
    expect("nothing breaks" in said, f"the demo says {said}")
    expect((place / "demo/report.html").is_file(), "the demo wrote no report")


def works_in(root: roots.Root, program: str, environment: dict[str, str], user: dict | None = None) -> None:
    words, seen = root.command(program, user)
    works(words, root.work, environment, seen)


def wheel(out: pathlib.Path, tools: str, top: pathlib.Path) -> None:
    file = only(out, "*.whl")
    python = top / "venv/bin/python"
    project.run(sys.executable, "-m", "venv", top / "venv")
    project.run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", file)
    works([top / "venv/bin/closegate"], top, PATH)
    if "manylinux" in file.name:
        said = project.run(pathlib.Path(tools) / "auditwheel", "show", file)
        tags = [f'"manylinux_{GLIBC[0]}_{minor}_' for minor in range(5, GLIBC[1] + 1)]
        expect(any(tag in said for tag in tags), f"auditwheel says\n{said}")
    project.run(python, "-m", "pip", "uninstall", "--quiet", "--disable-pip-version-check", "--yes", "closegate")
    expect(not (top / "venv/bin/closegate").exists(), "pip left the program")


def npm(out: pathlib.Path, tools: str, top: pathlib.Path) -> None:
    packages = sorted(out.glob("closegate-*.tgz"))
    expect(len(packages) >= 2, f"{out} has {len(packages)} npm packages")
    place = pathlib.Path(shutil.which("npm") or "/usr/bin/npm").parent
    environment = {"PATH": f"{place}:{PATH['PATH']}", "HOME": str(top), "npm_config_offline": "true"}
    project.run("npm", "init", "--yes", cwd=top, env=environment)
    project.run("npm", "install", "--no-audit", "--no-fund", *[path.resolve() for path in packages], cwd=top, env=environment)
    works(["npx", "--no-install", "--prefix", top, "closegate"], top, environment)
    project.run("npm", "uninstall", "--no-audit", "--no-fund", "closegate", cwd=top, env=environment)
    expect(not (top / "node_modules/.bin/closegate").exists(), "npm left the launcher")


def pages(directory: pathlib.Path) -> None:
    """groff formats every man page without a warning, and the main page names the others."""
    found = sorted(directory.glob("*.1.gz"))
    environment = PATH | {"LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MANROFFSEQ": ""}
    text = {}
    for page in found:
        words = ["man", "--warnings", "--encoding=UTF-8", "--local-file", str(page)]
        done = subprocess.run(words, capture_output=True, text=True, env=environment)
        expect(done.returncode == 0 and not done.stderr, f"{page.name}: {done.stderr}")
        text[page.name.removesuffix(".1.gz")] = done.stdout
    expect("closegate-audit(1)" in text.get("closegate", ""), "no page of closegate that names closegate-audit")
    expect("--inventory" in text.get("closegate-audit", ""), "no page of closegate-audit with its options")


def completions(bash: pathlib.Path, zsh: pathlib.Path, fish: pathlib.Path) -> None:
    """Bash completes a command and an option. The other shells read their files, where they are installed."""
    script = """
        source "$1" && complete -p closegate >/dev/null || exit
        complete_words() {
            COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
            _closegate closegate "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
            echo "${COMPREPLY[@]}"
        }
        complete_words closegate au
        complete_words closegate audit --inv
    """
    said = project.run("bash", "--norc", "-c", script, "bash", bash, env=PATH)
    expect(said == "audit\n--inventory\n", f"bash completes {said!r}")
    for shell, file in [("zsh", zsh), ("fish", fish)]:
        expect(file.stat().st_size > 1000, f"{file} is short")
        if shutil.which(shell):
            project.run(shell, "-n", file, env=PATH)


def beside(root: pathlib.Path, zsh: str) -> None:
    """What a Linux package installs beside the program."""
    share = root / "usr/share"
    pages(share / "man/man1")
    fish = share / "fish/vendor_completions.d/closegate.fish"
    completions(share / "bash-completion/completions/closegate", share / zsh / "_closegate", fish)
    inventory = json.loads((share / "doc/closegate/closegate.cdx.json").read_text())
    expect(inventory["bomFormat"] == "CycloneDX", "no list of crates")


def old_enough(program: pathlib.Path) -> None:
    """A program asks for no symbol of glibc that is newer than the oldest glibc which the package promises to run with."""
    versions = {(int(major), int(minor)) for major, minor in re.findall(rb"\0GLIBC_(\d+)\.(\d+)", program.read_bytes())}
    newest = max(versions, default=(0, 0))
    expect(newest <= GLIBC, f"{program.name} needs glibc {newest[0]}.{newest[1]}")


def deb(out: pathlib.Path, tools: str, top: pathlib.Path) -> None:
    file = only(out, "*.deb")
    project.run("lintian", "--allow-root", "--fail-on", "error,warning", file)
    root = roots.Root(top / "root")
    root.debian(roots.dependencies(project.run("dpkg-deb", "--field", file, "Depends")))
    root.dpkg("--install", file.resolve())
    old_enough(root.top / "usr/bin/closegate")
    works_in(root, "/usr/bin/closegate", {})
    beside(root.top, "zsh/vendor-completions")
    root.dpkg("--purge", "closegate")
    left = [path for path in root.top.rglob("*closegate*") if root.work not in path.parents]
    expect(not left, f"dpkg left {left}")


def rpm(out: pathlib.Path, tools: str, top: pathlib.Path) -> None:
    file = only(out, "*.rpm")
    project.run("rpm", "--checksig", file)
    root = roots.Root(top / "root")
    # What provides the libraries is a package of another kind here. They are copied for the program instead.
    root.rpm("--install", "--nodeps", "--nosignature", file.resolve())
    old_enough(root.top / "usr/bin/closegate")
    root.libraries("/usr/bin/closegate")
    root.rpm("--verify", "--nodeps", "closegate")
    works_in(root, "/usr/bin/closegate", {})
    beside(root.top, "zsh/site-functions")
    root.rpm("--erase", "closegate")
    left = [path for path in root.top.rglob("*closegate*") if path.is_file() and root.work not in path.parents]
    expect(not left, f"rpm left {left}")


def archive(out: pathlib.Path, tools: str, top: pathlib.Path) -> None:
    file = only(out, "closegate-*.tar.gz")
    project.run("sha256sum", "--check", "--strict", f"{file.name}.sha256", cwd=out)
    root = roots.Root(top / "root")
    with tarfile.open(file) as tar:
        tar.extractall(root.top, filter="data")
    program = f"/{file.name.removesuffix('.tar.gz')}/closegate"
    works_in(root, program, {})


def image(out: pathlib.Path, tools: str, top: pathlib.Path) -> None:
    file = only(out, "*-image.tar")
    processor = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    # skopeo checks every digest, and picks the image of this machine; umoci reads no index of several.
    source = f"oci-archive:{file.resolve()}:{project.version()}"
    project.run("skopeo", "--override-arch", processor, "copy", "--quiet", source, f"oci:{top / 'one'}:one")
    project.run("umoci", "unpack", "--rootless", "--image", f"{top / 'one'}:one", top / "bundle")
    settings = json.loads((top / "bundle/config.json").read_text())["process"]
    expect(settings["user"]["uid"] != 0, "the image runs as root")
    [program] = settings["args"]
    root = roots.Root(top / "bundle/rootfs")
    certificates = root.top / "etc/ssl/certs/ca-certificates.crt"
    expect("BEGIN CERTIFICATE" in certificates.read_text(), "the image has no certificates")
    environment = dict(pair.split("=", 1) for pair in settings["env"])
    works_in(root, program, environment, settings["user"])


def sbom(out: pathlib.Path, tools: str, top: pathlib.Path) -> None:
    """The list of crates is valid, of this version, and names every crate of another place with a digest and a licence."""
    file = only(out, "*.cdx.json")
    script = (
        "import sys; from cyclonedx.schema import SchemaVersion; from cyclonedx.validation.json import JsonStrictValidator; "
        "sys.exit(str(JsonStrictValidator(SchemaVersion.V1_5).validate_str(open(sys.argv[1]).read()) or '') or None)"
    )
    project.run(pathlib.Path(tools) / "python", "-c", script, file)
    content = json.loads(file.read_text())
    expect(content["metadata"]["component"]["version"] == project.version(), "the list of crates is that of another version")
    for crate in content["components"]:
        expect(crate.get("licenses") and crate.get("hashes"), f"{crate['name']} has no licence or digest")
    names = {crate["name"] for crate in content["components"]}
    expect({"polars", "aws-sdk-ec2"} <= names and "criterion" not in names, "the list is not that of the program's crates")


def checksums(out: pathlib.Path, tools: str, top: pathlib.Path) -> None:
    for line in (out / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        found = hashlib.sha256((out / name).read_bytes()).hexdigest()
        expect(found == digest, f"{name} has another digest")


KINDS = {kind.__name__: kind for kind in [checksums, wheel, npm, deb, rpm, archive, image, sbom]}


def every(out: pathlib.Path, tools: object, kinds: list[str] | None = None) -> None:
    for kind in kinds or KINDS:
        top = pathlib.Path(tempfile.mkdtemp())
        try:
            KINDS[kind](out, str(tools), top)
        finally:
            roots.cleared(top)
        print(f"tried: {kind}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path, help="directory with packages")
    parser.add_argument("kinds", nargs="*", help=f"some of {', '.join(KINDS)}")
    parser.add_argument("--tools", default=str(project.ROOT / "target/package/tools/bin"), help="directory of the tools' environment")
    arguments = parser.parse_intermixed_args()
    if unknown := set(arguments.kinds) - set(KINDS):
        parser.error(f"no package is a {unknown.pop()}")
    every(arguments.out, arguments.tools, arguments.kinds)


if __name__ == "__main__":
    main()
