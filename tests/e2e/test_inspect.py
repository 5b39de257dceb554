"""`pod inspect`, `pod container inspect`, `pod top`, `pod port`, `pod container exists|prune|cleanup`."""

from __future__ import annotations

import os
import re
from collections.abc import Generator

import pytest

from tests.support.engine import Engine
from tests.support.waiting import free_port


@pytest.fixture
def box(pod: Engine) -> Generator[Engine]:
    """A running container "box" with options of many kinds."""
    pod(
        "run", "-d", "--network", "none", "--name", "box", "-l", "a=b", "-e", "X=1", "-v", "vol:/v:ro", "--tmpfs", "/t",
        "--cap-add", "net_admin", "--user", "1000:7", "-w", "/tmp", "--hostname", "myhost", "--restart", "on-failure:3",
        "--stop-timeout", "5", "--entrypoint", "sleep", "--ulimit", "nofile=50:60", "--expose", "80", "busybox", "1000",
    )  # fmt: skip
    yield pod
    pod("rm", "-f", "-t", "0", "box")


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{.Name}}", "box"),
        ("{{.Id}}", "[0-9a-f]{64}"),
        ("{{.Image}}", "[0-9a-f]{64}"),
        ("{{.ImageName}}", "docker.io/library/busybox:latest"),
        ("{{.Path}} {{.Args}}", r"sleep \[1000\]"),
        ("{{.State.Status}} {{.State.Running}} {{.State.ExitCode}}", "running true 0"),
        ("{{gt .State.Pid 0}}", "true"),
        ("{{.RestartCount}}", "0"),
        ("{{.Config.Hostname}} {{.Config.User}} {{.Config.WorkingDir}}", "myhost 1000:7 /tmp"),
        ("{{.Config.Cmd}}", r"\[1000\]"),
        ("{{index .Config.Labels \"a\"}}", "b"),
        ("{{.Config.StopTimeout}}", "5"),
        ("{{.Config.Tty}} {{.Config.OpenStdin}}", "false false"),
        ("{{.HostConfig.RestartPolicy.Name}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}}", "on-failure:3"),
        ("{{.HostConfig.NetworkMode}}", "none"),
        ("{{.HostConfig.CapAdd}}", r"\[CAP_NET_ADMIN\]"),
        ("{{.HostConfig.Privileged}} {{.HostConfig.ReadonlyRootfs}}", "false false"),
        ("{{.HostConfig.LogConfig.Type}}", "k8s-file"),
        ("{{(index .Mounts 0).Name}} {{(index .Mounts 0).Destination}} {{(index .Mounts 0).RW}}", "vol /v false"),
        ("{{range .Config.Env}}{{println .}}{{end}}", r"(?s).*X=1.*"),
        ("{{len .Mounts}}", "1"),
    ],
)  # fmt: skip
def test_fields(box: Engine, template: str, expected: str) -> None:
    assert re.fullmatch(expected, box("inspect", "--format", template, "box").out)


def test_document_has_the_parts_that_scripts_read(box: Engine) -> None:
    (document,) = box("container", "inspect", "box").json()
    assert {
        "Id",
        "Created",
        "State",
        "Image",
        "Name",
        "Mounts",
        "NetworkSettings",
        "Config",
        "HostConfig",
    } <= set(document)
    assert set(document["HostConfig"]["Tmpfs"]) == {"/t"}
    assert document["NetworkSettings"]["Ports"] is not None
    limits = {
        limit["Name"]: (limit["Soft"], limit["Hard"]) for limit in document["HostConfig"]["Ulimits"]
    }
    assert limits["RLIMIT_NOFILE"] == (50, 60)
    assert document["State"]["StartedAt"] > document["Created"]


def test_same_keys_as_podman(box: Engine) -> None:
    """Every key that podman 4.3 has, but those of things that pod has not: labels of SELinux, locks, notification."""
    (document,) = box("inspect", "box").json()
    assert set(document["State"]) >= _STATE
    assert set(document["HostConfig"]) >= _HOST_CONFIG
    assert set(document["Config"]) >= _CONFIG
    assert set(document["NetworkSettings"]) >= _NETWORK


_STATE = set(
    "OciVersion Status Running Paused Restarting OOMKilled Dead Pid ConmonPid ExitCode Error StartedAt FinishedAt "
    "CgroupPath CheckpointedAt RestoredAt".split()
)
_CONFIG = set(
    "Hostname Domainname User AttachStdin AttachStdout AttachStderr Tty OpenStdin StdinOnce Env Cmd Image Volumes "
    "WorkingDir Entrypoint OnBuild Labels Annotations StopSignal CreateCommand Umask Timeout StopTimeout Passwd".split()
)
_NETWORK = set(
    "EndpointID Gateway IPAddress IPPrefixLen IPv6Gateway GlobalIPv6Address GlobalIPv6PrefixLen MacAddress Bridge "
    "SandboxID HairpinMode LinkLocalIPv6Address LinkLocalIPv6PrefixLen Ports SandboxKey".split()
)
_HOST_CONFIG = set(
    "Binds CgroupManager CgroupMode ContainerIDFile LogConfig NetworkMode PortBindings RestartPolicy AutoRemove "
    "VolumeDriver VolumesFrom CapAdd CapDrop Dns DnsOptions DnsSearch ExtraHosts GroupAdd IpcMode Cgroup Cgroups Links "
    "OomScoreAdj PidMode Privileged PublishAllPorts ReadonlyRootfs SecurityOpt Tmpfs UTSMode UsernsMode ShmSize "
    "Runtime ConsoleSize Isolation CpuShares Memory NanoCpus CgroupParent BlkioWeight BlkioWeightDevice "
    "BlkioDeviceReadBps "
    "BlkioDeviceWriteBps BlkioDeviceReadIOps BlkioDeviceWriteIOps CpuPeriod CpuQuota CpuRealtimePeriod "
    "CpuRealtimeRuntime CpusetCpus CpusetMems Devices DiskQuota KernelMemory MemoryReservation MemorySwap "
    "MemorySwappiness OomKillDisable PidsLimit Ulimits CpuCount CpuPercent IOMaximumIOps IOMaximumBandwidth "
    "CgroupConf".split()
)


def test_several_names_and_one_that_is_not_there(box: Engine) -> None:
    result = box("inspect", "--format", "{{.Name}}", "box", "no-such-one", status=125)
    assert result.out == "box"
    assert "no-such-one" in result.stderr
    assert box("inspect", "no-such-one", status=125).json() == []


def test_size_and_latest(box: Engine) -> None:
    (document,) = box("inspect", "--size", "--latest").json()
    assert document["SizeRootFs"] > document["SizeRw"] >= 0


def test_kinds_in_order(box: Engine) -> None:
    box("volume", "create", "box")
    assert box("inspect", "--format", "{{.Name}}", "box").out == "box"
    assert "State" in box("inspect", "box").json()[0]
    assert "Mountpoint" in box("inspect", "--type", "volume", "box").json()[0]
    assert "Architecture" in box("inspect", "--type", "image", "busybox").json()[0]
    box("inspect", "--type", "image", "box", status=125)
    box("inspect", "--type", "nonsense", "box", status=125)


@pytest.mark.not_podman("4.3 forgets the exit status of a container that ended before it was asked")
def test_end_is_recorded(pod: Engine) -> None:
    pod("run", "--network", "none", "--name", "e", "busybox", "sh", "-c", "exit 9", status=9)
    template = "{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}} {{.State.Error}}"
    assert pod("inspect", "-f", template, "e").out == "exited 9 0"


# top


def test_top(box: Engine) -> None:
    heading, row = box("top", "box").lines
    assert heading.split() == ["USER", "PID", "PPID", "%CPU", "ELAPSED", "TTY", "TIME", "COMMAND"]
    assert row.split()[0] == "1000" and row.split()[1] == "1"
    assert row.endswith("sleep 1000") or row.endswith("sleep 1000 ")


def test_top_shows_what_exec_started(box: Engine) -> None:
    box("exec", "-d", "-u", "0", "box", "sleep", "2000")
    rows = [line.split() for line in box("top", "box", "user", "pid", "comm").lines[1:]]
    assert sorted(row[0] for row in rows) == ["1000", "root"]
    assert {row[2] for row in rows} == {"sleep"}


@pytest.mark.parametrize(
    ("descriptor", "pattern"),
    [
        ("pid", "1"),
        ("ppid", "0"),
        ("user", "1000"),
        ("group", "7|.*"),
        ("hpid", r"\d+"),
        ("huser", r"\d+|\w+"),
        ("comm", "sleep"),
        ("args", "sleep 1000 ?"),
        ("state", "[SRD]"),
        ("nice", str(os.getpriority(os.PRIO_PROCESS, 0))),
        ("seccomp", "filter"),
        ("capeff", "NET_ADMIN"),
        ("pcpu", r"\d+\.\d+"),
        ("vsz", r"\d+"),
        ("etime", r"[\dhm.µ]+s"),
        ("time", r"[\dhm.µ]+s"),
        ("tty", r"\?"),
        ("%C", r"\d+\.\d+"),
    ],
)
def test_top_descriptors(box: Engine, descriptor: str, pattern: str) -> None:
    value = box("top", "box", descriptor).lines[1].strip()
    assert re.fullmatch(pattern, value), value


def test_top_of_what_does_not_run(pod: Engine) -> None:
    pod("create", "--name", "c", "busybox")
    assert "running" in pod("top", "c", status=125).stderr
    pod("top", "no-such-one", status=125)
    pod("top", status=125)


@pytest.mark.not_podman("it starts ps in the container for what it does not know")
def test_top_names_the_descriptor_that_does_not_exist(box: Engine) -> None:
    assert "'nonsense'" in box("top", "box", "nonsense", status=125).stderr
    assert box("top", "box", "-eo", "pid,comm").lines[1].split() == ["1", "sleep"]


# port


def test_port(pod: Engine) -> None:
    one, two = free_port(), free_port()
    pod(
        "run", "-d", "--name", "p", "-p", f"127.0.0.1:{one}:80", "-p", f"{two}:90/udp", "busybox", "sleep", "1000",
    )  # fmt: skip
    assert pod("port", "p").lines == [f"80/tcp -> 127.0.0.1:{one}", f"90/udp -> 0.0.0.0:{two}"]
    assert pod("port", "p", "80").out == f"127.0.0.1:{one}"
    assert pod("port", "p", "90/udp").out == f"0.0.0.0:{two}"
    assert pod("port", "--latest", "80/tcp").out == f"127.0.0.1:{one}"
    assert "81" in pod("port", "p", "81", status=125).stderr
    assert f"80/tcp -> 127.0.0.1:{one}" in pod("port", "-a").stdout
    pod("port", "no-such-one", status=125)
    pod("port", "-a", "p", status=125)
    pod("rm", "-f", "-t", "0", "p")


def test_port_that_is_taken_is_named(pod: Engine) -> None:
    port = free_port()
    words = ("-p", f"127.0.0.1:{port}:80", "busybox", "sleep", "1000")
    pod("run", "-d", "--name", "first", *words)
    result = pod("run", "-d", "--name", "second", *words, status=None)
    assert result.status in (125, 126) and str(port) in result.stderr
    if pod.kind != "podman":
        assert "'first'" in result.stderr
    pod("rm", "-f", "-t", "0", "first", "second")


# container exists, prune, cleanup


def test_exists(box: Engine) -> None:
    assert box("container", "exists", "box").stdout == ""
    box("container", "exists", "no-such-one", status=1)
    box("container", "exists", status=125)


def test_prune(pod: Engine) -> None:
    pod("run", "-d", "--network", "none", "--name", "runs", "busybox", "sleep", "1000")
    kept = pod("create", "--name", "kept", "-l", "keep", "busybox").out
    gone = pod("create", "--name", "gone", "busybox").out
    assert gone in pod("container", "prune", "--force", "--filter", "label!=keep").stdout
    assert sorted(pod("ps", "-a", "--format", "{{.Names}}").lines) == ["kept", "runs"]
    assert pod("container", "prune", stdin="n\n").stdout.startswith("WARNING!")
    assert kept in pod("container", "prune", stdin="y\n").stdout
    assert pod("ps", "-a", "--format", "{{.Names}}").out == "runs"
    assert pod("container", "prune", "-f", "--filter", "nonsense=1", status=125).stdout == ""
    pod("rm", "-f", "-t", "0", "runs")


@pytest.mark.not_podman("it fails over containers that need each other")
def test_prune_removes_containers_that_need_each_other(pod: Engine) -> None:
    pod("create", "--name", "a", "--network", "none", "busybox")
    pod("create", "--name", "b", "--network", "container:a", "busybox")
    pod("container", "prune", "-f")
    assert pod("ps", "-a", "-q").out == ""


def test_cleanup(pod: Engine) -> None:
    pod("run", "--network", "none", "--name", "c", "busybox", "true")
    pod("container", "cleanup", "c")
    pod("container", "cleanup", "--rm", "c")
    assert pod("ps", "-a", "-q").out == ""
    pod("container", "cleanup", "no-such-one", status=125)
