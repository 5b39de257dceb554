"""`pod tag` and `untag`: names come and go, images stay."""

from __future__ import annotations

import pytest

from tests.support.engine import Engine


def names(pod: Engine) -> set[str]:
    """The names of all images, but for those that other tests have brought for good."""
    brought = {f"docker.io/library/{name}:latest" for name in pod.present - {"busybox"}}
    return set(pod("images", "--format", "{{.Repository}}:{{.Tag}}").lines) - brought


BUSYBOX = "docker.io/library/busybox:latest"


def test_names_are_completed(pod: Engine) -> None:
    number = pod("images", "-q", "busybox").out
    pod("tag", "busybox", "plain", "with:tag", "registry.example.com/deep/er/name:1")
    assert names(pod) == {BUSYBOX, "localhost/plain:latest", "localhost/with:tag",
                          "registry.example.com/deep/er/name:1"}  # fmt: skip
    assert set(pod("images", "-q", "--filter", "reference=*busybox").lines) == {number}
    for name in ("plain", "localhost/with:tag", "registry.example.com/deep/er/name:1"):
        assert pod("images", "-q", name).out == number


def test_name_moves(pod: Engine) -> None:
    """To another image; what it stood for stays."""
    pod("tag", "busybox", "moving")
    root = b"\0" * 10240  # an empty archive
    pod("import", "-", "localhost/other", stdin=root)
    pod("tag", "localhost/other", "moving")
    same = {pod("images", "-q", name).out for name in ("moving", "localhost/other")}
    assert len(same) == 1
    assert same != {pod("images", "-q", "busybox").out}


def test_by_id(pod: Engine) -> None:
    pod("tag", pod("images", "-q", "busybox").out, "by-id")
    assert "localhost/by-id:latest" in names(pod)


def test_untag(pod: Engine) -> None:
    number = pod("inspect", "--format", "{{.Id}}", "busybox").out
    pod("tag", "busybox", "one", "two", "three")
    pod("untag", "busybox", "one")
    assert names(pod) == {BUSYBOX, "localhost/two:latest", "localhost/three:latest"}
    pod("untag", number)
    assert names(pod) == {"<none>:<none>"}
    pod("tag", number, BUSYBOX)
    assert names(pod) == {BUSYBOX}


def test_wrong_usage(pod: Engine) -> None:
    before = names(pod)
    for words in (["tag", "busybox"], ["tag"], ["tag", "no-such-image", "x"], ["tag", "busybox", "Upper"],
                  ["tag", "busybox", "a@sha256:" + "0" * 64], ["untag"], ["untag", "no-such-image"],
                  ["untag", "busybox", "not-its-name"]):  # fmt: skip
        assert pod(*words, status=125).stdout == ""
    assert names(pod) == before


@pytest.mark.parametrize("name", ["localhost:5000/x", "x" * 120 + ":" + "t" * 128])
def test_odd_names(pod: Engine, name: str) -> None:
    pod("tag", "busybox", name)
    assert pod("images", "-q", name).out == pod("images", "-q", "busybox").out
