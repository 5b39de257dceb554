"""Named steps at which a test can kill the process, to prove that nothing is lost and nothing stays behind.

POD_TEST_KILL_AT=NAME ends the process that comes to the step NAME with SIGKILL, or with the signal of the number
POD_TEST_KILL_WITH; POD_TEST_STEPS=FILE appends the name of
each step to FILE, so that a test finds out which steps a command takes. Without them a step costs one comparison.
"""

from __future__ import annotations

import os

_KILL_AT = os.environ.get("POD_TEST_KILL_AT")
_STEPS_FILE = os.environ.get("POD_TEST_STEPS")
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
    if _STEPS_FILE:
        try:
            fd = os.open(_STEPS_FILE, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        except FileNotFoundError:
            pass  # in a container that does not see it
        else:
            os.write(fd, f"{name}\n".encode())
            os.close(fd)
    if name == _KILL_AT:
        if os.getpid() == 1:
            os._exit(137)  # process 1 of a PID namespace cannot kill itself
        os.kill(os.getpid(), _SIGNAL)
