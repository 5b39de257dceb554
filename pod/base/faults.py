"""Named steps at which a test can kill the process, to prove that nothing is lost and nothing stays behind.

POD_TEST_KILL_AT=NAME ends the process that comes to the step NAME with SIGKILL, or with the signal of the number
POD_TEST_KILL_WITH; POD_TEST_STEPS=FILE appends the name of each step to FILE, so that a test finds out which steps a
command takes. With both, NAME may be a number: that of a step among all that a command and what it starts take, whoever
takes it. POD_TEST_KILL_PID=PID is who is ended then, in place of the one who comes to it; with POD_TEST_LATE_SECONDS=S
nobody is, but whoever comes to the step goes on that much later. Without them a step costs one comparison.
"""

from __future__ import annotations

import os

_KILL_AT = os.environ.get("POD_TEST_KILL_AT")
_STEPS_FILE = os.environ.get("POD_TEST_STEPS")
_KILL_PID = int(os.environ.get("POD_TEST_KILL_PID", "0"))
_LATE_SECONDS = float(os.environ.get("POD_TEST_LATE_SECONDS", "0"))
_SIGNAL = int(os.environ.get("POD_TEST_KILL_WITH", "9"))
_IS_ARMED = bool(_KILL_AT or _STEPS_FILE)


def seconds(name: str, default: float) -> float:
    """A time that a test may shorten: POD_TEST_NAME_SECONDS."""
    return float(os.environ.get(f"POD_TEST_{name}_SECONDS", default))


def size_bytes(name: str, default: int) -> int:
    """A size that a test may change: POD_TEST_NAME_BYTES."""
    return int(os.environ.get(f"POD_TEST_{name}_BYTES", default))


def step(name: str) -> None:
    """This process has come to the step `name`."""
    if _IS_ARMED:
        _arrive(name)


def _arrive(name: str) -> None:
    number = _count(name) if _STEPS_FILE else 0
    if _KILL_AT not in {name, str(number)}:
        return
    if _LATE_SECONDS:
        import time

        time.sleep(_LATE_SECONDS)
        return
    if _KILL_PID:
        try:
            os.kill(_KILL_PID, _SIGNAL)
        except ProcessLookupError:
            pass  # it has ended, or cannot be seen from this PID namespace
        return
    if os.getpid() == 1:
        os._exit(137)  # process 1 of a PID namespace cannot kill itself
    os.kill(os.getpid(), _SIGNAL)


def _count(name: str) -> int:
    """Append the step to the file; its number there, from 1, and 0 in a container that does not reach the file."""
    try:
        fd = os.open(_STEPS_FILE or "", os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return 0
    try:
        os.write(fd, f"{name}\n".encode())
        end = os.lseek(
            fd, 0, os.SEEK_CUR
        )  # behind what was written here, whoever has written since
        return os.pread(fd, end, 0).count(b"\n")
    finally:
        os.close(fd)
