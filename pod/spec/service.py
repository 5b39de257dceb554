"""--sdnotify: how a service manager that has started us learns that a container is ready (podman-run(1))."""

from __future__ import annotations

from pod.base.errors import InvalidValue

CONTAINER = "container"  # the container itself says so, on a socket of its own
MONITOR = "conmon"  # when the container has started
HEALTHY = "healthy"  # when its health check says so
IGNORED = "ignore"  # not by us
_MODES = (CONTAINER, MONITOR, HEALTHY, IGNORED)


def parse_notify(text: str) -> str:
    """The mode, checked."""
    if text not in _MODES:
        raise InvalidValue("--sdnotify", text, ", ".join(_MODES))
    return text
