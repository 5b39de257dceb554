"""How the containers, networks and volumes of a project are named, labelled and recognised again.

The labels are docker compose's, so that other tools see the project: com.docker.compose.project and so on.
"""

from __future__ import annotations

from pod.base.version import VERSION
from pod.compose.project import dependencies
from pod.compose.tree import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pod.compose.project import Project

_PREFIX = "com.docker.compose."
PROJECT = f"{_PREFIX}project"
SERVICE = f"{_PREFIX}service"
NUMBER = f"{_PREFIX}container-number"
ONE_OFF = f"{_PREFIX}oneoff"
HASH = f"{_PREFIX}config-hash"
IMAGE = f"{_PREFIX}image"
DEPENDS_ON = f"{_PREFIX}depends_on"
FILES = f"{_PREFIX}project.config_files"
DIRECTORY = f"{_PREFIX}project.working_dir"
NETWORK = f"{_PREFIX}network"
VOLUME = f"{_PREFIX}volume"
_VERSION = f"{_PREFIX}version"

_WITHOUT_EFFECT = frozenset(
    "attach build depends_on develop environment env_file profiles pull_policy pull_refresh_after scale".split()
)
"""Keys whose change does not make another container, and those that are in the hash as what they amount to."""


def container_name(project: Project, name: str, number: int) -> str:
    """`container_name`, or PROJECT-SERVICE-NUMBER; with --compatibility there are _ between them."""
    own = project.service(name).get("container_name")
    return str(own) if own else joined(project, name, str(number))


def image_name(project: Project, name: str) -> str:
    """The image of a service: what it says, or what its build makes."""
    return str(project.service(name).get("image") or joined(project, name))


def joined(project: Project, *words: str) -> str:
    """A name that begins with that of the project."""
    return project.separator.join((project.name, *words))


def labels_of_container(
    project: Project, name: str, number: int, config_hash: str, *, one_off: bool = False
) -> dict[str, str]:
    needed = dependencies(project.service(name))
    return {
        **of_project(project),
        SERVICE: name,
        NUMBER: str(number),
        ONE_OFF: str(one_off),
        HASH: config_hash,
        DEPENDS_ON: ",".join(
            f"{other}:{how['condition']}:{str(bool(how.get('restart'))).lower()}"
            for other, how in needed.items()
        ),
        FILES: ",".join(project.files),
        DIRECTORY: project.directory,
    }


def of_project(project: Project) -> dict[str, str]:
    """The labels of everything that belongs to a project."""
    return {PROJECT: project.name, _VERSION: VERSION}


def hash_of(project: Project, name: str, contents: Mapping[str, str] | None = None) -> str:
    """The hash of what a service's containers are made from; `contents` are digests of its secrets and configs."""
    import hashlib
    import json

    service = {
        key: value
        for key, value in plain(project.service(name)).items()
        if key not in _WITHOUT_EFFECT
    }
    if isinstance(service.get("deploy"), dict):
        service["deploy"] = {k: v for k, v in service["deploy"].items() if k != "replicas"}
    made_of: dict[str, Any] = {
        "service": service,
        "image": image_name(project, name),
        "environment": environment(project, name),
        "networks": {
            key: project.name_of("networks", key)
            for key in networks_of(project, name)
            if key in project.networks
        },
        "volumes": {
            mount["source"]: project.name_of("volumes", mount["source"])
            for mount in service.get("volumes", ())
            if mount["type"] == "volume" and mount.get("source")
        },
        "contents": dict(contents or {}),
    }
    text = json.dumps(made_of, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def networks_of(project: Project, name: str) -> dict[str, Any]:
    """The networks of a service by the keys of the file: `default` where it says nothing, none with network_mode."""
    service = project.service(name)
    if service.get("network_mode"):
        return {}
    found = service.get("networks")
    return dict(found) if found else {"default": None}


def environment(project: Project, name: str) -> dict[str, str]:
    """The variables of a service: its env_files, and above them `environment`, where NAME alone takes a value over."""
    import os

    from pod.compose.errors import FileError
    from pod.compose.places import read_variables, shown

    service = project.service(name)
    found: dict[str, str] = {}
    files: Any = service.get("env_file") or ()
    for index, entry in enumerate(files):
        path = os.path.join(project.directory, entry["path"])  # with --no-path-resolution
        if not os.path.isfile(path):
            if entry.get("required", True) in {True, "true"}:
                raise FileError(
                    files.place_of(index),
                    ("services", name, "env_file", index),
                    f"there is no file '{shown(entry['path'])}'",
                    hint="{path: FILE, required: false} for one that may be missing",
                )
            continue
        known = {**project.variables, **found}
        values = read_variables(path, known, raw=entry.get("format") == "raw")
        found.update({key: text for key, text in values.items() if text is not None})
    for key, text in (service.get("environment") or {}).items():
        value = project.variables.get(key) if text is None else text
        if value is not None:
            found[key] = value
        else:
            found.pop(key, None)
    return found
