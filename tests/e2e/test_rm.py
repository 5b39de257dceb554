"""`pod rm`: what is removed, what stays, exit statuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.engine import Engine


def names(pod: Engine) -> list[str]:
    return pod("ps", "-a", "--format", "{{.Names}}").lines


def test_prints_what_was_typed(pod: Engine) -> None:
    number = pod("create", "--name", "one", "busybox").out
    pod("create", "--name", "two", "busybox")
    assert sorted(pod("rm", number[:10], "two").lines) == sorted([number[:10], "two"])
    assert names(pod) == []


def test_running_container_is_removed_by_force_only(pod: Engine) -> None:
    pod("run", "-d", "--network", "none", "--name", "r", "busybox", "sleep", "1000")
    result = pod("rm", "r", status=2)
    assert "running" in result.stderr
    assert names(pod) == ["r"]
    assert pod("rm", "-f", "-t", "0", "r").out == "r"
    assert names(pod) == []


def test_missing_container_is_status_1(pod: Engine) -> None:
    assert "no-such-one" in pod("rm", "no-such-one", status=1).stderr
    assert pod("rm", "--force", "no-such-one").stderr == ""
    assert pod("rm", "--ignore", "no-such-one").stderr == ""


@pytest.mark.not_podman("it looks up all names first, and removes none")
def test_every_name_is_tried(pod: Engine) -> None:
    for name in ("a", "b"):
        pod("create", "--name", name, "busybox")
    result = pod("rm", "a", "no-such-one", "b", status=1)
    assert result.lines == ["a", "b"]
    assert "no-such-one" in result.stderr


def test_all(pod: Engine) -> None:
    numbers = [pod("create", "busybox").out for _ in range(3)]
    pod("run", "-d", "--network", "none", "busybox", "sleep", "1000")
    assert set(pod("rm", "-a", "-f", "-t", "0").lines) >= set(numbers)
    assert names(pod) == []
    assert pod("rm", "-a").stdout == ""


def test_filter_latest_and_cidfile(pod: Engine, tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        pod(
            "create",
            "--name",
            name,
            "-l",
            f"is={name}",
            "--cidfile",
            str(tmp_path / name),
            "busybox",
        )
    pod("rm", "--filter", "label=is=b")
    assert names(pod) == ["a", "c"]
    pod("rm", "--latest")
    assert names(pod) == ["a"]
    pod("rm", "--cidfile", str(tmp_path / "a"))
    assert names(pod) == []
    pod("rm", "--cidfile", str(tmp_path / "missing"), status=125)


@pytest.mark.not_podman("4.3 does not do here what its manual says")
def test_ignore_is_about_cidfiles_too(pod: Engine, tmp_path: Path) -> None:
    pod("rm", "--ignore", "--cidfile", str(tmp_path / "missing"))


def test_volumes_without_a_name_stay_unless_asked(pod: Engine) -> None:
    pod("create", "--name", "v", "-v", "/anon", "-v", "named:/named", "busybox")
    pod("rm", "--volumes", "v")
    assert pod("volume", "ls", "-q").out == "named"
    pod("create", "--name", "w", "-v", "/anon", "busybox")
    pod("rm", "w")
    assert len(pod("volume", "ls", "-q").lines) == 2


def test_needed_container_stays_unless_dependents_go_too(pod: Engine) -> None:
    pod("create", "--name", "owner", "--network", "none", "busybox")
    pod("create", "--name", "user", "--network", "container:owner", "busybox")
    result = pod("rm", "owner", status=125)
    assert "user" in result.stderr or "dependent" in result.stderr
    pod("rm", "--depend", "owner")
    assert names(pod) == []


@pytest.mark.parametrize(
    "words", [["--time", "3", "x"], [], ["-a", "x"], ["-a", "--latest"]], ids=" ".join
)
def test_wrong_usage(pod: Engine, words: list[str]) -> None:
    assert pod("rm", *words, status=125).stdout == ""


def test_container_that_removes_itself_can_be_removed_by_force(pod: Engine) -> None:
    pod("run", "-d", "--rm", "--network", "none", "--name", "gone", "busybox", "sleep", "1000")
    assert pod("rm", "-f", "-t", "0", "gone").out == "gone"
    assert names(pod) == []
