"""The table of flags: what podman and docker have, and what becomes of it here -> pod-flags.7.md.

    python3 man/flags.py            writes the page
    python3 man/flags.py --check    fails when the page is not what the declarations say

The declarations of pod/cli/commands say which flags work and why others are refused; tests/data/flags/others.txt says
which flags podman and docker have. A test compares the page with what this makes.
"""

from __future__ import annotations

import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(FOLDER)
PAGE = os.path.join(FOLDER, "pod-flags.7.md")
LIST = os.path.join(ROOT, "tests/data/flags/others.txt")
_HEAD = """% pod-flags(7)

## NAME

pod-flags - The flags of podman and docker, and what becomes of them

## DESCRIPTION

Every flag of podman 5.8 and docker for the commands that pod has, in their long spelling: that it works, or why it is
refused. Giving a refused flag is an error with the sentence that stands here and exit status 125; none is ignored.
Commands of theirs that pod does not have are at the end, with the reason.

This page is made from the program by `man/flags.py`.
"""
_FOOT = """
## SEE ALSO

**pod**(1), **pod-run**(1), **pod-configuration**(5)
"""
_SHARED = {"create": "run"}  # the tables of these are as good as the same


def main(arguments: list[str]) -> int:
    text = page()
    if arguments == ["--check"]:
        with open(PAGE, encoding="utf-8") as file:
            if file.read() == text:
                return 0
        print(f"{PAGE} is not up to date; run: python3 man/flags.py", file=sys.stderr)
        return 1
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(text)
    return 0


def page() -> str:
    """The whole page."""
    from pod.cli.absent import ABSENT

    others = read_others()
    parts = [_HEAD]
    for name in sorted(others):
        parts.append(_section(name, others))
    parts.append("\n## COMMANDS THAT POD DOES NOT HAVE\n")
    parts += [f"- **{name}**: {ABSENT[name]}" for name in sorted(ABSENT)]
    parts.append(_FOOT)
    return "\n".join(parts)


def read_others() -> dict[str, dict[str, set[str]]]:
    """Command -> "podman" or "docker" -> its flags, without dashes."""
    found: dict[str, dict[str, set[str]]] = {}
    name = ""
    with open(LIST, encoding="utf-8") as file:
        for line in file:
            if line.startswith("  "):
                engine, _, flags = line.strip().partition(":")
                found[name].setdefault(engine, set()).update(flags.split())
            elif line.strip() and not line.startswith("#"):
                name = line.strip()
                found[name] = {}
    return found


def _section(name: str, others: dict[str, dict[str, set[str]]]) -> str:
    known = others[name]
    flags = sorted(set().union(*known.values())) if known else []
    same = _SHARED.get(name, "")
    shown = [flag for flag in flags if not same or answer(name, flag) != answer(same, flag)]
    lines = [f"\n## {name.upper()}\n"]
    if same:
        lines.append(f"As **pod {same}**" + (", but for these.\n" if shown else "."))
    elif not flags:
        lines.append("No flags.")
    if shown:
        lines += ["| Flag | podman | docker | pod |", "|---|---|---|---|"]
        lines += [
            f"| --{flag} | {_mark(known, 'podman', flag)} | {_mark(known, 'docker', flag)} | {answer(name, flag)} |"
            for flag in shown
        ]
    return "\n".join(lines)


def _mark(known: dict[str, set[str]], engine: str, flag: str) -> str:
    return "yes" if flag in known.get(engine, ()) else ""


def answer(name: str, flag: str) -> str:
    """ "works", or "refused: " and the reason."""
    from pod.cli import table
    from pod.cli.declare import index_options
    from pod.cli.globals import GLOBAL_OPTIONS
    from pod.cli.main import load_command

    if name not in table.COMMANDS:
        raise LookupError(f"others.txt has the command '{name}', which pod has not")
    own = index_options(load_command(table.COMMANDS[name][0]).options)
    option = own.get(f"--{flag}") or index_options(GLOBAL_OPTIONS).get(f"--{flag}")
    if option is None:
        raise LookupError(f"pod {name} does not know --{flag}")
    if option.refused:
        return f"refused: {option.refused}"
    if option.choices and len(option.choices) == 1:
        return f"works, with the value {option.choices[0]}"
    return "works"


if __name__ == "__main__":
    sys.path.insert(0, ROOT)
    sys.exit(main(sys.argv[1:]))
