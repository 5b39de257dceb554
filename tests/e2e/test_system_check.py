"""`pod system check`: a store is damaged in many ways; each is found, and mended by getting just that again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.image.faulty import FaultyRegistry, Reply
from tests.support.checks import nothing_wrong
from tests.support.engine import Engine
from tests.support.layout import Entry, Layout, directory, layer_tar, symlink
from tests.support.leaks import WAIT_SECONDS
from tests.support.waiting import until

pytestmark = pytest.mark.not_podman("version 4.3 has no such command")

LAYERS = (
    [directory("etc"), Entry("etc/one", b"1" * 100), Entry("secret", b"x", mode=0o600, uid=7)],
    [directory("d"), Entry("d/two", b"22"), symlink("link", "d/two")],
)


class Stored:
    """An image in the store, and where its parts are."""

    def __init__(self, pod: Engine, name: str) -> None:
        self.pod = pod
        self.name = name
        found = pod("image", "inspect", name).json()[0]
        self.image_id = found["Id"].removeprefix("sha256:")
        self.digest = found["Digest"].removeprefix("sha256:")
        self.diff_ids = [it.removeprefix("sha256:") for it in found["RootFS"]["Layers"]]
        self.layers = [f"{pod.root}/layers/{it[:32]}" for it in self.diff_ids]
        self.wait_for_fingerprints()

    def wait_for_fingerprints(self) -> None:
        """They are taken behind the command that unpacks a layer."""
        for layer in self.layers:
            until(lambda path=layer: _has_fingerprint(path), "fingerprints are taken", WAIT_SECONDS)  # type: ignore[misc]

    def blob(self, digest: str) -> str:
        return f"{self.pod.root}/images/blobs/sha256/{digest}"

    def shell(self, script: str) -> None:
        """In the user namespace, where all files of layers can be changed."""
        self.pod("unshare", "sh", "-ec", script)


def _has_fingerprint(layer: str) -> bool:
    with open(f"{layer}.json") as file:
        return bool(json.load(file).get("fingerprint"))


@pytest.fixture
def image(fresh_pod: Engine, server: FaultyRegistry) -> Stored:
    server.add_image("me/x:latest", [layer_tar(entries) for entries in LAYERS])
    name = f"{server.host}/me/x"
    fresh_pod("pull", "-q", "--tls-verify=false", name)
    stored = Stored(fresh_pod, name)
    server.requests.clear()
    return stored


def fetched(server: FaultyRegistry) -> set[str]:
    """The digests of blobs and manifests that were asked for."""
    return {seen.path.rpartition(":")[2] for seen in server.requests if "sha256:" in seen.path}


def overwrite(path: str) -> None:
    with open(path, "r+b") as file:
        file.write(b"damage")


def truncate(path: str) -> None:
    os.truncate(path, 10)


@pytest.mark.parametrize("part", ["layer", "config", "manifest"])
def test_blobs(image: Stored, server: FaultyRegistry, part: str) -> None:
    """Just the damaged one is fetched again, as its digest says; the tree of a layer does not even move."""
    pod = image.pod
    digest = {"layer": image.diff_ids[1], "config": image.image_id, "manifest": image.digest}[part]
    before = os.stat(image.layers[1]).st_ino
    for damage in (overwrite, truncate, os.unlink):
        damage(image.blob(digest))
        assert image.name in pod("system", "check", status=1).stdout
        pod("system", "check", "--repair")
        assert digest in fetched(server)
        assert fetched(server) <= {digest, image.digest}
        nothing_wrong(pod, after=damage.__name__)
        server.requests.clear()
    assert os.stat(image.layers[1]).st_ino == before
    pod("rm", pod("create", image.name, "x").out)


@pytest.mark.parametrize("damage", [truncate, os.unlink])
def test_a_quick_check_sees_lengths(image: Stored, damage: Callable[[str], None]) -> None:
    damage(image.blob(image.diff_ids[0]))
    image.pod("system", "check", "--quick", status=1)
    image.pod("system", "check", "--quick", "--repair")
    nothing_wrong(image.pod)


def test_an_image_without_its_configuration_is_listed(image: Stored) -> None:
    os.unlink(image.blob(image.image_id))
    shown = image.pod("images", "--format", "json")
    assert image.image_id.endswith(shown.json()[0]["Id"])
    assert "cannot be read" in shown.stderr
    assert image.name in image.pod("images").stdout


@pytest.mark.parametrize("option", ["", "-a", "-f"])
def test_an_image_that_cannot_be_read_can_be_removed(image: Stored, option: str) -> None:
    pod = image.pod
    pod("tag", image.name, "also:1")
    for path in (f"{pod.root}/images/facts.json", image.blob(image.image_id)):
        os.unlink(path)
    if option != "-a":
        assert pod("rmi", "also:1").lines == ["Untagged: localhost/also:1"]
        assert image.name in pod("system", "check", status=1).stdout
    words = {"": [image.name], "-a": ["-a"], "-f": ["-f", image.name]}[option]
    assert f"Untagged: {image.name}:latest" in pod("rmi", *words).lines
    nothing_wrong(pod)
    assert not os.path.exists(image.blob(image.diff_ids[0]))


def test_an_image_whose_documents_cannot_be_read(image: Stored, server: FaultyRegistry) -> None:
    """Nothing but the list of images is left of what was known of it; manifest, configuration and a layer come back."""
    os.unlink(f"{image.pod.root}/images/facts.json")
    for digest in (image.digest, image.image_id, image.diff_ids[0]):
        truncate(image.blob(digest))
    assert image.pod("images", "-q").out == ""
    found = image.pod("system", "check", status=1)
    assert f"image {image.name}:latest cannot be read" in found.stdout
    image.pod("system", "check", "--repair")
    assert fetched(server) == {image.digest, image.image_id, image.diff_ids[0]}
    nothing_wrong(image.pod)
    assert image.pod("images", "--format", "{{.Repository}}").lines == [image.name]


DAMAGES = {
    "a file is gone": "rm {0}/etc/one",
    "a file is longer": "echo more >> {0}/etc/one",
    "another time": "touch -d 2001-01-01 {0}/etc/one",
    "other permissions": "chmod 4755 {0}/secret",
    "another owner": "chown 8 {0}/secret",
    "a new file": "touch {0}/etc/new",
    "another kind": "rm {1}/link; mkdir {1}/link",
    "directories": "rm -r {0}/etc {1}/d",
    "a layer": "rm -r {0}",
    "a record": "rm {0}.json",
    "another record": "echo '[]' > {1}.json",
}


@pytest.mark.timeout(300)  # dozens of commands, with a sync of the file system for each damage
def test_layers(image: Stored, server: FaultyRegistry) -> None:
    """They are unpacked again from their blobs, and nothing is fetched."""
    pod = image.pod
    for name, script in DAMAGES.items():
        image.wait_for_fingerprints()
        image.shell(script.format(*image.layers))
        assert "layer" in pod("system", "check", status=1).stdout, name
        pod("system", "check", "--repair")
        nothing_wrong(pod, after=name)
    assert fetched(server) == set()
    assert pod("system", "check", "--full").stdout == ""


def test_full_check_reads_everything(image: Stored) -> None:
    """A byte that was changed in a file whose size and time are the same."""
    pod, file = image.pod, f"{image.layers[0]}/etc/one"
    image.shell(
        f"touch -r {file} time; printf 2 | dd of={file} conv=notrunc 2>&1; touch -r time {file}; rm time"
    )
    nothing_wrong(pod)
    found = pod("system", "check", "--full", status=1)
    assert "its file '/etc/one' has other content" in found.stdout
    pod("system", "check", "--full", "--repair")
    with open(file, "rb") as content:
        assert content.read() == b"1" * 100


def test_layer_and_blob(image: Stored, server: FaultyRegistry) -> None:
    image.shell(f"rm -r {image.layers[0]}; rm {image.layers[0]}.json")
    truncate(image.blob(image.diff_ids[0]))
    image.pod("system", "check", "--repair")
    assert fetched(server) == {image.diff_ids[0]}
    nothing_wrong(image.pod)


def test_where_it_came_from_outlives_its_name(image: Stored, server: FaultyRegistry) -> None:
    pod = image.pod
    pod("tag", image.name, "localhost/mine")
    pod("rmi", image.name)
    overwrite(image.blob(image.diff_ids[0]))
    pod("system", "check", "--repair")
    assert fetched(server) == {image.diff_ids[0]}
    nothing_wrong(pod)


def test_a_registry_that_does_not_have_it_any_more(image: Stored, server: FaultyRegistry) -> None:
    """The image stays, since its containers may work, until it is to be removed by force."""
    pod = image.pod
    overwrite(image.blob(image.diff_ids[0]))
    server.answer = lambda seen: Reply(404) if image.diff_ids[0] in seen.path else None
    found = pod("system", "check", "--repair", status=1)
    assert "not repaired: " in found.stdout
    assert f"{server.host}/me/x" in found.stdout
    assert pod("images", "--format", "{{.Repository}}").lines == [image.name]
    pod("rm", pod("create", image.name, "x").out)
    pod("system", "check", "--repair", "--force")
    assert pod("images", "-q").out == ""
    nothing_wrong(pod)


def test_a_registry_that_sends_something_else(image: Stored, server: FaultyRegistry) -> None:
    truncate(image.blob(image.diff_ids[0]))
    server.blobs[f"sha256:{image.diff_ids[0]}"] = bytes(
        len(server.blobs[f"sha256:{image.diff_ids[0]}"])
    )
    found = image.pod("system", "check", "--repair", status=1)
    assert "the content of blob" in found.stdout
    assert not os.path.exists(image.blob(image.diff_ids[0]))


def test_an_image_from_an_archive(fresh_pod: Engine, tmp_path: Path) -> None:
    """Where to load it from is said."""
    layout = Layout(str(tmp_path / "layout"))
    made = layout.add_image([layout.add_layer(layer_tar(LAYERS[0]), "none")])
    path = made.docker_archive(str(tmp_path / "it.tar"), ["localhost/it:1"])
    fresh_pod("load", "-q", "-i", path)
    image = Stored(fresh_pod, "localhost/it:1")
    overwrite(image.blob(image.diff_ids[0]))
    found = fresh_pod("system", "check", "--repair", status=1)
    assert f"pod load --input {path}" in found.stdout
    fresh_pod("rmi", "localhost/it:1")
    fresh_pod("load", "-q", "-i", path)
    nothing_wrong(fresh_pod)


def test_layers_of_running_containers_stay(pod: Engine) -> None:
    image = Stored(pod, "busybox")
    words = ("--network", "none", "busybox", "sleep", "1000")
    pod("run", "-d", "--name", "runs", *words)
    image.shell(f"touch {image.layers[0]}/new")
    found = pod("system", "check", "--repair", status=1)
    assert "stop them first" in found.stdout
    pod("rm", "-f", "-t", "0", "runs")
    pod("system", "check", "--repair")
    nothing_wrong(pod)
    assert pod("run", "--rm", "--network", "none", "busybox", "ls", "/new", status=1).out == ""


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
