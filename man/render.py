"""Manual pages: the Markdown pages of this folder -> roff, for man(1).

    python3 man/render.py DIRECTORY

writes DIRECTORY/man1/pod-run.1 and so on. A line `@@option NAME` in a page stands for the paragraph in
`options/NAME.md`, which several pages share. The pages use a small part of Markdown: `#` headings, paragraphs, lists
with "-", fenced code, tables, **bold**, *italic*, `code`.
"""

from __future__ import annotations

import os
import re
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
_INCLUDE = "@@option "
_INLINE = re.compile(r"\*\*(?P<bold>.+?)\*\*|\*(?P<italic>[^*\s][^*]*?)\*|`(?P<code>[^`]+)`")


class PageError(Exception):
    """A page that does not follow the rules above."""


def read_page(name: str, folder: str = FOLDER) -> str:
    """The text of the page `name` ("pod-run.1.md") with its shared paragraphs in place."""
    return "\n".join(_lines(os.path.join(folder, name), folder, deep=False)) + "\n"


def _lines(path: str, folder: str, *, deep: bool) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except FileNotFoundError as error:
        raise PageError(f"'{path}' is not there") from error
    out: list[str] = []
    for line in lines:
        if not line.startswith(_INCLUDE):
            out.append(line)
        elif deep:
            raise PageError(f"'{path}' includes another paragraph")
        else:
            shared = os.path.join(folder, "options", f"{line.removeprefix(_INCLUDE).strip()}.md")
            out += _lines(shared, folder, deep=True)
    return out


def options_of(page: str) -> list[str]:
    """The options that a page explains, as its headings spell them without the stars: "-p, --publish PORT"."""
    section = ""
    found = []
    for line in page.splitlines():
        if line.startswith("## "):
            section = line[3:].strip()
        elif line.startswith("#### ") and section == "OPTIONS":
            found.append(line[5:].replace("*", "").strip())
    return found


def roff(page: str) -> str:
    """A page as roff. Raises PageError."""
    lines = page.splitlines()
    title = re.fullmatch(r"% ([\w-]+)\((\d)\)", lines[0] if lines else "")
    if title is None:
        raise PageError("a page begins with '% NAME(SECTION)'")
    out = [f'.TH "{title[1].upper()}" "{title[2]}" "" "pod" "pod"']
    rest = lines[1:]
    position = 0
    while position < len(rest):
        line = rest[position]
        position += 1
        if line.startswith("```"):
            out += [".PP", ".RS 4", ".nf"]
            while position < len(rest) and not rest[position].startswith("```"):
                out.append(_escaped(rest[position]))
                position += 1
            if position == len(rest):
                raise PageError("a code block is not closed")
            position += 1
            out += [".fi", ".RE"]
        elif line.startswith("#### "):
            out += [".TP", _inline(line[5:])]
            while position < len(rest) and not rest[position].strip():
                position += 1
        elif line.startswith("### "):
            out.append(f".SS {_inline(line[4:])}")
        elif line.startswith("## "):
            out.append(f".SH {_inline(line[3:])}")
        elif line.startswith("- "):
            out += [".IP \\(bu 2", _inline(line[2:])]
        elif line.startswith("|"):
            if not set(line) <= set("|-: "):
                cells = [_inline(cell.strip()) for cell in line.strip("|").split("|")]
                out += [".br", "\\h'4n'" + "\\h'2n'".join(cells)]
        elif line.strip():
            out.append(_inline(line.strip()))
        elif out[-1] != ".PP":
            # Inside the explanation of an option, a new paragraph keeps its indentation.
            out.append(".IP" if _in_option(out) else ".PP")
    return "\n".join(out) + "\n"


def _in_option(out: list[str]) -> bool:
    for line in reversed(out):
        if line == ".TP":
            return True
        if line.startswith((".SH", ".SS")):
            return False
    return False


def _inline(text: str) -> str:
    parts = []
    position = 0
    for match in _INLINE.finditer(text):
        parts.append(_escaped(text[position : match.start()]))
        font = "I" if match["italic"] is not None else "B"
        parts.append(f"\\f{font}{_escaped(match['bold'] or match['italic'] or match['code'])}\\fR")
        position = match.end()
    parts.append(_escaped(text[position:]))
    joined = "".join(parts)
    return f"\\&{joined}" if joined.startswith((".", "'")) else joined


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def main(target: str) -> None:
    for name in sorted(os.listdir(FOLDER)):
        match = re.fullmatch(r"([\w-]+)\.(\d)\.md", name)
        if match is None:
            continue
        folder = os.path.join(target, f"man{match[2]}")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, f"{match[1]}.{match[2]}"), "w", encoding="utf-8") as file:
            file.write(roff(read_page(name)))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python3 man/render.py DIRECTORY")
    main(sys.argv[1])
