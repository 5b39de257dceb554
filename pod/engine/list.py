"""`pod ps`: which containers there are, and what state each is in at this moment."""

from __future__ import annotations

from pod.linux.boot import boot_id
from pod.state import reconcile, summaries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pod.base.paths import Paths
    from pod.engine.context import Engine
    from pod.engine.filters import Filters
    from pod.state.reconcile import Run
    from pod.state.summaries import Summary
    from storage.usage import Usage


_STATES = {
    # condition of a Run: state
    "running": "running",
    "paused": "paused",
    "restarting": "restarting",
    "starting": "created",
    "held": "initialized",
}


class Listed:
    """A container with its present state: "created", "initialized", "running", "paused", "restarting", "exited".

    `run` is what its monitor says, of one that has a monitor.
    """

    __slots__ = ("_paths", "pod_name", "pod_networking", "run", "state", "summary")

    def __init__(self, paths: Paths, summary: Summary, state: str, run: Run | None = None) -> None:
        self._paths = paths
        self.summary = summary
        self.state = state
        self.run = run
        self.pod_name = ""  # see add_pods
        self.pod_networking: dict[str, Any] | None = None

    @property
    def config(self) -> dict[str, Any]:
        return self.summary.config

    @property
    def is_running(self) -> bool:
        return self.state in {"running", "paused", "restarting"}

    @property
    def pid(self) -> int:
        """Process 1, as seen from here; 0 when there is none."""
        run = self.run
        is_there = run is not None and (run.has_processes or run.condition == "held")
        return run.pid if run is not None and is_there else 0

    @property
    def started_ns(self) -> int:
        if self.state == "initialized":
            return 0
        if self.run is not None and self.run.state.get("started_ns"):
            return int(self.run.state["started_ns"])
        return int(self.summary.started_ns)

    @property
    def health(self) -> str:
        """ "starting", "healthy" or "unhealthy"; "" for one that is not checked or has not been started."""
        if not self.has_health_check:
            return ""
        from pod.state import health  # few containers have one

        paths, container_id = self._paths, self.summary.id
        found = health.read(paths.run(container_id)) or health.read(paths.container(container_id))
        return str(found.get("status", ""))

    @property
    def has_health_check(self) -> bool:
        test = self.config.get("health", {}).get("test", ())
        return bool(test) and test[0] != "NONE"

    @property
    def restarts(self) -> int:
        if self.run is not None:
            return int(self.run.state.get("restarts", 0))
        return int(self.summary.outcome.get("restarts", 0))


def containers(
    engine: Engine,
    *,
    everything: bool = False,
    last: int = 0,
    filters: Filters | None = None,
) -> list[Listed]:
    """The running containers, the oldest first; with `everything`, or when `filters` choose by state, all of them.

    `last` are that many of all, the youngest. Ends that nobody has recorded are recorded.
    """
    wants_all = everything or last > 0 or (filters is not None and filters.choose_state)
    database = engine.database
    rows = summaries.all_of(database) if wants_all else summaries.active(database)
    found = []
    boot = ""
    for row in rows:
        if row.status != "active":
            found.append(Listed(engine.paths, row, row.status))
            continue
        boot = boot or boot_id()
        listed = _active(engine, row, boot)
        if listed is not None and (wants_all or listed.is_running):
            found.append(listed)
    if filters is not None:
        found = filters.apply(engine, found)
    return found[-last:] if last > 0 else found


def _active(engine: Engine, row: Summary, boot: str) -> Listed | None:
    """What an active row really is; None when it is gone."""
    if row.boot_id == boot:
        run = reconcile.read_run(engine.paths.run(row.id))
        if run.is_alive:
            if run.condition == "running":
                engine.seen_running.add(row.id)
            return Listed(engine.paths, row, state_of(run), run)
    from pod.engine import finish  # heavy, and rarely needed
    from pod.state import containers as rows

    settled = None
    for stored in rows.by_ids(engine.database, [row.id]):
        settled, running = finish.refresh(engine, stored)
        if running is not None:
            return Listed(engine.paths, row, state_of(running), running)
    now = summaries.one(engine.database, row.id)
    if now is None or settled is None:
        return None
    if now.status == "active":  # another command records the end
        now.take_end(settled)
    return Listed(engine.paths, now, now.status)


def state_of(run: Run) -> str:
    """The state of a container that has a monitor, in podman's and docker's words."""
    return _STATES.get(run.condition, "exited")


def add_pods(engine: Engine, found: list[Listed]) -> None:
    """Say of containers in pods what their pods are called, and how these are connected."""
    members = [it for it in found if it.summary.pod]
    if not members:
        return
    from pod.state import pods

    names = pods.names(engine.database)
    networks: dict[str, dict[str, Any]] = {}
    for it in members:
        it.pod_name = names.get(it.summary.pod, "")
        network = it.config.get("networking", {}).get("network", {})
        joined = network.get("joined", "") if network.get("mode") == "container" else ""
        if joined and joined not in networks:
            infra = summaries.one(engine.database, joined)
            networks[joined] = {} if infra is None else infra.config.get("networking", {})
        it.pod_networking = networks.get(joined)


def sizes(engine: Engine, wanted: Iterable[tuple[str, str, bool]]) -> dict[str, tuple[int, int]]:
    """What each container has written, and that with its image, in bytes; by id.

    `wanted` are (id, id of the image, whether it has a --rootfs, of which nothing is known).
    """
    from storage.rootfs import measure_inside

    wanted = list(wanted)
    images = {image.id: image.size for image in engine.store.images.list()}
    tops = [
        "" if is_rootfs else _changes(engine, container_id) for container_id, _, is_rootfs in wanted
    ]
    measured: Iterable[Usage] = measure_inside(tops) if tops else ()
    return {
        container_id: (used.size, used.size + images.get(image_id, 0))
        for (container_id, image_id, _), used in zip(wanted, measured, strict=True)
    }


def _changes(engine: Engine, container_id: str) -> str:
    """The directory with what the container has written; "" for one that has just been removed."""
    from storage.root_mount import NoRootFileSystem

    try:
        return engine.rootfs.changes(engine.paths.container(container_id))
    except NoRootFileSystem:
        if summaries.one(engine.database, container_id) is not None:
            raise
        return ""
