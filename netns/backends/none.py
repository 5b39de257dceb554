"""Backends without a helper: no network, the host's, another container's."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def probe() -> str:
    """Always usable."""
    return ""


def begin(settings: dict[str, Any], pid: int) -> Nothing:
    """There is nothing to connect."""
    return Nothing()


class Nothing:
    def wait(self) -> None:
        pass

    def plan(self) -> dict[str, Any]:
        return {"processes": [], "fds": [], "files": []}

    def detach(self) -> None:
        pass
