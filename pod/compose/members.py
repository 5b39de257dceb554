"""What there is of a project already: its containers, by their labels."""

from __future__ import annotations

from pod.compose import identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pod.compose.project import Project
    from pod.engine.context import Engine
    from pod.engine.list import Listed


class Member:
    """A container of a project."""

    __slots__ = ("listed",)

    def __init__(self, listed: Listed) -> None:
        self.listed = listed

    @property
    def id(self) -> str:
        return str(self.listed.summary.id)

    @property
    def name(self) -> str:
        return str(self.listed.summary.name)

    @property
    def labels(self) -> dict[str, Any]:
        found: dict[str, Any] = self.listed.config.get("labels", {})
        return found

    @property
    def service(self) -> str:
        return str(self.labels.get(identity.SERVICE, ""))

    @property
    def number(self) -> int:
        text = str(self.labels.get(identity.NUMBER, ""))
        return int(text) if text.isdecimal() else 0

    @property
    def is_one_off(self) -> bool:
        return self.labels.get(identity.ONE_OFF) == "True"

    @property
    def hash(self) -> str:
        return str(self.labels.get(identity.HASH, ""))

    @property
    def image_id(self) -> str:
        return str(self.listed.summary.image_id)

    @property
    def state(self) -> str:
        return self.listed.state

    @property
    def is_running(self) -> bool:
        return self.listed.is_running

    @property
    def anonymous_volumes(self) -> dict[str, str]:
        """Target -> name of the volumes that were made for this container alone."""
        own = set(self.listed.config.get("anonymous_volumes", ()))
        return {
            mount["target"]: mount["source"]
            for mount in self.listed.config.get("mounts", ())
            if mount.get("source") in own
        }


def of_project(engine: Engine, name: str, *, one_off: bool = False) -> list[Member]:
    """The containers of a project, by service and number; with `one_off` those of `run`, too."""
    found = [
        member
        for member in everything(engine)
        if member.labels.get(identity.PROJECT) == name and (one_off or not member.is_one_off)
    ]
    return sorted(found, key=lambda it: (it.service, it.number, it.name))


def orphans(engine: Engine, project: Project) -> list[Member]:
    """The containers of services that the files do not have."""
    known = {*project.services, *project.inactive}
    return [member for member in of_project(engine, project.name) if member.service not in known]


def everything(engine: Engine) -> Iterable[Member]:
    """The containers of all projects."""
    from pod.engine import list as listing

    for listed in listing.containers(engine, everything=True):
        if identity.PROJECT in listed.config.get("labels", {}):
            yield Member(listed)
