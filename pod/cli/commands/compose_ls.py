"""`pod compose ls`: list projects."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def list_projects(arguments: Arguments, engine: Engine) -> None:
    from pod.cli.output import Listing, show
    from pod.compose import identity, members

    found: dict[str, dict[str, Any]] = {}
    for member in members.everything(engine):
        if member.is_one_off:
            continue
        name = member.labels[identity.PROJECT]
        row = found.setdefault(name, {"states": {}, "files": {}})
        row["states"][member.state] = row["states"].get(member.state, 0) + 1
        row["files"].update(dict.fromkeys(member.labels.get(identity.FILES, "").split(",")))
    wanted = _wanted_names(arguments)
    rows = []
    for name in sorted(found):
        states = found[name]["states"]
        if name.find(wanted) < 0 or not (arguments.flag("all") or _runs(states)):
            continue
        status = ", ".join(f"{state}({count})" for state, count in sorted(states.items()))
        rows.append({"Name": name, "Status": status, "ConfigFiles": ",".join(found[name]["files"])})
    if arguments.flag("quiet"):
        print("".join(f"{row['Name']}\n" for row in rows), end="")
        return
    form = arguments.text("format")
    columns = ("Name", "Status", "ConfigFiles")
    listing = Listing(columns, {"ConfigFiles": "CONFIG FILES"})
    show(listing, rows, None if form == "table" else form, documents=lambda: rows)


def _runs(states: dict[str, int]) -> bool:
    return bool({"running", "paused", "restarting"}.intersection(states))


def _wanted_names(arguments: Arguments) -> str:
    wanted = ""
    for text in arguments.texts("filter"):
        key, _, value = text.partition("=")
        if key != "name":
            raise UsageError(f"invalid argument '{text}' for '--filter': name=TEXT is expected")
        wanted = value
    return wanted


COMMAND = Command(
    list_projects,
    "[OPTIONS]",
    description="Lists the projects of which containers run, with --all also those that are stopped.",
    options=(
        Option(("-a", "--all"), "flag", "List stopped projects, too"),
        Option(("--filter",), "list", "Only projects whose name has a text: name=TEXT", metavar="FILTER"),
        Option(("--format",), "text", "Show it as table, json, or by a template of Go", metavar="FORMAT"),
        Option(("-q", "--quiet"), "flag", "Show names only"),
    ),
    examples=("pod compose ls", "pod compose ls --all --format json"),
)  # fmt: skip
