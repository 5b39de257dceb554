"""COPY and ADD: what arrives, with which owner and mode; nothing outside of context and image is met."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.build import Context
from tests.support.engine import Engine

NONE = "--network=none"
STAT = "cd /; find made* -exec stat -c '%n %a %u:%g' {} + | sort"


@pytest.fixture
def context(pod: Engine, tmp_path: Path) -> Context:
    return Context(pod, tmp_path / "context")


def test_owners_and_modes(context: Context) -> None:
    context.write({"d/f": "x", "d/in/g": "y"})
    os.chmod(context.directory / "d/f", 0o640)
    os.chmod(context.directory / "d/in", 0o750)
    os.chmod(context.directory / "d/in/g", 0o600)
    context.build(
        "FROM busybox\n"
        "RUN echo web:x:12:13:::/bin/sh >> /etc/passwd && echo staff:x:14: >> /etc/group\n"
        "COPY d /made1\n"
        "COPY --chown=web:staff d /made2\n"
        "COPY --chown=5 d/f /made3\n"
        "COPY --chmod=711 d/f /made4\n"
        "COPY d/f /made5/deep/name\n",
        NONE,
    )
    assert context.run("sh", "-c", STAT).split("\n") == [
        "made1 755 0:0",
        "made1/f 640 0:0",
        "made1/in 750 0:0",
        "made1/in/g 600 0:0",
        "made2 755 12:14",
        "made2/f 640 12:14",
        "made2/in 750 12:14",
        "made2/in/g 600 12:14",
        "made3 640 5:5",
        "made4 711 0:0",
        "made5 755 0:0",
        "made5/deep 755 0:0",
        "made5/deep/name 640 0:0",
    ]


def test_from_a_stage_owners_stay(context: Context) -> None:
    context.build(
        "FROM busybox AS one\n"
        "RUN mkdir -p /out/in && echo x > /out/in/f && chown -R 7:8 /out/in && ln -s in/f /out/l\n"
        "FROM busybox\n"
        "COPY --from=one /out /made\n"
        "COPY --from=0 --chown=1:2 /out/in/f /made/other\n",
        NONE,
    )
    assert context.run("sh", "-c", STAT).split("\n") == [
        "made 755 0:0",
        "made/in 755 7:8",
        "made/in/f 644 7:8",
        "made/l 777 0:0",
        "made/other 644 1:2",
    ]


def test_an_unknown_owner_is_an_error(context: Context) -> None:
    context.write({"f": "x"})
    done = context.build("FROM busybox\nCOPY --chown=nosuch f /f\n", NONE, status=None)
    assert done.status != 0
    assert "nosuch" in done.stderr


def test_links_of_the_image_lead_inside_it(context: Context, tmp_path: Path) -> None:
    """Targets are looked up as a container would: absolute links and ".." end in the image's own root."""
    outside = tmp_path / "outside"
    outside.mkdir()
    context.write({"f": "x", "d/g": "y"})
    context.build(
        "FROM busybox\n"
        f"RUN ln -s {outside} /evil && ln -s ../../../../../..{outside} /worse && mkdir /real && ln -s /real /link\n"
        "COPY f /evil/f\n"
        "COPY f /worse/f\n"
        "COPY f /link/f\n"
        "COPY d /link\n",
        NONE,
    )
    assert list(outside.iterdir()) == []
    assert context.run("sh", "-c", f"cat /real/f /real/g {outside}/f") == "xyx"
    assert context.run("readlink", "/link") == "/real"


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("../secret", id="dots"),
        pytest.param("link", id="absolute link"),
        pytest.param("directory/secret", id="link to a directory"),
        pytest.param("relative", id="relative link"),
    ],
)
def test_nothing_outside_of_the_context_is_copied(
    context: Context, tmp_path: Path, source: str
) -> None:
    (tmp_path / "secret").write_text("very-secret")
    context.write({"f": "x"})
    (context.directory / "link").symlink_to(tmp_path / "secret")
    (context.directory / "directory").symlink_to(tmp_path)
    (context.directory / "relative").symlink_to("../secret")
    done = context.build(f"FROM busybox\nCOPY {source} /got\n", NONE, status=None)
    assert done.status != 0 or context.run("cat", "/got") != "very-secret"


def test_archives_are_unpacked_by_add_alone(context: Context) -> None:
    context.write({"tree/in/f": "x", "plain": "y"})
    with tarfile.open(context.directory / "a.tar.gz", "w:gz") as archive:
        archive.add(context.directory / "tree", "top")
    context.build("FROM busybox\nADD a.tar.gz plain /made/\nCOPY a.tar.gz /copied/\n", NONE)
    assert context.run("cat", "/made/top/in/f", "/made/plain") == "xy"
    assert context.run("ls", "/copied") == "a.tar.gz"


def test_archive_cannot_leave_its_target(context: Context) -> None:
    context.write({"f": "x"})
    with tarfile.open(context.directory / "a.tar", "w") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc"
        archive.addfile(link)
        archive.add(context.directory / "f", "link/passwd")
        archive.add(context.directory / "f", "../../escaped")
    done = context.build("FROM busybox\nADD a.tar /made/\n", NONE, status=None)
    if done.status == 0:
        assert context.run("cat", "/etc/passwd") != "x"
        assert context.run("sh", "-c", "[ -e /escaped ] || echo none") == "none"


def test_what_is_in_the_way(context: Context) -> None:
    context.write({"f": "new", "d/x": "y"})
    context.build("FROM busybox\nRUN echo old > /f\nCOPY f /f\nCOPY d /tmp\n", NONE)
    assert context.run("cat", "/f", "/tmp/x") == "newy"
    done = context.build("FROM busybox\nRUN echo old > /f\nCOPY d/ /f/\n", NONE, status=None)
    assert done.status != 0


@pytest.mark.not_podman("4.3 has no heredocs")
def test_heredocs_are_files(context: Context) -> None:
    context.build(
        "FROM busybox\nENV A=b\nCOPY <<one <<'two' /made/\n$A\none\n$A\ntwo\nRUN cat /made/one /made/two > /said\n",
        NONE,
    )
    assert context.run("cat", "/said") == "b\n$A"


def test_attributes_links_pipes_and_holes_are_copied(
    context: Context, pod: Engine, tmp_path: Path
) -> None:
    """From the context and from a stage; a socket that is not named stays behind."""
    top = context.write({"in/file": "x", "in/d/": ""}).directory / "in"
    os.setxattr(top / "file", "user.colour", b"red")
    os.setxattr(top / "d", "user.shape", b"round")
    os.link(top / "file", top / "link")
    os.mkfifo(top / "pipe", 0o640)
    with open(top / "hole", "wb") as file:
        file.truncate(64 << 20)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(top / "socket"))
        context.build("FROM scratch AS one\nCOPY in /a\nFROM scratch\nCOPY --from=one /a /b\n")
    found = exported(pod, tmp_path)
    assert found["b/file"].pax_headers["SCHILY.xattr.user.colour"] == "red"
    assert found["b/d"].pax_headers["SCHILY.xattr.user.shape"] == "round"
    assert {found["b/file"].islnk(), found["b/link"].islnk()} == {True, False}
    assert found["b/pipe"].isfifo() and found["b/hole"].size == 64 << 20
    assert "b/socket" not in found


def _link(top: Path) -> None:
    os.unlink(top / "same")
    os.link(top / "file", top / "same")


@pytest.mark.not_podman("its cache knows nothing of attributes")
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda top: os.setxattr(top / "file", "user.a", b"2"), id="attribute"),
        pytest.param(lambda top: os.setxattr(top, "user.a", b"1"), id="of a directory"),
        pytest.param(_link, id="link"),
        pytest.param(lambda top: (top / "file").chmod(0o640), id="mode"),
    ],
)
def test_what_is_copied_is_what_the_cache_knows(
    context: Context, change: Callable[[Path], None]
) -> None:
    top = context.write({"in/d/file": "x"}).directory / "in/d"
    os.setxattr(top / "file", "user.a", b"1")
    shutil.copy2(top / "file", top / "same")
    text = "FROM scratch\nCOPY in /a\n"
    context.build(text)
    assert "Using cache" in context.build(text).stderr
    change(top)
    assert "Using cache" not in context.build(text).stderr


def test_directory_itself_is_not_what_is_copied(context: Context) -> None:
    """The mode of a context depends on the umask of who has made it, and comes nowhere."""
    context.write({"in/file": "x"})
    text = "FROM scratch\nCOPY in /a\n"
    (context.directory / "in").chmod(0o700)
    context.build(text, "--layers")
    (context.directory / "in").chmod(0o755)
    again = context.build(text, "--layers")
    assert "Using cache" in again.stdout + again.stderr


def exported(pod: Engine, directory: Path) -> dict[str, tarfile.TarInfo]:
    """The files of the image "made"."""
    archive = directory / "exported.tar"
    pod("create", "--name", "exported", "made", "x")
    try:
        pod("export", "-o", str(archive), "exported")
    finally:
        pod("rm", "exported")
    with tarfile.open(archive) as found:
        return {os.path.normpath(entry.name): entry for entry in found}


LINKED = """\
FROM busybox
ARG VERSION
RUN echo $VERSION > /version && mkdir -p /real /open/deep && ln -s /real /data && chmod 1777 /open && \\
    chown 3:4 /open/deep && echo web:x:1234:1235:::/bin/sh >> /etc/passwd
COPY --link f /data/
COPY --link --chown=web f /open/deep/
ADD --link archive.tar /
"""


@pytest.mark.not_podman("4.3 takes --link for a word")
def test_linked_layers_stay_when_what_is_below_changes(context: Context, pod: Engine) -> None:
    context.write({"f": "x", "d/added": "y"})
    archive = str(context.directory / "archive.tar")
    subprocess.run(["tar", "cf", archive, "-C", str(context.directory / "d"), "added"], check=True)
    layers = []
    for version in ("one", "two"):
        options = (NONE, "--progress=plain", f"--build-arg=VERSION={version}")
        done = context.build(LINKED, *options)
        layers.append(pod("inspect", "--format", "{{json .RootFS.Layers}}", "made").json())
        assert context.run("cat", "/version") == version
        script = "stat -c '%n %a %u:%g %F' / /data /real /open /open/deep /open/deep/f; ls /real /data; cat /added"
        assert context.run("sh", "-c", script).split("\n") == [
            "/ 755 0:0 directory",
            "/data 755 0:0 directory",  # a link is not followed
            "/real 755 0:0 directory",
            "/open 1777 0:0 directory",
            "/open/deep 755 3:4 directory",
            "/open/deep/f 644 1234:1235 regular file",
            "/data:",
            "f",
            "",
            "/real:",
            "y",
        ]
    assert done.stderr.count("Using cache") == 3
    assert layers[0][-3:] == layers[1][-3:]
    assert layers[0][-4] != layers[1][-4]


@pytest.mark.not_podman("4.3 takes --link for a word")
def test_a_linked_layer_is_whole_wherever_it_is_put(context: Context, pod: Engine) -> None:
    """What one stage has already is not missing where the layer stands on another."""
    context.write({"d/sub/f": "x"})
    (context.directory / "d" / "sub").chmod(0o700)
    same = "FROM busybox\nCOPY d /\nCOPY --link d /\n"
    context.build(same, NONE, tag="first")
    context.build("FROM scratch\nCOPY --from=busybox /bin /bin\nCOPY --link d /\n", NONE)
    pod("push", "-q", "made", f"dir:{context.directory}/out")
    manifest = json.loads((context.directory / "out" / "manifest.json").read_text())
    digest = manifest["layers"][-1]["digest"].partition(":")[2]
    with tarfile.open(context.directory / "out" / digest) as archive:
        assert [(it.name, it.mode) for it in archive] == [("sub", 0o700), ("sub/f", 0o644)]
