"""User namespaces: who owns the files of images, of containers, of the caller, under each id map.

"Both sides" means: what the container sees as its owner, and what the file system of the host has.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.images import busybox_layer
from tests.support.layout import Entry, Layout, directory, hardlink, layer_tar

QUICK = ("--rm", "--network", "none")
UID, GID = os.getuid(), os.getgid()
CALLER = pwd.getpwuid(UID).pw_name

PASSWD = (
    b"root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/sh\n"
    b"app:x:1000:1000::/home/app:/bin/sh\nnobody:x:65534:65534::/home:/bin/false\n"
)
OWNERS = (0, 1, 33, 999, 1000, 65534)


@pytest.fixture
def owners(pod: Engine, tmp_path: Path) -> Callable[..., str]:
    """An image with a file /owners/N for each N of OWNERS; `owners(USER)` sets its USER. Returns the image."""

    def make(user: str = "", marker: str = "") -> str:
        entries = [directory("owners"), Entry("etc/passwd", PASSWD)]
        entries += [
            Entry(f"owners/{number}", b"x", uid=number, gid=number, mode=0o640) for number in OWNERS
        ]
        entries += [
            directory("srv", 0o711, uid=33, gid=33),
            Entry("srv/setuid", b"x", mode=0o4755, uid=33, gid=33),
            hardlink("srv/linked", "srv/setuid"),
            Entry("srv/root", b"x"),
            directory("home/app", 0o700, uid=1000, gid=1000),
            Entry("marker", marker.encode()),
        ]
        # A second layer removes one file, hides a directory, and has an owner of its own.
        second = [
            directory("later", uid=UID, gid=GID),
            Entry("later/file", b"x", uid=UID, gid=GID),
            directory("srv", 0o711, uid=33, gid=33),
            Entry("srv/.wh.root"),
            directory("gone", uid=33, gid=33),
            Entry("gone/.wh..wh..opq"),
            Entry("gone/new", b"x", uid=33, gid=33),
        ]
        entries += [directory("gone"), Entry("gone/old", b"x")]
        layout = Layout(str(tmp_path / "layout"))
        layers = [
            layout.add_layer(data)
            for data in (busybox_layer(), layer_tar(entries), layer_tar(second))
        ]
        layout.add_image(layers, {"Cmd": ["sh"], "Env": ["PATH=/bin"], "User": user})
        return pod("pull", "-q", f"oci:{layout.path}:latest").out

    return make


def owners_of(pod: Engine, image: str, userns: str, *paths: str) -> list[str]:
    """The owner and group of each path as a container with that user namespace has them."""
    options = ("--user", "0", *(("--userns", userns) if userns else ()))
    return pod("run", *QUICK, *options, image, "stat", "-c", "%u:%g", *paths).lines


KEEP_IDS = ["keep-id", "keep-id:uid=33,gid=33", "keep-id:uid=1000,gid=999", "keep-id:uid=0,gid=0"]


@pytest.mark.parametrize("userns", ["", "host", *KEEP_IDS, "nomap"])
def test_files_of_images_have_their_owners(
    pod: Engine, owners: Callable[..., str], userns: str
) -> None:
    image = owners()
    numbers = [f"{number}:{number}" for number in OWNERS]
    assert owners_of(pod, image, userns, *(f"/owners/{n}" for n in OWNERS)) == numbers
    paths = ("/", "/bin/busybox", "/srv", "/srv/setuid", "/home/app", "/later/file", "/gone/new")
    assert owners_of(pod, image, userns, *paths) == [
        "0:0",
        "0:0",
        "33:33",
        "33:33",
        "1000:1000",
        f"{UID}:{GID}",
        "33:33",
    ]
