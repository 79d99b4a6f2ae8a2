"""Puts what the program prints into the README, and makes the pictures of the report: `make snippets`."""

import json
import pathlib
import re
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
README = ROOT / "README.md"


def output(*command: str) -> str:
    run = ["cargo", "run", "--quiet", "--", *command]
    return subprocess.run(run, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def main() -> None:
    text = README.read_text()
    block = "```text\n" + output("demo") + "```"
    pattern = r"(<!-- snippet: demo -->\n).*?(\n<!-- end -->)"
    README.write_text(re.sub(pattern, lambda m: m[1] + block + m[2], text, flags=re.S))
    pictures()


def pictures() -> None:
    """Screenshots of the sample data's report, in both themes and two widths; needs Debian's chromium and `make peers`."""
    with tempfile.TemporaryDirectory() as run:
        output("demo", "--out", run + "/run")
        task = {"kind": "page", "file": run + "/run/report.html", "audit": run + "/run/audit.json", "shots": run}
        script = [ROOT / "tests/browser/report.mjs", ROOT / "target/peers", "/usr/bin/chromium"]
        subprocess.run(["node", *script, json.dumps(task)], check=True)
        for name in ("1280-light", "1280-dark", "390-light", "390-dark"):
            shutil.copy(f"{run}/{name}.png", ROOT / "docs/pictures" / f"report-{name}.png")


if __name__ == "__main__":
    main()
