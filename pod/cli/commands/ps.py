"""`pod ps`: list containers."""

from __future__ import annotations

import time

from pod.base.errors import UsageError
from pod.cli import human
from pod.cli.declare import Command, Option
from pod.cli.options import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.engine.list import Listed

_SECOND = 1_000_000_000
_NEVER = -62135596800  # seconds: the year 1, Go's time of nothing
_SHORT_COMMAND = 17
_COLUMNS = ("ID", "Image", "Command", "CreatedHuman", "Status", "Ports", "Names")
_NAMESPACES = {
    "Cgroup": "cgroup",
    "IPC": "ipc",
    "MNT": "mnt",
    "NET": "net",
    "PIDNS": "pid",
    "USERNS": "user",
    "UTS": "uts",
}
_NAMESPACE_COLUMNS = ("ID", "Names", "Pid", *_NAMESPACES)
_HEADINGS = {
    "ID": "CONTAINER ID",
    "CreatedHuman": "CREATED",
    "Cgroup": "CGROUPNS",
    "PIDNS": "PIDNS",
    "USERNS": "USERNS",
    "PodName": "PODNAME",
    "Pod": "POD ID",
}
_SORT_KEYS = ("command", "created", "id", "image", "names", "runningfor", "size", "status")


def list_containers(arguments: Arguments, engine: Engine) -> None:
    _check(arguments)
    interval = arguments.number("watch")
    if not interval:
        _show(arguments, engine)
        return
    from pod.cli.watch import repeat

    repeat(interval, lambda: _show(arguments, engine))


def _check(arguments: Arguments) -> None:
    last, latest = arguments.given("last"), arguments.flag("latest")
    for one, other, are_given in (
        ("--last", "--latest", last and latest),
        ("--quiet", "--size", arguments.flag("quiet") and arguments.flag("size")),
        ("--quiet", "--ns", arguments.flag("quiet") and arguments.flag("ns")),
        ("--size", "--ns", arguments.flag("size") and arguments.flag("ns")),
        ("--watch", "--latest", bool(arguments.number("watch")) and latest),
    ):
        if are_given:
            raise UsageError(f"{one} and {other} exclude each other")


def _show(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import list as listing

    last = 1 if arguments.flag("latest") else arguments.number("last") or 0
    filters = None
    if arguments.given("filter"):
        from pod.engine.filters import Filters

        filters = Filters(arguments.texts("filter"))
    found = listing.containers(
        engine, everything=arguments.flag("all"), last=max(last, 0), filters=filters
    )
    form = arguments.text("format")
    if arguments.flag("quiet") and not form:
        length = 64 if arguments.flag("no_trunc") else 12
        print(
            "".join(f"{it.summary.id[:length]}\n" for it in _sorted(arguments, found, {})), end=""
        )
        return
    sort = arguments.text("sort")
    sizes = {}
    if arguments.flag("size") or sort == "size":
        sizes = listing.sizes(
            engine,
            ((it.summary.id, it.summary.image_id, "rootfs" in it.config) for it in found),
        )
    found = _sorted(arguments, found, sizes)
    listing.add_pods(engine, found)
    _print(arguments, form, found, sizes)


def _sorted(
    arguments: Arguments, found: list[Listed], sizes: dict[str, tuple[int, int]]
) -> list[Listed]:
    key = arguments.text("sort")
    if key is None or key in {"created", "runningfor"}:
        return found
    keys = {
        "command": _command,
        "id": lambda it: it.summary.id,
        "image": lambda it: it.config.get("image", ""),
        "names": lambda it: it.summary.name,
        "size": lambda it: sizes[it.summary.id][1],
        "status": lambda it: it.state,
    }
    return sorted(found, key=keys[key])


def _print(
    arguments: Arguments,
    form: str | None,
    found: list[Listed],
    sizes: dict[str, tuple[int, int]],
) -> None:
    from pod.cli.output import Listing, show

    now = time.time_ns()
    whole = arguments.flag("no_trunc")
    columns = _NAMESPACE_COLUMNS if arguments.flag("ns") else _COLUMNS
    if arguments.flag("pod"):
        columns = (*columns, "Pod", "PodName")
    if arguments.flag("size"):
        columns = (*columns, "Size")
    listing = Listing(columns, _HEADINGS)
    if form is None:
        rows: list[Any] = [_cells(it, now, columns, sizes, whole=whole) for it in found]
    else:
        rows = [_row(it, now, sizes, whole=whole) for it in found]
    show(
        listing,
        rows,
        form,
        noheading=arguments.flag("noheading"),
        documents=lambda: [document(it, now, sizes.get(it.summary.id)) for it in found],
    )


def _cells(
    it: Listed,
    now: int,
    columns: tuple[str, ...],
    sizes: dict[str, tuple[int, int]],
    *,
    whole: bool,
) -> dict[str, str]:
    """The plain table's columns of one row; as few steps as possible, since there may be a thousand."""
    row = it.summary
    if columns[1] != "Image" or "Pod" in columns:
        return {name: str(_value(name, it, now, sizes, whole=whole)) for name in columns}
    command = _command(it)
    cells = {
        "ID": row.id if whole else row.id[:12],
        "Image": it.config.get("image", ""),
        "Command": command if whole else _shortened(command),
        "CreatedHuman": human.ago(row.created_ns, now),
        "Status": status(it, now),
        "Ports": ports(_networking(it)),
        "Names": row.name,
    }
    if "Size" in columns:
        cells["Size"] = _size(sizes[row.id])
    return cells


def _row(it: Listed, now: int, sizes: dict[str, tuple[int, int]], *, whole: bool) -> dict[str, Any]:
    """Everything that a template can name, as functions."""

    def field(name: str) -> Any:
        return lambda: _value(name, it, now, sizes, whole=whole)

    row = {name: field(name) for name in _FIELDS}
    row["Label"] = lambda key: it.config.get("labels", {}).get(key, "")
    return row


_FIELDS = (
    "AutoRemove CGROUPNS CIDFile Cgroup Command Created CreatedAt CreatedHuman ExitCode Exited ExitedAt ExposedPorts "
    "ID IPC Image ImageID IsInfra Labels MNT Mounts NET Names Namespaces Networks PIDNS Pid Pod PodName Ports Restarts "
    "RunningFor Size StartedAt State Status USERNS UTS"
).split()


def _value(
    name: str, it: Listed, now: int, sizes: dict[str, tuple[int, int]], *, whole: bool
) -> Any:
    row = it.summary
    if name == "ID":
        return row.id if whole else row.id[:12]
    if name == "ImageID":
        number = row.image_id.rpartition(":")[2]
        return number if whole else number[:12]
    if name == "Command":
        return _command(it) if whole else _shortened(_command(it))
    if name in {"Created", "CreatedAt"}:
        return human.go_time(row.created_ns)
    if name in {"CreatedHuman", "RunningFor"}:
        return human.ago(row.created_ns, now)
    if name == "Status":
        return status(it, now)
    if name == "Ports":
        return ports(_networking(it))
    if name == "Pod":
        pod_id: str = it.config.get("pod", "")
        return pod_id if whole else pod_id[:12]
    if name == "Names":
        return row.name
    if name == "Networks":
        return ",".join(_networks(it.config))
    if name == "Size":
        if row.id not in sizes:
            raise UsageError("the field .Size needs --size", hint="pod ps --size")
        return _size(sizes[row.id])
    if name in _NAMESPACES or name == "CGROUPNS":
        return _namespaces(it)["Cgroup" if name == "CGROUPNS" else name]
    if name == "Namespaces":
        return _namespaces(it)
    return document(it, now, sizes.get(row.id))[name]


def value_of(name: str, it: Listed, now: int, *, whole: bool) -> Any:
    """A field of a container as the table and templates show it."""
    return _value(name, it, now, {}, whole=whole)


def _networks(config: Mapping[str, Any]) -> list[str]:
    """The networks made by `pod network create` that a container is on."""
    networking = config.get("networking", {})
    places = (networking.get("network", {}), *networking.get("more_networks", ()))
    return [place["joined"] for place in places if place.get("mode") == "network"]


def document(it: Listed, now: int, size: tuple[int, int] | None) -> dict[str, Any]:
    """A container as `pod ps --format json` shows it."""
    row, config = it.summary, it.config
    exited = it.state == "exited"
    return {
        "AutoRemove": config.get("auto_remove", False),
        "CIDFile": config.get("cid_file", ""),
        "Command": [] if config.get("is_infra") else list(_words(config)),
        "CreatedAt": human.ago(row.created_ns, now),
        "Exited": exited,
        "ExitedAt": row.finished_ns // _SECOND if row.finished_ns and exited else _NEVER,
        "ExitCode": row.exit_status,
        "ExposedPorts": _exposed(_networking(it)),
        "Id": row.id,
        "Image": config.get("image", ""),
        "ImageID": row.image_id.rpartition(":")[2],
        "IsInfra": config.get("is_infra", False),
        "Labels": config.get("labels", {}),
        "Mounts": [mount["target"] for mount in config.get("mounts", ())],
        "Names": [row.name],
        "Namespaces": {},
        "Networks": _networks(config),
        "Pid": it.pid,
        "Pod": config.get("pod", ""),
        "PodName": it.pod_name,
        "Ports": [_port_document(port) for port in _networking(it).get("ports", ())] or None,
        "Restarts": it.restarts,
        "Size": None if size is None else {"rootFsSize": size[1], "rwSize": size[0]},
        "StartedAt": it.started_ns // _SECOND if it.started_ns else _NEVER,
        "State": it.state,
        "Status": status(it, now),
        "Created": row.created_ns // _SECOND,
    }


def _port_document(port: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "host_ip": port.get("host_ip", ""),
        "container_port": port["container_port"],
        "host_port": port.get("host_port", 0),
        "range": port.get("count", 1),
        "protocol": port.get("protocol", "tcp"),
    }


def _networking(it: Listed) -> Mapping[str, Any]:
    """How the container is connected; of one that shares its pod's network, how the pod is."""
    networking: Mapping[str, Any] = it.config.get("networking", {})
    return networking if it.pod_networking is None else it.pod_networking


def _exposed(networking: Mapping[str, Any]) -> dict[str, list[str]] | None:
    """Exposed ports, each with its protocols."""
    found: dict[str, list[str]] = {}
    for port in networking.get("expose", ()):
        for number in range(port["container_port"], port["container_port"] + port.get("count", 1)):
            found.setdefault(str(number), []).append(port.get("protocol", "tcp"))
    return found or None


def status(it: Listed, now: int) -> str:
    """The state with its age: "Up 5 minutes", "Exited (0) 2 hours ago"."""
    if it.state == "running":
        health = it.health
        shown = f" ({health})" if health else ""
        return f"Up {human.duration((now - it.started_ns) / _SECOND)}{shown}"
    row = it.summary
    if it.state == "exited":
        return f"Exited ({row.exit_status}) {human.ago(row.finished_ns, now)}"
    return it.state.capitalize()


def _command(it: Listed) -> str:
    return "" if it.config.get("is_infra") else " ".join(_words(it.config))


def _words(config: Mapping[str, Any]) -> Sequence[str]:
    words: Sequence[str] = config.get("command") or config.get("entrypoint") or ()
    return words


def _shortened(command: str) -> str:
    return command if len(command) <= _SHORT_COMMAND else command[:_SHORT_COMMAND] + "..."


def ports(networking: Mapping[str, Any]) -> str:
    """Published ports, then those that are only exposed: "0.0.0.0:8080->80/tcp, 443/tcp"."""
    if not networking:
        return ""
    parts: list[str] = []
    published: set[tuple[int, str]] = set()
    for port in networking.get("ports", ()):
        first, count = port["container_port"], port.get("count", 1)
        host, protocol = port.get("host_port", 0), port.get("protocol", "tcp")
        address = port.get("host_ip", "") or "0.0.0.0"
        parts.append(f"{address}:{_range(host, count)}->{_range(first, count)}/{protocol}")
        published.update((number, protocol) for number in range(first, first + count))
    return ", ".join([*parts, *_only_exposed(networking.get("expose", ()), published)])


def _only_exposed(
    exposed: Iterable[Mapping[str, Any]], published: set[tuple[int, str]]
) -> list[str]:
    """Neighbours joined to ranges."""
    left = sorted(
        {
            (port.get("protocol", "tcp"), number)
            for port in exposed
            for number in range(
                port["container_port"], port["container_port"] + port.get("count", 1)
            )
            if (number, port.get("protocol", "tcp")) not in published
        }
    )
    runs: list[tuple[str, int, int]] = []
    for protocol, number in left:
        if runs and runs[-1][0] == protocol and runs[-1][1] + runs[-1][2] == number:
            runs[-1] = (protocol, runs[-1][1], runs[-1][2] + 1)
        else:
            runs.append((protocol, number, 1))
    return [f"{_range(first, count)}/{protocol}" for protocol, first, count in runs]


def _range(first: int, count: int) -> str:
    return str(first) if count == 1 else f"{first}-{first + count - 1}"


def _size(size: tuple[int, int]) -> str:
    written, whole = size
    return f"{human.size(written, space=False)} (virtual {human.size(whole, space=False)})"


def _namespaces(it: Listed) -> dict[str, str]:
    """The numbers of the namespaces of a running container."""
    from os import readlink

    found = {}
    for name, kind in _NAMESPACES.items():
        try:
            link = readlink(f"/proc/{it.pid}/ns/{kind}") if it.pid else ""
        except OSError:
            link = ""
        found[name] = link.partition("[")[2].rstrip("]")
    return found


COMMAND = Command(
    list_containers,
    description=(
        "Lists the containers that run, or with --all every container: id, image, command, when it was created, state, "
        "ports, and name."
    ),
    options=(
        select.all_option("Show all containers, not only those that run"),
        Option(
            ("--external",),
            "flag",
            "Show containers of other programs, too, of which pod's store has none",
        ),
        select.FILTER,
        Option(("--format",), "text", "Show as JSON, or by a Go template", metavar="FORMAT"),
        Option(
            ("-n", "--last"),
            "number",
            "Show that many containers, those created last, whatever their state",
            metavar="N",
        ),
        select.LATEST,
        Option(("--no-trunc",), "flag", "Show whole ids and commands"),
        Option(("--noheading",), "flag", "Leave the heading out"),
        Option(("--ns",), "flag", "Show process ids and namespaces", aliases=("--namespace",)),
        Option(("-p", "--pod"), "flag", "Show the pods that containers belong to"),
        Option(("-q", "--quiet"), "flag", "Show ids only"),
        Option(("-s", "--size"), "flag", "Show how much containers have written"),
        Option(("--sort",), "text", "Sort by this column", metavar="COLUMN", choices=_SORT_KEYS),
        Option(("--sync",), "flag", "Does nothing: what is shown is always looked up", hidden=True),
        Option(
            ("-w", "--watch"),
            "number",
            "Show the list again and again, each so many seconds",
            metavar="SECONDS",
            lowest=1,
        ),
    ),
    examples=(
        "pod ps -a",
        "pod ps --filter status=exited --format '{{.Names}}: {{.ExitCode}}'",
        "pod ps -q --filter label=app=shop",
    ),
)
