"""kill -9 at every step of pull, load, import, rmi, save, prune and the volume commands, many kills in one root.

After each kill nothing is half there, every image and volume that was acknowledged still is, and the same command
works when it is typed again. Downloads that are killed halfway are in test_registry_faults.py, and killed at every
message of a pull in tests/integration/image/test_pull.py.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.test_killed import killed, steps_of
from tests.integration.image.faulty import FaultyRegistry
from tests.support.checks import nothing_wrong
from tests.support.engine import Engine
from tests.support.layout import Entry, Layout, layer_tar
from tests.support.waiting import until

pytestmark = pytest.mark.not_podman("its steps have no names at which it could be killed")

STORING = [
    "blob: complete",
    "blob: named",
    "layer: placed",
    "layer: recorded",
    "layer: synced",
    "image: ready",
    "image: index",
]
FEWER = {"blob: named", "layer: placed", "image: index"}  # where pull and the others share all code
REMOVING = [
    "image: ready",
    "image: index",
    "layer: without record",
    "collect: layers",
    "collect: blobs",
    "trash: begun",
]
BEHIND = {"layer: synced", "trash: begun"}  # in processes that outlive the command
SAVING = ["save: written", "save: named"]
VOLUME_MAKING = ["volume: locked", "volume: directory", "volume: row"]
VOLUME_REMOVING = ["volume: no row", "volume: no directory", "trash: begun"]


def layers(seed: int = 0) -> list[bytes]:
    """Three, the first of which is the same for all seeds."""
    names = ["shared", f"a{seed}", f"b{seed}"]
    return [
        layer_tar([Entry(f"{name}/{n}", name.encode() * 100) for n in range(20)]) for name in names
    ]


def names(pod: Engine) -> set[str]:
    return set(pod("images", "--format", "{{.Repository}}").lines)


def is_well(pod: Engine, step: str, image: str = "") -> None:
    """No command finds anything wrong, and `image` can be used to its last layer."""
    if image:
        number = pod("create", image, "true").out
        pod("rm", number)
    until(lambda: not trash(pod), f"all deleted after {step}")
    nothing_wrong(pod, max_age="24h", after=step)


def trash(pod: Engine) -> list[str]:
    """What waits to be deleted, after a command that sees to it."""
    pod("images", "-q")
    path = f"{pod.root}/trash"
    return os.listdir(path) if os.path.exists(path) else []


def test_every_step_is_taken(pod: Engine, server: FaultyRegistry, tmp_path: Path) -> None:
    server.add_image("me/one:latest", layers())
    name = f"{server.host}/me/one"
    seen = steps_of(pod, "pull", "-q", "--tls-verify=false", name)
    assert seen | BEHIND >= set(STORING), seen
    seen = steps_of(pod, "save", "-o", str(tmp_path / "x.tar"), name)
    assert seen >= set(SAVING), seen
    assert steps_of(pod, "rmi", name) | BEHIND >= set(REMOVING)
    assert steps_of(pod, "volume", "create", "v") >= set(VOLUME_MAKING)
    assert steps_of(pod, "volume", "rm", "v") | BEHIND >= set(VOLUME_REMOVING)


def bring(
    pod: Engine, server: FaultyRegistry, directory: Path, seed: int, command: str
) -> tuple[str, list[str]]:
    """The name of an image, and a command that brings it into the store."""
    if command == "pull":
        server.add_image(f"me/i{seed}:latest", layers(seed))
        name = f"{server.host}/me/i{seed}"
        return name, ["pull", "-q", "--tls-verify=false", name]
    if command == "import":
        path = directory / f"{seed}.tar"
        path.write_bytes(layers(seed)[1])
        return f"localhost/i{seed}", ["import", "-q", str(path), f"localhost/i{seed}"]
    layout = Layout(str(directory / str(seed)))
    image = layout.add_image([layout.add_layer(layer, "none") for layer in layers(seed)])
    path = image.docker_archive(str(directory / f"{seed}.tar"), [f"localhost/i{seed}:latest"])
    return f"localhost/i{seed}", ["load", "-q", "-i", path]


@pytest.mark.parametrize("command", ["pull", "load", "import"])
def test_storing(pod: Engine, server: FaultyRegistry, tmp_path: Path, command: str) -> None:
    kept, first = bring(pod, server, tmp_path, 99, command)
    pod(*first)
    steps = [step for step in STORING if command == "pull" or step in FEWER]
    for seed, step in enumerate(steps):
        name, words = bring(pod, server, tmp_path, seed, command)
        killed(pod, step, *words)
        nothing_wrong(pod, max_age="24h", after=step)
        assert kept in names(pod), f"an image is gone after {step}"
        if name in names(pod):
            is_well(pod, step, name)  # it has its name, so it is whole
        pod(*words)
        is_well(pod, step, name)
        pod("rmi", name)
    is_well(pod, "all", kept)


REMOVALS = [
    (["rmi"], REMOVING),
    (["image", "prune", "-a", "-f", "--filter", "label!=keep"], ["image: index", "trash: begun"]),
    (
        ["image", "prune", "-f", "--until-free", "1000t"],
        ["layer: without record", "collect: blobs"],
    ),
    (
        ["system", "prune", "-a", "-f", "--filter", "label!=keep"],
        ["image: index", "collect: layers"],
    ),
]


@pytest.mark.parametrize(
    ("command", "steps"), REMOVALS, ids=[" ".join(words) for words, _ in REMOVALS]
)
def test_removing(
    pod: Engine, server: FaultyRegistry, tmp_path: Path, command: list[str], steps: list[str]
) -> None:
    kept, first = bring(pod, server, tmp_path, 99, "load")
    pod(*first)
    for image in (kept, "busybox"):
        pod("create", "-l", "keep=yes", image, "true")  # so that prune leaves it
    for seed, step in enumerate(steps):
        name, words = bring(pod, server, tmp_path, seed, "load")
        pod(*words)
        killed(pod, step, *command, *([name] if command == ["rmi"] else []))
        nothing_wrong(pod, max_age="24h", after=step)
        assert kept in names(pod), f"an image is gone after {step}"
        if name not in names(pod):
            pod(*words)  # what is half removed is no obstacle
        is_well(pod, step, name)
        pod("rmi", name)
    is_well(pod, "all", kept)


def test_saving(pod: Engine, tmp_path: Path) -> None:
    """The file that was there is there, or the new one; and nothing beside it."""
    path = tmp_path / "saved.tar"
    path.write_text("old")
    for step in SAVING:
        killed(pod, step, "save", "-q", "-o", str(path), "busybox")
        assert os.listdir(tmp_path) == ["saved.tar"]
        assert (path.read_bytes() == b"old") == (step == "save: written")
        is_well(pod, step, "busybox")
    pod("load", "-q", "-i", str(path))


@pytest.mark.parametrize("form", ["oci-dir", "docker-dir"])
def test_saving_directories(pod: Engine, tmp_path: Path, form: str) -> None:
    """What is there after a kill is no obstacle for the same command, and what that leaves is whole."""
    path = str(tmp_path / "saved")
    words = ["save", "-q", "--format", form, "-o", path, "busybox"]
    for step in SAVING:
        killed(pod, step, *words)
        pod(*words)
        assert not [name for _, _, names in os.walk(path) for name in names if ".tmp" in name]
        pod("load", "-q", "-i", path)
        is_well(pod, step, "busybox")


def test_repairing(pod: Engine, server: FaultyRegistry, tmp_path: Path) -> None:
    """Killed while a blob and a layer come back: the next repair goes on."""
    name, words = bring(pod, server, tmp_path, 0, "pull")
    pod(*words)
    digest = pod("inspect", "-f", "{{index .RootFS.Layers 1}}", name).out.removeprefix("sha256:")
    for step in ("blob: complete", "blob: named", "layer: without record", "layer: placed"):
        os.truncate(f"{pod.root}/images/blobs/sha256/{digest}", 10)
        pod("unshare", "rm", "-r", f"{pod.root}/layers/{digest[:32]}")
        killed(pod, step, "system", "check", "--repair")
        assert name in names(pod), f"an image is gone after {step}"
        pod("system", "check", "--repair", status=None)  # killed at the end, there is nothing to do
        is_well(pod, step, name)
    pod("rmi", name)


def test_volumes(pod: Engine) -> None:
    pod("volume", "create", "kept")
    write = ["run", "--rm", "--network", "none", "-v", "kept:/v", "busybox", "sh", "-c"]
    pod(*write, "echo content > /v/file")

    def still_there(step: str) -> None:
        assert "kept" in pod("volume", "ls", "-q").lines
        assert pod(*write, "cat /v/file").out == "content", step
        is_well(pod, step)

    for step in VOLUME_MAKING:
        killed(pod, step, "volume", "create", "new")
        still_there(step)
        pod("volume", "create", "--ignore", "new")
        pod("volume", "rm", "new")
    for step in VOLUME_REMOVING:
        pod("volume", "create", "new")
        pod(*(word.replace("kept", "new") for word in write), "echo x > /v/file")
        killed(pod, step, "volume", "rm", "new")
        still_there(step)
        assert "new" not in pod("volume", "ls", "-q").lines
    pod("run", "--rm", "-v", "new:/etc", "--network", "none", "busybox", "ls", "/etc/passwd")


def test_volumes_that_go_with_their_container(pod: Engine) -> None:
    for step in ("remove: row", *VOLUME_REMOVING):
        pod("create", "--name", "c", "-v", "/one", "-v", "/two", "busybox", "true")
        pod(
            "create",
            "--name",
            "other",
            "--volumes-from",
            "c",
            "--network",
            "none",
            "busybox",
            "true",
        )
        pod("rm", "-v", "other")
        assert len(pod("volume", "ls", "-q").lines) == 2, "others' volumes stay"
        killed(pod, step, "rm", "-v", "c")
        assert pod("ps", "-aq").lines == [], step
        assert pod("volume", "ls", "-q").lines == [], step
        is_well(pod, step)


def test_volume_that_is_being_filled(pod: Engine) -> None:
    """Killed between the copy and the note of it: the next container finds all of it, and fills nothing twice."""
    killed(pod, "volume: filled", "create", "--name", "killed", "-v", "new:/etc", "busybox", "true")

    def run(*words: str) -> str:
        return pod("run", "--rm", "--network", "none", "-v", "new:/etc", "busybox", *words).out

    assert "root" in run("cat", "/etc/passwd")
    run("rm", "/etc/passwd")
    assert run("sh", "-c", "ls /etc/passwd 2>/dev/null; true") == ""
    is_well(pod, "volume: filled")
