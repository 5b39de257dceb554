"""`pod rmi`: names go one by one, the image with the last of them, and what others share stays."""

from __future__ import annotations

import json
import os

import pytest

from tests.integration.image.faulty import FaultyRegistry, small_layer
from tests.support.checks import nothing_wrong
from tests.support.engine import Engine
from tests.support.leaks import WAIT_SECONDS
from tests.support.waiting import until


@pytest.fixture
def image(pod: Engine, server: FaultyRegistry) -> str:
    """Of two layers."""
    server.add_image("me/one:latest", [small_layer("a"), small_layer("b")])
    name = f"{server.host}/me/one"
    pod("pull", "-q", "--tls-verify=false", name)
    return name


def names(pod: Engine) -> list[str]:
    return pod("images", "--format", "{{.Repository}}").lines


def test_says_what_is_gone(pod: Engine, image: str) -> None:
    number = pod("inspect", "--format", "{{.Id}}", image).out
    pod("tag", image, "localhost/other")
    assert pod("rmi", image).lines == [f"Untagged: {image}:latest"]
    assert "localhost/other" in names(pod)
    assert pod("rmi", "localhost/other").lines == [
        "Untagged: localhost/other:latest",
        f"Deleted: {number}",
    ]
    pod("image", "exists", number, status=1)
    nothing_wrong(pod)


def test_by_id(pod: Engine, image: str) -> None:
    """One with several names only by force."""
    number = pod("inspect", "--format", "{{.Id}}", image).out
    pod("tag", image, "localhost/other")
    pod("rmi", number[:10], status=125)
    pod("rmi", "--force", number[:10])
    assert not {"localhost/other", image} & set(names(pod))


def test_shared_layers_stay(pod: Engine, server: FaultyRegistry, image: str) -> None:
    server.add_image("me/two:latest", [small_layer("a"), small_layer("c")])
    other = f"{server.host}/me/two"
    pod("pull", "-q", "--tls-verify=false", other)
    pod("rmi", image)
    pod("rm", pod("create", other, "x").out)
    nothing_wrong(pod)


@pytest.mark.not_podman("its store is its own business")
def test_space_is_set_free(pod: Engine, image: str) -> None:
    layers = pod("inspect", "--format", "{{range .RootFS.Layers}}{{.}} {{end}}", image).out.split()
    paths = [f"{pod.root}/layers/{layer[7:39]}" for layer in layers]
    assert all(os.path.isdir(path) for path in paths)
    pod("rmi", image)
    assert not any(os.path.exists(path) for path in paths)
    until(lambda: not os.listdir(f"{pod.root}/trash"), "deleted", WAIT_SECONDS)
    nothing_wrong(pod)


def test_image_that_is_used(pod: Engine, image: str) -> None:
    pod("create", "--name", "user", image, "x")
    result = pod("rmi", image, status=2)
    assert "user" in result.stderr or pod("ps", "-aq").out in result.stderr
    assert image in names(pod)
    pod("rmi", "--force", image)
    assert image not in names(pod)
    assert pod("ps", "-a", "-q").out == ""


def test_running_container_goes_by_force(pod: Engine, image: str) -> None:
    pod("tag", "busybox", "localhost/tool")
    pod("run", "-d", "--network", "none", "localhost/tool", "sleep", "1000")
    pod("rmi", "localhost/tool")  # it is one of two names
    assert len(pod("ps", "-q").lines) == 1


def test_missing_images(pod: Engine, image: str) -> None:
    result = pod("rmi", "no-such-image", image, status=1)
    assert "no-such-image" in result.stderr
    assert image not in names(pod)
    assert pod("rmi", "--force", "no-such-image").stderr == ""


def test_all(fresh_pod: Engine, server: FaultyRegistry) -> None:
    for name in ("one", "two"):
        server.add_image(f"me/{name}:latest", [small_layer(name)])
        fresh_pod("pull", "-q", "--tls-verify=false", f"{server.host}/me/{name}")
    fresh_pod("create", "--name", "user", f"{server.host}/me/one", "x")
    fresh_pod("rmi", "-a", status=2)
    assert names(fresh_pod) == [f"{server.host}/me/one"]
    fresh_pod("rmi", "-a", "-f")
    assert names(fresh_pod) == []
    assert fresh_pod("rmi", "-a").stdout == ""


@pytest.mark.parametrize("words", [[], ["-a", "busybox"], ["--nonsense", "x"]], ids=" ".join)
def test_wrong_usage(pod: Engine, words: list[str]) -> None:
    assert pod("rmi", *words, status=125).stdout == ""


@pytest.mark.not_podman("it keeps its images elsewhere")
def test_a_container_outlives_its_image(fresh_pod: Engine) -> None:
    """Another program has removed it from the image layout; `rmi -f` removes the containers, too."""
    pod = fresh_pod
    pod.have("busybox")
    pod("run", "--name", "c", "--network", "none", "busybox", "sh", "-c", "echo x >/new")
    with open(f"{pod.root}/images/index.json", "w") as file:
        json.dump({"schemaVersion": 2, "manifests": []}, file)
    assert pod("images", "-q").lines == []
    assert pod("ps", "-a", "--format", "{{.Names}} {{.Image}}").out.startswith("c ")
    assert pod("inspect", "-f", "{{.State.ExitCode}}", "c").out == "0"
    pod("start", "-a", "c")
    assert pod("diff", "c").lines == ["A /new"]
    result = pod("commit", "-q", "c", "made", status=125)
    assert "the image of container 'c' is not here any more" in result.stderr
    pod("commit", "-q", "--squash", "c", "made")
    assert pod("run", "--rm", "--network", "none", "made", "cat", "/new").out == "x"
    pod("rm", "c")
    pod("create", "--name", "d", "made")
    pod("rmi", "-f", "made")
    assert pod("ps", "-a", "-q").lines == []
