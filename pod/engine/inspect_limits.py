"""`Requested` and `Effective` of `pod inspect`: limits and id maps that were asked for, and those that are in force."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.engine import facts
from pod.spec.cgroup_values import cgroup_files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.engine.context import Engine
    from pod.state.containers import Container
    from pod.state.reconcile import Run


def requested_and_effective(
    engine: Engine, container: Container, run: Run | None, userns: str
) -> dict[str, Any]:
    """Limits by the file of the cgroup that holds each (cgroup v2), id maps as "inside:outside:count".

    What a container that does not run would have is not guessed: its effective values are empty. `NotApplied` says why
    a limit that was asked for is not in force.
    """
    requested, reason = _requested(engine, container)
    effective: dict[str, str] = {}
    unapplied: dict[str, str] = {}
    maps: dict[str, list[str]] = {"UidMap": [], "GidMap": []}
    if run is not None and run.has_processes:
        refused = run.state.get("refused_limits", {})
        cgroup = run.state.get("cgroup") or ""
        for name in requested:
            value = _text(f"{cgroup}/{name}") if cgroup else None
            if value is not None and name not in refused:
                effective[name] = value
            else:
                unapplied[name] = refused.get(name, facts.NO_CGROUP)
        maps = {"UidMap": _map(run.pid, "uid"), "GidMap": _map(run.pid, "gid")}
    return {
        "Requested": {
            "Limits": requested,
            "RequireLimits": container.config.require_limits,
            "UsernsMode": userns,
            **({"Error": reason} if reason else {}),
        },
        "Effective": {"Limits": effective, "NotApplied": unapplied, "IDMappings": maps},
    }


def _requested(engine: Engine, container: Container) -> tuple[dict[str, str], str]:
    """The limits that were asked for, and what is wrong with them: a device may have gone since."""
    limits = facts.limits_of(engine, container.config)
    try:
        files = cgroup_files(limits, facts.device_numbers(limits))
    except PodError as error:
        return {}, str(error)
    return {name: files[name] for name in facts.asked_files(container.config, files)}, ""


def _map(pid: int, kind: str) -> list[str]:
    text = _text(f"/proc/{pid}/{kind}_map")
    return [":".join(line.split()) for line in (text or "").splitlines()]


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().rstrip("\n")
    except OSError:
        return None
