"""The hostile archives of test_hostile_images.py on every other way in: nothing outside is touched.

Layers come in archives and directories of images, file systems with `import`, trees with `volume import` and `cp`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.test_hostile_images import (  # noqa: F401  # a fixture that is always used
    OUTSIDE,
    REFUSED,
    SECRET,
    outside,
)
from tests.support.checks import nothing_wrong, one_error
from tests.support.engine import Engine, Result
from tests.support.layout import Entry, Layout, hardlink, layer_tar, symlink

pytestmark = pytest.mark.not_podman("it takes most of them, in another way each")

CORPUS = {str(param.id): list(param.values[0]) for param in REFUSED}  # type: ignore[call-overload]


def tree_of(entries: list[Entry]) -> bytes:
    return layer_tar([Entry("first", b"x"), *entries])


def layout_of(entries: list[Entry], directory: Path) -> Layout:
    shutil.rmtree(directory, ignore_errors=True)
    layout = Layout(str(directory))
    layout.add_image([layout.add_layer(tree_of(entries))])
    return layout


def docker_archive(pod: Engine, entries: list[Entry], directory: Path) -> Result:
    image = layout_of(entries, directory / "layout").image()
    path = image.docker_archive(str(directory / "it.tar"), ["localhost/evil:1"])
    return pod("load", "-q", "-i", path, status=None)


def oci_archive(pod: Engine, entries: list[Entry], directory: Path) -> Result:
    image = layout_of(entries, directory / "layout").image()
    return pod("load", "-q", "-i", image.oci_archive(str(directory / "it.tar")), status=None)


def oci_directory(pod: Engine, entries: list[Entry], directory: Path) -> Result:
    layout = layout_of(entries, directory / "layout")
    return pod("load", "-q", "-i", layout.path, status=None)


def docker_directory(pod: Engine, entries: list[Entry], directory: Path) -> Result:
    """`dir:` has manifest.json and blobs side by side."""
    layout = layout_of(entries, directory / "layout")
    path = directory / "dir"
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(layout.blobs, path)
    (path / "version").write_bytes(b"Directory Transport Version: 1.1\n")
    (path / "manifest.json").write_bytes(layout.blob(layout.image().digest))
    return pod("pull", "-q", f"dir:{path}", status=None)


def imported(pod: Engine, entries: list[Entry], directory: Path) -> Result:
    return pod("import", "-q", "-", "localhost/evil:1", stdin=tree_of(entries), status=None)


WAYS = (docker_archive, oci_archive, oci_directory, docker_directory, imported)


@pytest.mark.parametrize("bring", WAYS)
def test_images(
    pod: Engine, tmp_path: Path, bring: Callable[[Engine, list[Entry], Path], Result]
) -> None:
    """What unpacks them is the same for all, so each way has its share."""
    for name in list(CORPUS)[WAYS.index(bring) % 3 :: 3]:
        result = bring(pod, CORPUS[name], tmp_path)
        message = one_error(result)
        assert message.isprintable() and "cannot be unpacked" in message, name
    assert "evil" not in pod("images", "--format", "{{.Repository}}").stdout
    pod("system", "prune", "--external", "-f")
    nothing_wrong(pod)


TREES = {
    **CORPUS,
    "links to the outside": [symlink("l", OUTSIDE), Entry("l/new", b"x")],
    "a file in the place of such a link": [symlink("l", f"{OUTSIDE}/file"), Entry("l", b"x")],
    "hard link through a link": [symlink("l", OUTSIDE), hardlink("h", "l/file"), Entry("h", b"x")],
    "devices": [Entry("d", kind="char", device=(1, 1)), Entry("b", kind="block", device=(8, 0))],
}


def fine_or_one_error(result: Result, name: str) -> None:
    assert "Traceback" not in result.stderr and "at fault" not in result.stderr, (name, result)
    if result.status:
        one_error(result, hint=None)


def test_volumes(pod: Engine) -> None:
    pod("volume", "create", "v")
    for name, entries in TREES.items():
        result = pod("volume", "import", "v", "-", stdin=tree_of(entries), status=None)
        fine_or_one_error(result, name)
    assert SECRET not in pod("volume", "export", "v").stdout
    pod("volume", "rm", "-a")
    nothing_wrong(pod)


def test_copies(pod: Engine) -> None:
    """Into a container that does not run, and into one that does."""
    pod("create", "--name", "stopped", "busybox", "true")
    pod("run", "-d", "--name", "runs", "--network", "none", "busybox", "sleep", "1000")
    for number, (name, entries) in enumerate(TREES.items()):
        container = ("stopped", "runs")[number % 2]
        result = pod("cp", "-", f"{container}:/tmp", stdin=tree_of(entries), status=None)
        fine_or_one_error(result, name)
    assert SECRET not in pod("cp", "runs:/tmp", "-").stdout
    pod("rm", "-f", "-t", "0", "runs", "stopped")
    nothing_wrong(pod)


def test_builds(pod: Engine, tmp_path: Path) -> None:
    """An archive that ADD unpacks, and one that is the whole context: turn by turn, each third of them."""
    (tmp_path / "Dockerfile").write_text("FROM busybox\nADD it.tar /there/\n")
    dockerfile = Entry("Dockerfile", b"FROM busybox\nCOPY . /there\n")
    for number, (name, entries) in enumerate(list(TREES.items())[::3]):
        words, stdin = [str(tmp_path)], b""
        if number % 2:
            (tmp_path / "it.tar").write_bytes(tree_of(entries))
        else:
            words, stdin = ["-"], layer_tar([dockerfile, *entries])
        result = pod("build", "-q", *words, stdin=stdin, status=None)
        fine_or_one_error(result, name)
        if result.status == 0:
            told = pod(
                "run",
                "--rm",
                "--network",
                "none",
                result.out,
                "grep",
                "-r",
                SECRET,
                "/there",
                status=None,
            )
            assert SECRET not in told.stdout, name
            pod("rmi", result.out)
    pod("builder", "prune", "-a", "-f")
    nothing_wrong(pod)


def test_out_of_a_container(pod: Engine, tmp_path: Path) -> None:
    """What a container has made of its own tree leads nowhere when it is copied out."""
    script = f"""
        mkdir /t /t/d; ln -s {OUTSIDE}/file /t/absolute; ln -s {"../" * 20}{OUTSIDE} /t/up
        ln -s {OUTSIDE}/directory /t/d/link; mkfifo /t/fifo; mknod /t/zero c 1 5 2>/dev/null; true
    """
    pod("run", "--name", "c", "--network", "none", "busybox", "sh", "-c", script)
    pod("cp", "c:/t", str(tmp_path / "out"), status=None)
    for place in ("/t/absolute", "/t/up/file", "/t/d/link/file"):
        result = pod("cp", f"c:{place}", str(tmp_path / "got"), status=None)
        assert result.status, place
    assert not os.path.exists(tmp_path / "got")
    pod("rm", "c")
