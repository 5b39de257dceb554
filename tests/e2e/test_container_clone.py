"""`pod container clone`: the configuration of another container, without its files."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.engine import Engine


def create(pod: Engine, *options: str, command: tuple[str, ...] = ("sleep", "1000")) -> None:
    pod("create", "--name", "c", "--network", "none", *options, "busybox", *command)


def document(pod: Engine, name: str) -> dict[str, Any]:
    (found,) = pod("container", "inspect", name).json()
    assert isinstance(found, dict)
    return found


@pytest.mark.not_podman("4.3 forgets the host name and the working directory")
def test_what_was_typed_is_the_same(pod: Engine) -> None:
    create(pod, "-e", "A=1", "--label", "x=y", "--hostname", "host", "-v", "named:/data", "--read-only",
           "--cap-drop", "CHOWN", "-w", "/tmp", command=("sh", "-c", "hostname; echo $A; ls /data"))  # fmt: skip
    number = pod("container", "clone", "c").out
    assert pod("inspect", "-f", "{{.Id}} {{.Name}}", "c-clone").out == f"{number} c-clone"
    old, new = document(pod, "c"), document(pod, "c-clone")
    for key in ("Cmd", "Labels", "Image", "Hostname", "WorkingDir"):
        assert new["Config"][key] == old["Config"][key], key
    for key in ("ReadonlyRootfs", "CapDrop"):
        assert new["HostConfig"][key] == old["HostConfig"][key], key
    assert pod("start", "-a", "c-clone").lines == ["host", "1"]


@pytest.mark.not_podman("it keeps the host name and HOSTNAME of the other")
def test_what_belongs_to_one_container_is_not_the_same(pod: Engine) -> None:
    create(pod, "-v", "/a", "--cidfile", f"{pod.root}.cid",
           command=("sh", "-c", "hostname; echo $HOSTNAME; cat /a/f /written; touch /written /a/f"))  # fmt: skip
    pod("start", "-a", "c")
    number = pod("container", "clone", "c").out
    assert pod("start", "-a", "c-clone").lines == [number[:12]] * 2
    volumes = [document(pod, name)["Mounts"][0]["Name"] for name in ("c", "c-clone")]
    assert volumes[0] != volumes[1]


def test_names(pod: Engine) -> None:
    create(pod)
    for words in (("c",), ("c", "second"), ("--name", "third", "c")):
        pod("container", "clone", *words)
    assert sorted(pod("ps", "-a", "--format", "{{.Names}}").lines) == [
        "c",
        "c-clone",
        "second",
        "third",
    ]
    pod("container", "clone", "c", "second", status=125)
    pod("container", "clone", "nobody", status=125)


@pytest.mark.not_podman("it counts in another way")
def test_names_that_are_taken_get_a_number(pod: Engine) -> None:
    create(pod)
    for name in ("c", "c", "c-clone"):
        pod("container", "clone", name)
    names = ["c", "c-clone", "c-clone1", "c-clone2"]
    assert sorted(pod("ps", "-a", "--format", "{{.Names}}").lines) == names


@pytest.mark.not_podman("it has made the clone when it refuses to remove the other")
def test_it_can_take_the_place_of_the_other(pod: Engine) -> None:
    create(pod)
    pod("start", "c")
    pod("container", "clone", "--destroy", "--run", "c", "d", status=125)
    assert pod("ps", "--format", "{{.Names}}").out == "c"
    pod("container", "clone", "--force", "c", "d", status=125)
    pod("container", "clone", "--destroy", "--force", "--run", "c", "d")
    assert pod("ps", "-a", "--format", "{{.Names}} {{.State}}").out == "d running"


@pytest.mark.not_podman("it keeps the command of the old image")
def test_another_image_brings_its_own_defaults(pod: Engine) -> None:
    pod("create", "--name", "c", "--network", "none", "-e", "A=1", "busybox")
    pod("import", "--change", "CMD [\"/none\"]", "--change", "ENV B=2", "--change", "LABEL l=m", "-", "localhost/other",
        stdin=b"\0" * 10240)  # fmt: skip
    pod("container", "clone", "c", "d", "localhost/other")
    new = document(pod, "d")
    assert new["Config"]["Cmd"] == ["/none"]
    assert {"A=1", "B=2"} <= set(new["Config"]["Env"])
    assert new["Config"]["Labels"] == {"l": "m"}
    assert new["Config"]["Image"] == "localhost/other:latest"


def test_limits_can_be_changed(pod: Engine) -> None:
    create(pod, "--memory", "64m", "--cpu-shares", "512")
    pod("container", "clone", "--memory", "128m", "c", "d")
    pod("container", "clone", "--cpus", "0.5", "c", "e")
    bigger, slower = document(pod, "d")["HostConfig"], document(pod, "e")["HostConfig"]
    assert (bigger["Memory"], bigger["CpuShares"]) == (128 << 20, 512)
    assert (slower["Memory"], slower["CpuQuota"]) == (64 << 20, 50000)
    if pod.kind == "pod":
        assert "memory" in pod("container", "clone", "--memory", "many", "c", status=125).stderr


@pytest.mark.not_podman("it does so silently, with the same ids")
def test_the_range_of_ids_is_its_own(pod: Engine) -> None:
    create(pod, "--userns", "auto:size=1000", command=("cat", "/proc/self/uid_map"))
    pod("container", "clone", "c", "d")
    assert pod("start", "-a", "c").out != pod("start", "-a", "d").out
