"""Waiting for something to become true, with a deadline; and free ports."""

from __future__ import annotations

import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], what: str, seconds: float = 20) -> T:
    """Call `condition` until it returns something true, and return that; AssertionError after `seconds`.

    For what the kernel offers no event for. The deadline is generous: it only bounds a failure.
    """
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


def free_port(address: str = "127.0.0.1") -> int:
    """A TCP port that nothing used a moment ago."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
