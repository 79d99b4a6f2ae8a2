"""The guides as a book: `make docs` builds it into target/docs. The files read the same on a Git host.

The source is the repository, not docs alone, so that links to its other pages and files are checked as well.
"""

import pathlib
import re
from html.parser import HTMLParser

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.util import logging

WARNINGS = logging.getLogger(__name__)
ROOT = pathlib.Path(__file__).resolve().parent.parent

project = "closegate"
release = re.search(r'^version = "(.+)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
html_title = f"closegate {release}"

extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/*.md", "benches/README.md", "sample-data/README.md"]
exclude_patterns = [".*", "fuzz", "target", "**/node_modules"]
# Headings have the anchors that Git hosts make.
myst_heading_anchors = 4
nitpicky = True
# Text stays as it is written: no other quotes, and no dash for the two of an option.
smartquotes = False

html_theme = "furo"
html_copy_source = False
html_show_copyright = False
html_show_sourcelink = False


def directories(app: Sphinx, tree: nodes.document) -> None:
    """A link to a directory is text in the book: only a Git host shows what is in one. It has to be there, though."""
    page = ROOT / app.env.docname
    for link in list(tree.findall(pending_xref)):
        if link["reftarget"].endswith("/") and (page.parent / link["reftarget"]).is_dir():
            link.replace_self(link.children)


class Loads(HTMLParser):
    """The addresses from which a page loads something; a link that a reader follows is none of them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("src", "srcset", "data", "poster") or (tag == "link" and name == "href"):
                self.addresses.append(value or "")


def nothing_is_loaded(app: Sphinx, failure: Exception | None) -> None:
    """The book works without a network. Also makes the page that leads from the top to the first one."""
    if failure or app.builder.name != "html":
        return
    built = pathlib.Path(app.outdir)
    found = [(page, address) for page in built.rglob("*.html") for address in Loads(page.read_text()).addresses]
    for sheet in built.rglob("*.css"):
        found += [(sheet, address) for address in re.findall(r"(?:url\(|@import)\s*['\"]?([^'\")\s]+)", sheet.read_text())]
    if not found:
        WARNINGS.warning("no page loads a style: the check of what pages load looks at the wrong places")
    for file, address in found:
        if re.match(r"(?:[a-z]+:)?//", address.strip(), re.I):
            WARNINGS.warning("%s loads %s", file, address)
    first = app.builder.get_target_uri(root_doc)
    (built / "index.html").write_text(f'<!doctype html><meta http-equiv="refresh" content="0; url={first}"><title>closegate</title>\n')


def setup(app: Sphinx) -> None:
    app.connect("doctree-read", directories)
    app.connect("build-finished", nothing_is_loaded)
