"""`config --explain`: each key of a project with its line and what pod makes of it.

The table of support.py says it of keys. What depends on values is found out by making the configurations of the
containers and networks, as `up` would, and nothing of them.
"""

from __future__ import annotations

from pod.base.records import Record
from pod.compose import identity, resources, support
from pod.compose.errors import FileError
from pod.compose.service import config_of
from pod.compose.up import check_deploy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.compose.errors import Place
    from pod.compose.project import Project
    from pod.spec.container import ContainerConfig


class Line(Record):
    verdict: str
    place: Place
    key: str
    note: str = ""


def lines_of(project: Project, base: ContainerConfig) -> list[Line]:
    """A line for each key, in the order of the files."""
    found = []
    for it in support.of_project(project):
        note = it.row.note
        if it.row.verdict == support.REFUSED and it.row.instead:
            note = f"{note}; write instead: {it.row.instead}"
        found.append(Line(it.row.verdict, it.place, it.text, note))
    known = {line.key for line in found if line.verdict == support.REFUSED}
    for error in _errors(project, base):
        place, _, rest = error.message.partition(": ")
        file, _, line = place.rpartition(":")
        key, _, sentence = rest.removeprefix("'").partition("': ")
        if line.isdecimal() and key not in known:
            found.append(Line(support.REFUSED, (file, int(line)), key, sentence))
    return sorted(found, key=lambda line: line.place)


def _errors(project: Project, base: ContainerConfig) -> list[FileError]:
    found = []
    for name in project.services:
        try:
            config_of(
                project, name, 1, base,
                names=lambda other: identity.container_name(project, other, 1), config_hash="",
            )  # fmt: skip
            check_deploy(project, name)
        except FileError as error:
            found.append(error)
    return [*found, *network_errors(project)]


def network_errors(project: Project) -> list[FileError]:
    """What is wrong with the values of networks."""
    found = []
    for key in project.networks:
        settings = project.networks[key]
        try:
            resources.network_arguments(settings, settings.place, ("networks", key))
        except FileError as error:
            found.append(error)
    return found
