"""Packs a program that was built: closegate-VERSION-TARGET.tar.gz, and its SHA-256 beside it.

    python3 packaging/archive.py PROGRAM TARGET OUT [--beside FILE]...

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


def packed(program: pathlib.Path, top: str, beside: list[pathlib.Path]) -> bytes:
    """The archive: a directory with the program and the files that go with it."""
    entries = [(program.name, program, 0o755)] + [(name, project.ROOT / name, 0o644) for name in BESIDE]
    entries += [(path.name, path, 0o644) for path in beside]
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, path, mode in entries:
            content = path.read_bytes()
            entry = tarfile.TarInfo(f"{top}/{name}")
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(tar.getvalue(), mtime=0)


def write(program: pathlib.Path, target: str, out: pathlib.Path, beside: list[pathlib.Path]) -> str:
    """Writes the archive and its checksum; the line that sha256sum writes, and `sha256sum --check` reads."""
    top = f"closegate-{project.version()}-{target}"
    content = packed(program, top, beside)
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
    beside = "a file to put beside the program, such as the list of crates"
    parser.add_argument("--beside", type=pathlib.Path, action="append", default=[], help=beside)
    arguments = parser.parse_args()
    print(write(arguments.program, arguments.target, arguments.out, arguments.beside), end="")


if __name__ == "__main__":
    main()
