"""`pod container runlabel`: the command that a label of an image holds."""

from __future__ import annotations

import os
import posixpath

from pod.base.errors import PodError
from pod.engine import images
from pod.spec import reference as references

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pod.engine.context import Engine
    from pod.engine.images import PullOptions

_PROGRAMS = frozenset(("docker", "pod", "podman"))


class NoSuchLabel(PodError):
    """The image does not have the label."""

    def __init__(self, label: str, image: str) -> None:
        super().__init__(
            f"image '{image}' has no label '{label}'",
            hint=f"pod image inspect --format '{{{{json .Labels}}}}' {image}",
        )


class NotOurCommand(PodError):
    """A label is the word of whoever made the image, who may not run programs of the host."""

    def __init__(self, label: str, command: str) -> None:
        super().__init__(
            f"label '{label}' is not a command of podman, docker or pod: '{command}'",
            hint="type it yourself, if you trust the image",
        )


def command_of(
    engine: Engine,
    label: str,
    image_name: str,
    arguments: Sequence[str],
    *,
    name: str,
    pull: PullOptions,
) -> tuple[list[str], str]:
    """The words of the command behind its program, and the name of the container that it is about.

    The image is pulled if need be. Variables are filled in: IMAGE, NAME, and those of the caller; OPT1, OPT2 and OPT3
    are empty unless the caller has them. `name` is "" for the last part of the image's name. Raises NoSuchLabel,
    NotOurCommand.
    """
    import shlex  # heavy

    image = images.ensure(engine, image_name, pull)
    full_name = images.name_of(image, image_name)
    execution: Any = image.config().get("config") or {}
    text = (execution.get("Labels") or {}).get(label)
    if not text:
        raise NoSuchLabel(label, image_name)
    name = name or posixpath.basename(references.parse(full_name).familiar().partition(":")[0])
    values = {"OPT1": "", "OPT2": "", "OPT3": "", **os.environ, "IMAGE": full_name, "NAME": name}
    try:
        words = _filled(shlex.split(text), values)
    except ValueError as error:
        raise PodError(f"label '{label}' is no command line: {str(error).lower()}") from error
    if len(words) < 2 or posixpath.basename(words[0]) not in _PROGRAMS:
        raise NotOurCommand(label, text)
    return [*words[1:], *arguments], name


def _filled(words: list[str], values: Mapping[str, str]) -> list[str]:
    """The words with $NAME and ${NAME} replaced; a variable that is not there is empty.

    A value stays within its word, but for one that is nothing but $OPT1 and the like: that holds options, or none.
    """
    import re  # heavy
    import shlex

    found: list[str] = []
    for word in words:
        if re.fullmatch(r"\$(OPT[123]|\{OPT[123]\})", word):
            found += shlex.split(values[word.strip("${}")])
        else:
            found.append(
                re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda it: values.get(it[1] or it[2], ""), word)
            )
    return found
