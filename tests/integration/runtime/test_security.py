"""What the processes of a container may do: capabilities, no_new_privs, seccomp, sysctls, devices; start and exec."""

from __future__ import annotations

import os
import stat
from typing import Any

import pytest

from pod.base.errors import PodError
from pod.linux import capabilities, seccomp
from pod.spec import defaults
from pod.spec.namespaces import Namespace
from pod.spec.security import SecurityOptions
from tests.support.bundles import Bench, Exec

SETS = "sed -n 's/^Cap\\(...\\):\\t/\\1 /p' /proc/self/status"
DEFAULT = capabilities.mask(defaults.CAPABILITIES)
ALL = (1 << capabilities.last_known() + 1) - 1
CHOWN, NET_ADMIN, SYS_ADMIN = (
    capabilities.mask([f"CAP_{name}"]) for name in ("CHOWN", "NET_ADMIN", "SYS_ADMIN")
)


def sets(out: str) -> dict[str, int]:
    """The capability sets that SETS prints, by three letters: Inh, Prm, Eff, Bnd, Amb."""
    return {name: int(bits, 16) for name, bits in (line.split() for line in out.splitlines())}


def five(
    inheritable: int, permitted: int, effective: int, bounding: int, ambient: int
) -> dict[str, int]:
    return {"Inh": inheritable, "Prm": permitted, "Eff": effective, "Bnd": bounding, "Amb": ambient}


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param({}, five(0, DEFAULT, DEFAULT, DEFAULT, 0), id="root"),
        pytest.param({"user": "1"}, five(0, 0, 0, DEFAULT, 0), id="user"),
        pytest.param(
            {"user": "1", "add_capabilities": ("CAP_NET_ADMIN",)},
            five(NET_ADMIN, NET_ADMIN, NET_ADMIN, DEFAULT | NET_ADMIN, NET_ADMIN),
            id="added-for-user",
        ),
        pytest.param({"drop_capabilities": ("ALL",)}, five(0, 0, 0, 0, 0), id="none"),
        pytest.param(
            {"drop_capabilities": ("ALL",), "add_capabilities": ("CAP_CHOWN",)},
            five(0, CHOWN, CHOWN, CHOWN, 0),
            id="one",
        ),
        pytest.param({"privileged": True}, five(0, ALL, ALL, ALL, 0), id="privileged"),
    ],
)
def test_capabilities(
    bench: Bench, runtime: str, config: dict[str, Any], expected: dict[str, int]
) -> None:
    done = bench.run("sh", "-c", SETS, runtime=runtime, **config)
    assert sets(done.out) == expected
    if not runtime:
        joined = [Exec(["sh", "-c", SETS])]
        done = bench.run("sleep", "100", joins=joined, **config)
        assert sets(done.joined[0].out) == expected


def test_capabilities_of_a_privileged_process_that_joins(bench: Bench) -> None:
    joined = [
        Exec(["sh", "-c", SETS], privileged=True),
        Exec(["sh", "-c", SETS], user="1", privileged=True),
    ]
    done = bench.run("sleep", "100", joins=joined, drop_capabilities=("CAP_CHOWN",))
    assert sets(done.joined[0].out) == five(0, ALL & ~CHOWN, ALL & ~CHOWN, ALL & ~CHOWN, 0)
    assert sets(done.joined[1].out) == five(0, 0, 0, ALL & ~CHOWN, 0)


@pytest.mark.parametrize("no_new_privileges", [False, True])
@pytest.mark.parametrize("user", ["", "1"])
def test_seccomp_filter_is_in_force(
    bench: Bench, tmp_path: Any, no_new_privileges: bool, user: str
) -> None:
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 33}
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}
    path = str(tmp_path / "filter")
    with open(path, "wb") as file:
        file.write(seccomp.compile_profile(profile, set(), "test"))
    script = "mkdir /tmp/x; grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status | tr -d '\\t'"
    done = bench.run(
        "sh", "-c", f"{script}; exec sleep 100", user=user, changes={"seccomp": path},
        security=SecurityOptions(no_new_privileges=no_new_privileges),
        joins=[Exec(["sh", "-c", script])],
    )  # fmt: skip
    for outcome in (done, done.joined[0]):
        assert outcome.lines == [f"NoNewPrivs:{int(no_new_privileges)}", "Seccomp:2"]
        assert os.strerror(33) in outcome.err


def test_sysctls(bench: Bench, runtime: str) -> None:
    values = {"net.ipv4.ip_forward": "1", "kernel.msgmax": "4096"}
    script = "cd /proc/sys; cat net/ipv4/ip_forward kernel/msgmax net/ipv4/ping_group_range"
    assert bench.run("sh", "-c", script, sysctls=values, runtime=runtime).out.split() == [
        "1",
        "4096",
        "0",
        "0",
    ]


def test_sysctl_that_does_not_exist(bench: Bench) -> None:
    with pytest.raises(PodError, match=r"sysctl 'net.no.such' cannot be set to '1'"):
        bench.run("true", sysctls={"net.no.such": "1"})


# Devices

NODES = ("null", "zero", "full", "random", "urandom", "tty")


def test_usual_devices(bench: Bench, runtime: str) -> None:
    script = (
        f"cd /dev; stat -c '%n %t:%T %a' {' '.join(NODES)}; "
        "for name in fd stdin stdout stderr ptmx; do readlink $name; done; "
        "head -c 3 zero | wc -c; echo x >null; ls pts shm mqueue | wc -w"
    )
    expected = []
    for name in NODES:
        status = os.stat(f"/dev/{name}")
        numbers = f"{os.major(status.st_rdev):x}:{os.minor(status.st_rdev):x}"
        expected.append(f"{name} {numbers} {stat.S_IMODE(status.st_mode):o}")
    links = ["/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "pts/ptmx"]
    lines = bench.run("sh", "-c", script, runtime=runtime).lines
    assert lines[:11] == expected + links
    assert lines[11] == "3"


def test_given_devices(bench: Bench, runtime: str) -> None:
    devices = (("/dev/fuse", "/dev/fuse"), ("/dev/zero", "/dev/deep/er/nothing"))
    script = "stat -c %F /dev/fuse /dev/deep/er/nothing; head -c 2 /dev/deep/er/nothing | wc -c"
    done = bench.run("sh", "-c", script, facts={"devices": devices}, runtime=runtime)
    assert done.lines == ["character special file"] * 2 + ["2"]


def test_device_that_is_missing_is_named(bench: Bench) -> None:
    with pytest.raises(PodError, match="device '/dev/no-such' cannot be given"):
        bench.run("true", facts={"devices": (("/dev/no-such", "/dev/x"),)})


def test_device_nodes_cannot_be_made(bench: Bench) -> None:
    assert bench.run("mknod", "/dev/sda", "b", "8", "0", privileged=True).status == 1


def test_privileged_masks_and_protects_nothing(bench: Bench) -> None:
    script = """
    mount -t tmpfs x /home && echo mounted
    echo 1 >/proc/sys/net/ipv4/ip_forward && cat /proc/sys/net/ipv4/ip_forward
    grep -c ' /proc/' /proc/mounts
    grep ' /sys ' /proc/mounts | grep -c ' rw,'
    """
    assert bench.run("sh", "-c", script, privileged=True).lines == ["mounted", "1", "0", "1"]


# Namespaces

KINDS = ("mnt", "pid", "net", "ipc", "uts", "cgroup", "user")


def test_every_namespace_is_new(bench: Bench, runtime: str) -> None:
    own = [os.readlink(f"/proc/self/ns/{kind}") for kind in KINDS]
    script = "; ".join(f"readlink /proc/self/ns/{kind}" for kind in KINDS)
    found = bench.run("sh", "-c", script, runtime=runtime).lines
    assert [kind for kind, one, other in zip(KINDS, own, found, strict=True) if one == other] == []


@pytest.mark.parametrize(
    "shared",
    [("pid",), ("ipc",), ("uts",), ("cgroupns",), ("pid", "ipc", "uts", "cgroupns")],
    ids=" ".join,
)
def test_namespaces_of_the_host(bench: Bench, shared: tuple[str, ...]) -> None:
    config = {kind: Namespace("host") for kind in shared}
    script = "; ".join(f"readlink /proc/self/ns/{kind}" for kind in KINDS)
    done = bench.run(
        "sh", "-c", f"{script}; exec sleep 100", joins=[Exec(["sh", "-c", script])], **config
    )
    names = {"cgroupns": "cgroup"}
    wanted = {names.get(kind, kind) for kind in shared}
    same = [
        kind
        for kind, link in zip(KINDS, done.lines, strict=True)
        if link == os.readlink(f"/proc/self/ns/{kind}")
    ]
    assert set(same) == wanted
    assert done.joined[0].lines == done.lines


def test_single_id(bench: Bench) -> None:
    maps = ((0, os.getuid(), 1),), ((0, os.getgid(), 1),)
    script = "id -u; id -g; touch /x; stat -c %u:%g /x; grep devpts /proc/mounts | grep -c gid=5"
    done = bench.run("sh", "-c", script, maps=maps)
    assert done.lines == ["0", "0", "0:0", "0"]
    with pytest.raises(PodError, match="supplementary groups"):
        bench.run("true", maps=maps, groups=("7",))
    with pytest.raises((PodError, OSError), match="does not have it"):
        bench.run("true", maps=maps, user="7")
