"""kill -9 while pods are made, started, stopped and removed: afterwards they can be removed, and nothing is left.

The steps are those of test_killed.py, where the containers of pods take them, too.
"""

from __future__ import annotations

import pytest

from tests.e2e.test_killed import killed
from tests.support.checks import nothing_wrong
from tests.support.engine import Engine

pytestmark = pytest.mark.not_podman("its steps have no names at which it could be killed")

SLEEP = ("busybox", "sleep", "60")


def make(pod: Engine, *options: str) -> None:
    pod("pod", "create", "--network", "none", "--name", "shop", *options)


def is_well(pod: Engine, step: str) -> None:
    """The pod that is there, if one is, can be shown and removed, and nothing is left of it."""
    for number in pod("pod", "ps", "-q").lines:
        pod("pod", "inspect", number)
    pod("pod", "rm", "-f", "-t", "0", "shop")
    nothing_wrong(pod, max_age="24h", after=step)


def test_create(pod: Engine) -> None:
    for step in ("create: directory", "create: volumes", "create: row"):
        killed(pod, step, "pod", "create", "--network", "none", "--name", "shop", "-v", "/data")
        is_well(pod, step)
    make(pod)
    pod("volume", "prune", "-f")


def test_run_in_a_pod(pod: Engine) -> None:
    for step in ("create: row", "launch: ordered", "monitor: started", "init: placed"):
        make(pod)
        killed(pod, step, "run", "-d", "--pod", "shop", "--name", "one", *SLEEP)
        is_well(pod, step)


def test_stop(pod: Engine) -> None:
    for step in ("stop: said", "finish: seen"):
        make(pod)
        pod("run", "-d", "--pod", "shop", "--name", "one", *SLEEP)
        killed(pod, step, "pod", "stop", "-t", "0", "shop")
        pod("pod", "stop", "-t", "0", "shop")
        assert pod("pod", "ps", "--format", "{{.Status}}").out == "Exited"
        is_well(pod, step)


def test_rm(pod: Engine) -> None:
    for step in ("stop: ended", "remove: row", "remove: files"):
        make(pod)
        pod("run", "-d", "--pod", "shop", "--name", "one", *SLEEP)
        killed(pod, step, "pod", "rm", "-f", "-t", "0", "shop")
        is_well(pod, step)


def test_the_infra_container_dies(pod: Engine) -> None:
    make(pod)
    pod("run", "-d", "--pod", "shop", "--name", "one", "--stop-timeout", "0", *SLEEP)
    infra = pod("pod", "inspect", "--format", "{{.InfraContainerID}}", "shop").out
    pod("kill", infra)
    pod("wait", infra)
    assert pod("pod", "ps", "--format", "{{.Status}}").out == "Degraded"
    assert pod("exec", "one", "hostname").out == "shop"
    pod("pod", "restart", "shop")
    assert pod("pod", "ps", "--format", "{{.Status}}").out == "Running"
