"""Several names at once: each is tried, and each failure is told."""

from __future__ import annotations

import pytest

from tests.support.engine import Engine

# The command, the state of container "good" before it, and what it prints for that one.
COMMANDS = [
    ("start", "created", "good"),
    ("init", "created", "good"),
    ("stop -t 0", "running", "good"),
    ("kill", "running", "good"),
    ("restart -t 0", "running", "good"),
    ("pause", "running", "good"),
    ("unpause", "paused", "good"),
    ("wait", "exited", "3"),
    ("logs", "exited", "said"),
    ("stats --no-stream --format {{.Name}}", "running", "good"),
    ("inspect --format {{.Name}}", "created", "good"),
    ("container inspect --format {{.Name}}", "created", "good"),
    ("container cleanup", "exited", ""),
    ("rm", "exited", "good"),
    ("rm -f -t 0", "running", "good"),
]


@pytest.mark.not_podman("it looks for all of them first, or passes over what is missing")
@pytest.mark.parametrize(("command", "state", "shown"), COMMANDS, ids=[it[0] for it in COMMANDS])
def test_each_is_tried_and_each_failure_told(
    pod: Engine, command: str, state: str, shown: str
) -> None:
    options = ("--network", "none", "--name", "good", "busybox")
    if state == "exited":
        pod("run", *options, "sh", "-c", "echo said; exit 3", status=3)
    elif state == "created":
        pod("create", *options, "sleep", "1d")
    else:
        pod("run", "-d", *options, "sleep", "1d")
        if state == "paused":
            pod("pause", "good")
    result = pod(*command.split(), "nobody", "good", "no-one", status=None)
    words = [word for line in result.lines for word in line.split()]
    assert shown in words or not shown, result
    if "-f" in command.split():  # what is not there need not be removed
        assert result.status == 0 and result.stderr == ""
    else:
        assert result.status in {1, 125}
        assert "'nobody'" in result.stderr and "'no-one'" in result.stderr
