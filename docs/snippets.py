"""Puts what the program prints into the README: `make snippets`."""

import pathlib
import re
import subprocess

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


if __name__ == "__main__":
    main()
