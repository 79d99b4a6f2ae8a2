"""Runs `closegate drift` or `closegate verify` in a GitHub job, and keeps what it prints. Part of action.yml.

The inputs are in the environment, not in arguments, so that no text of theirs is ever read as a command.
"""

import json
import os
import pathlib
import secrets
import subprocess
import sys

# What closegate says by its exit code; anything else is a failure.
SAYS = {0: "clean", 1: "differences"}


def stop(message: str):
    print(f"::error title=closegate::{message}")
    sys.exit(2)


def given(name: str) -> str:
    return os.environ.get(f"CLOSEGATE_{name}", "").strip()


def arguments(mode: str) -> list[str]:
    """The command line, but for format and file. Values are joined to their options: one that starts with a dash stays a value."""
    needed = {"drift": ["POLICY", "INVENTORY"], "verify": ["PLAN", "INVENTORY"]}
    if mode not in needed:
        stop("`mode` is one of drift, verify")
    for name in needed[mode]:
        if not given(name):
            stop(f"`mode: {mode}` needs `{name.lower()}`")
    flows = [line.strip() for line in given("FLOWS").splitlines() if line.strip()]
    if flows and given("STORE"):
        stop("give `flows` or `store`, not both")
    if mode == "verify" and not flows and not given("STORE"):
        stop("`mode: verify` needs `flows` or `store`")
    names = {"POLICY": "policy", "PLAN": "plan"} if mode == "drift" else {"PLAN": "rules"}
    names |= {"INVENTORY": "inventory", "STORE": "store", "CONFIG": "config"}
    options = [f"--{option}={given(name)}" for name, option in names.items() if given(name)]
    return [mode, *options, *(f"--flows={source}" for source in flows)]


def run(line: list[str]) -> tuple[int, bytes]:
    """The exit code and the output of closegate. Its messages go to the log."""
    done = subprocess.run(["closegate", *line, "--quiet"], stdout=subprocess.PIPE)
    return done.returncode, done.stdout


def show(text: str) -> None:
    """Prints text that may have been made to look like commands to the runner."""
    token = secrets.token_hex(16)
    print(f"::stop-commands::{token}\n{text}\n::{token}::", flush=True)


def errors(sarif: pathlib.Path) -> int:
    """How many results of a SARIF file are errors."""
    runs = json.loads(sarif.read_bytes())["runs"]
    return sum(result.get("level", "warning") == "error" for each in runs for result in each.get("results", []))


def main() -> None:
    mode, fail_on = given("MODE"), given("FAIL_ON")
    if fail_on not in ["warning", "error", "never"]:
        stop("`fail-on` is one of warning, error, never")
    line = arguments(mode)
    place = pathlib.Path(os.environ["RUNNER_TEMP"]) / f"closegate-{mode}-{secrets.token_hex(4)}"
    place.mkdir()
    code, printed = run(line)
    text = place / "closegate.txt"
    text.write_bytes(printed)
    show(printed.decode(errors="replace"))
    if code not in SAYS:
        print(f"::error title=closegate::closegate {mode} ended with exit code {code}; the log says why")
        sys.exit(code)
    outputs = {"result": SAYS[code], "text-file": text}
    fails = code == 1 and fail_on != "never"
    # `verify` has no SARIF: every connection that it finds would be lost, which is an error.
    if mode == "drift":
        sarif = place / "closegate.sarif"
        again, _ = run([*line, "--format=sarif", f"--out={sarif}"])
        if again != code:
            stop(f"two runs of closegate drift ended with exit codes {code} and {again}")
        outputs["sarif-file"] = sarif
        if fail_on == "error":
            fails = fails and errors(sarif) > 0
    outputs["failed"] = str(fails).lower()
    with open(os.environ["GITHUB_OUTPUT"], "a") as file:
        file.writelines(f"{name}={value}\n" for name, value in outputs.items())


if __name__ == "__main__":
    main()
