"""`pod inspect`: everything about one object, found by name or id among several kinds of objects."""

from __future__ import annotations

from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.engine.context import Engine

# Where the document of each kind is made, in the order in which a name is looked for (podman-inspect(1)). A module has
# `document(engine, text, *, size)`, and its `NOT_FOUND` is the error that says that no object of the kind is so called.
_MODULES = {
    "container": "pod.engine.inspect_container",
    "image": "pod.engine.inspect_image",
    "volume": "pod.engine.inspect_volume",
    "pod": "pod.engine.inspect_pod",
    "network": "pod.engine.inspect_network",
    "artifact": "pod.engine.artifacts",
}
KINDS = tuple(_MODULES)


class NothingFound(PodError):
    """No object of any kind has the name."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"no container, image, volume, pod, network or artifact has the name or id '{text}'",
            hint="pod ps -a, pod images, pod volume ls, pod pod ps, pod network ls, pod artifact ls",
        )


def document(engine: Engine, text: str, kind: str = "all", *, size: bool = False) -> dict[str, Any]:
    """The document of the object `text` of a kind, or of the first kind that has it. Raises PodError.

    With `size` a container's has its disk space, too.
    """
    if kind != "all":
        found: dict[str, Any] = _module(kind).document(engine, text, size=size)
        return found
    for name in KINDS:
        module = _module(name)
        try:
            found = module.document(engine, text, size=size)
        except module.NOT_FOUND:
            continue
        return found
    raise NothingFound(text)


def _module(kind: str) -> Any:
    name = _MODULES[kind]
    return __import__(name, fromlist=["document"])
