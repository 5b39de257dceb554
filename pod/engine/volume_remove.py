"""Remove volumes together with the containers that use them, and all that nobody uses."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.engine import volume_list
from pod.engine import volumes as engine_volumes
from pod.state import containers, events, volumes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.engine.volume_list import Filters
    from pod.state.volumes import Volume


def remove(
    engine: Engine, volume: Volume, *, force: bool = False, timeout_seconds: int | None = None
) -> None:
    """Remove a volume; `force` stops and removes the containers that use it first.

    The files stay on the disk until `collect` is called. Raises VolumeInUse, NoSuchVolume.
    """
    if force:
        _remove_users(engine, volume, timeout_seconds)
    engine_volumes.remove(engine, volume.name)


def prune(engine: Engine, filters: Filters | None = None) -> list[tuple[str, int]]:
    """Remove the volumes that no container uses and that the filters let through: names, and their bytes."""
    unused = [it.volume for it in volume_list.all_volumes(engine, filters) if not it.users]
    sizes = engine.store.volumes.usage([volume.name for volume in unused]) if unused else ()
    removed = []
    for volume, usage in zip(unused, sizes, strict=True):
        try:
            engine_volumes.remove(engine, volume.name)
        except (volumes.VolumeInUse, volumes.NoSuchVolume):
            continue  # another command has taken it, or was quicker
        engine.events.append(events.event("volume", "prune", name=volume.name))
        removed.append((volume.name, usage.allocated))
    return removed


def collect(engine: Engine) -> None:
    """Delete the files of removed volumes, behind the command's back."""
    engine.close()
    engine.store.staging.empty_trash_behind()


def _remove_users(engine: Engine, volume: Volume, timeout_seconds: int | None) -> None:
    from pod.engine import remove as container_remove

    users = volumes.users(engine.database).get(volume.name, [])
    for container in containers.by_ids(engine.database, users):
        try:
            container_remove.remove(
                engine,
                container,
                force=True,
                with_dependents=True,
                timeout_seconds=timeout_seconds,
            )
        except PodError as error:
            raise PodError(
                f"volume '{volume.name}' cannot be removed: {error.message}", hint=error.hint
            ) from error
