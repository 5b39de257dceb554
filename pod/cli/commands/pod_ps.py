"""`pod pod ps`: list pods."""

from __future__ import annotations

import time

from pod.base import ids
from pod.base.errors import UsageError
from pod.cli import human
from pod.cli.declare import Command, Option
from pod.cli.options import pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.engine.pod_list import ListedPod

_COLUMNS = ("ID", "Name", "Status", "Created", "InfraID")
_HEADINGS = {
    "ID": "POD ID",
    "InfraID": "INFRA ID",
    "NumberOfContainers": "# OF CONTAINERS",
    "ContainerIds": "IDS",
    "ContainerNames": "NAMES",
    "ContainerStatuses": "STATUS",
    "Restarts": "RESTARTS",
}
_SORT_KEYS = ("created", "id", "name", "number", "status")


def list_pods(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import pod_list

    form = arguments.text("format")
    if arguments.flag("quiet") and form:
        raise UsageError("--quiet and --format exclude each other")
    filters = pod_list.Filters(arguments.texts("filter"))
    found = [it for it in pod_list.all_pods(engine) if filters.accept(engine, it)]
    if arguments.flag("latest"):
        found = found[:1]
    found = _sorted(arguments, found)
    whole = arguments.flag("no_trunc")
    if arguments.flag("quiet"):
        print("".join(f"{it.pod.id}\n" for it in found), end="")  # whole ids, as podman
        return
    from pod.cli.output import Listing, show

    columns = [*_COLUMNS]
    details = {"ctr_ids": "ContainerIds", "ctr_names": "ContainerNames"}
    details["ctr_status"] = "ContainerStatuses"
    more = [field for option, field in details.items() if arguments.flag(option)]
    columns += more or ["NumberOfContainers"]
    now = time.time_ns()
    show(
        Listing(tuple(columns), _HEADINGS),
        [_row(it, now, whole=whole) for it in found],
        form,
        noheading=arguments.flag("noheading"),
        documents=lambda: [_document(it) for it in found],
    )


def _sorted(arguments: Arguments, found: list[ListedPod]) -> list[ListedPod]:
    key = arguments.text("sort")
    if key in {None, "created"}:
        return found
    keys: dict[str, Any] = {
        "id": lambda it: it.pod.id,
        "name": lambda it: it.pod.name,
        "number": lambda it: len(it.containers),
        "status": lambda it: it.state,
    }
    return sorted(found, key=keys[str(key)])


def _row(it: ListedPod, now: int, *, whole: bool) -> dict[str, Any]:
    """Everything that a template can name."""

    def cut(text: str) -> str:
        return text if whole else ids.short(text)

    pod = it.pod
    return {
        "Cgroup": pod.config.cgroup_parent,
        "ContainerIds": ",".join(cut(one.summary.id) for one in it.containers),
        "ContainerNames": ",".join(one.summary.name for one in it.containers),
        "ContainerStatuses": ",".join(one.state for one in it.containers),
        "Created": human.ago(pod.created_ns, now),
        "ID": cut(pod.id),
        "Id": pod.id,
        "InfraID": cut(pod.config.infra),
        "InfraId": pod.config.infra,
        "Label": lambda key: pod.config.labels.get(key, ""),
        "Labels": dict(pod.config.labels),
        "Name": pod.name,
        "Namespace": "",
        "Networks": ",".join(it.networks),
        "NumberOfContainers": len(it.containers),
        "Restarts": it.restarts,
        "Status": it.state,
    }


def _document(it: ListedPod) -> dict[str, Any]:
    """A pod as `pod pod ps --format json` shows it."""
    from pod.base import times

    return {
        "Cgroup": it.pod.config.cgroup_parent,
        "Containers": [
            {
                "Id": one.summary.id,
                "Names": one.summary.name,
                "Status": one.state,
                "RestartCount": one.restarts,
            }
            for one in it.containers
        ],
        "Created": times.rfc3339(it.pod.created_ns, local=True),
        "Id": it.pod.id,
        "InfraId": it.pod.config.infra,
        "Name": it.pod.name,
        "Namespace": "",
        "Networks": it.networks,
        "Status": it.state,
        "Labels": dict(it.pod.config.labels),
    }


COMMAND = Command(
    list_pods,
    description="Lists pods, the youngest first: id, name, state, age, infra container, and how many containers.",
    options=(
        Option(("--ctr-ids",), "flag", "Show the ids of their containers"),
        Option(("--ctr-names",), "flag", "Show the names of their containers"),
        Option(("--ctr-status",), "flag", "Show the states of their containers"),
        Option(
            ("-f", "--filter"),
            "list",
            "Choose by what pods are, such as status=running",
            metavar="KEY=VALUE",
        ),
        Option(("--format",), "text", "Show as JSON, or by a Go template", metavar="FORMAT"),
        pods.LATEST,
        Option(("--no-trunc",), "flag", "Show whole ids"),
        Option(("--noheading",), "flag", "Leave the heading out"),
        Option(
            ("--ns",), "flag", "Accepted, as podman does", aliases=("--namespace",), hidden=True
        ),
        Option(("-q", "--quiet"), "flag", "Show ids only"),
        Option(("--sort",), "text", "Sort by this column", metavar="COLUMN", choices=_SORT_KEYS),
    ),
    examples=("pod pod ps", "pod pod ps --filter status=running --ctr-names"),
)
