"""A stand-in for the AWS CLI, for the nightly job: S3 is a directory, and Security Hub takes what it is given.

The environment names the directory (S3) and a file that every call is appended to (CALLS). A call that the job must
not make ends with an error.
"""

import fnmatch
import json
import os
import pathlib
import shutil
import sys


def place(name: str) -> pathlib.Path:
    return pathlib.Path(os.environ["S3"], name.removeprefix("s3://")) if name.startswith("s3://") else pathlib.Path(name)


def files(top: pathlib.Path, excluded: list[str]) -> dict[str, pathlib.Path]:
    found = {str(path.relative_to(top)): path for path in sorted(top.rglob("*")) if path.is_file()}
    return {name: path for name, path in found.items() if not any(fnmatch.fnmatch(name, each) for each in excluded)}


def differs(new: pathlib.Path, old: pathlib.Path) -> bool:
    """As `aws s3 sync` decides: by size, or if the source is newer."""
    return new.stat().st_size != old.stat().st_size or new.stat().st_mtime > old.stat().st_mtime


def sync(words: list[str]) -> None:
    excluded = [words[at + 1] for at, word in enumerate(words) if word == "--exclude"]
    names = [word for at, word in enumerate(words) if not word.startswith("--") and words[at - 1] != "--exclude"]
    source, target = map(place, names)
    there, here = files(target, excluded), files(source, excluded)
    for name, path in here.items():
        if name not in there or differs(path, there[name]):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            # An object is as old as its upload.
            shutil.copy(path, target / name)
    if "--delete" in words:
        for name in there.keys() - here.keys():
            there[name].unlink()


def main() -> None:
    words = sys.argv[1:]
    call = " ".join(words)
    if words[:2] == ["s3", "sync"]:
        sync(words[2:])
    elif words[:2] == ["s3", "cp"]:
        source, target = (place(word) for word in words[2:] if not word.startswith("--"))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    elif words[:2] == ["securityhub", "batch-import-findings"]:
        findings = json.loads(pathlib.Path("call.json").read_bytes())["Findings"]
        assert 0 < len(findings) <= 100 and "file://call.json" in words
        call += " " + json.dumps([finding["ProductArn"] for finding in findings])
        print(os.environ.get("REFUSED", "0"))
    else:
        sys.exit(f"the job must not call: aws {call}")
    with open(os.environ["CALLS"], "a") as file:
        file.write(f"aws {call}\n")


if __name__ == "__main__":
    main()
