"""Packs a program that was built: closegate-VERSION-TARGET.tar.gz, and its SHA-256 beside it.

    python3 packaging/archive.py PROGRAM TARGET OUT

The same input gives the same bytes. The version is that of Cargo.toml.
"""

import argparse
import gzip
import hashlib
import io
import pathlib
import tarfile
import tomllib

ROOT = pathlib.Path(__file__).parent.parent
BESIDE = ["CHANGELOG.md", "LICENSE", "README.md"]


def version() -> str:
    with open(ROOT / "Cargo.toml", "rb") as file:
        return tomllib.load(file)["package"]["version"]


def packed(program: pathlib.Path, top: str) -> bytes:
    """The archive: a directory with the program and the files that go with it."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, mode in [(program, 0o755)] + [(ROOT / name, 0o644) for name in BESIDE]:
            content = path.read_bytes()
            entry = tarfile.TarInfo(f"{top}/{path.name}")
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(tar.getvalue(), mtime=0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", type=pathlib.Path, help="closegate, or closegate.exe")
    parser.add_argument("target", help="the target as rustc names it")
    parser.add_argument("out", type=pathlib.Path, help="directory to write to; made if it is not there")
    arguments = parser.parse_args()
    top = f"closegate-{version()}-{arguments.target}"
    content = packed(arguments.program, top)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / f"{top}.tar.gz").write_bytes(content)
    # As sha256sum writes it, and `sha256sum --check` reads it.
    digest = f"{hashlib.sha256(content).hexdigest()}  {top}.tar.gz\n"
    (arguments.out / f"{top}.tar.gz.sha256").write_bytes(digest.encode())
    print(digest, end="")


if __name__ == "__main__":
    main()
