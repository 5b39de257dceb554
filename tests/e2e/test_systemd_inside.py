"""systemd as a container's first process: a whole distribution in there, with services of its own."""

from __future__ import annotations

import os

import pytest

from tests.support.engine import Engine
from tests.support.waiting import until

HELLO = """[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'cat /proc/self/cgroup >/run/hello'
ExecStop=/bin/sh -c 'echo in order >/state/stopped'
"""


def wait_until_up(pod: Engine, name: str) -> None:
    ask = ("exec", name, "systemctl", "is-system-running", "--wait")  # nothing before it listens
    until(lambda: pod(*ask, status=None).out in {"running", "degraded"}, "booted", 60)
    assert pod("exec", name, "systemctl", "--failed", "--plain", "--no-legend").out == ""


@pytest.mark.not_podman("4.3 leaves systemd's cgroups behind")
def test_a_machine_boots_answers_and_shuts_down(pod: Engine, tmp_path: str) -> None:
    unit = os.path.join(tmp_path, "hello.service")
    with open(unit, "w") as file:
        file.write(HELLO)
    options = ["--network", "none", "-v", f"{unit}:/etc/systemd/system/hello.service:ro"]
    options += ["-v", f"{tmp_path}:/state", "-t", "--stop-timeout", "60"]
    number = pod("run", "-d", "--name", "machine", *options, pod.have("systemd")).out
    wait_until_up(pod, "machine")
    assert pod("exec", "machine", "cat", "/etc/machine-id").out == number[:32]
    assert pod("exec", "machine", "systemd-detect-virt", "--container").out == "podman"
    pod("exec", "machine", "systemctl", "start", "hello")
    assert "0::/system.slice/hello.service" in pod("exec", "machine", "cat", "/run/hello").lines
    assert "Welcome to" in pod("logs", "machine").stdout
    pod("stop", "machine")
    assert pod("inspect", "-f", "{{.State.ExitCode}}", "machine").out == "0"
    assert "Reached target" in pod("logs", "--tail", "20", "machine").stdout
    with open(os.path.join(tmp_path, "stopped")) as file:
        assert file.read() == "in order\n"


def test_it_can_be_shut_down_from_inside_and_started_again(pod: Engine) -> None:
    # Without a terminal it has no console.
    pod("run", "-d", "--name", "machine", "--network", "none", pod.have("systemd"))
    wait_until_up(pod, "machine")
    # Which may be ended by what it has asked for.
    pod("exec", "machine", "systemctl", "--no-block", "--quiet", "poweroff", status=None)
    assert pod("wait", "machine").out == "0"
    pod("start", "machine")
    wait_until_up(pod, "machine")
    pod("stop", "-t", "60", "machine")
    assert pod("inspect", "-f", "{{.State.ExitCode}}", "machine").out == "0"


@pytest.mark.needs_kernel("memory controller")
def test_processes_join_where_a_group_has_given_its_controllers_away(pod: Engine) -> None:
    """As systemd does, which then has no process in the upmost group, and the kernel lets none in."""
    script = """cd /sys/fs/cgroup && mkdir init.scope && echo 1 >init.scope/cgroup.procs &&
        echo +memory >cgroup.subtree_control && touch /ready && sleep 1000"""
    check = ["--health-cmd", "cat /ready", "--health-interval", "disable"]
    options = ["--network", "none", "--systemd", "always", *check]
    pod("run", "-d", "--name", "machine", *options, "busybox", "sh", "-c", script)
    until(lambda: pod("exec", "machine", "ls", "/ready", status=None).status == 0, "set up")
    assert "0::/init.scope" in pod("exec", "machine", "cat", "/proc/self/cgroup").lines
    pod("healthcheck", "run", "machine")
