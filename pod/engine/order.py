"""In which order containers are removed: those that need others before those others."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.state import containers, summaries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pod.engine.context import Engine


def waves(engine: Engine, names: Sequence[str]) -> list[list[str]]:
    """The names in groups. What is in a group can be dealt with at once, when the groups before it are done.

    Names of containers that do not exist are in some group, too.
    """
    pairs = summaries.dependencies(engine.database) if len(names) > 1 else []
    if not pairs:
        return [list(names)]
    ids = {name: _id_of(engine, name) for name in names}
    left = list(names)
    groups: list[list[str]] = []
    while left:
        present = {ids[name] for name in left}
        needed = {one for container, one in pairs if container in present}
        group = [name for name in left if ids[name] not in needed] or left
        groups.append(group)
        left = [name for name in left if name not in group]
    return groups


def _id_of(engine: Engine, name: str) -> str:
    try:
        return containers.find(engine.database, name).id
    except PodError:
        return ""
