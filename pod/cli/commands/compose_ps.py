"""`pod compose ps`: list the containers of a project."""

from __future__ import annotations

import time

from pod.base.errors import UsageError
from pod.cli.commands import ps
from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.compose.members import Member
    from pod.compose.project import Project
    from pod.engine.context import Engine

_COLUMNS = ("Name", "Image", "Command", "Service", "Created", "Status", "Ports")
_STATES = ("created", "dead", "exited", "paused", "removing", "restarting", "running")


def list_members(arguments: Arguments, engine: Engine) -> None:
    name, project = compose.load_if_there(arguments, engine)
    found = chosen(arguments, engine, name, project)
    if arguments.flag("services"):
        print(
            "".join(f"{service}\n" for service in dict.fromkeys(it.service for it in found)), end=""
        )
        return
    if arguments.flag("quiet"):
        print("".join(f"{member.id}\n" for member in found), end="")
        return
    from pod.cli.output import Listing, show

    now = time.time_ns()
    whole = arguments.flag("no_trunc")
    form = arguments.text("format")
    show(
        Listing(_COLUMNS, {"Created": "CREATED"}),
        [row(member, now, whole=whole) for member in found],
        None if form == "table" else form,
        documents=lambda: [document(member, now) for member in found],
    )


def chosen(
    arguments: Arguments, engine: Engine, name: str, project: Project | None
) -> list[Member]:
    """The containers that the options select."""
    from pod.compose import members

    everything = arguments.flag("all")
    states = set(arguments.texts("status"))
    for text in arguments.texts("filter"):
        key, _, value = text.partition("=")
        if key != "status":
            raise UsageError(f"invalid argument '{text}' for '--filter': status=STATE is expected")
        states.add(value)
    for state in states:
        if state not in _STATES:
            raise UsageError(
                f"invalid argument '{state}' for '--status': expected is one of {', '.join(_STATES)}"
            )
    for word in arguments.words:
        if project is not None:
            project.service(word)
    known = None if project is None else {*project.services, *project.inactive}
    return [
        member
        for member in members.of_project(engine, name, one_off=everything)
        if (member.state in states if states else everything or member.is_running)
        and (not arguments.words or member.service in arguments.words)
        and (arguments.flag("orphans") or known is None or member.service in known)
    ]


def row(member: Member, now: int, *, whole: bool) -> dict[str, Any]:
    listed = member.listed
    value = ps.value_of
    return {
        "Name": member.name,
        "Image": listed.config.get("image", ""),
        "Command": f'"{value("Command", listed, now, whole=whole)}"',
        "Service": member.service,
        "Created": value("CreatedHuman", listed, now, whole=whole),
        "Status": ps.status(listed, now),
        "Ports": value("Ports", listed, now, whole=whole),
        "ID": member.id if whole else member.id[:12],
        "Names": member.name,
        "Project": member.labels.get("com.docker.compose.project", ""),
        "State": member.state,
        "Health": listed.health,
        "ExitCode": listed.summary.exit_status,
        "Labels": ",".join(f"{key}={text}" for key, text in member.labels.items()),
    }


def document(member: Member, now: int) -> dict[str, Any]:
    """A container as docker compose shows it with --format json."""
    found = row(member, now, whole=True)
    networking = member.listed.config.get("networking", {})
    found["Publishers"] = [
        {
            "URL": port.get("host_ip", "") or "0.0.0.0",
            "TargetPort": port["container_port"],
            "PublishedPort": port.get("host_port", 0),
            "Protocol": port.get("protocol", "tcp"),
        }
        for port in networking.get("ports", ())
    ]
    return found


COMMAND = Command(
    list_members,
    "[OPTIONS] [SERVICE...]",
    description="Lists the running containers of a project, with --all those that have ended, too.",
    options=(
        Option(("-a", "--all"), "flag", "List all containers, also those of `run`"),
        Option(("--filter",), "list", "Only containers in a state: status=STATE", metavar="FILTER"),
        Option(("--format",), "text", "Show it as table, json, or by a template of Go", metavar="FORMAT"),
        Option(("--no-trunc",), "flag", "Cut nothing off"),
        Option(("--orphans",), "flag", "List containers of services that are not in the files any more", default=True),
        Option(("-q", "--quiet"), "flag", "Show ids only"),
        Option(("--services",), "flag", "Show names of services only"),
        Option(("--status",), "list", "Only containers in this state", metavar="STATE"),
    ),
    maximum=None,
    completes=("service",),
    examples=("pod compose ps", "pod compose ps --all --format json"),
)  # fmt: skip
