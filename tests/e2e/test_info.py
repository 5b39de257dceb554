"""`pod info` and `version`: what was found on this machine."""

from __future__ import annotations

import os
import platform

from tests.support.engine import Engine


def test_facts_of_the_machine(pod: Engine) -> None:
    found = pod("info", "--format", "json").json()
    host = found["host"]
    assert host["kernel"] == platform.release()
    assert host["arch"] == "amd64"
    assert host["os"] == "linux"
    assert host["cpus"] == os.cpu_count()
    assert host["hostname"] == platform.node()
    assert host["security"]["rootless"] is True
    assert host["security"]["seccompEnabled"] is True
    assert host["idMappings"]["uidmap"][0] == {"container_id": 0, "host_id": os.getuid(), "size": 1}
    assert host["cgroupVersion"] == "v2"
    assert host["memTotal"] > 0


def test_facts_of_the_store(pod: Engine) -> None:
    pod("create", "busybox")
    pod("run", "-d", "--network", "none", "busybox", "sleep", "1000")
    store = pod("info", "--format", "json").json()["store"]
    assert store["graphRoot"] == pod.root
    assert store["runRoot"] == pod.runroot
    assert store["graphDriverName"] == "overlay"
    assert store["imageStore"]["number"] == len(set(pod("images", "-a", "-q").lines))
    assert store["containerStore"] == {"number": 2, "paused": 0, "running": 1, "stopped": 1}


def test_templates(pod: Engine) -> None:
    form = "{{.Store.GraphDriverName}} {{.Host.Arch}} {{.Host.Security.Rootless}}"
    assert pod("info", "--format", form).out == "overlay amd64 true"
    for field in ("Host.BuildahVersion", "Host.Conmon.Version", "Host.OCIRuntime.Version"):
        assert pod("info", "--format", f"{{{{.{field}}}}}").out
    assert pod("info", "--format", "{{.Nonsense}}", status=125).stdout == ""
    assert (
        pod("info", "--format", "{{.Version.Version}}").out
        == pod("version", "--format", "{{.Client.Version}}").out
    )


def test_text_for_people(pod: Engine) -> None:
    """YAML, whose top level has these keys."""
    top = [line for line in pod("info").lines if line and not line.startswith((" ", "-"))]
    assert [line.partition(":")[0] for line in top] == [
        "host",
        "plugins",
        "registries",
        "store",
        "version",
    ]


def test_registries(pod: Engine) -> None:
    found = pod("info", "--format", "json").json()["registries"]
    assert found["search"] == ["docker.io"]


def test_without_anything(fresh_pod: Engine) -> None:
    """Nothing needs to be there."""
    store = fresh_pod("info", "--format", "json").json()["store"]
    assert store["imageStore"]["number"] == 0


def test_version(pod: Engine) -> None:
    text = pod("version").stdout
    assert "Version:" in text
    number = pod("version", "--format", "json").json()["Client"]["Version"]
    assert number in text
    assert number in pod("--version").stdout


def test_wrong_usage(pod: Engine) -> None:
    for words in (["info", "x"], ["version", "x"], ["info", "--format", "{{"]):
        assert pod(*words, status=125).stdout == ""
