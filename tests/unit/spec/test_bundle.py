"""The OCI runtime configuration of a container, against golden files.

`tests/data/bundle/default.json` is the whole document of a container without options; each other file says what differs
from it, by the dotted names of the objects. `pytest --update-golden` rewrites them; read the difference.
"""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from pod.linux.capabilities import NAMES
from pod.spec import bundle
from pod.spec.bundle import Facts
from pod.spec.container import ContainerConfig, Networking
from pod.spec.mounts import Mount
from pod.spec.namespaces import Namespace, Network
from pod.spec.resources import DeviceLimit, Resources, Ulimit
from pod.spec.security import SecurityOptions

DATA = os.path.join(os.path.dirname(__file__), "../../data/bundle")
IMAGE = "sha256:" + "1" * 64


def facts(**changes: Any) -> Facts:
    """A machine on which nothing changes."""
    fixed = {
        "container_id": "c" * 64,
        "directory": "/root/containers/c",
        "volumes": "/root/volumes",
        "uid_maps": ((0, 1000, 1), (1, 100000, 65536)),
        "gid_maps": ((0, 1000, 1), (1, 100000, 65536)),
        "available_capabilities": NAMES,
        "own_limits": {"nofile": (1024, 524288), "nproc": (-1, -1), "core": (0, -1)},
        "image_layers": {IMAGE: ("/root/layers/top", "/root/layers/a:b")},
    }
    return Facts(**{**fixed, **changes})


BASE = ContainerConfig(command=("sh", "-c", "true"), environment=("PATH=/bin",), user="")

HOST = Namespace("host")
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    # name of the file: fields of ContainerConfig, fields of Facts
    "terminal": ({"terminal": True}, {"window": (24, 80)}),
    "terminal-without-term": ({"terminal": True, "unset_environment": ("TERM",)}, {}),
    "user": (
        {"user": "www:33", "add_capabilities": ("CAP_NET_RAW",), "working_directory": "/srv"},
        {},
    ),
    "names": ({"hostname": "web", "domainname": "example.org", "annotations": {"a": "b"}}, {}),
    "privileged": ({"privileged": True}, {"devices": (("/dev/fuse", "/dev/fuse"),)}),
    "host-namespaces": (
        {
            "pid": HOST,
            "ipc": HOST,
            "uts": HOST,
            "cgroupns": HOST,
            "networking": Networking(network=Network("host")),
        },
        {},
    ),
    "joined-namespaces": (
        {
            "networking": Networking(network=Network("container", "owner")),
            "pid": Namespace("container", "owner"),
        },
        {
            "joined": {
                "network": "/proc/7/ns/net",
                "pid": "/proc/7/ns/pid",
                "user": "/proc/7/ns/user",
            },
            "uid_maps": (),
            "gid_maps": (),
        },
    ),
    "single-id": ({}, {"uid_maps": ((0, 1000, 1),), "gid_maps": ((0, 1000, 1),)}),
    "read-only": (
        {"read_only": True, "mounts": (Mount("tmpfs", "/tmp", options=("size=1m",)),)},
        {},
    ),
    "mounts": (
        {
            "mounts": (
                Mount("bind", "/data/inner", "/srv/data", read_only=True),
                Mount("bind", "/flat", "/srv/flat", recursive=False, propagation="rslave"),
                Mount("volume", "/data", "store", subpath="part"),
                Mount("bind", "/o", "/srv/o:p", overlay=True),
                Mount("image", "/image", IMAGE, read_only=True),
                Mount("image", "/image-rw", IMAGE),
                Mount("tmpfs", "/cache", options=("size=64k", "noexec"), copy=False),
                Mount("devpts", "/more-pts"),
                Mount("bind", "/etc/hosts", "/srv/hosts"),
            )
        },
        {"files": {"/etc/hosts": "/run/c/hosts", "/etc/resolv.conf": "/run/c/resolv.conf"}},
    ),
    "replaced-system-mounts": (
        {"mounts": (Mount("bind", "/dev/shm", "/srv/shm"), Mount("tmpfs", "/sys/fs/cgroup"))},
        {},
    ),
    "init": ({"init": True, "ipc": Namespace("none")}, {"init_program": "/usr/bin/catatonit"}),
    "security": (
        {
            "security": SecurityOptions(
                apparmor="mine",
                no_new_privileges=True,
                mask=("/secret",),
                unmask=("/proc/acpi", "/proc/s*"),
                proc_options=("hidepid=2",),
            ),
            "drop_capabilities": ("ALL",),
            "sysctls": {"net.ipv4.ip_forward": "1", "kernel.msgmax": "65536"},
            "oom_score_adj": 100,
            "umask": 0o077,
            "ulimits": (Ulimit("nofile", 10, 20), Ulimit("core", 0, 0)),
        },
        {},
    ),
    "resources": (
        {
            "resources": Resources(
                memory=1 << 26,
                memory_swap=1 << 27,
                cpu_quota=50000,
                cpu_period=100000,
                pids_limit=100,
                cpuset_cpus="0-1",
                read_bps=(DeviceLimit("8:0", 1 << 20),),
                unified=(("memory.high", "60000000"),),
            ),
            "shm_size": 1 << 20,
        },
        {"cgroup": "/sys/fs/cgroup/user/pod-c", "has_cgroup_tree": True},
    ),
    "no-cgroup-tree": ({}, {"has_cgroup_tree": False}),
}


def document(config: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    made = bundle.runtime_config(BASE.replace(**config), facts(**given))
    return dict(json.loads(json.dumps(made)))


def test_default(update_golden: bool) -> None:
    check("default", document({}, {}), update_golden)


@pytest.mark.parametrize("name", CASES)
def test_bundle(name: str, update_golden: bool) -> None:
    base = flat(document({}, {}))
    made = flat(document(*CASES[name]))
    difference = {
        key: made.get(key) for key in sorted({*base, *made}) if base.get(key) != made.get(key)
    }
    check(name, difference, update_golden)


def flat(made: dict[str, Any]) -> dict[str, Any]:
    """Two levels of objects as one, with dotted names."""
    found: dict[str, Any] = {}
    for key, value in made.items():
        if key in {"process", "linux", "root"}:
            found |= {f"{key}.{name}": inner for name, inner in value.items()}
        else:
            found[key] = value
    return found


def check(name: str, made: dict[str, Any], update_golden: bool) -> None:
    path = os.path.join(DATA, f"{name}.json")
    text = "".join(_lines(made))
    if update_golden:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    with open(path, encoding="utf-8") as file:
        assert text == file.read()


def _lines(made: dict[str, Any]) -> list[str]:
    """JSON with one element of a list of objects on a line, so that a difference can be read."""
    lines = []
    for key, value in made.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            inner = ",\n".join(f"    {json.dumps(entry)}" for entry in value)
            lines.append(f"  {json.dumps(key)}: [\n{inner}\n  ]")
        elif isinstance(value, dict):
            inner = ",\n".join(
                f"    {json.dumps(name)}: {json.dumps(entry)}" for name, entry in value.items()
            )
            lines.append(f"  {json.dumps(key)}: {{\n{inner}\n  }}")
        else:
            lines.append(f"  {json.dumps(key)}: {json.dumps(value)}")
    return ["{\n", ",\n".join(lines), "\n}\n"]


def test_every_golden_file_has_a_case() -> None:
    assert {name.removesuffix(".json") for name in os.listdir(DATA)} == {"default", *CASES}


def test_same_values_give_the_same_document() -> None:
    assert document(*CASES["mounts"]) == document(*CASES["mounts"])


def test_process_that_joins_has_what_the_container_has_but_for_what_it_asks() -> None:
    config = BASE.replace(working_directory="/srv", umask=0o027, user="www")
    own = bundle.process(config, facts(), ["ls"], ["A=1"], terminal=False)
    assert (own["cwd"], own["user"]["umask"], own["args"], own["env"]) == (
        "/srv",
        0o027,
        ["ls"],
        ["A=1"],
    )
    assert set(own["capabilities"]) == {"bounding"}
    root = bundle.process(config, facts(), ["ls"], (), terminal=True, user="0", privileged=True)
    assert set(root["capabilities"]["effective"]) == set(NAMES)
    assert root["env"] == ["TERM=xterm"]
