"""`compose.lock`: which images a project was locked to, by digest; `up --frozen` takes no others, and asks no registry.

The file is JSON beside the compose file: {"version": 1, "images": {NAME: DIGEST}}. The digest of an image for several
platforms is that of the list, so that the file holds on all of them.
"""

from __future__ import annotations

import os

from pod.compose import identity
from pod.compose.errors import ComposeError
from pod.compose.places import STDIN, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from pod.compose.project import Project
    from pod.engine.context import Engine
    from storage.images import ImageRecord

_VERSION = 1


class NotLocked(ComposeError):
    """An image is not the one that the lock file has, or there is no such file."""


def path_of(project: Project) -> str:
    """The lock file: that of the first compose file, with another ending. Raises ComposeError."""
    if not project.files or project.files[0] == STDIN:
        raise ComposeError(
            "a project that is read from standard input has no lock file",
            hint="pod compose -f FILE",
        )
    return f"{os.path.splitext(project.files[0])[0]}.lock"


def digest_of(image: ImageRecord) -> str:
    """By which digest others can get the image."""
    return image.index_digests[0] if image.index_digests else image.digest


def digests(engine: Engine, project: Project, services: Iterable[str]) -> dict[str, str]:
    """The digests of the images of services, by name. Raises ImageNotFound."""
    from pod.engine import images

    return {
        reference: digest_of(images.find(engine, reference))
        for reference in sorted({identity.image_name(project, name) for name in services})
    }


def write(path: str, found: dict[str, str]) -> None:
    """Write the file; it appears at once."""
    import json

    from pod.base.files import write_atomic

    text = json.dumps({"version": _VERSION, "images": found}, indent=2) + "\n"
    write_atomic(path, text.encode(), mode=0o644)


def read(path: str) -> dict[str, str]:
    """The digests of the file. Raises NotLocked."""
    import json

    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except FileNotFoundError:
        raise NotLocked(f"there is no lock file '{shown(path)}'", hint="pod compose lock") from None
    except (OSError, ValueError) as error:
        raise NotLocked(f"the lock file '{shown(path)}' cannot be read: {error}") from error
    images = found.get("images") if isinstance(found, dict) else None
    if found.get("version") != _VERSION if isinstance(found, dict) else True:
        raise NotLocked(
            f"'{shown(path)}' is no lock file of version {_VERSION}", hint="pod compose lock"
        )
    if not isinstance(images, dict) or not all(isinstance(it, str) for it in images.values()):
        raise NotLocked(f"'{shown(path)}' names no digests of images", hint="pod compose lock")
    return images


def frozen(engine: Engine, project: Project, services: Iterable[str]) -> dict[str, str]:
    """The ids of the images of services, by name, as images.provide gives them; nothing is fetched or built.

    Raises NotLocked for an image that is not the one of the lock file.
    """
    from pod.engine import images

    path = path_of(project)
    locked = read(path)
    found = {}
    for name in services:
        reference = identity.image_name(project, name)
        wanted = locked.get(reference)
        if wanted is None:
            raise NotLocked(
                f"service '{name}': image '{reference}' is not in '{shown(path)}'",
                hint="pod compose lock",
            )
        image = images.find_if_here(engine, reference)
        if image is None:
            raise NotLocked(
                f"service '{name}': image '{reference}' is not here, and --frozen fetches nothing",
                hint=_how(project, name, reference),
            )
        if wanted not in {image.digest, *image.index_digests}:
            raise NotLocked(
                f"service '{name}': image '{reference}' is {digest_of(image)} here, and '{shown(path)}' says {wanted}",
                hint=f"{_how(project, name, reference)}, or lock what is here: pod compose lock",
            )
        found[reference] = image.id
    return found


def _how(project: Project, name: str, reference: str) -> str:
    if project.service(name).get("build") is not None:
        return f"pod compose build {name}"
    return f"pod compose pull {name}"
