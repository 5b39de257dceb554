"""The document about a volume, as podman's and docker's `volume inspect` have it."""

from __future__ import annotations

from pod.base.times import rfc3339
from pod.state import volumes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.engine.context import Engine
    from pod.state.volumes import Volume

NOT_FOUND = (volumes.NoSuchVolume,)


def document(engine: Engine, text: str, *, size: bool = False) -> dict[str, Any]:
    """Everything about the volume `text`. `size` is for containers alone. Raises NoSuchVolume."""
    volume = volumes.find(engine.database, text)
    users = volumes.users(engine.database).get(volume.name, [])
    return describe(engine, volume, mount_count(engine, users))


def describe(engine: Engine, volume: Volume, mounts: int) -> dict[str, Any]:
    """The document of a volume that is mounted in so many running containers."""
    return {
        "Name": volume.name,
        "Driver": volume.driver,
        "Mountpoint": mount_point(engine, volume),
        "CreatedAt": rfc3339(volume.created_ns),
        "Labels": dict(volume.labels),
        "Scope": "local",
        "Options": dict(volume.options),
        "UID": volume.uid,
        "GID": volume.gid,
        "Anonymous": volume.anonymous,
        "MountCount": mounts,
        "NeedsCopyUp": volume.needs_copy_up,
        "NeedsChown": volume.needs_copy_up and not volume.has_owner,
        "LockNumber": 0,
    }


def mount_point(engine: Engine, volume: Volume) -> str:
    """Where the files are: below the volumes, or the host's directory that the volume stands for."""
    if volume.options:
        from pod.spec.volume_options import parse_volume_options

        device = parse_volume_options(volume.options).device
        if device:
            return device
    return engine.store.volumes.path(volume.name)


def mount_count(engine: Engine, users: list[str]) -> int:
    """How many of the containers run."""
    if not users:
        return 0
    from pod.engine import finish
    from pod.state import containers

    rows = containers.by_ids(engine.database, users)
    return sum(1 for row in rows if finish.refresh(engine, row)[0].status == "active")
