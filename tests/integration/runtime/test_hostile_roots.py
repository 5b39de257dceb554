"""Root file systems made to make init, which is more than the container will be, read or change something else."""

from __future__ import annotations

import os
import stat

import pytest

from pod.base.errors import PodError
from pod.linux import idmap, syscalls
from pod.runtime import rootfs
from pod.spec.mounts import Mount
from tests.support.bundles import Bench, Exec, unpack_busybox


@pytest.fixture
def root(workspace: str, bench: Bench) -> str:
    """A root file system of this test's own, which the bench uses."""
    bench.root = unpack_busybox(os.path.join(bench.work, "root"))
    return bench.root


@pytest.mark.parametrize("target", ["/proc/self/environ", "/proc/1/environ", "/proc/self/cmdline"])
def test_users_file_that_is_a_file_of_init(bench: Bench, root: str, target: str) -> None:
    """With a line for an unknown user it would be copied to where the container can read it."""
    os.unlink(f"{root}/etc/passwd")
    os.symlink(target, f"{root}/etc/passwd")
    for user in ("1234", "0"):
        done = bench.run("cat", "/etc/passwd", "/proc/1/environ", user=user)
        assert "XDG_RUNTIME_DIR" not in done.out and "pytest" not in done.out


@pytest.mark.parametrize("target", ["/proc/self/fd/0", "/proc/self/exe", "/dev/zero", "/tmp"])
def test_users_file_that_is_no_file(bench: Bench, root: str, target: str) -> None:
    os.unlink(f"{root}/etc/passwd")
    os.symlink(target, f"{root}/etc/passwd")
    with pytest.raises(PodError, match="'/etc/passwd' of the container"):
        bench.run("true", user="1234")


def test_users_file_that_is_a_pipe_does_not_block(bench: Bench, root: str) -> None:
    os.unlink(f"{root}/etc/group")
    os.mkfifo(f"{root}/etc/group")
    with pytest.raises(PodError, match="'/etc/group' of the container is not a file of users"):
        bench.run("true")


def test_null_that_is_not_null_masks_nothing() -> None:
    """CVE-2025-31133: with another file at /dev/null, masking would show that one, writable."""

    def inside() -> None:
        syscalls.mount("tmpfs", "/dev", "tmpfs", 0)
        os.symlink("/proc/version", "/dev/null")
        rootfs.mask(["/proc/keys"])

    with pytest.raises(PodError, match="'/dev/null' is not the null device"):
        idmap.run_inside(inside, what="mask")


def test_volume_over_dev(bench: Bench, tmp_path: os.PathLike[str]) -> None:
    path = os.fspath(tmp_path)
    os.symlink("/tmp/elsewhere", f"{path}/null")
    os.symlink("/tmp/elsewhere", f"{path}/console")
    script = "stat -Lc %F /dev/null; cat /proc/keys | wc -c"
    done = bench.run("sh", "-c", script, mounts=(Mount("bind", "/dev", path),))
    assert done.lines == ["character special file", "0"]


def test_descriptors_close_without_the_containers_proc(
    bench: Bench, tmp_path: os.PathLike[str]
) -> None:
    # What is at /proc is a directory of the user's, which says that there is no descriptor.
    os.makedirs(os.path.join(tmp_path, "self", "fd"))
    os.makedirs(os.path.join(tmp_path, "sys"))
    script = "for fd in 3 4 5 6 7 8 9; do { true <&$fd; } 2>/dev/null && echo $fd; done; echo end"
    done = bench.run(
        "sh", "-c", f"{script}; exec sleep 100", mounts=(Mount("bind", "/proc", os.fspath(tmp_path)),),
        facts={"default_sysctls": {}}, joins=[Exec(["sh", "-c", script])],
    )  # fmt: skip
    assert done.out == done.joined[0].out == "end\n"


# Streams of a user


def test_user_can_open_the_streams_again(bench: Bench) -> None:
    script = "echo out >/dev/stdout; echo err >/dev/stderr"
    done = bench.run(
        "sh", "-c", f"{script}; exec sleep 100", user="1", joins=[Exec(["sh", "-c", script])]
    )
    assert (done.out, done.err) == ("out\n", "err\n")
    assert (done.joined[0].out, done.joined[0].err) == ("out\n", "err\n")


def test_pipe_with_a_name_keeps_its_owner(bench: Bench, tmp_path: os.PathLike[str]) -> None:
    path = os.path.join(tmp_path, "pipe")
    os.mkfifo(path, 0o600)
    assert stat.S_ISFIFO(os.stat(path).st_mode)
    owner = os.stat(path).st_uid
    fd = os.open(path, os.O_RDWR)
    try:
        bench.run("true", user="1", streams=(fd, fd, fd))
    finally:
        os.close(fd)
    assert os.stat(path).st_uid == owner
