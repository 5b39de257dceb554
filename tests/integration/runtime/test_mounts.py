"""Mounts of a container: options, propagation, copy-up, parts of a volume, and targets that are moved meanwhile."""

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path

import pytest

from pod.base.errors import PodError
from pod.linux import idmap, processes, seccomp, syscalls
from pod.runtime import rootfs
from pod.spec.mounts import Mount
from tests.support.bundles import Bench


@pytest.fixture
def source(tmp_path: Path) -> str:
    (tmp_path / "file").write_text("content")
    os.chmod(tmp_path, 0o755)
    return str(tmp_path)


def flags(bench: Bench, *mounts: Mount, runtime: str = "") -> dict[str, set[str]]:
    """The mount options of what is mounted on /m..., by place."""
    script = "cut -d ' ' -f 2,4 /proc/mounts | grep '^/m'"
    lines = bench.run("sh", "-c", script, mounts=mounts, runtime=runtime).lines
    return {place: set(words.split(",")) for place, words in (line.split() for line in lines)}


def test_options_of_bind_mounts(bench: Bench, runtime: str, source: str) -> None:
    found = flags(
        bench,
        Mount("bind", "/m1", source),
        Mount("bind", "/m2", source, read_only=True),
        Mount("bind", "/m3", source, options=("noexec", "nosuid", "nodev")),
        Mount("bind", "/m4", source, recursive=False, read_only=True, options=("noexec",)),
        Mount("bind", "/m5/file", f"{source}/file", read_only=True),
        runtime=runtime,
    )
    assert "rw" in found["/m1"] and not found["/m1"] & {"noexec", "nosuid"}
    assert "ro" in found["/m2"] and "ro" in found["/m5/file"]
    assert {"rw", "noexec", "nosuid", "nodev"} <= found["/m3"]
    assert {"ro", "noexec"} <= found["/m4"]


def test_read_only_holds_for_mounts_below_too(bench: Bench) -> None:
    # /dev/shm is a mount of its own.
    def run(mount: Mount) -> int:
        return bench.run("sh", "-c", "touch /m/shm/new && rm /m/shm/new", mounts=(mount,)).status

    assert run(Mount("bind", "/m", "/dev")) == 0
    assert run(Mount("bind", "/m", "/dev", read_only=True)) == 1
    assert run(Mount("bind", "/m", "/dev", read_only=True, recursive_read_only=False)) == 0
    script = "grep ' /m/shm ' /proc/mounts"
    options = bench.run(
        "sh", "-c", script, mounts=(Mount("bind", "/m", "/dev", options=("noexec",)),)
    )
    assert "noexec" in options.out


@pytest.mark.parametrize(
    ("propagation", "expected"),
    [
        ("rprivate", "0 0"),
        ("rslave", "0 1"),
        ("rshared", "1 1"),
        ("shared", "1 1"),
        ("slave", "0 1"),
    ],
)
def test_propagation(bench: Bench, source: str, propagation: str, expected: str) -> None:
    # "1 0" of mountinfo: in a peer group, below a master. A user namespace's copy of a shared mount has a master.
    script = "grep ' /m ' /proc/self/mountinfo"
    mount = Mount("bind", "/m", source, propagation=propagation)
    line = bench.run("sh", "-c", script, mounts=(mount,)).out
    assert f"{int('shared:' in line)} {int('master:' in line)}" == expected, line


def test_tmpfs(bench: Bench, runtime: str) -> None:
    found = flags(
        bench,
        Mount("tmpfs", "/m1", options=("size=64k", "mode=0700")),
        Mount("tmpfs", "/m2", options=("noexec",), read_only=True, copy=False),
        runtime=runtime,
    )
    assert {"size=64k", "mode=700", "rw"} <= found["/m1"]
    assert {"noexec", "ro"} <= found["/m2"]


def test_tmpfs_is_filled_with_what_the_image_has_there(bench: Bench) -> None:
    script = "ls -A /etc /tmp /new; stat -c '%a %U' /etc /tmp /new; cat /etc/group | head -n 1; touch /etc/new"
    mounts = tuple(Mount("tmpfs", target) for target in ("/etc", "/tmp", "/new"))
    done = bench.run("sh", "-c", script, mounts=mounts)
    assert done.status == 0
    assert done.lines == [
        "/etc:", "group", "passwd", "", "/new:", "", "/tmp:", "755 root", "1777 root", "1777 root", "root:x:0:",
    ]  # fmt: skip
    empty = bench.run("ls", "-A", "/etc", mounts=(Mount("tmpfs", "/etc", copy=False),))
    assert empty.out == ""
    filled = bench.run("ls", "/etc", mounts=(Mount("tmpfs", "/etc", read_only=True),))
    assert "passwd" in filled.lines


def test_inner_targets_are_mounted_after_outer_ones(bench: Bench, source: str) -> None:
    mounts = (Mount("bind", "/a/b/c", source), Mount("tmpfs", "/a"), Mount("tmpfs", "/a/b"))
    assert bench.run("cat", "/a/b/c/file", mounts=mounts).out == "content"


def test_overlay_keeps_the_source_as_it_is(bench: Bench, source: str) -> None:
    def make(directory: str) -> None:
        for name in ("upper", "work"):
            os.makedirs(f"{directory}/overlay-0/{name}")

    script = "echo new >/m/file; touch /m/more; ls /m"
    mount = Mount("bind", "/m", source, overlay=True)
    assert bench.run("sh", "-c", script, mounts=(mount,), prepare=make).lines == ["file", "more"]
    assert os.listdir(source) == ["file"] and Path(source, "file").read_text() == "content"


def test_part_of_a_volume(bench: Bench, runtime: str, source: str) -> None:
    os.makedirs(f"{source}/outer/inner")
    Path(source, "outer/inner/deep").write_text("deep")
    mounts = (
        Mount("bind", "/m", source, subpath="outer/inner", read_only=True),
        Mount("bind", "/n", source, subpath="file"),
    )
    done = bench.run(
        "sh", "-c", "ls /m; cat /m/deep /n; touch /m/new", mounts=mounts, runtime=runtime
    )
    assert done.out == "deep\ndeepcontent" and "Read-only file system" in done.err


@pytest.mark.parametrize("part", ["up", "top", "absolute", "..", "self"])
def test_part_of_a_volume_stays_in_the_volume(bench: Bench, source: str, part: str) -> None:
    links = {"up": "../../../..", "top": "/", "absolute": "/etc", "self": "/proc/self/root"}
    for name, target in links.items():
        os.symlink(target, f"{source}/{name}")
    mount = Mount("bind", "/m", source, subpath=part)
    try:
        listed = bench.run("ls", "-A", "/m", mounts=(mount,)).lines
    except PodError as error:
        assert "cannot be mounted" in error.message  # there is no such place in the volume
    else:
        assert listed == sorted(["file", *links])


def test_target_that_is_swapped_while_it_is_mounted(
    source: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = str(tmp_path_factory.mktemp("root"))
    os.makedirs(f"{root}/a/b")
    os.makedirs(f"{root}/z/b")
    os.symlink("/z", f"{root}/link")
    entry = {
        "destination": "/a/b", "type": "bind", "source": source, "options": ["rbind", "ro", "nosuid", "rprivate"],
    }  # fmt: skip
    swapper = processes.fork(lambda: _swap(f"{root}/a", f"{root}/link"), what="swap")
    try:
        bad = idmap.run_inside(lambda: _mount_often(root, entry), what="mount")
    finally:
        swapper.kill()
    assert bad == []


def _swap(one: str, other: str) -> None:
    libc = ctypes.CDLL(None)
    while True:
        libc.renameat2(-100, one.encode(), -100, other.encode(), 2)  # RENAME_EXCHANGE


def _mount_often(root: str, entry: dict[str, object]) -> list[str]:
    """Mount in the middle of the swapping; the mounts that are not read-only."""
    root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY)

    def mounted() -> list[list[str]]:
        with open("/proc/self/mountinfo") as file:
            return [line.split() for line in file if f" {root}/" in line]

    bad = []
    for _ in range(300):
        try:
            rootfs.mount_all(root_fd, [entry], "")
        except PodError:
            pass
        bad += [" ".join(fields) for fields in mounted() if "ro" not in fields[5].split(",")]
        while mine := mounted():
            try:
                syscalls.umount2(mine[0][4], syscalls.MNT_DETACH)
            except OSError:
                continue  # it has moved again
    return bad


def test_source_that_is_missing_is_named(bench: Bench) -> None:
    with pytest.raises(PodError, match="'/no/such' cannot be mounted on '/m'") as caught:
        bench.run("true", mounts=(Mount("bind", "/m", "/no/such"),))
    assert caught.value.hint == "make it first: mkdir -p '/no/such'"


def test_file_on_a_directory_is_refused(bench: Bench, source: str) -> None:
    with pytest.raises(PodError, match="cannot be mounted on '/etc/passwd/x'"):
        bench.run("true", mounts=(Mount("bind", "/etc/passwd/x", source),))
    with pytest.raises(PodError, match="cannot be mounted on '/etc'"):
        bench.run("true", mounts=(Mount("bind", "/etc", f"{source}/file"),))


def test_read_only_root(bench: Bench, runtime: str) -> None:
    script = "touch /x /etc/x /bin/x; touch /tmp/x /run/x /dev/shm/x && echo written"
    done = bench.run("sh", "-c", script, read_only=True, runtime=runtime)
    assert done.out == "written\n" and done.err.count("Read-only file system") == 3
    done = bench.run("touch", "/tmp/x", read_only=True, read_only_tmpfs=False, runtime=runtime)
    assert "Read-only file system" in done.err


def test_masked_and_read_only_paths(bench: Bench, runtime: str) -> None:
    script = "wc -c </proc/keys; ls /sys/firmware | wc -l; touch /proc/sys/kernel/domainname"
    done = bench.run("sh", "-c", script, runtime=runtime)
    assert done.out.split() == ["0", "0"] and "Read-only file system" in done.err


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM], ids=["old-kernel", "old-filter"])
def test_bind_mount_without_the_newer_calls(
    source: str, tmp_path_factory: pytest.TempPathFactory, number: int
) -> None:
    root = str(tmp_path_factory.mktemp("root"))
    newer = {
        "names": ["open_tree", "mount_setattr"],
        "action": "SCMP_ACT_ERRNO",
        "errnoRet": number,
    }
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [newer]}
    program = seccomp.compile_profile(profile, set(), "test")
    options = ["rbind", "ro", "noexec", "rprivate"]

    def mount() -> str:
        syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
        syscalls.seccomp_set_filter(program)
        root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY)
        entry = {"destination": "/m", "type": "bind", "source": source, "options": options}
        rootfs.mount_all(root_fd, [entry], "")
        with open("/proc/self/mountinfo") as file:
            return next(line for line in file if f" {root}/m " in line)

    fields = idmap.run_inside(mount, what="mount").split()
    assert {"ro", "noexec"} <= set(fields[5].split(","))
    assert "master:" not in fields[6] and "shared:" not in fields[6]
