"""Where the containers of a pod are in the tree of control groups, and a pod on a machine without catatonit."""

from __future__ import annotations

import os

import pytest

from tests.support.engine import Engine

pytestmark = pytest.mark.not_podman("its groups are elsewhere")

SLEEP = ("busybox", "sleep", "1000")
TREE = "/sys/fs/cgroup"


def make(pod: Engine, *options: str) -> str:
    return pod("pod", "create", "--network", "none", "--name", "shop", *options).out


def group_of(pod: Engine, name: str) -> str:
    return pod("inspect", "--format", "{{.State.CgroupPath}}", name).out


def test_containers_are_in_the_group_of_their_pod(pod: Engine) -> None:
    number = make(pod)
    pod("run", "-d", "--pod", "shop", "--name", "one", *SLEEP)
    pod("run", "-d", "--pod", "shop", "--name", "two", *SLEEP)
    group = os.path.dirname(group_of(pod, "one"))
    assert group == os.path.dirname(group_of(pod, "two"))
    assert os.path.basename(group) == f"group-{number}"
    assert pod("pod", "inspect", "--format", "{{.CgroupPath}}", "shop").out == group
    pod("rm", "-f", "-t", "0", "one")
    assert os.path.isdir(TREE + group)
    pod("pod", "stop", "-t", "0", "shop")
    assert not os.path.exists(TREE + group)
    pod("start", "two")
    assert os.path.isdir(TREE + group)
    pod("pod", "rm", "-f", "-t", "0", "shop")
    assert not os.path.exists(TREE + group)


def test_a_parent_group_and_none_of_the_pod(pod: Engine) -> None:
    make(pod, "--share-parent=false", "--cgroup-parent", "above")
    pod("run", "-d", "--pod", "shop", "--name", "one", *SLEEP)
    path = group_of(pod, "one")
    assert os.path.basename(os.path.dirname(path)) == "above"
    pod("pod", "rm", "-f", "-t", "0", "shop")
    os.rmdir(TREE + os.path.dirname(path))


def test_limits_that_cannot_be_had_are_told_once(pod: Engine) -> None:
    made = pod("pod", "create", "--network", "none", "--name", "shop", "--memory", "64m")
    assert made.stderr == ""
    assert pod("pod", "inspect", "shop").json()[0]["memory_limit"] == 64 << 20
    first = pod("run", "-d", "--pod", "shop", *SLEEP)
    second = pod("run", "-d", "--pod", "shop", *SLEEP)
    controllers = pod("info", "--format", "{{.Host.CgroupControllers}}").out
    assert ("memory.max (of the pod)" in first.stderr) == ("memory" not in controllers)
    assert second.stderr == ""


@pytest.fixture
def without_catatonit(tmp_path: object) -> dict[str, str]:
    """A PATH with all that pod needs but that, and a configuration that names no other place."""
    directory = f"{tmp_path}/bin"
    os.mkdir(directory)
    for name in ("newuidmap", "newgidmap"):
        os.symlink(f"/usr/bin/{name}", f"{directory}/{name}")
    path = f"{tmp_path}/containers.conf"
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'[engine]\nhelper_binaries_dir = ["{directory}"]\n')
    return {"PATH": directory, "CONTAINERS_CONF": path}


def test_the_infra_container_without_catatonit(
    pod: Engine, without_catatonit: dict[str, str]
) -> None:
    number = pod(
        "pod",
        "create",
        "--network",
        "none",
        "--share",
        "+pid",
        "--name",
        "shop",
        env=without_catatonit,
    ).out
    pod("run", "-d", "--pod", "shop", "--name", "one", *SLEEP, env=without_catatonit)
    infra = f"{number[:12]}-infra"
    assert pod("inspect", "--format", "{{.Path}}", infra).out == "/pause"
    # Orphans go to its process 1, which collects them.
    script = "(sh -c 'exit 3' &) ; (sleep 0.1 &) ; true"
    pod("exec", "one", "sh", "-c", script)
    wait = "while ps -o stat,comm | grep -q ^Z || ps -o args | grep -q '[s]leep 0.1'; do sleep 0.05; done"
    pod("exec", "one", "sh", "-c", wait)
    assert "/pause" in pod("exec", "one", "ps").stdout
    pod("pod", "stop", "-t", "30", "shop", env=without_catatonit)
    assert pod("inspect", "--format", "{{.State.ExitCode}}", infra).out == "0"


@pytest.mark.needs_kernel("memory controller")
@pytest.mark.needs_kernel("cpu controller")
@pytest.mark.timeout(300)  # in a machine that is emulated
def test_limits_hold_for_all_containers_together(pod: Engine) -> None:
    make(pod, "--memory", "64m", "--memory-swap", "64m", "--cpus", "0.5")
    pod("run", "-d", "--pod", "shop", "--name", "one", *SLEEP)
    group = TREE + os.path.dirname(group_of(pod, "one"))
    with open(f"{group}/memory.max", encoding="ascii") as file:
        assert int(file.read()) == 64 << 20
    with open(f"{group}/cpu.max", encoding="ascii") as file:
        assert file.read().split() == ["50000", "100000"]
    hold = ("busybox", "dd", "if=/dev/zero", "of=/dev/null", "bs=40M", "count=1")
    # Each is within the limit, both together are not.
    pod("exec", "one", "dd", "if=/dev/zero", "of=/dev/shm/kept", "bs=1M", "count=40")
    assert pod("run", "--pod", "shop", *hold, status=None).status == 137
