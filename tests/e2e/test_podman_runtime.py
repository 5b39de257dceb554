"""podman with our OCI runtime, `podman --runtime /path/of/pod-runtime`: the way another engine uses it.

Whatever the program under test is: this is about podman, and about what `pod-runtime` answers to it. Most of the other
e2e tests hold as well: POD="podman --runtime $PWD/.venv/bin/pod-runtime".
"""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest

from tests.support.engine import TREE, Engine, engine_in
from tests.support.fixtures import end_pause_process
from tests.support.leaks import Watch
from tests.support.registry import Registry
from tests.support.terminal import Terminal
from tests.support.waiting import until

PROGRAM = os.path.join(TREE, ".venv", "bin", "pod-runtime")


@pytest.fixture(scope="module")
def engine(
    workspace: str, runtime_directory: str, registry: Registry, watch: Watch
) -> Generator[Engine]:
    command = ["/usr/bin/podman", "--runtime", PROGRAM]
    engine = engine_in(workspace, runtime_directory, "pr", registry, command)
    engine.have("busybox")
    watch.engines.append(engine)
    yield engine
    engine.clean()
    end_pause_process(engine)


@pytest.fixture
def podman(engine: Engine) -> Generator[Engine]:
    yield engine
    engine.clean()


def test_run_gives_output_and_status(podman: Engine) -> None:
    done = podman("run", "--rm", "busybox", "sh", "-c", "id -u; exit 7", status=7)
    assert done.stdout == "0\n"
    assert podman("run", "--rm", "busybox", "nowhere", status=127).stdout == ""
    podman("run", "--rm", "busybox", "/etc", status=126)


def test_detached_container_logs_takes_exec_and_signals(podman: Engine) -> None:
    script = "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done"
    podman("run", "-d", "--name", "c", "busybox", "sh", "-c", script)
    until(lambda: podman("logs", "c").stdout == "up\n", "its first line")
    assert podman("exec", "c", "sh", "-c", "echo x; exit 5", status=5).stdout == "x\n"
    podman("exec", "c", "nowhere", status=127)
    podman("pause", "c")
    assert podman("inspect", "--format", "{{.State.Status}}", "c").out == "paused"
    podman("unpause", "c")
    podman("kill", "--signal", "TERM", "c")
    assert podman("wait", "c").out == "3"
    assert podman("logs", "c").lines == ["up", "bye"]
    podman("rm", "c")


def test_terminal(podman: Engine) -> None:
    command = podman.full_command("run", "--rm", "-it", "busybox", "sh")
    with Terminal(command, podman.environment) as terminal:
        terminal.expect("# ")
        terminal.type("tty; stty size\r")
        terminal.expect("/dev/pts/0")
        terminal.type("exit 4\r")
        assert terminal.wait() == 4


def test_health_check_runs(podman: Engine) -> None:
    podman("run", "-d", "--name", "c", "--health-cmd", "true", "busybox", "sleep", "1000")
    podman("healthcheck", "run", "c")
    podman("rm", "-f", "-t", "0", "c")


@pytest.mark.parametrize(
    "option", ["--userns=keep-id", "--uidmap=0:1:1000", "--network=host", "--privileged"]
)
def test_namespaces(podman: Engine, option: str) -> None:
    out = podman("run", "--rm", option, "busybox", "cat", "/proc/self/uid_map").lines
    assert out
    if option.startswith("--userns"):
        assert any(line.split()[0] == str(os.getuid()) for line in out)


def test_pod_shares_namespaces(podman: Engine) -> None:
    podman("run", "-d", "--name", "a", "busybox", "sh", "-c", "echo found >/dev/shm/x; sleep 1000")
    read = ("exec", "a", "cat", "/dev/shm/x")
    until(lambda: podman(*read, status=None).out == "found", "the file")
    options = ("--ipc", "container:a", "--pid", "container:a", "--network", "container:a")
    out = podman("run", "--rm", *options, "busybox", "sh", "-c", "cat /dev/shm/x; ps").stdout
    assert out.startswith("found\n")
    assert "sleep 1000" in out
    podman("rm", "-f", "-t", "0", "a")
