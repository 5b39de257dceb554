"""Paths that stay below a root, with openat2 and with the walk that stands in for it."""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator

import pytest

from pod.linux import inroot, processes, syscalls
from tests.support.connections import own_descriptors


@pytest.fixture(params=["openat2", "walk"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each test runs both ways: the walk must do what the kernel does."""
    monkeypatch.setattr(inroot._Kernel, "has_openat2", request.param == "openat2")
    return str(request.param)


@pytest.fixture
def root(tmp_path: object, way: str) -> Iterator[int]:
    base = str(tmp_path)
    os.makedirs(f"{base}/root/dir/sub")
    os.makedirs(f"{base}/outside")
    for path, text in (("root/file", "inside"), ("root/dir/file", "deep"), ("outside/file", "out")):
        with open(f"{base}/{path}", "w") as file:
            file.write(text)
    for name, target in (
        ("to-dir", "dir"),
        ("absolute", "/dir/file"),
        ("up", "../../../../outside/file"),
        ("up-dir", "../outside"),
        ("host", f"{base}/outside"),
        ("loop-a", "loop-b"),
        ("loop-b", "loop-a"),
        ("dangling", "new/place"),
        ("magic", "/proc/self/root/etc"),
        ("slash", "dir/"),
        ("dir/back", "../file"),
        ("dir/sub/far", "../../../../../../file"),
    ):
        os.symlink(target, f"{base}/root/{name}")
    fd = os.open(f"{base}/root", os.O_PATH | os.O_DIRECTORY)
    yield fd
    os.close(fd)


def read(root: int, path: str) -> str:
    fd = inroot.open_at(root, path, os.O_RDONLY)
    with open(fd) as file:
        return file.read()


def place(root: int, fd: int) -> str:
    """Where a descriptor is, below the root."""
    here, top = (os.readlink(f"/proc/self/fd/{number}") for number in (fd, root))
    os.close(fd)
    assert (here + "/").startswith(top + "/"), f"{here} is outside of {top}"
    return here[len(top) :] or "/"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("file", "inside"),
        ("/file", "inside"),
        ("//dir//file", "deep"),
        ("./dir/./file", "deep"),
        ("dir/../file", "inside"),
        ("../../file", "inside"),
        ("to-dir/file", "deep"),
        ("absolute", "deep"),
        ("dir/back", "inside"),
        ("dir/sub/far", "inside"),
        ("slash/file", "deep"),
    ],
)
def test_paths_resolve_as_if_the_root_were_the_top(root: int, path: str, text: str) -> None:
    assert read(root, path) == text


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("missing", errno.ENOENT),
        ("missing/file", errno.ENOENT),
        ("file/below", errno.ENOTDIR),
        ("file/", errno.ENOTDIR),
        ("up", errno.ENOENT),
        ("up-dir/file", errno.ENOENT),
        ("host/file", errno.ENOENT),
        ("loop-a", errno.ELOOP),
        ("loop-a/file", errno.ELOOP),
        ("dangling", errno.ENOENT),
        ("magic/passwd", errno.ENOENT),
        ("x" * 256, errno.ENAMETOOLONG),
    ],
)
def test_what_is_not_inside_is_not_there(root: int, path: str, number: int) -> None:
    with pytest.raises(OSError, match=r".") as caught:
        inroot.open_path(root, path)
    assert caught.value.errno == number


def test_the_last_link_is_not_followed_when_asked(root: int) -> None:
    fd = inroot.open_at(root, "up", os.O_PATH | os.O_NOFOLLOW)
    assert os.readlink("", dir_fd=fd) == "../../../../outside/file"
    os.close(fd)


def test_a_directory_is_made_with_its_parents(root: int) -> None:
    assert place(root, inroot.make_directory(root, "/a/b/../c")) == "/a/c"
    assert place(root, inroot.make_directory(root, "a/c")) == "/a/c"


def test_a_directory_is_made_where_a_dangling_link_points(root: int) -> None:
    assert place(root, inroot.make_directory(root, "dangling/more")) == "/new/place/more"


def test_a_directory_is_made_inside_when_links_point_out(root: int, tmp_path: object) -> None:
    place(root, inroot.make_directory(root, "up-dir/x"))
    place(root, inroot.make_directory(root, "host/x"))
    assert os.listdir(f"{tmp_path}/outside") == ["file"]


def test_a_file_is_no_place_for_a_directory(root: int) -> None:
    with pytest.raises(NotADirectoryError):
        inroot.make_directory(root, "file/x")
    with pytest.raises(NotADirectoryError):
        inroot.make_directory(root, "file")


def test_a_file_is_made_only_where_nothing_is(root: int) -> None:
    assert place(root, inroot.make_file(root, "etc/hosts")) == "/etc/hosts"
    assert place(root, inroot.make_file(root, "absolute")) == "/dir/file"
    assert read(root, "absolute") == "deep"
    assert place(root, inroot.make_file(root, "dir")) == "/dir"


def test_a_file_is_not_made_outside(root: int, tmp_path: object) -> None:
    assert place(root, inroot.make_file(root, "up")) == "/outside/file"
    with open(f"{tmp_path}/outside/file") as file:
        assert file.read() == "out"


def test_a_new_file_can_be_created_once(root: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    assert place(root, inroot.open_at(root, "to-dir/new", flags, 0o600)) == "/dir/new"
    with pytest.raises(FileExistsError):
        inroot.open_at(root, "dir/new", flags, 0o600)


def test_the_parent_is_given_with_the_last_name(root: int) -> None:
    fd, name = inroot.open_parent(root, "to-dir/new")
    assert (place(root, fd), name) == ("/dir", "new")
    fd, name = inroot.open_parent(root, "new")
    assert (place(root, fd), name) == ("/", "new")


@pytest.mark.parametrize("path", ["/", "", ".", "dir/..", "dir/."])
def test_the_root_has_no_parent(root: int, path: str) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        inroot.open_parent(root, path)


def test_no_descriptor_is_left_open(root: int) -> None:
    before = own_descriptors()
    for path in ("missing/a", "file/b", "loop-a", "host/file"):
        with pytest.raises(OSError, match=r"."):
            inroot.open_path(root, path)
        with pytest.raises(OSError, match=r"."):
            inroot.open_at(root, path, os.O_RDONLY | os.O_DIRECTORY)
    assert len(own_descriptors()) == len(before)


def test_the_walk_takes_over_when_the_kernel_has_no_openat2(tmp_path: object) -> None:
    """In a child with a filter that makes openat2 fail as an old kernel does."""
    os.symlink("/", f"{tmp_path}/link")
    fd = os.open(str(tmp_path), os.O_PATH | os.O_DIRECTORY)

    def work() -> tuple[bool, str]:
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        syscalls.seccomp_set_filter(refuse(syscalls._SYS_OPENAT2, errno.ENOSYS))
        with pytest.raises(OSError, match="not implemented"):
            syscalls.openat2(fd, ".", os.O_PATH, 0)
        where = place(fd, inroot.make_directory(fd, "link/a"))
        return inroot._Kernel.has_openat2, where

    child = processes.fork(work, what="walk", keep={fd})
    assert child.result() == (False, "/a")
    os.close(fd)


def refuse(number: int, error: int) -> bytes:
    """A seccomp filter: load the number of the call, compare, return the error or allow. See seccomp(2)."""
    load, equal, give = 0x20, 0x15, 0x06
    return b"".join(
        code.to_bytes(2, "little") + bytes((yes, no)) + value.to_bytes(4, "little")
        for code, yes, no, value in (
            (load, 0, 0, 0),
            (equal, 0, 1, number),
            (give, 0, 0, 0x00050000 | error),
            (give, 0, 0, 0x7FFF0000),
        )
    )


def test_refuse_has_the_layout_of_the_kernel() -> None:
    assert len(refuse(1, 1)) == 4 * ctypes.sizeof(ctypes.c_uint64)
