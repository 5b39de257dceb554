"""`deploy.placement`: whether this machine, the only node there is, is where a service may be.

It is what a swarm of one has: a manager, with no labels. Source: the Compose Deploy Specification, "placement";
docker's reference of `service create --constraint` for the attributes and the comparison, which ignores case.
"""

from __future__ import annotations

import os
import re

from pod.compose.errors import FileError
from pod.compose.project import replicas
from pod.compose.tree import text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.compose.project import Project

_CONSTRAINT = re.compile(r"\s*([A-Za-z][\w.-]*)\s*(==|!=)\s*(\S.*?)\s*\Z")
_LABELS = ("node.labels.", "engine.labels.")


def check(project: Project, name: str, wanted: int | None = None) -> None:
    """Raise FileError unless so many containers of a service, or as many as it says, may be on this machine."""
    service = project.service(name)
    placement = (service.get("deploy") or {}).get("placement") or {}
    if not placement:
        return
    place = service.place_of("deploy")
    path = ("services", name, "deploy", "placement")
    for index, text in enumerate(placement.get("constraints") or ()):
        found = _CONSTRAINT.match(text)
        facts = _facts()
        if found is None or not (found[1] in facts or found[1].startswith(_LABELS)):
            raise FileError(
                place, (*path, "constraints", index),
                f"'{text}' is not ATTRIBUTE == VALUE or ATTRIBUTE != VALUE",
                hint=f"the attributes are {', '.join(facts)}, node.labels.NAME, engine.labels.NAME",
            )  # fmt: skip
        here = facts.get(found[1], "")
        if (here.lower() == found[3].lower()) != (found[2] == "=="):
            raise FileError(
                place, (*path, "constraints", index),
                f"'{text}' does not hold on this machine, where "
                + (f"{found[1]} is '{here}'" if here else "no node has labels"),
            )  # fmt: skip
    for index, preference in enumerate(placement.get("preferences") or ()):
        spread = text_of(preference.get("spread") or "")
        if not spread.startswith(_LABELS):
            raise FileError(
                place, (*path, "preferences", index), f"'{spread}' is not a label of nodes",
                hint=f"spread: {_LABELS[0]}NAME, or {_LABELS[1]}NAME",
            )  # fmt: skip
    text = text_of(placement.get("max_replicas_per_node") or 0)
    if not text.isdecimal():
        raise FileError(
            place, (*path, "max_replicas_per_node"), f"'{text}' is not a number of containers"
        )
    most = int(text)
    wanted = replicas(service) if wanted is None else wanted
    if most and wanted > most:
        raise FileError(
            place, (*path, "max_replicas_per_node"),
            f"{wanted} containers are wanted, and this machine, the only node, may have {most}",
        )  # fmt: skip


def _facts() -> dict[str, str]:
    system = os.uname()
    return {
        "node.id": _machine_id(),
        "node.hostname": system.nodename,
        "node.role": "manager",
        "node.platform.os": "linux",
        "node.platform.arch": system.machine,
    }


def _machine_id() -> str:
    try:
        with open("/etc/machine-id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""
