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
    if plan.get("holder"):
        from netns.holder import client  # containers on networks alone have it

        client.detach(*plan["holder"])
    for path in plan["files"]:
        try:
            os.unlink(path)
        except FileNotFoundError:
            continue


def wait_until_released(plan: dict[str, Any]) -> None:
    """After `release`: wait until the published ports can be had again, by the same container for example."""
    if plan.get("has_ports"):
        for pid, started in plan["processes"]:
            processes.wait_until_gone(pid, started)


def release_lost(run_directory: str) -> None:
    """End a helper that a killed monitor had started and not yet written down, by the file in which it says its pid.

    The number may have been given to another process since; a helper has the path of that file among its arguments.
    """
    try:
        names = os.listdir(run_directory)
    except FileNotFoundError:
        return  # the command was killed before it had begun to start the container
    for name in names:
        if not name.endswith(".pid"):
            continue
        path = f"{run_directory}/{name}"
        try:
            with open(path, encoding="utf-8") as file:
                pid = int(file.read())
        except (OSError, ValueError):
            continue
        _end_if_started_with(path, pid)


def release_unnamed(run_directory: str) -> None:
    """End helpers, by the path in their arguments, that were killed or left before they had said their number.

    pasta forks its daemon before it writes the file, and works in forked processes for moments. Looks at all processes.
    """
    from netns.backends.pasta import HELPER_PID  # whoever starts pasta needs nothing of this module

    for pid in filter(str.isdigit, os.listdir("/proc")):
        _end_if_started_with(f"{run_directory}/{HELPER_PID}", int(pid))


def _end_if_started_with(argument: str, pid: int) -> None:
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
            arguments = file.read().rstrip("\0").split("\0")
    except OSError:
        return
    started = processes.start_time(pid)
    if started is not None and argument in arguments:
        processes.send_signal(pid, started, signals.SIGKILL)
