"""`pod events`: what has happened, and what happens."""

from __future__ import annotations

import sys

from pod.base.errors import PodError, UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.engine.events import Event, Selection


def show_events(arguments: Arguments, engine: Engine) -> int:
    from pod.engine import events

    selection = _selection(arguments)
    show = _shown(arguments)
    directory = engine.events.directory
    if not directory:
        raise PodError(
            "there are no events to show: events_logger is 'none'",
            hint="see pod-configuration(5), events_logger",
        )
    if arguments.flag("stream"):
        from pod.engine.events_follow import follow

        sys.stdout.flush()
        only_new = selection.since_ns is None and selection.until_ns is None
        return follow(directory, selection, show, sys.stdout.fileno(), only_new=only_new)
    reader = events.Reader(directory)
    for event in reader.read():
        if selection.accepts(event):
            sys.stdout.buffer.write(show(event))
    reader.close()
    return 0


def _selection(arguments: Arguments) -> Selection:
    from pod.engine.events import Selection
    from pod.engine.events_filters import parse_filters

    moments = {}
    for name in ("since", "until"):
        text = arguments.text(name)
        if text is not None:
            from pod.base.times import parse_moment

            moments[name] = parse_moment(text, f"--{name}")
    since, until = moments.get("since"), moments.get("until")
    if since is not None and until is not None and since > until:
        raise UsageError("--since is later than --until, so there are no events between them")
    return Selection(since, until, parse_filters(arguments.texts("filter")))


def _shown(arguments: Arguments) -> Callable[[Event], bytes]:
    """What makes a line of an event. Raises TemplateError."""
    form = arguments.text("format")
    if form is None or form == "":
        full = arguments.flag("no_trunc")
        return lambda event: _encoded(human(event, full=full))
    if form.split()[0] == "table":
        raise UsageError(
            f"invalid argument '{form}' for '--format': events come one by one, so there is no table"
        )
    from pod.cli.output import is_json

    if is_json(form):
        from json import dumps  # heavy

        return lambda event: _encoded(dumps(document(event), ensure_ascii=False))
    from pod.cli.formats import template_of

    template = template_of(form)
    template.render(Row(_example()))  # so that a wrong name is told at once
    return lambda event: _encoded(template.render(Row(event)), end="")


def _example() -> Event:
    from pod.engine.events import Event

    return Event(0, "container", "start")


def _encoded(text: str, end: str = "\n") -> bytes:
    return (text + end).encode("utf-8", "surrogateescape")


def human(event: Event, *, full: bool = True) -> str:
    """podman's line for an event."""
    from pod.base import ids
    from pod.base.log import visible
    from pod.cli.human import go_time

    object_id = event.object_id if full else ids.short(event.object_id)
    words = [go_time(event.time_ns), event.kind, event.status]
    if event.kind in {"container", "pod"}:
        facts = {"image": event.image, "name": event.name}
        if event.pod:
            facts["pod_id"] = event.pod
        if event.health:
            facts["health_status"] = event.health
        facts |= {key: value for key, value in event.attributes.items() if key not in facts}
        inside = ", ".join(f"{key}={value}" for key, value in facts.items())
        words += [object_id, f"({inside})"]
    elif event.kind == "network":
        words += [object_id, f"(container={object_id}, name={event.network or event.name})"]
    elif event.kind == "secret":
        words.append(object_id)
    elif event.kind == "image":
        words += [object_id, event.name]
    else:
        words.append(event.name)
    if event.error:
        words.append(event.error)
    return visible(" ".join(words).rstrip(" "))


def document(event: Event) -> dict[str, Any]:
    """The JSON of an event, with podman's keys and in its order."""
    found: dict[str, Any] = {}
    if event.exit_code is not None:
        found["ContainerExitCode"] = event.exit_code
    for key, value in (
        ("ID", event.object_id),
        ("Image", event.image),
        ("Name", event.name),
        ("network", event.network),
    ):
        if value:
            found[key] = value
    found["Status"] = event.status
    found["time"] = event.time_ns // 1_000_000_000
    found["timeNano"] = event.time_ns
    found["Type"] = event.kind
    for key, value in (
        ("health_status", event.health),
        ("Error", event.error),
        ("PodID", event.pod),
    ):
        if value:
            found[key] = value
    found["Attributes"] = dict(event.attributes) or None
    return found


_DOCKER_ACTIONS = {
    ("container", "died"): "die",
    ("container", "exec"): "exec_start",
    ("container", "exec_died"): "exec_die",
    ("container", "remove"): "destroy",
    ("image", "loadFromArchive"): "load",
    ("image", "remove"): "delete",
    ("volume", "remove"): "destroy",
    ("network", "remove"): "destroy",
}


class Row(dict[str, object]):
    """The fields that templates may name: podman's, and docker's names and words beside them."""

    def __init__(self, event: Event) -> None:
        from pod.cli.template.values import Map

        self.document = document(event)
        attributes = dict(event.attributes)
        about = {"image": event.image, "name": event.name}
        if event.exit_code is not None:
            about["exitCode"] = str(event.exit_code)
        actor = {key: value for key, value in about.items() if value} | attributes
        action = _DOCKER_ACTIONS.get((event.kind, event.status), event.status)
        if event.health:
            action = f"{action}: {event.health}"
        details = {"ContainerInspectData": "", "PodID": event.pod, "Attributes": Map(attributes)}
        super().__init__(
            details,
            ContainerExitCode=event.exit_code,
            Details=details,
            Error=event.error,
            HealthStatus=event.health,
            ID=event.object_id,
            Image=event.image,
            Name=event.name,
            Network=event.network,
            Status=event.status,
            Time=event.time_ns // 1_000_000_000,
            TimeNano=event.time_ns,
            TimeUnixNano=event.time_ns,
            Type=event.kind,
            ToHumanReadable=lambda truncate=False: human(event, full=not truncate),
            Action=action,
            Actor={"ID": event.object_id or event.name, "Attributes": Map(actor)},
            From=event.image,
            Scope="local",
        )


COMMAND = Command(
    show_events,
    "[OPTIONS]",
    description=(
        "Shows what is done to containers, images, volumes and secrets, a line each, as it happens. With --since or "
        "--until also what happened before, and with --stream=false nothing else."
    ),
    options=(
        Option(
            ("-f", "--filter"),
            "list",
            "Only events of this kind, such as event=died or container=web",
            metavar="KEY=VALUE",
        ),
        Option(
            ("--format",), "text", "Show them as JSON lines, or by a Go template", metavar="FORMAT"
        ),
        Option(("--no-trunc",), "flag", "Show whole ids", default=True),
        Option(("--since",), "text", "Begin at this time", metavar="TIME"),
        Option(("--stream",), "flag", "Go on showing what happens", default=True),
        Option(("--until",), "text", "End at this time", metavar="TIME"),
    ),
    maximum=0,
    examples=(
        "pod events --filter event=died --format '{{.Name}} {{.ContainerExitCode}}'",
        "pod events --since 1h --stream=false",
    ),
)
