"""Waiting for something to become true, with a deadline; and free ports."""

from __future__ import annotations

import os
import random
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# How many times as long as usual everything may take, where all of it is emulated (tests/vm).
PATIENCE = float(os.environ.get("POD_TEST_PATIENCE") or 1)


def until(condition: Callable[[], T], what: str, seconds: float = 20) -> T:
    """Call `condition` until it returns something true, and return that; AssertionError after `seconds`.

    For what the kernel offers no event for. The deadline is generous: it only bounds a failure.
    """
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s: not {what}")
        time.sleep(0.005)


def until_http(url: str, seconds: float = 20) -> str:
    """The body of the first answer with status 200."""

    def answer() -> str | None:
        try:
            with urllib.request.urlopen(url, timeout=seconds) as response:
                return str(response.read().decode(errors="replace"))
        except (urllib.error.URLError, OSError, ValueError):
            return None

    return str(until(answer, f"answering: {url}", seconds))


def is_there(pid: int) -> bool:
    """Whether the process exists and has not ended; whoever has to may take its exit status later (proc(5), stat)."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def free_port() -> int:
    """A TCP port that nothing uses, and that nobody gets by chance before the caller has it.

    The kernel's own choices, for bind(2) to 0 and connect(2), are from another range (ip(7), ip_local_port_range), and
    the other processes that run tests have other numbers. The next three belong to it, so there may be a range.
    """
    with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
        end = int(file.read().split()[0])
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    choices = range(_FIRST_PORT + 4 * (worker % _WORKERS), end - 3, 4 * _WORKERS)
    return until(lambda: _if_free(random.choice(choices or range(end, 60_000))), "a free port")


_FIRST_PORT = 12_000
_WORKERS = 8
_given: set[int] = set()


def _if_free(port: int) -> int:
    """The port; 0 when it, or one of those that belong to it, is in use or was given before."""
    if port in _given:
        return 0
    for number in range(port, port + 4):
        with socket.socket() as probe:
            try:
                probe.bind(("", number))
            except OSError:
                return 0
    _given.add(port)
    return port
