"""Limits that cannot be applied: said once, shown by inspect, and with --require-limits an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.engine import Engine

pytestmark = pytest.mark.not_podman("its warnings, fields and flags are others")

IMPOSSIBLE = ("--cgroup-conf", "nothing.max=1")
WHY = "the nothing controller is not delegated"


def test_a_limit_that_cannot_be_applied_is_said_once_and_shown(pod: Engine) -> None:
    result = pod(
        "run", "-d", "--name", "c", "--network", "none", *IMPOSSIBLE, "busybox", "sleep", "1d"
    )
    assert result.stderr.count("nothing.max") == 1
    assert WHY in result.stderr
    assert pod("exec", "c", "true").stderr == ""
    (document,) = pod("inspect", "c").json()
    assert document["Requested"]["Limits"] == {"nothing.max": "1"}
    assert document["Effective"]["Limits"] == {}
    assert document["Effective"]["NotApplied"] == {"nothing.max": WHY}


def test_required_limits_keep_a_container_from_starting(pod: Engine) -> None:
    result = pod(
        "run",
        "-d",
        "--require-limits",
        "--network",
        "none",
        *IMPOSSIBLE,
        "busybox",
        "sleep",
        "1d",
        status=125,
    )
    assert "nothing.max" in result.stderr
    assert WHY in result.stderr
    assert pod("ps", "-q").out == ""


def test_the_configuration_can_require_limits(pod: Engine, tmp_path: Path) -> None:
    path = tmp_path / "containers.conf"
    path.write_text("[containers]\nrequire_limits = true\n")
    conf = {"CONTAINERS_CONF_OVERRIDE": str(path)}
    words = ("--rm", "--network", "none", *IMPOSSIBLE, "busybox", "true")
    assert WHY in pod("run", *words, status=125, env=conf).stderr
    assert WHY in pod("run", "--require-limits=false", *words, env=conf).stderr


def test_id_maps_are_shown_as_they_are(pod: Engine) -> None:
    pod(
        "run",
        "-d",
        "--name",
        "c",
        "--network",
        "none",
        "--userns",
        "keep-id",
        "busybox",
        "sleep",
        "1d",
    )
    (document,) = pod("inspect", "c").json()
    assert document["Requested"]["UsernsMode"] == "keep-id"
    pid = document["State"]["Pid"]
    for kind in ("Uid", "Gid"):
        lines = Path(f"/proc/{pid}/{kind.lower()}_map").read_text().splitlines()
        assert document["Effective"]["IDMappings"][f"{kind}Map"] == [
            ":".join(line.split()) for line in lines
        ]
