"""The table of keys in pod-compose.5.md, made of pod/compose/support.py.

python3 man/compose_keys.py            writes it into the page
python3 man/compose_keys.py --check    fails when the page has another one
"""

from __future__ import annotations

import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
PAGE = os.path.join(FOLDER, "pod-compose.5.md")
_BEGIN, _END = "## KEYS\n", "## SEE ALSO\n"
_INTRODUCTION = """
Every key of the published schema of the Compose specification, and what pod makes of it. A key within another one that
has no row of its own is what that one is. **pod compose config --explain** says the same of a file. A refused key is an
error with the sentence that stands here; what is ignored is said when a command reads the file.

This table is made from the program by `man/compose_keys.py`.

"""


def main(arguments: list[str]) -> int:
    with open(PAGE, encoding="utf-8") as file:
        old = file.read()
    before, _, rest = old.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    new = f"{before}{_BEGIN}{_INTRODUCTION}{table()}\n{_END}{after}"
    if arguments == ["--check"]:
        if old == new:
            return 0
        print(f"{PAGE} is not up to date; run: python3 man/compose_keys.py", file=sys.stderr)
        return 1
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(new)
    return 0


def table() -> str:
    """A row for each key that there is something to say about."""
    from pod.compose.support import TABLE

    lines = []
    for path in sorted(TABLE):
        row = TABLE[path]
        note = f": {row.note}" if row.note else ""
        note += f"; write instead: {row.instead}" if row.instead else ""
        lines.append(f"#### {path.replace('*', 'NAME')}\n\n{row.verdict}{note}\n")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(FOLDER))
    sys.exit(main(sys.argv[1:]))
