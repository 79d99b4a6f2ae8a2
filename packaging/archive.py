"""Packs a program that was built: closegate-VERSION-TARGET.tar.gz, and its SHA-256 beside it.

    python3 packaging/archive.py PROGRAM TARGET OUT [--sbom FILE]

The same input gives the same bytes. The version is that of Cargo.toml.
"""

import argparse
import gzip
import hashlib
import io
import pathlib
import tarfile

import project

BESIDE = ["CHANGELOG.md", "LICENSE", "README.md"]


def packed(program: pathlib.Path, top: str, sbom: pathlib.Path | None) -> bytes:
    """The archive: a directory with the program and the files that go with it."""
    entries = [(program.name, program, 0o755)] + [(name, project.ROOT / name, 0o644) for name in BESIDE]
    if sbom:
        entries.append(("closegate.cdx.json", sbom, 0o644))
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, path, mode in entries:
            content = path.read_bytes()
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(tar.getvalue(), mtime=0)


def write(program: pathlib.Path, target: str, out: pathlib.Path, sbom: pathlib.Path | None) -> str:
    """Writes the archive and its checksum; the line that sha256sum writes, and `sha256sum --check` reads."""
    top = f"closegate-{project.version()}-{target}"
    content = packed(program, top, sbom)
    out.mkdir(parents=True, exist_ok=True)
    (out / f"{top}.tar.gz").write_bytes(content)
    digest = f"{hashlib.sha256(content).hexdigest()}  {top}.tar.gz\n"
    (out / f"{top}.tar.gz.sha256").write_bytes(digest.encode())
    return digest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path, help="closegate, or closegate.exe")
    parser.add_argument("target", help="the target as rustc names it")
    parser.add_argument("out", type=pathlib.Path, help="directory to write to; made if it is not there")
    parser.add_argument("--sbom", type=pathlib.Path, help="the list of crates, to put beside the program")
    arguments = parser.parse_args()
    print(write(arguments.program, arguments.target, arguments.out, arguments.sbom), end="")


if __name__ == "__main__":
    main()
