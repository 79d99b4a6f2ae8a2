"""Says in a pull request what closegate found, in one comment that later runs replace. Part of action.yml.

The text holds names that anyone with access to an account may have chosen. It stands in a code block that it can't end,
where GitHub renders no markup, no link and no mention.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

# GitHub takes 65,536 characters.
LONGEST = 60_000
# Control characters but tab and newline, and characters that are invisible or turn the direction of text.
HIDDEN = r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]"


def block(text: str) -> str:
    """The text as a code block. Hidden characters are left out, and the fence is longer than any run of backticks."""
    text = re.sub(HIDDEN, "", text).strip("\n")
    # A fence of any length would not fit.
    text = re.sub("`{20,}", "`" * 19, text)
    cut = ""
    if len(text) > LONGEST:
        start = text[:LONGEST]
        text = start.rpartition("\n")[0] or start
        cut = "\n\nThe text is cut here; the job's log has all of it."
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}text\n{text}\n{fence}{cut}"


def body(marker: str, mode: str, result: str, text: str) -> str:
    said = {
        ("drift", "clean"): "Nothing differs from the policy.",
        ("drift", "differences"): "There are differences from the policy.",
        ("verify", "clean"): "The plan would break no connection that was seen.",
        ("verify", "differences"): "The plan would break connections that were seen.",
    }[mode, result]
    return f"{marker}\n### closegate {mode}\n\n{said}\n\n{block(text)}\n"


def gh(path: str, *options: str):
    """What GitHub answers to `gh api`, or None if it refuses."""
    done = subprocess.run(["gh", "api", *options, path], stdout=subprocess.PIPE)
    return json.loads(done.stdout) if done.returncode == 0 else None


def own_comment(path: str, marker: str) -> int | None:
    """The comment of an earlier run. Only a bot's counts: anyone may write the marker."""
    pages = gh(f"{path}?per_page=100", "--paginate", "--slurp") or []
    for comment in (comment for page in pages for comment in page):
        bot = comment.get("user", {}).get("type") == "Bot"
        if bot and (comment.get("body") or "").startswith(f"{marker}\n"):
            return comment["id"]
    return None


def main() -> None:
    event = json.loads(pathlib.Path(os.environ["GITHUB_EVENT_PATH"]).read_bytes())
    mode, result = os.environ["CLOSEGATE_MODE"], os.environ["CLOSEGATE_RESULT"]
    text = pathlib.Path(os.environ["CLOSEGATE_TEXT"]).read_text(errors="replace")
    name = os.environ["CLOSEGATE_ID"]
    if not re.fullmatch(r"[0-9A-Za-z_-]{1,50}", name):
        print("::error title=closegate::`id` has letters, digits, - and _ only, 50 at most")
        sys.exit(2)
    marker = f"<!-- closegate {mode} {name} -->"
    content = body(marker, mode, result, text)
    with open(os.environ["GITHUB_STEP_SUMMARY"], "a") as file:
        file.write(content)
    number = event.get("pull_request", {}).get("number")
    if os.environ["CLOSEGATE_COMMENT"] != "true" or number is None:
        return
    repository = os.environ["GITHUB_REPOSITORY"]
    path = f"repos/{repository}/issues/{int(number)}/comments"
    known = own_comment(path, marker)
    # A first run that finds nothing has nothing to say.
    if known is None and result == "clean":
        return
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"body": content}, file)
        file.flush()
        if known is None:
            done = gh(path, "--method", "POST", "--input", file.name)
        else:
            done = gh(f"repos/{repository}/issues/comments/{int(known)}", "--method", "PATCH", "--input", file.name)
    if done is None:
        print("::warning title=closegate::GitHub refused the comment. The token of a pull request from a fork may only read.")


if __name__ == "__main__":
    main()
