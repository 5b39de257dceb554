"""Hooks of the host's administrator: the JSON files of `hooks_dir`, oci-hooks(5), for containers that they fit.

Each file has a hook of the OCI runtime specification, the stages at which it runs, and the conditions under which a
container gets it.
"""

from __future__ import annotations

import json
import os
import re

from pod.base.errors import PodError
from pod.runtime.command import shape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

_SHAPE = {
    "version": str,
    "hook": {
        "path": shape.Path(),
        "args": [str],
        "env": [str],
        "timeout": shape.Number(1, 2**31 - 1),
    },
    "when": {
        "always": bool,
        "annotations": shape.Each(str),
        "commands": [str],
        "hasBindMounts": bool,
    },
    "stages": [
        shape.OneOf(
            "precreate",
            "prestart",
            "createRuntime",
            "createContainer",
            "startContainer",
            "poststart",
            "poststop",
        )
    ],
}


def add(document: dict[str, Any], directories: Sequence[str], *, has_binds: bool) -> None:
    """Put the hooks that fit into an OCI runtime configuration, in the order of their file names.

    A file of a later directory replaces one of the same name. Raises PodError for one that is not valid.
    """
    for name, path in sorted(_files(directories).items()):
        entry = _read(name, path)
        if not _fits(entry["when"], document, path, has_binds=has_binds):
            continue
        for stage in entry["stages"]:
            document.setdefault("hooks", {}).setdefault(stage, []).append(entry["hook"])


def _files(directories: Sequence[str]) -> dict[str, str]:
    found = {}
    for directory in directories:
        try:
            names = os.listdir(directory)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise PodError(
                f"the directory '{directory}' of hooks cannot be read: {error.strerror}"
            ) from error
        found.update({name: f"{directory}/{name}" for name in names if name.endswith(".json")})
    return found


def _read(name: str, path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            value = json.loads(file.read())
        entry: dict[str, Any] = shape.checked(value, _SHAPE, "")
        shape.require(entry, "version", "hook.path", "when", "stages")
    except (OSError, ValueError, RecursionError, PodError) as error:
        raise PodError(f"the hook '{path}' cannot be used: {error}") from error
    if entry["version"] != "1.0.0":
        raise PodError(f"the hook '{path}' has the version '{entry['version']}', and not 1.0.0")
    if "precreate" in entry["stages"]:
        raise PodError(f"the hook '{path}' wants the stage 'precreate', which pod does not have")
    if not entry["stages"]:
        raise PodError(f"the hook '{path}' has no stages")
    if not os.path.exists(entry["hook"]["path"]):
        raise PodError(f"the program '{entry['hook']['path']}' of the hook '{path}' does not exist")
    return entry


def _fits(when: dict[str, Any], document: dict[str, Any], path: str, *, has_binds: bool) -> bool:
    """Whether all conditions hold; none at all never do."""
    answers: list[bool] = []
    try:
        if "always" in when:
            answers.append(when["always"])
        if "hasBindMounts" in when:
            answers.append(when["hasBindMounts"] == has_binds)
        for key, value in when.get("annotations", {}).items():
            answers.append(
                any(
                    re.search(key, name) and re.search(value, text)
                    for name, text in document.get("annotations", {}).items()
                )
            )
        if when.get("commands"):
            command = document["process"]["args"][0]
            answers.append(any(re.search(pattern, command) for pattern in when["commands"]))
    except re.error as error:
        raise PodError(
            f"the hook '{path}' has '{error.pattern!s}', which is no regular expression: {error}"
        ) from error
    return bool(answers) and all(answers)
