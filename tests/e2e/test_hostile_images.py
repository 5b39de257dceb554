"""Images that try to leave their root: pulled, run, copied from and removed. Nothing outside is touched.

What each kind of entry becomes is tested in tests/integration/storage/test_hostile_layers.py; here the whole program
works with such images, and the traps are set for all of its parts: unpacking, mounts, copy-up, users, removal.
"""

from __future__ import annotations

import functools
import gzip
import os
import shutil
import tarfile
from collections.abc import Generator, Iterable
from typing import Any

import pytest

from pod.base.paths import ROOT_NAMES
from tests.integration.image.faulty import FaultyRegistry, digest_of
from tests.support import images
from tests.support.checks import nothing_wrong, one_error
from tests.support.engine import Engine
from tests.support.layout import Entry, directory, hardlink, layer_tar, symlink

OUTSIDE = (
    f"/tmp/pod-outside-{os.getpid()}"  # absolute and known, so that the tables below can have it
)
SECRET = "the content of a file outside"
OURS = {*ROOT_NAMES, "volumes"}


@pytest.fixture(autouse=True)
def outside(pod: Engine) -> Generator[None]:
    """Files where an escape would end: they must be as they were, and alone."""
    os.makedirs(f"{OUTSIDE}/directory")
    try:
        _write(f"{OUTSIDE}/file")
        _write(f"{OUTSIDE}/passwd", "mole:x:4711:4711::/:/bin/sh\n")
        _write(f"{OUTSIDE}/directory/file")
        before = _picture(OUTSIDE)
        beside = os.listdir(os.path.dirname(pod.root))
        yield
        assert _picture(OUTSIDE) == before
        assert os.listdir(os.path.dirname(pod.root)) == beside
        if pod.kind == "pod":
            assert set(os.listdir(pod.root)) <= OURS
    finally:
        shutil.rmtree(OUTSIDE)


def _write(path: str, content: str = SECRET) -> None:
    with open(path, "w") as file:
        file.write(content)


def _picture(top: str) -> list[tuple[Any, ...]]:
    found = []
    for parent, directories, files in os.walk(top):
        for name in sorted([*directories, *files, "."]):
            path = os.path.join(parent, name)
            status = os.lstat(path)
            found.append((path, status.st_mode, status.st_nlink, status.st_size, status.st_ctime_ns,
                          *os.listxattr(path)))  # fmt: skip
    return found


@functools.cache
def busybox() -> bytes:
    with images.image("busybox").open_layer(0) as stream:
        return stream.read()


def pull(
    pod: Engine, server: FaultyRegistry, layers: Iterable[bytes], status: int = 0, **config: Any
) -> str:
    """An image of busybox and these layers; its name, or the error when that is what is expected."""
    every = [busybox(), *layers]
    document = {
        "os": "linux",
        "architecture": "amd64",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [digest_of(_plain(layer)) for layer in every]},
    }
    server.add_image("evil/image:latest", every, config=document)
    name = f"{server.host}/evil/image"
    result = pod("pull", "-q", "--tls-verify=false", name, status=status)
    return one_error(result) if status else name


def _plain(layer: bytes) -> bytes:
    return gzip.decompress(layer) if layer[:2] == b"\x1f\x8b" else layer


def run(pod: Engine, image: str, script: str, *options: str) -> str:
    """What a shell script in the image writes."""
    options = ("--rm", "--network", "none", *options)
    return pod("run", *options, image, "/bin/sh", "-c", script).out


UP = "../" * 20
DUPLICATES = pytest.mark.not_podman("it refuses layers that have a name twice")
CAPABILITY = "\x01\0\0\x02" + "\x7f" * 4 + "\0" * 12  # a file with capabilities, as ping has
REFUSED = [
    pytest.param([Entry(f"{UP}{OUTSIDE}/new")], id="dots"),
    pytest.param([directory("a"), Entry(f"a/{UP}{OUTSIDE}/new")], id="dots behind a name"),
    pytest.param([Entry(f"/{UP}{OUTSIDE}/new")], id="absolute dots"),
    pytest.param([Entry(f"{UP}{OUTSIDE}/.wh.file")], id="whiteout outside"),
    pytest.param([hardlink("l", f"{UP}{OUTSIDE}/file"), Entry("l", b"x")], id="hard link with dots"),
    pytest.param([hardlink("l", f"{OUTSIDE}/file"), Entry("l", b"x")], id="absolute hard link"),
    pytest.param([symlink("up", OUTSIDE), hardlink("l", "up/file")], id="hard link by a link"),
    pytest.param([symlink("a", "b"), symlink("b", "a"), Entry("a/x")], id="links in a circle"),
    pytest.param([symlink("a", "a"), Entry("a/x")], id="link to itself"),
    pytest.param([hardlink("a", "b"), hardlink("b", "a")], id="hard links in a circle"),
    pytest.param([Entry("file"), Entry("file/below")], id="below a file"),
    pytest.param([Entry(".wh.")], id="whiteout of /"),
    pytest.param([Entry(".wh..")], id="whiteout of ."),
    pytest.param([Entry(".wh...")], id="whiteout of .."),
    pytest.param([Entry("/", kind="symlink", target=OUTSIDE)], id="root is a link"),
    pytest.param([Entry("x" * 300)], id="long name"),
    pytest.param([Entry("f", uid=4_000_000_000)], id="unknown owner"),
    pytest.param([Entry("f", xattrs={"security.capability": "x"})], id="bad capability"),
]  # fmt: skip


@pytest.mark.not_podman("it takes most of them, in another way each")
@pytest.mark.parametrize("entries", REFUSED)
def test_refused(pod: Engine, server: FaultyRegistry, entries: list[Entry]) -> None:
    message = pull(pod, server, [layer_tar([Entry("first", b"x"), *entries])], status=125)
    assert "layer 'sha256:" in message
    assert message.isprintable()
    assert "evil/image" not in pod("images", "--format", "{{.Repository}}").stdout
    pod("system", "prune", "--external", "-f")
    nothing_wrong(pod)


ACCEPTED = [
    pytest.param([[Entry(f"{OUTSIDE}/new", b"in")]], f"cat {OUTSIDE}/new", "in", id="absolute"),
    pytest.param([[symlink("l", OUTSIDE)], [Entry("l/new", b"in")]], "cat l/new", "in",
                 id="directory in the place of a lower link"),
    pytest.param([[symlink("l", OUTSIDE)], [Entry("l", b"in")]], "cat l", "in",
                 id="file in the place of a lower link"),
    pytest.param([[symlink("l", OUTSIDE)], [directory("l"), Entry("l/.wh.file")]], "ls -A l", "",
                 id="whiteout behind a lower link"),
    pytest.param([[symlink("l", f"{UP}{OUTSIDE}")], [directory("l"), Entry("l/.wh..wh..opq")]],
                 "ls -A l", "", id="opaque behind a lower link"),
    pytest.param([[symlink("l", f"{OUTSIDE}/file"), Entry("l", b"in")]], "cat l", "in",
                 id="file in the place of a link", marks=DUPLICATES),
    pytest.param([[symlink("l", f"{OUTSIDE}/file")]], "cat l 2>&1 || echo x > l 2>&1; echo",
                 None, id="link to the outside, written"),
    pytest.param([[Entry("f", b"one"), Entry("f", b"two"), symlink("f", "g"), Entry("f", b"in")]],
                 "cat f", "in", id="the same name again and again", marks=DUPLICATES),
    pytest.param([[Entry("d", b"file"), directory("d"), Entry("d/f", b"in")]], "cat d/f", "in",
                 id="a file becomes a directory", marks=DUPLICATES),
    pytest.param([[Entry("mem", kind="char", device=(1, 1)), Entry("disk", kind="block", device=(8, 0)),
                   Entry("zero", kind="char", device=(0, 0))]],
                 "ls -d /mem /disk 2>/dev/null", "", id="devices"),
    pytest.param([[Entry("f", b"in", xattrs={"security.capability": CAPABILITY, "security.selinux": "x",
                                            "trusted.overlay.redirect": "/x"})]],
                 "cat f", "in", id="foreign attributes"),
    pytest.param([[directory("d"), Entry("d/f", b"in")],
                  [Entry("d", kind="directory", xattrs={"user.overlay.opaque": "y"}),
                   Entry("e", kind="directory", xattrs={"user.overlay.redirect": "/bin"})]],
                 "cat d/f; ls -A e", "in", id="attributes of overlay",
                 marks=pytest.mark.not_podman("its overlay obeys them")),
]  # fmt: skip


@pytest.mark.parametrize(("layers", "script", "output"), ACCEPTED)
def test_contained(
    pod: Engine, server: FaultyRegistry, layers: list[list[Entry]], script: str, output: str | None
) -> None:
    name = pull(pod, server, [layer_tar(entries) for entries in layers])
    seen = run(pod, name, f"cd /; {script}; true")
    assert SECRET not in seen
    assert output is None or seen == output
    pod("rmi", name)
    nothing_wrong(pod)


def test_names_that_are_not_utf_8(pod: Engine, server: FaultyRegistry) -> None:
    layer = bytearray(layer_tar([Entry("d/" + "n" * 8, b"in")]))
    info = tarfile.TarInfo("d/caf\udce9\udcff\x1b")
    info.size = 2
    layer[:512] = info.tobuf(tarfile.USTAR_FORMAT, "utf-8", "surrogateescape")
    name = pull(pod, server, [bytes(layer)])
    assert run(pod, name, "cat /d/caf*") == "in"
    nothing_wrong(pod)


def test_setuid_files_are_out_of_reach_of_other_users(pod: Engine, server: FaultyRegistry) -> None:
    """On the host such a file would run as the caller, or as one of the caller's subordinate ids."""
    name = pull(pod, server, [layer_tar([Entry("s", b"x", mode=0o6755), Entry("t", mode=0o1777)])])
    assert run(pod, name, "stat -c %a /s") == "6755"
    closed = "overlay" if pod.kind == "podman" else "layers"
    modes = [os.stat(path).st_mode & 0o077 for path in (pod.root, f"{pod.root}/{closed}")]
    assert 0 in modes, "other users can reach the files of layers"


@pytest.mark.not_podman("it leaves a mount behind")
def test_header_that_promises_ten_gigabytes(pod: Engine, server: FaultyRegistry) -> None:
    info = tarfile.TarInfo("big")
    info.size = 10 << 30
    layer = info.tobuf(tarfile.GNU_FORMAT) + bytes(10_000)
    pull(pod, server, [layer], status=125)
    pod("system", "prune", "--external", "-f", status=None)
    nothing_wrong(pod)


MOUNTS = [
    "etc/hosts", "etc/resolv.conf", "etc/hostname", "proc", "sys", "dev", "run", "tmp", "data",
    "dev/shm", "run/.containerenv",
]  # fmt: skip


@pytest.mark.not_podman("it refuses links in the places of its mounts")
@pytest.mark.parametrize("target", [OUTSIDE, f"{UP}{OUTSIDE}"], ids=["absolute", "dots"])
def test_links_where_something_is_mounted(pod: Engine, server: FaultyRegistry, target: str) -> None:
    """Every place that a container has something at, is a link to the outside; nothing is mounted or written there."""
    links = [symlink(name, f"{target}/directory" if "." not in name else f"{target}/file")
             for name in MOUNTS if not name.startswith(("dev/", "run/"))]  # fmt: skip
    name = pull(pod, server, [layer_tar(links)], Volumes={"/data": {}}, WorkingDir="/data/work")
    for options in ([], ["-v", "/data"], ["-v", "/data/deep"], ["--tmpfs", "/tmp"], ["--read-only"],
                    ["-v", f"{OUTSIDE}/directory:/data/bound:ro"], ["-w", "/data/../../../x"]):  # fmt: skip
        result = pod("run", "--rm", "--network", "none", *options, name, "/bin/cat",
                     f"{OUTSIDE}/file", f"{OUTSIDE}/directory/file", status=None)  # fmt: skip
        assert "Traceback" not in result.stderr
        assert SECRET not in result.stdout
        assert result.status in (1, 125, 126, 127), result
    nothing_wrong(pod)


def test_copy_up_does_not_follow_links(pod: Engine, server: FaultyRegistry) -> None:
    """A new volume is filled from the image, never from the host."""
    entries = [symlink("a", f"{OUTSIDE}/directory"), symlink("b", f"{UP}{OUTSIDE}/directory"),
               directory("c"), symlink("c/link", f"{OUTSIDE}/file")]  # fmt: skip
    name = pull(pod, server, [layer_tar(entries)])
    for place in ("a", "b", "c"):
        pod("run", "--rm", "--network", "none", "-v", f"vol{place}:/{place}", name, "/bin/true",
            status=None)  # fmt: skip
        if f"vol{place}" in pod("volume", "ls", "-q").lines:
            assert SECRET not in pod("volume", "export", f"vol{place}").stdout
    nothing_wrong(pod)


@pytest.mark.not_podman("it wants to read the list of users even for a number")
def test_users_come_from_the_image_alone(pod: Engine, server: FaultyRegistry) -> None:
    entries = [
        symlink("etc/passwd", f"{OUTSIDE}/passwd"),
        symlink("etc/group", f"{UP}{OUTSIDE}/passwd"),
    ]
    name = pull(pod, server, [layer_tar(entries)])
    for user in ("mole", "0:mole"):
        result = pod("run", "--rm", "--network", "none", "--user", user, name, "id", status=None)
        assert result.status in (125, 126), result
    assert run(pod, name, "id -u", "--user", "7") == "7"


@pytest.mark.not_podman("it waits forever")
def test_user_files_that_never_end(pod: Engine, server: FaultyRegistry) -> None:
    """A pipe nobody writes to, and a file larger than any list of users."""
    entries = [Entry("etc/passwd", kind="fifo"), Entry("etc/group", kind="fifo")]
    name = pull(pod, server, [layer_tar(entries)])
    for user in ("root", "7", "7:nobody"):
        result = pod("run", "--rm", "--network", "none", "--user", user, name, "true",
                     status=None, timeout=20)  # fmt: skip
        assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "config",
    [
        pytest.param({"WorkingDir": "../../../.."}, id="WorkingDir"),
        pytest.param({"User": "../../etc"}, id="User"),
        pytest.param({"Volumes": {f"/{UP}{OUTSIDE}/directory": {}}}, id="Volumes"),
        pytest.param({"Volumes": {"/": {}}}, id="volume at /"),
        pytest.param({"Env": ["=x", "A", "B=\u0000"]}, id="Env"),
        pytest.param({"StopSignal": "SIGNONSENSE"}, id="StopSignal"),
        pytest.param({"ExposedPorts": {"99999/x": {}}}, id="ExposedPorts"),
        pytest.param(
            {"Entrypoint": "not a list"},
            id="Entrypoint",
            marks=pytest.mark.not_podman("it leaves a mount behind"),
        ),
        pytest.param({"Labels": {"a\nb": "\x1b[31m"}}, id="Labels"),
    ],
)
def test_hostile_configuration(pod: Engine, server: FaultyRegistry, config: Any) -> None:
    """Whatever it says: a container or one sentence."""
    document = {
        "os": "linux",
        "architecture": "amd64",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [digest_of(busybox())]},
    }
    server.add_image("evil/image:latest", [busybox()], config=document)
    name = f"{server.host}/evil/image"
    result = pod("pull", "-q", "--tls-verify=false", name, status=None)
    if result.status:
        one_error(result, hint=None)
        return
    for words in (["image", "inspect", name], ["history", name], ["images"], ["ps", "-a"]):
        shown = pod(*words, status=None)
        assert "Traceback" not in shown.stderr, shown
        assert "\x1b" not in shown.stdout, shown
    result = pod("run", "--rm", "--network", "none", name, "/bin/true", status=None)
    if result.status:
        one_error(result, hint=None)
    nothing_wrong(pod)
