"""`pod build --pid container:NAME` and its like: commands of a build in namespaces of others."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.build import Context
from tests.support.engine import Engine

pytestmark = pytest.mark.not_podman("4.3 takes paths of namespaces alone, and none without root")

_KINDS = {"pid": "pid", "ipc": "ipc", "uts": "uts", "network": "net"}
_ASK = (
    "FROM busybox\nRUN cd /proc/self/ns && for it in pid ipc uts net; do readlink $it; done > /n\n"
)


@pytest.fixture
def context(pod: Engine, tmp_path: Path) -> Context:
    return Context(pod, tmp_path / "context")


@pytest.fixture
def other(pod: Engine) -> Generator[str]:
    pod("run", "-d", "--name", "other", "--network", "none", "busybox", "sleep", "1000")
    yield "other"
    pod("rm", "-fat0", status=None)


def _of(pod: Engine, name: str) -> list[str]:
    pid = pod("inspect", "--format", "{{.State.Pid}}", name).out
    return [os.readlink(f"/proc/{pid}/ns/{kind}") for kind in _KINDS.values()]


def test_namespaces_of_a_container_are_joined(context: Context, pod: Engine, other: str) -> None:
    """Files that are made there have the usual owners."""
    dockerfile = f"{_ASK}RUN touch /own && chown 7:8 /own\n"
    context.build(dockerfile, "--no-cache", *(f"--{kind}=container:{other}" for kind in _KINDS))
    assert context.run("cat", "/n").split("\n") == _of(pod, other)
    assert context.run("stat", "-c", "%u:%g", "/own", "/n").split("\n") == ["7:8", "0:0"]


def test_namespaces_are_joined_by_path(context: Context, pod: Engine, other: str) -> None:
    """With ns: as in `run`, or the path alone, as podman-build(1) says."""
    pid = pod("inspect", "--format", "{{.State.Pid}}", other).out
    context.build(
        _ASK, "--no-cache", f"--network=ns:/proc/{pid}/ns/net", f"--uts=/proc/{pid}/ns/uts"
    )
    found, theirs = context.run("cat", "/n").split("\n"), _of(pod, other)
    assert found[2:] == theirs[2:]
    assert found[0] != theirs[0]
    assert found[1] != theirs[1]


def test_own_namespaces_by_path_are_those_of_the_host(context: Context) -> None:
    context.build(
        _ASK, "--no-cache", "--userns=/proc/self/ns/user", "--network=ns:/proc/self/ns/net"
    )
    assert context.run("cat", "/n").split("\n")[3] == os.readlink("/proc/self/ns/net")


def test_container_alone_means_a_new_namespace(context: Context) -> None:
    """As in podman-build(1)."""
    context.build(
        _ASK, "--no-cache", *(f"--{kind}=container" for kind in (*_KINDS, "cgroupns", "userns"))
    )
    own = [os.readlink(f"/proc/self/ns/{kind}") for kind in _KINDS.values()]
    assert not set(own) & set(context.run("cat", "/n").split("\n"))


def test_who_cannot_be_joined(context: Context, pod: Engine, other: str) -> None:
    pod("run", "-d", "--name", "ids", "--userns=keep-id", "busybox", "sleep", "1000")
    pod("create", "--name", "idle", "busybox")
    for given, says in (
        ("--pid=container:nobody", "no container has the name or id 'nobody'"),
        ("--pid=container:idle", "'idle' is not running"),
        ("--ipc=container:ids", "container 'ids', which has ids of its own"),
        ("--uts=/nowhere", "the namespace '/nowhere' cannot be joined: No such file"),
        ("--userns=auto", "--userns 'auto' is not supported: steps run in your own id map"),
        ("--uts=container:other --runtime=crun", "joined"),
    ):
        done = context.build("FROM busybox\nRUN true\n", "--no-cache", *given.split(), status=125)
        assert says in done.stderr
