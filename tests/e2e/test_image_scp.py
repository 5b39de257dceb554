"""`image scp`: copies between machines by real ssh; the other machine is another engine of the test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator

import pytest

from tests.support.engine import Engine, engine_in
from tests.support.fixtures import end_pause_process
from tests.support.places import remove_tree
from tests.support.registry import Registry
from tests.support.ssh import Machines

pytestmark = pytest.mark.not_podman("version 4.3 wants connections to podman's own service")
NAME = "docker.io/library/busybox:latest"


@pytest.fixture
def machines(tmp_path: str) -> Machines:
    return Machines(f"{tmp_path}/ssh")


@pytest.fixture
def other(fresh_pod: Engine, machines: Machines) -> Engine:
    """An engine on the machine "other"."""
    machines.add("other", fresh_pod)
    return fresh_pod


def digest(engine: Engine, name: str = NAME) -> str:
    return engine("inspect", "--format", "{{.Digest}}", name).out


def test_there_and_back_the_digest_stays(pod: Engine, other: Engine, machines: Machines) -> None:
    environment = machines.environment
    pod("tag", "busybox", "localhost/scp/sent:1")
    done = pod("image", "scp", "localhost/scp/sent:1", "other::", env=environment)
    assert done.out == "Loaded image: localhost/scp/sent:1"
    assert digest(other, "localhost/scp/sent:1") == digest(pod, "busybox")
    assert other("run", "--rm", "--network=none", "localhost/scp/sent:1", "echo", "in").out == "in"
    other("tag", "localhost/scp/sent:1", "localhost/scp/back:2")
    done = pod("image", "scp", "other::localhost/scp/back:2", env=environment)
    assert done.out == "Loaded image: localhost/scp/back:2"
    assert digest(pod, "localhost/scp/back:2") == digest(pod, "busybox")
    quiet = pod("image", "scp", "-q", "other::localhost/scp/back:2", env=environment)
    assert quiet.stdout + quiet.stderr == ""


def test_from_one_to_another(pod: Engine, other: Engine, machines: Machines) -> None:
    """The image comes through here and is not stored."""
    machines.add("first", pod)
    pod("tag", "busybox", "localhost/scp/passed:1")
    before = pod("images", "--format", "{{.ID}} {{.Repository}}").lines
    words = ["image", "scp", "first::localhost/scp/passed:1", "other::"]
    assert pod(*words, env=machines.environment).out == "Loaded image: localhost/scp/passed:1"
    assert digest(other, "localhost/scp/passed:1") == digest(pod, "busybox")
    assert pod("images", "--format", "{{.ID}} {{.Repository}}").lines == before
    words[2] = "first::localhost/scp/nowhere:1"
    said = pod(*words, env=machines.environment, status=125).stderr
    assert "the image could not be saved on 'first'" in said
    assert "nowhere" in said


@pytest.fixture
def podman(workspace: str, runtime_directory: str, registry: Registry) -> Generator[Engine]:
    engine = engine_in(workspace, runtime_directory, "scp-podman", registry, ["/usr/bin/podman"])
    yield engine
    engine("rmi", "-f", "-a", status=None)
    end_pause_process(engine)
    remove_tree(engine.root)
    remove_tree(engine.runroot)
    shutil.rmtree(os.path.join(runtime_directory, "scp-podman.libpod"), ignore_errors=True)


def test_podman_is_at_the_other_end(pod: Engine, podman: Engine, machines: Machines) -> None:
    machines.add("elsewhere", podman)
    pod("tag", "busybox", "localhost/scp/podman:1")
    words = ["image", "scp", "localhost/scp/podman:1", "elsewhere::"]
    assert "localhost/scp/podman:1" in pod(*words, env=machines.environment).out
    assert digest(podman, "localhost/scp/podman:1") == digest(pod, "busybox")
    podman("tag", "localhost/scp/podman:1", "localhost/scp/podman:2")
    pod("image", "scp", "elsewhere::localhost/scp/podman:2", env=machines.environment)
    there = podman("inspect", "--format", "{{.Id}}", "localhost/scp/podman:2").out
    assert pod("inspect", "--format", "{{.Id}}", "localhost/scp/podman:2").out == there


def test_what_goes_wrong_is_said_in_a_sentence(
    pod: Engine, other: Engine, machines: Machines
) -> None:
    machines.add("bare", None)
    machines.add("first", pod)
    machines.add("locked", other, IdentityFile=f"{machines.directory}/stranger")
    hostile = "other::x'; touch /tmp/pod-scp-hostile; '"
    for words, said in (
        (["busybox", "closed::"], "'closed' cannot be reached by ssh: "),
        (["closed::busybox"], "'closed' cannot be reached by ssh: "),
        (["busybox", "locked::"], "Permission denied"),
        (["busybox", "bare::"], "neither pod nor podman is installed there"),
        (["bare::busybox"], "neither pod nor podman is installed there"),
        (["bare::busybox", "other::"], "neither pod nor podman is installed there"),
        (["first::busybox", "closed::"], "'closed' cannot be reached by ssh: "),
        (["other::nowhere"], "the image could not be saved on 'other'"),
        (["nowhere", "other::"], "image 'nowhere' is not here"),
        (["busybox"], "both ends are on this machine"),
        (["busybox", "alpine"], "the image keeps its name"),
        (["busybox", "other::new"], "the image keeps its name"),
        (["other::"], "the image is missing"),
        (["busybox", "me@localhost::"], "whose images only root could reach"),
        (["busybox", "-oProxyCommand=x::"], ""),
        (["--", "busybox", "-oProxyCommand=x::"], "is not [USER@]HOST"),
        (["busybox", "other:99999::"], "no valid port"),
        (["busybox", "me@other:22/run/podman.sock::"], "names a socket"),
        ([hostile], "could not be saved on 'other'"),
    ):
        done = pod("image", "scp", *words, env=machines.environment, status=125)
        assert said in done.stderr, words
        assert "Traceback" not in done.stderr
    assert not os.path.exists("/tmp/pod-scp-hostile")
    assert other("images", "-q").stdout == ""
