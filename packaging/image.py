"""Makes a container image from scratch, as an OCI layout: the static program, the certificates that it trusts, and nothing else.

    python3 packaging/image.py OUT amd64=PROGRAM [arm64=PROGRAM] [--certificates FILE] [--beside FILE]...

OUT/closegate-VERSION-image is the layout, and OUT/closegate-VERSION-image.tar the same in one file. Its tag is the
version: an index with an image for each processor. umoci makes the images. The same input gives the same bytes.
"""

import argparse
import datetime
import hashlib
import io
import json
import os
import pathlib
import shutil
import tarfile
import tempfile

import project

CERTIFICATES = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")
INDEX = "application/vnd.oci.image.index.v1+json"
# A user that owns nothing. Whoever mounts a directory to write to gives its owner with `--user`.
USER = "65532:65532"


def filesystem(top: pathlib.Path, program: pathlib.Path, certificates: pathlib.Path, beside: list[pathlib.Path]) -> None:
    """Lays out what the image holds, with the same rights and times whoever builds it."""
    for path, source, mode in [
        ("closegate", program, 0o755),
        ("etc/ssl/certs/ca-certificates.crt", certificates, 0o644),
        *[(f"usr/share/doc/closegate/{file.name}", file, 0o644) for file in [project.ROOT / "LICENSE", *beside]],
    ]:
        file = top / path
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, file)
        file.chmod(mode)
    # closegate writes to the working directory, and temporary files to /tmp.
    for name in ["tmp", "work"]:
        (top / name).mkdir()
    time = project.source_date()
    for path in [top, *top.rglob("*")]:
        if path.is_dir():
            path.chmod(0o1777 if path.name in ["tmp", "work"] else 0o755)
        os.utime(path, (time, time))


def labels() -> dict[str, str]:
    crate = project.crate()
    names = {
        "title": "closegate",
        "description": crate["description"],
        "version": crate["version"],
        "licenses": crate["license"],
        "source": crate["repository"],
    }
    return {f"org.opencontainers.image.{name}": value for name, value in names.items()}


def image(layout: pathlib.Path, processor: str, top: pathlib.Path) -> None:
    """Adds an image of one processor to the layout, with the processor as its tag."""
    name = f"{layout}:{processor}"
    created = datetime.datetime.fromtimestamp(project.source_date(), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    history = ["--history.created", created, "--history.author", "packaging/image.py"]
    project.run("umoci", "new", "--image", name)
    # Without --rootless, umoci keeps owners: those of whoever builds.
    project.run("umoci", "insert", "--rootless", "--image", name, *history, top, "/")
    words = ["--config.entrypoint", "/closegate", "--config.user", USER, "--config.workingdir", "/work"]
    words += ["--architecture", processor, "--os", "linux", "--created", created, "--author", "closegate"]
    for label in labels().items():
        words += ["--config.label", "=".join(label)]
    project.run("umoci", "config", "--image", name, *history, *words)


def blob(layout: pathlib.Path, content: bytes) -> dict:
    digest = hashlib.sha256(content).hexdigest()
    (layout / "blobs/sha256" / digest).write_bytes(content)
    return {"digest": f"sha256:{digest}", "size": len(content)}


def one_index(layout: pathlib.Path) -> None:
    """Replaces the tags of the processors by one of the version, which names them all."""
    manifests = []
    for entry in json.loads((layout / "index.json").read_text())["manifests"]:
        processor = entry["annotations"]["org.opencontainers.image.ref.name"]
        platform = {"architecture": processor, "os": "linux"}
        manifests.append({key: entry[key] for key in ["mediaType", "digest", "size"]} | {"platform": platform})
    manifests.sort(key=lambda entry: entry["platform"]["architecture"])
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests, "annotations": labels()}
    entry = {"mediaType": INDEX, **blob(layout, json.dumps(index, sort_keys=True).encode())}
    entry["annotations"] = {"org.opencontainers.image.ref.name": project.version()}
    top = {"schemaVersion": 2, "manifests": [entry]}
    (layout / "index.json").write_text(json.dumps(top, sort_keys=True))


def one_file(layout: pathlib.Path) -> bytes:
    """The layout as a tar archive, which `podman load` and `skopeo` read."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(layout.rglob("*")):
            entry = tarfile.TarInfo(str(path.relative_to(layout)))
            entry.mtime = project.source_date()
            if path.is_dir():
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
            else:
                entry.mode, entry.size = 0o644, path.stat().st_size
                with open(path, "rb") as file:
                    archive.addfile(entry, file)
    return content.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=pathlib.Path, help="directory to write to; made if it is not there")
    parser.add_argument("programs", nargs="+", help="PROCESSOR=PROGRAM, with the processor as OCI names it")
    parser.add_argument("--certificates", type=pathlib.Path, default=CERTIFICATES, help=f"a PEM file; {CERTIFICATES} without this")
    beside = "a file to put beside the licence, such as the list of crates"
    parser.add_argument("--beside", type=pathlib.Path, action="append", default=[], help=beside)
    arguments = parser.parse_args()
    name = f"closegate-{project.version()}-image"
    layout = arguments.out / name
    if layout.exists():
        shutil.rmtree(layout)
    arguments.out.mkdir(parents=True, exist_ok=True)
    project.run("umoci", "init", "--layout", layout)
    for pair in arguments.programs:
        processor, equals, program = pair.partition("=")
        if not equals:
            parser.error(f"`{pair}` is not PROCESSOR=PROGRAM")
        with tempfile.TemporaryDirectory() as top:
            filesystem(pathlib.Path(top), pathlib.Path(program), arguments.certificates, arguments.beside)
            image(layout, processor, pathlib.Path(top))
    project.run("umoci", "gc", "--layout", layout)
    one_index(layout)
    (arguments.out / f"{name}.tar").write_bytes(one_file(layout))
    print(f"{name}.tar")


if __name__ == "__main__":
    main()
