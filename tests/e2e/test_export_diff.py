"""`pod export` and `pod diff`: what a container has written, as an archive and as a list."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.checks import one_error
from tests.support.engine import Engine

WRITE = (
    "mkdir -p /new/sub && echo x > /new/sub/f && rm /bin/ls && echo y > /etc/passwd && rm -r /var/log "
    "&& echo v > /vol/inside"
)
CHANGES = {
    "C /bin", "D /bin/ls", "C /etc", "C /etc/passwd", "A /new", "A /new/sub", "A /new/sub/f", "C /var",
    "D /var/log",
}  # fmt: skip


def make(pod: Engine, *options: str, script: str = WRITE, name: str = "c") -> None:
    words = ("--name", name, "--network", "none", "-v", "data:/vol", *options)
    pod("run", *words, "busybox", "sh", "-c", script)


def archive_of(pod: Engine, name: str) -> tarfile.TarFile:
    """`pod export` to standard output."""
    with pod.spawn("export", name, stdout=subprocess.PIPE) as process:
        data, _ = process.communicate()
    assert process.returncode == 0
    return tarfile.open(fileobj=io.BytesIO(data))


def test_diff_of_a_stopped_and_of_a_running_container(pod: Engine) -> None:
    make(pod)
    lines = pod("diff", "c").lines
    assert lines == sorted(lines, key=lambda line: line[2:])
    assert set(lines) - {"A /vol"} == CHANGES  # podman 4.3 lists mount points
    make(pod, "-d", script=f"{WRITE} && touch /ready && sleep 1000", name="r")
    pod("exec", "r", "sh", "-c", "until [ -e /ready ]; do :; done")
    assert set(pod("diff", "r").lines) - {"A /vol"} == CHANGES | {"A /ready"}


def test_diff_as_json(pod: Engine) -> None:
    make(pod, script="touch /tmp/a")
    document = pod("diff", "--format", "json", "c").json()
    shown = {key: set(paths) - {"/vol", "/etc"} for key, paths in document.items()}
    assert shown == {"changed": {"/tmp"}, "added": {"/tmp/a"}}  # podman lists mount points, too
    assert {"C /tmp", "A /tmp/a"} <= set(pod("container", "diff", "--latest").lines)


def test_diff_of_two(pod: Engine) -> None:
    make(pod)
    changes = set(pod("diff", "c", "busybox").lines)
    assert changes - {"A /vol"} == CHANGES
    back = set(pod("diff", "busybox", "c").lines)
    assert {"A /bin/ls", "D /new", "C /etc/passwd", "A /var/log"} <= back


def test_diff_of_an_image_is_that_of_its_topmost_layer(pod: Engine) -> None:
    assert {"A /bin", "A /bin/ls", "A /etc/passwd"} <= set(pod("image", "diff", "busybox").lines)


@pytest.mark.not_podman("version 4.3 compares owners that the map has moved")
@pytest.mark.parametrize("userns", ["keep-id", "nomap", "auto"])
def test_diff_and_export_with_another_id_map(pod: Engine, userns: str) -> None:
    make(pod, "--userns", userns, "--user", "0", script="echo x > /tmp/a; chown 7 /tmp/a")
    assert pod("diff", "c").lines == ["C /tmp", "A /tmp/a"]
    assert pod("diff", "c", "busybox").lines == ["C /tmp", "A /tmp/a"]
    with archive_of(pod, "c") as archive:
        assert archive.getmember("tmp/a").uid == 7
        assert archive.getmember("bin/busybox").uid == 0


def test_diff_refuses(pod: Engine) -> None:
    assert "nothing" in one_error(pod("diff", "nothing", status=125), hint=None)
    one_error(pod("diff", status=125), hint=None)
    make(pod, script="true")
    assert "json" in one_error(pod("diff", "--format", "{{.}}", "c", status=125), hint=None)


def test_export_has_what_the_container_sees(pod: Engine) -> None:
    make(pod, "-d", script=f"{WRITE}; ln /new/sub/f /new/hard; touch /ready; exec sleep 1000")
    pod("exec", "c", "sh", "-c", "until [ -e /ready ]; do :; done")
    with archive_of(pod, "c") as archive:
        names = {name.rstrip("/") for name in archive.getnames()}
        assert archive.extractfile("new/sub/f").read() == b"x\n"
    assert {"bin/busybox", "etc/passwd", "new/hard", "vol"} <= names
    assert not {"bin/ls", "var/log", "vol/inside"} & names


def test_export_to_a_file_and_import(pod: Engine, tmp_path: Path) -> None:
    make(pod)
    path = str(tmp_path / "c.tar")
    pod("container", "export", "-o", path, "c")
    pod("import", path, "again")
    assert pod("run", "--rm", "--network", "none", "again", "cat", "/new/sub/f").out == "x"


def test_export_leaves_no_file_when_it_fails(pod: Engine, tmp_path: Path) -> None:
    path = str(tmp_path / "c.tar")
    assert "nothing" in one_error(pod("export", "-o", path, "nothing", status=125), hint=None)
    assert not os.path.exists(path)


@pytest.mark.not_podman("version 4.3 writes an empty archive")
def test_export_of_a_directory_as_root_file_system(pod: Engine, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    pod("create", "--name", "i", "busybox")
    pod("export", "-o", str(tmp_path / "i.tar"), "i")
    with tarfile.open(tmp_path / "i.tar") as archive:
        archive.extractall(root)
    pod("run", "--name", "c", "--network", "none", "--rootfs", str(root), "touch", "/made")
    with archive_of(pod, "c") as archive:
        assert {"made", "bin/busybox"} <= set(archive.getnames())
    assert "A /made" in pod("diff", "c", "busybox").lines
    assert "what was in it before" in one_error(pod("diff", "c", status=125))
