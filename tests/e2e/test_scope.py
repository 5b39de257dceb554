"""In a login session, where no cgroup is delegated: containers get a scope from the user's systemd."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from netns.holder import client
from pod.linux import idmap, processes
from tests.support.bundles import unpack_busybox
from tests.support.engine import Engine
from tests.support.oci import Runtime
from tests.support.waiting import until

pytestmark = [
    pytest.mark.timeout(400),  # everything is emulated where it runs
    pytest.mark.needs_login,
    pytest.mark.not_podman("podman is not in the virtual machine"),
]
MIB = 1 << 20


@pytest.fixture
def login_pod(pod: Engine) -> Engine:
    """The program with the bus of the session, which tests elsewhere have not."""
    environment = {
        **pod.environment,
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path=/run/user/{os.getuid()}/bus",
    }
    return replace(pod, environment=environment)


def cgroup_path(pod: Engine, name: str) -> str:
    return pod("inspect", "-f", "{{.State.CgroupPath}}", name).out


def running(pod: Engine, name: str, *options: str) -> str:
    return pod(
        "run", "-d", "--name", name, "--network", "none", *options, "busybox", "sleep", "1d"
    ).out


def is_loaded(unit: str) -> bool:
    command = ["systemctl", "--user", "list-units", "--all", "--plain", "--no-legend", unit]
    return bool(subprocess.run(command, capture_output=True, check=True).stdout)


def test_a_scope_has_the_limits_and_ends_with_the_container(login_pod: Engine) -> None:
    pod = login_pod
    number = running(pod, "c", "--memory", "64m")
    path = cgroup_path(pod, "c")
    assert path.endswith(f"/user.slice/pod-{number}.scope/container")
    directory = Path(f"/sys/fs/cgroup{path}")
    assert (directory / "memory.max").read_text() == f"{64 * MIB}\n"
    pod("exec", "-d", "c", "sleep", "2d")
    until(lambda: len((directory / "cgroup.procs").read_text().split()) == 2, "both processes")
    pod("update", "--memory", "32m", "c")
    assert (directory / "memory.max").read_text() == f"{32 * MIB}\n"
    pod("pause", "c")
    assert "frozen 1" in (directory / "cgroup.events").read_text()
    pod("restart", "-t", "0", "c")
    assert cgroup_path(pod, "c") == path
    assert (directory / "memory.max").read_text() == f"{32 * MIB}\n"
    pod("rm", "-f", "-t", "0", "c")
    until(lambda: not is_loaded(f"pod-{number}.scope"), "the end of the scope")


def test_exec_is_in_the_cgroup_of_a_container_in_a_unit(login_pod: Engine) -> None:
    pod = login_pod
    words = (
        "-d",
        "--rm",
        "--name",
        "c",
        "--cgroups",
        "split",
        "--network",
        "none",
        "--memory",
        "64m",
    )
    unit = ("systemd-run", "--user", "--quiet", "--unit", "pod-test-split", "-p", "Delegate=yes")
    command = [
        *unit,
        "-p",
        "Type=forking",
        *pod.full_command("run", *words, "busybox", "sleep", "1d"),
    ]
    subprocess.run(command, env=pod.environment, check=True)
    path = cgroup_path(pod, "c")
    assert "/app.slice/pod-test-split.service/pod-" in path
    directory = Path(f"/sys/fs/cgroup{path}")
    assert (directory / "memory.max").read_text() == f"{64 * MIB}\n"
    pod("exec", "-d", "c", "sleep", "2d")
    until(lambda: len((directory / "cgroup.procs").read_text().split()) == 2, "both processes")
    pod("rm", "-f", "-t", "0", "c")
    until(lambda: not directory.exists(), "the end of the container")


def test_the_holder_of_networks_has_a_scope_of_its_own(tmp_path: Path) -> None:
    """With its outside helper, so that neither ends with the session or service of the first container."""
    program = processes.find_program("slirp4netns")
    assert program is not None
    unit = "pod-networks-test.scope"
    settings = {
        "directory": str(tmp_path),
        "maps": idmap.default_maps(),
        "backend": "slirp4netns",
        "program": program,
        "options": [],
        "cgroup": "",
        "scope": {
            "unit": unit,
            "slice": "user.slice",
            "bus": f"unix:path=/run/user/{os.getuid()}/bus",
            "description": "networks of a test",
        },
    }
    channel = client.ensure(settings)
    try:
        pid = channel.peer()
        until(lambda: Path(f"/proc/{pid}/cgroup").read_text().rstrip().endswith(unit), "moved", 90)
        group = Path(f"/proc/{pid}/cgroup").read_text().strip().rpartition("0::")[2]
        assert "/user.slice/" in group
        members = Path(f"/sys/fs/cgroup{group}/cgroup.procs")
        until(lambda: len(members.read_text().split()) == 2, "the outside helper, too", 90)
    finally:
        channel.close()
        client.end(str(tmp_path))
    until(lambda: not is_loaded(unit), "the end of the scope")


def test_who_makes_the_cgroup_and_where(login_pod: Engine) -> None:
    pod = login_pod
    running(pod, "c", "--cgroup-parent", "batch.slice")
    assert "/batch.slice/pod-" in cgroup_path(pod, "c")
    assert pod("info", "--format", "{{.Host.CgroupManager}}").out == "systemd"
    words = ("run", "--network", "none", "--cgroup-parent", "a/b", "busybox", "true")
    assert "which is no slice" in pod(*words, status=125).stderr
    words = ("run", "--rm", "--network", "none", "--memory", "64m", "busybox", "true")
    assert "no cgroup is delegated" in pod("--cgroup-manager", "cgroupfs", *words).stderr


def test_scope_of_the_oci_runtime(tmp_path: Path) -> None:
    busybox_root = unpack_busybox(str(tmp_path / "busybox"))
    (tmp_path / "work").mkdir()
    runtime = Runtime("pod-runtime", str(tmp_path / "root"), str(tmp_path / "work"))
    limits = {"cgroupsPath": "batch.slice:test:c", "resources": {"memory": {"limit": 64 * MIB}}}
    bundle = runtime.bundle("sleep", "1d", root=busybox_root, linux=limits)
    bus = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path=/run/user/{os.getuid()}/bus"}
    runtime.create("c", bundle, options=("--systemd-cgroup",), env=bus)
    try:
        runtime("start", "c")
        pid = runtime.state("c")["pid"]
        group = Path(f"/proc/{pid}/cgroup").read_text().strip().removeprefix("0::")
        assert group.endswith("/batch.slice/test-c.scope/container")
        directory = Path(f"/sys/fs/cgroup{group}")
        assert (directory / "memory.max").read_text() == f"{64 * MIB}\n"
        runtime("exec", "-d", "c", "sleep", "2d", env=bus)
        until(lambda: len((directory / "cgroup.procs").read_text().split()) == 2, "both processes")
    finally:
        runtime.clean()
    until(lambda: not is_loaded("test-c.scope"), "the end of the scope")
