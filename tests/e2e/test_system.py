"""`pod system`: what uses the disk, what can go, whether all is well, and back to the beginning."""

from __future__ import annotations

import os
from typing import Any

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


CHECK = pytest.mark.not_podman("version 4.3 has no such command")


@CHECK
def test_check_finds_and_repairs(fresh_pod: Engine, server: FaultyRegistry) -> None:
    """A blob with other content, a layer that is gone: the image is removed, the layer comes back."""
    pod = fresh_pod
    good, bad = bring(pod, server, "good", "shared", "g"), bring(pod, server, "bad", "shared", "b")

    def digests(name: str, what: str) -> Any:
        return pod("inspect", "--format", "{{range .RootFS.Layers}}{{.}} {{end}}", name).out.split()

    layer = digests(good, "layers")[1]
    pod("unshare", "rm", "-r", f"{pod.root}/layers/{layer[7:39]}")
    blob = f"{pod.root}/images/blobs/sha256/{digests(bad, 'blobs')[1][7:]}"
    with open(blob, "r+b") as file:
        file.write(b"damage")
    quick = pod("system", "check", "--quick", status=1)
    assert good in quick.stdout
    assert bad not in quick.stdout
    found = pod("system", "check", status=1)
    assert good in found.stdout
    assert bad in found.stdout
    pod("system", "check", "--repair", status=None)
    nothing_wrong(pod)
    assert names(pod) == {good}
    pod("rm", pod("create", good, "x").out)


@CHECK
def test_check_of_containers_and_volumes(fresh_pod: Engine) -> None:
    pod = fresh_pod
    pod("pull", "-q", pod.registry.have("busybox") if pod.registry else "", "--tls-verify=false")
    image = pod("images", "-q").out
    number = pod("create", "--name", "broken", image).out
    pod("create", "--name", "whole", image)
    pod("volume", "create", "data")
    pod("unshare", "rm", "-r", f"{pod.root}/containers/{number}", f"{pod.root}/volumes/data")
    os.makedirs(f"{pod.root}/volumes/stranger/_data")
    with open(f"{pod.root}/volumes/stranger/_data/file", "w") as file:
        file.write("of value")
    found = pod("system", "check", status=1).stdout
    assert "broken" in found
    assert "data" in found
    assert "stranger" in found
    pod("system", "check", "--repair", "--force")
    nothing_wrong(pod)
    assert pod("ps", "-a", "--format", "{{.Names}}").lines == ["whole"]
    assert pod("volume", "ls", "-q").lines == ["data"]


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
