"""The files of a running container in its run directory: who watches it, what it is, how it ended.

`claim` is a lock that the monitor holds while it lives: whoever can take it knows that no monitor is there, whatever
the other files say. All of it is gone after a reboot, and nothing of it is synced.
"""

from __future__ import annotations

import os

from pod.base import files, locks, plainjson
from pod.base.errors import PodError
from pod.spec.monitor import EXIT_FILE, LOCK_FILE, STATE_FILE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Files:
    """What one monitor leaves for other commands to read."""

    def __init__(self, run_directory: str, pid_files: dict[str, str]) -> None:
        self.lock_fd = -1
        self._directory = run_directory
        self._pid_files = pid_files

    def claim(self) -> None:
        """Take the lock that says that this container has a monitor. Raises PodError when another has it."""
        path = f"{self._directory}/{LOCK_FILE}"
        self.lock_fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not locks.try_exclusive(self.lock_fd):
            raise PodError("the container is being started or cleaned up by another command")
        os.write(self.lock_fd, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let go of the lock, so that the end can be recorded as after a monitor's death."""
        os.close(self.lock_fd)

    def write_state(self, state: dict[str, Any]) -> None:
        """Replace what is said about the running container."""
        self._write(STATE_FILE, state)

    def write_exit(self, end: dict[str, Any]) -> None:
        """Say how the container ended; from then on it counts as ended."""
        try:
            self._write(EXIT_FILE, end)
        except OSError:
            # A full file system: the state is worth less now, and makes room.
            os.unlink(f"{self._directory}/{STATE_FILE}")
            self._write(EXIT_FILE, end)

    def write_pid_files(self, container_pid: int) -> None:
        """The files of --pidfile and --conmon-pidfile."""
        for role, pid in (("monitor", os.getpid()), ("container", container_pid)):
            if self._pid_files[role]:
                data = f"{pid}\n".encode()
                try:
                    files.write_atomic(self._pid_files[role], data, mode=0o644, sync=False)
                except OSError as error:
                    raise PodError(
                        f"the process id of the {role} cannot be written to '{self._pid_files[role]}': "
                        f"{error.strerror}"
                    ) from error

    def _write(self, name: str, document: dict[str, Any]) -> None:
        data = plainjson.dumps(document).encode() + b"\n"
        files.write_atomic(f"{self._directory}/{name}", data, sync=False)


def state_of(
    order: dict[str, Any], started: dict[str, Any], restarts: int, *, restarting: bool = False
) -> dict[str, Any]:
    """What other commands need to find the container, and to clean up after a monitor that was killed."""
    return {
        **order.get("row", {}),  # not between two runs, when the order is not unpacked
        "pid": started["pid"],
        "pid_started": started["pid_started"],
        "helpers": started["network"]["processes"],
        "servers": started["servers"],
        "cgroup": order["bundle"]["cgroup"],
        "started_ns": started["started_ns"],
        "restarts": restarts,
        "restarting": restarting,
        "refused_limits": started["refused_limits"],
    }
