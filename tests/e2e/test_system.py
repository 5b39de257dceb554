"""`pod system`: what uses the disk, what can go, whether all is well, and back to the beginning."""

from __future__ import annotations

import os

import pytest

from tests.integration.image.faulty import FaultyRegistry, small_layer
from tests.support.checks import nothing_wrong
from tests.support.engine import Engine


def names(pod: Engine) -> set[str]:
    return set(pod("images", "--format", "{{.Repository}}").lines)


def bring(pod: Engine, server: FaultyRegistry, name: str, *contents: str) -> str:
    server.add_image(f"me/{name}:latest", [small_layer(content) for content in contents or (name,)])
    pod("pull", "-q", "--tls-verify=false", f"{server.host}/me/{name}")
    return f"{server.host}/me/{name}"


def test_df(pod: Engine) -> None:
    pod(
        "run",
        "--name",
        "c",
        "--network",
        "none",
        "busybox",
        "dd",
        "if=/dev/zero",
        "of=/f",
        "bs=1M",
        "count=3",
    )
    pod("run", "--rm", "--network", "none", "-v", "data:/v", "busybox", "dd", "if=/dev/zero", "of=/v/f", "bs=1M",
        "count=2")  # fmt: skip
    lines = [line.split() for line in pod("system", "df").lines]
    assert lines[0] == ["TYPE", "TOTAL", "ACTIVE", "SIZE", "RECLAIMABLE"]
    rows = {line[0]: line for line in lines[1:]}
    assert rows["Images"][1:3] == [str(len(pod.present)), "1"]
    assert rows["Containers"][1:3] == ["1", "0"]
    assert rows["Containers"][3].startswith("3.")
    assert rows["Local"][2] == "1"
    assert rows["Local"][4].startswith("2.")
    assert "busybox" in pod("system", "df", "-v").stdout


def test_df_in_formats(pod: Engine) -> None:
    kinds = pod("system", "df", "--format", "{{.Type}}").lines
    assert kinds[:3] == ["Images", "Containers", "Local Volumes"]
    if pod.kind == "pod":  # version 4.3 of podman has no JSON here
        assert [row["Type"] for row in pod("system", "df", "--format", "json").json()] == kinds


@pytest.mark.timeout(300)  # all images come back afterwards
def test_prune(pod: Engine, server: FaultyRegistry) -> None:
    """Containers that have ended and images without a name; the rest when asked for."""
    unused = bring(pod, server, "unused")
    old = bring(pod, server, "moving", "one")
    number = pod("inspect", "--format", "{{.Id}}", old).out
    bring(pod, server, "moving", "two")
    pod("create", "--name", "ended", "busybox")
    pod("run", "-d", "--network", "none", "--name", "runs", "busybox", "sleep", "1000")
    pod("volume", "create", "data")
    out = pod("system", "prune", "-f").stdout
    assert number in out
    assert "reclaimed space" in out
    assert pod("ps", "-a", "--format", "{{.Names}}").lines == ["runs"]
    assert unused in names(pod)
    assert pod("volume", "ls", "-q").lines == ["data"]
    pod("system", "prune", "-a", "-f", "--volumes")
    assert names(pod) == {"docker.io/library/busybox"}
    assert pod("volume", "ls", "-q").lines == []
    nothing_wrong(pod)


@pytest.mark.not_podman("it has no such option")
def test_least_recently_used(fresh_pod: Engine, server: FaultyRegistry) -> None:
    """In the order of the last use; a list of images is in use as long as one of its images is."""
    pod = fresh_pod
    one, two = bring(pod, server, "one"), bring(pod, server, "two")
    pod("manifest", "create", "localhost/list", one)
    ids = [pod("inspect", "--format", "{{.Id}}", name).out for name in (one, two)]
    for name in (two, one):
        pod("rm", pod("create", name, "x").out)
    pruned = pod("image", "prune", "-f", "--until-free", "1000t", status=125).lines
    assert len(pruned) == 3
    assert pruned[0] == ids[1]
    nothing_wrong(pod)


def test_prune_asks(pod: Engine) -> None:
    pod("create", "--name", "ended", "busybox")
    asked = pod("system", "prune", stdin="n\n")
    assert "[y/N]" in asked.stdout + asked.stderr
    assert pod("ps", "-a", "--format", "{{.Names}}").lines == ["ended"]
    pod("system", "prune", stdin="y\n")
    assert pod("ps", "-a", "-q").lines == []


def test_prune_with_filters(pod: Engine) -> None:
    pod("create", "--name", "one", "-l", "keep=yes", "busybox")
    pod("create", "--name", "two", "busybox")
    pod("system", "prune", "-f", "--filter", "label!=keep=yes")
    assert pod("ps", "-a", "--format", "{{.Names}}").lines == ["one"]
    pod("system", "prune", "-f", "--filter", "until=1h")
    assert pod("ps", "-a", "--format", "{{.Names}}").lines == ["one"]


def test_reset(fresh_pod: Engine, server: FaultyRegistry) -> None:
    pod = fresh_pod
    pod("pull", "-q", pod.registry.have("busybox") if pod.registry else "", "--tls-verify=false")
    image = pod("images", "-q").out
    pod("run", "-d", "--network", "none", "-v", "data:/v", image, "sleep", "1000")
    if pod.kind == "pod":
        asked = pod("system", "reset", stdin="n\n")
        assert "[y/N]" in asked.stdout + asked.stderr
        assert len(pod("ps", "-q").lines) == 1
        with open(f"{pod.root}/of-somebody-else", "w") as file:
            file.write("x")
    pod("system", "reset", "-f")
    if pod.kind == "pod":
        assert os.listdir(pod.root) == ["of-somebody-else"]
        os.unlink(f"{pod.root}/of-somebody-else")
    assert names(pod) == set()
    assert pod("ps", "-a", "-q").lines == []
    assert pod("volume", "ls", "-q").lines == []


@pytest.mark.parametrize(
    "words", [["df", "x"], ["prune", "x"], ["prune", "--filter", "nonsense=1", "-f"], ["nonsense"],
              ["df", "--format", "{{"]], ids=" ".join
)  # fmt: skip
def test_wrong_usage(pod: Engine, words: list[str]) -> None:
    result = pod("system", *words, status=125)
    assert "Error: " in result.stderr
