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
Every key of the published schema of the Compose specification, and what pod makes of it: **honoured**, **ignored** and
why, or **refused** and what to write instead, with all keys in it. **pod compose config --explain** says the same of a
file. A refused key is an error with the sentence that stands here; what is ignored is said when the file is read.
*NAME* is any name, and **[]** each entry of a list.

This table is made from the program and the schema by `man/compose_keys.py`.

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
    """A row for each key of the schema, by what it is a key of."""
    from pod.compose import schema_check
    from pod.compose.support import REFUSED, row_of, schema_paths

    sections: dict[str, list[str]] = {}
    for path in sorted(schema_paths(schema_check.load())):
        row = row_of(path)
        above = path[:-2] if path.endswith("[]") else path.rpartition(".")[0]
        if row.verdict == REFUSED and above and row_of(above) == row:
            continue  # with the key that it is in
        note = f": {row.note}" if row.note else ""
        if row.instead:
            note += f"; write instead: {row.instead}"
        key = path.replace(".*", ".NAME")
        sections.setdefault(_title(path), []).append(f"#### {key}\n\n{row.verdict}{note}\n")
    order = sorted(sections, key=lambda it: (it != "the file", it))
    return "\n".join(f"### Keys of {it}\n\n" + "\n".join(sections[it]) + "\n" for it in order)


def _title(path: str) -> str:
    """What a key is a key of."""
    words = path.split(".")
    if len(words) == 1:
        return "the file"
    count = 3 if words[0] == "services" and len(words) > 3 else 2
    return (
        ".".join(words[:count]).removesuffix("[]").replace("*", "NAME")
        if len(words) > 2
        else words[0]
    )


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(FOLDER))
    sys.exit(main(sys.argv[1:]))
