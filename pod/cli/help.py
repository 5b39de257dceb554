"""Help texts, made of the declarations. `pod --help` imports no command."""

from __future__ import annotations

import sys

from pod.base.errors import UsageError
from pod.cli import table
from pod.cli.globals import GLOBAL_OPTIONS
from pod.cli.layout import Layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pod.cli.declare import Command, Option

_HEADINGS = {
    "container": "Container commands",
    "image": "Image commands",
    "artifact": "Artifact commands",
    "manifest": "Commands about lists of images",
    "compose": "Commands about projects",
    "pod": "Pod commands",
    "volume": "Volume commands",
    "network": "Network commands",
    "secret": "Secret commands",
    "config": "Config commands",
    "system": "Other commands",
}


def print_help(words: Sequence[str]) -> None:
    """Print the help of pod, of a group, or of the command that `words` name."""
    sys.stdout.write(help_text(words))


def help_text(words: Sequence[str]) -> str:
    """The help as text, as wide as the terminal. Raises UsageError when `words` name nothing."""
    page = Layout()
    if not words:
        _root(page)
    elif " ".join(words) == table.group_of(words):
        _group(page, " ".join(words))
    else:
        found = table.find(words)
        if found is None or found[1] != len(words):
            raise UsageError(f"no help for 'pod {' '.join(words)}'", hint="pod --help")
        _command(page, " ".join(words), found[0])
    return page.text()


def _root(page: Layout) -> None:
    page.usage("pod", "[OPTIONS] COMMAND [ARG...]")
    page.paragraphs("Containers for an ordinary user, without a daemon and without root.")
    for group, heading in _HEADINGS.items():
        rows = [
            (name, row[2])
            for name, row in table.COMMANDS.items()
            if row[1] == group and " " not in name
        ]
        _definitions(page, heading, sorted(rows))
    _definitions(page, "Groups of commands", list(table.GROUPS.items()))
    _options(page, GLOBAL_OPTIONS)
    page.paragraphs(
        "`pod COMMAND --help` shows the options of a command, its manual page (pod-COMMAND) all about it."
    )


def _group(page: Layout, group: str) -> None:
    from pod.cli.main import group_options

    options = group_options(group)
    page.usage(f"pod {group}", "[OPTIONS] COMMAND [ARG...]" if options else "COMMAND [ARG...]")
    page.paragraphs({**table.GROUPS, **table.SUBGROUPS}[group] + ".")
    _definitions(page, "Commands", list(table.summaries(group).items()))
    if options:
        _options(page, options)
    page.paragraphs(f"`pod {group} COMMAND --help` shows the options of a command.")


def _command(page: Layout, typed: str, name: str) -> None:
    from pod.cli.main import load_command

    module, _, summary, _ = table.COMMANDS[name]
    command: Command = load_command(module)
    page.usage(f"pod {typed}", command.usage)
    page.paragraphs(summary + ".")
    if command.description:
        page.paragraphs(command.description)
    others = [other for other in _names(name) if other != typed]
    if others:
        page.heading("Also")
        page.verbatim(tuple(f"pod {other}" for other in others))
    _options(page, command.options)
    if command.examples:
        page.heading("Examples")
        page.verbatim(command.examples)


def _names(name: str) -> list[str]:
    """All names of a command that the help lists."""
    return [name, *(alias for alias, to in table.ALIASES.items() if to == name)]


def _options(page: Layout, options: Iterable[Option]) -> None:
    rows = [
        (option_term(option), option_help(option))
        for option in options
        if not option.hidden and not option.refused
    ]
    if not any(term.strip().startswith(("-h, ", "--help")) for term, _ in rows):
        rows.append(("    --help", "Show this text"))
    _definitions(page, "Options", sorted(rows, key=lambda row: row[0].partition("--")[2]))


def option_term(option: Option) -> str:
    """How help and man pages spell an option: "-p, --publish PORT", "    --pull[=POLICY]"."""
    short = [flag for flag in option.flags if not flag.startswith("--")]
    long = [flag for flag in option.flags if flag.startswith("--")]
    term = ", ".join([*short, *long])
    if not short:
        term = "    " + term
    if option.kind == "optional":
        return f"{term}[={option.metavar or 'VALUE'}]"
    if option.kind == "flag":
        return term
    return f"{term} {option.metavar or ('N' if option.kind == 'number' else 'VALUE')}"


def option_help(option: Option) -> str:
    """The help line of an option, with its choices and its default."""
    text = option.help
    if option.choices:
        text += f" ({', '.join(option.choices)})"
    default = option.default
    if default not in (None, "", ()) and default is not False:
        if isinstance(default, list | tuple):
            default = ", ".join(default)
        text += f" (default: {str(default).lower() if isinstance(default, bool) else default})"
    return text


def _definitions(page: Layout, heading: str, rows: list[tuple[str, str]]) -> None:
    if rows:
        page.heading(heading)
        page.definitions(rows)
