"""An image with files of several owners, for tests of id maps."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.images import busybox_layer
from tests.support.layout import Entry, Layout, directory, layer_tar

UID, GID = os.getuid(), os.getgid()
PASSWD = (
    b"root:x:0:0:root:/root:/bin/sh\nwww-data:x:33:33::/var/www:/bin/sh\n"
    b"app:x:1000:1000::/home/app:/bin/sh\nnobody:x:65534:65534::/home:/bin/false\n"
)


OWNERS = (0, 33, 999, 1000, 65534)


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
            Entry("srv/linked", kind="hardlink", target="srv/setuid", mode=0o4755, uid=33, gid=33),
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
