"""The clock of the machine jumps, forward and back, while containers run: what waits goes on as if it had not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from tests.support import features
from tests.support.engine import Engine
from tests.support.waiting import until

pytestmark = [
    pytest.mark.timeout(400),  # everything is emulated where it runs
    pytest.mark.needs_kernel("settable clock"),
    pytest.mark.not_podman("podman is not in the virtual machine"),
]
DAY = 86_400
NEAR = 600  # a deadline for everything in an emulated machine; far less than a jump
LIMIT = 120.0


def set_clock(seconds: float) -> None:
    with open(features.CLOCK, "w") as clock:
        clock.write(f"@{seconds:.3f}\n")
    until(lambda: abs(time.time() - seconds) < NEAR, "the clock to be set", LIMIT)


@pytest.fixture
def jump() -> Iterator[Callable[[int], None]]:
    """Set the clock by so many seconds from the right time, which it gets back in the end."""
    offset = time.time() - time.monotonic()
    yield lambda seconds: set_clock(time.monotonic() + offset + seconds)
    set_clock(time.monotonic() + offset)


def running(
    pod: Engine, name: str, *options: str, command: tuple[str, ...] = ("sleep", "1d")
) -> None:
    pod("run", "-d", "--name", name, "--network", "none", *options, "busybox", *command)


def line_of(file: IO[bytes] | None, wanted: Callable[[bytes], bool]) -> None:
    """Read up to a line of which `wanted` is true."""
    assert file is not None
    while not wanted(line := file.readline()):
        assert line, "it has ended"


def test_what_waits_goes_on(pod: Engine, jump: Callable[[int], None], tmp_path: Path) -> None:
    began = time.monotonic()
    health = ("--health-cmd", "echo >>/out/checks", "--health-interval", "2s")
    running(pod, "checked", *health, "-v", f"{tmp_path}:/out", "--timeout", str(DAY // 2))
    running(pod, "failing", "--restart", "always", command=("false",))
    script = f"i=0; while true; do echo line $((i += 1)) {'x' * 500}; sleep 0.3; done"
    running(pod, "logging", "--log-opt", "max-size=2kb", command=("sh", "-c", script))
    running(pod, "polite", command=("sh", "-c", "trap '' TERM; while true; do sleep 1; done"))

    def checks() -> int:
        path = tmp_path / "checks"
        return os.path.getsize(path) if path.exists() else 0

    def restarts() -> int:
        return int(pod("inspect", "-f", "{{.RestartCount}}", "failing").out)

    words = ("--since", "1m", "--filter", "container=polite", "--format", "{{.Status}}")
    later = str(int(time.time()) + DAY // 2)
    with (
        pod.spawn("events", *words) as events,
        pod.spawn("events", "--until", later, *words[2:]) as events_until,
        pod.spawn("logs", "-f", "--tail", "1", "logging") as lines,
        pod.spawn("wait", "polite") as waiting,
    ):
        line_of(events.stdout, lambda line: line == b"start\n")
        line_of(lines.stdout, lambda line: line.startswith(b"line "))
        until(checks, "the first check", LIMIT)
        for seconds in (DAY, -DAY):
            jump(seconds)
            checked, restarted = checks(), restarts()
            until(lambda: checks() >= checked + 2, "checks after the jump", LIMIT)  # noqa: B023
            if seconds > 0:  # the wait before the next one is longer each time
                until(lambda: restarts() > restarted, "a restart after the jump", LIMIT)  # noqa: B023
            number = int(lines.stdout.readline().split()[1])  # type: ignore[union-attr]
            line_of(lines.stdout, lambda line: int(line.split()[1]) > number + 8)  # noqa: B023
        asked = time.monotonic()
        pod("stop", "-t", "1", "polite")
        assert 1 <= time.monotonic() - asked < LIMIT
        assert waiting.communicate(timeout=LIMIT)[0] == b"137\n"
        for process in (events, events_until):
            line_of(process.stdout, lambda line: line == b"died\n")
        for process in (events, events_until, lines):
            process.terminate()
    # --timeout has not ended it, and nothing has come more often than it should.
    form = "{{.State.Running}} {{.State.Health.Status}}"
    assert pod("inspect", "-f", form, "checked").out == "true healthy"
    made = restarts()
    assert checks() <= (time.monotonic() - began) / 2 + 1
    # Where starting takes so long that a run counts as a good one, pauses begin anew: no sum of them can be told.
    assert made < time.monotonic() - began
    path = pod("inspect", "-f", "{{.HostConfig.LogConfig.Path}}", "logging").out
    assert os.path.getsize(path) < 8000
    assert len(pod("ps", "-a").lines) == 5
