"""Let go of a network that is in place, from plain data: what a monitor keeps while its container runs."""

from __future__ import annotations

import os

from pod.linux import processes, signals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def release(plan: dict[str, Any]) -> None:
    """End the helpers and remove what they leave; twice does no harm.

    `plan` is what an attachment's `plan` gave: processes as (pid, start time), descriptors that keep helpers alive,
    files.
    """
    for pid, started in plan["processes"]:
        processes.send_signal(pid, started, signals.SIGKILL)
    for fd in plan["fds"]:
        os.close(fd)
    plan["fds"] = []
    for path in plan["files"]:
        try:
            os.unlink(path)
        except FileNotFoundError:
            continue
