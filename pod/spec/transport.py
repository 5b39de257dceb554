"""Where an image comes from or goes to, as written with a transport before the colon.

    docker://REFERENCE                a registry
    docker-archive:PATH[:REFERENCE]   a file as `docker save` writes it; `:@N` is its image number N
    oci:PATH[:TAG]                    a directory in OCI image layout
    oci-archive:PATH[:TAG]            the same in a tar file
    dir:PATH                          a directory with manifest.json and blobs side by side
    containers-storage:REFERENCE      the local store

Source: containers-transports(5). Anything without such a prefix is a plain reference.
"""

from __future__ import annotations

from pod.base.errors import InvalidValue, Unsupported
from pod.base.ids import looks_like_id
from pod.base.records import Record

REGISTRY = "docker"
DOCKER_ARCHIVE = "docker-archive"
OCI_LAYOUT = "oci"
OCI_ARCHIVE = "oci-archive"
DIRECTORY = "dir"
LOCAL = "containers-storage"

_FILES = (DOCKER_ARCHIVE, OCI_LAYOUT, OCI_ARCHIVE, DIRECTORY)
_REFUSED = {
    "docker-daemon": "it asks a running Docker engine",
    "ostree": "it needs an OSTree repository",
    "sif": "Singularity images have another format",
    "tarball": "a root file system is read by 'import'",
    "atomic": "it is OpenShift's own registry interface",
}


class Location(Record):
    """A parsed location. `reference` is what follows the path, or the reference itself; `path` is empty without one."""

    transport: str
    path: str = ""
    reference: str = ""

    def __str__(self) -> str:
        if self.transport == REGISTRY:
            return f"docker://{self.reference}"
        if self.transport == LOCAL:
            return f"{LOCAL}:{self.reference}"
        return f"{self.transport}:{self.path}" + (f":{self.reference}" if self.reference else "")


def check_image(text: str) -> None:
    """Raise InvalidValue or Unsupported unless an image can be called so: a reference, an id, or a location."""
    from pod.spec import reference

    if parse(text) is None and not looks_like_id(text.removeprefix("sha256:")):
        reference.parse(text)


def parse(text: str) -> Location | None:
    """The location in `text`, or None when it has no transport, and so is a reference.

    Raises InvalidValue for a transport without its path, Unsupported for those that pod does not have.
    """
    transport, colon, rest = text.partition(":")
    if not colon:
        return None
    if transport in _REFUSED:
        raise Unsupported(f"the transport '{transport}'", _REFUSED[transport])
    if transport == REGISTRY:
        if not rest.startswith("//"):
            return None  # an image called "docker" with a tag
        if not rest[2:]:
            raise InvalidValue("image location", text, "'docker://' is followed by a reference")
        return Location(REGISTRY, reference=rest[2:])
    if transport == LOCAL:
        if not rest:
            raise InvalidValue("image location", text, f"'{LOCAL}:' is followed by a reference")
        return Location(LOCAL, reference=rest.rpartition("]")[2])
    if transport not in _FILES:
        return None
    path, _, reference = (rest, "", "") if transport == DIRECTORY else rest.partition(":")
    if not path:
        raise InvalidValue("image location", text, f"'{transport}:' is followed by a path")
    return Location(transport, path, reference)
