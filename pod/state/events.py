"""The journal of events: what happened to containers, images, volumes, secrets; one JSON line each, in a file.

For whoever does something that podman has an event for:

    from pod.state import events
    engine.events.append(events.of_container(container, "rename", old_name="web"))      # keywords: attributes
    engine.events.append(events.event("volume", "create", name=volume.name))

and in a monitor, which has no engine: `events.emit(order, "health_status", health="healthy")`. Several events in one
`append` are one write. It never raises and takes tens of microseconds; nothing is emitted for what failed. The kinds
are container, image, volume, network, pod, secret, system; the statuses are podman's words (podman-events(1)).
Never put there what is nobody's business: environment, commands, the content of secrets. `engine/events.py` reads.

Many processes write at once, without waiting for one another: a line is one write(2) with O_APPEND. They hold a
shared lock on the file meanwhile, so that the one who renames a full file, under the exclusive lock, knows that nothing
will be added to it. A full file becomes "log.1", and the one that was this goes. A line that a full disk or a power cut
has torn is passed over by readers.
"""

from __future__ import annotations

import fcntl
import os
import time

from pod.base import log, plainjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pod.state.containers import Container
    from pod.state.pods import Pod

START_STATUSES = ("init", "start", "attach")
LOG, OLD = "log", "log.1"
DEFAULT_MAX_BYTES = 1_000_000  # containers.conf(5), events_logfile_max_size
_TRIES, _TRY_SECONDS = 50, 0.002


def event(
    kind: str,
    status: str,
    *,
    object_id: str = "",
    name: str = "",
    image: str = "",
    exit_code: int | None = None,
    health: str = "",
    network: str = "",
    pod: str = "",
    error: str = "",
    attributes: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """One event of this moment. `object_id` and `pod` are full ids, `exit_code` is for "died" and "exec_died"."""
    line: dict[str, Any] = {"t": time.time_ns(), "type": kind, "status": status}
    for key, value in (
        ("id", object_id),
        ("name", name),
        ("image", image),
        ("health", health),
        ("network", network),
        ("pod", pod),
        ("error", error),
    ):
        if value:
            line[key] = value
    if exit_code is not None:
        line["exit"] = exit_code
    if attributes:
        line["attributes"] = dict(attributes)
    return line


def of_container(
    container: Container,
    status: str,
    *,
    exit_code: int | None = None,
    health: str = "",
    network: str = "",
    error: str = "",
    **attributes: str,
) -> dict[str, Any]:
    """An event of a container, with its labels and `attributes`."""
    return event(
        "container",
        status,
        object_id=container.id,
        name=container.name,
        image=container.config.image,
        exit_code=exit_code,
        health=health,
        network=network,
        pod=container.config.pod,
        error=error,
        attributes={**container.config.labels, **attributes},
    )


def of_pod(pod: Pod, status: str) -> dict[str, Any]:
    """An event of a pod, with its labels."""
    return event("pod", status, object_id=pod.id, name=pod.name, attributes=pod.config.labels)


def for_order(journal: Journal, container: Container) -> dict[str, Any]:
    """What a monitor needs for `emit`."""
    return {"journal": journal.as_arguments(), "container": of_container(container, "")}


def emit(
    order: dict[str, Any],
    status: str,
    *,
    exit_code: int | None = None,
    health: str = "",
    error: str = "",
    **attributes: str,
) -> None:
    """Record an event of the container that a monitor watches; `order` is the monitor's."""
    of = order["events"]["container"]
    line = event(
        "container",
        status,
        object_id=of["id"],
        name=of["name"],
        image=of.get("image", ""),
        exit_code=exit_code,
        health=health,
        pod=of.get("pod", ""),
        error=error,
        attributes={**of.get("attributes", {}), **attributes},
    )
    Journal(*order["events"]["journal"]).append(line)


class Journal:
    """Where events go: the directory of the journal, "" for nowhere, and how big a file may become, 0 for no limit."""

    __slots__ = ("directory", "max_bytes")

    def __init__(self, directory: str, max_bytes: int = DEFAULT_MAX_BYTES) -> None:
        self.directory = directory
        self.max_bytes = max_bytes

    def as_arguments(self) -> list[Any]:
        """What another process passes to Journal to get the same one."""
        return [self.directory, self.max_bytes]

    def append(self, *events: dict[str, Any]) -> None:
        """Add events, in this order. What they tell of has been done, so that a failure is only told at debug level."""
        if not self.directory or not events:
            return
        data = "".join([plainjson.dumps(line) + "\n" for line in events]).encode()
        try:
            fd = self._open()
            try:
                os.write(fd, data)
                is_full = 0 < self.max_bytes < os.fstat(fd).st_size
            finally:
                os.close(fd)
            if is_full:
                self._rotate()
        except OSError as error:
            log.debug(f"events are not recorded in '{self.directory}': {error}")

    def _open(self) -> int:
        """The present file, with a shared lock, which a stopped process that has the exclusive one delays for 0.1 s."""
        path = f"{self.directory}/{LOG}"
        for _ in range(_TRIES):
            fd = _open_for_appending(path)
            try:
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
                if os.path.samestat(os.fstat(fd), os.stat(path)):
                    return fd
            except BlockingIOError:
                time.sleep(_TRY_SECONDS)
            except FileNotFoundError:
                pass  # it has just been renamed
            os.close(fd)
        return _open_for_appending(path)

    def _rotate(self) -> None:
        """Make the full file the old one, unless others are writing: the next event finds it full again."""
        path = f"{self.directory}/{LOG}"
        fd = _open_for_appending(path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = os.fstat(fd)
            if ours.st_size > self.max_bytes and os.path.samestat(ours, os.stat(path)):
                os.rename(path, f"{self.directory}/{OLD}")
        except (BlockingIOError, FileNotFoundError):
            pass
        finally:
            os.close(fd)


def _open_for_appending(path: str) -> int:
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), 0o700, exist_ok=True)
        return os.open(path, flags, 0o600)
