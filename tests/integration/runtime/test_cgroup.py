"""The container's processes are in its cgroup from the start, and where the kernel cannot do that, soon after."""

from __future__ import annotations

import errno
import os
import tempfile

import pytest

from pod.linux import cgroups, idmap, processes, seccomp, syscalls
from tests.support.bundles import Bench


def group_of(pid: int | str) -> str:
    with open(f"/proc/{pid}/cgroup") as file:
        return next(line[3:-1] for line in file if line.startswith("0::"))


def filter_without_clone3() -> bytes:
    refused = {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOSYS}
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [refused]}
    return seccomp.compile_profile(profile, set(), "test")


def single_id() -> tuple[idmap.IdMap, idmap.IdMap]:
    """Maps that the caller may write itself, since under a filter newuidmap has no privilege."""
    return ((0, os.geteuid(), 1),), ((0, os.getegid(), 1),)


def test_fork_into_a_cgroup() -> None:
    root = cgroups.delegated_root()
    assert root is not None, "nothing of the cgroup tree is delegated"
    path = tempfile.mkdtemp(prefix="into-", dir=root)
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY)

    def fork() -> tuple[str, str, int]:
        reading, writing = os.pipe()
        pid = processes.fork_into_cgroup(fd)
        if pid == 0:
            import colorsys  # the child's import lock is free

            grandchild = os.fork()
            if grandchild == 0:
                os._exit(3)
            status = os.waitpid(grandchild, 0)[1]
            os.write(writing, f"{group_of('self')} {os.WEXITSTATUS(status)}".encode())
            os._exit(len(colorsys.__all__))
        os.close(writing)
        with open(reading) as file:
            said = file.read()
        return said, group_of("self"), os.WEXITSTATUS(os.waitpid(pid, 0)[1])

    try:
        said, own, status = processes.fork(fork, what="fork", keep=[fd]).result()
    finally:
        os.close(fd)
        os.rmdir(path)
    assert said == f"{path.removeprefix(cgroups.MOUNT)} 3"
    assert own == group_of("self")
    assert status > 0


def test_a_cgroup_that_has_gone_is_an_error() -> None:
    root = cgroups.delegated_root()
    assert root is not None, "nothing of the cgroup tree is delegated"
    path = tempfile.mkdtemp(prefix="into-", dir=root)
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY)
    os.rmdir(path)
    try:
        with pytest.raises(OSError) as caught:
            processes.fork_into_cgroup(fd)
    finally:
        os.close(fd)
    assert caught.value.errno in {errno.ENODEV, errno.ENOENT}


@pytest.mark.parametrize("old", [False, True], ids=["clone3", "old-kernel"])
def test_process_1_is_in_the_cgroup(bench: Bench, old: bool) -> None:
    program = filter_without_clone3()
    place = os.path.join(bench.work, "place")

    def note(pid: int) -> None:
        with open(place, "w") as file:
            file.write(group_of(pid))

    def run() -> str:
        if old:
            syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
            syscalls.seccomp_set_filter(program)
        done = bench.run("readlink", "/proc/self/ns/cgroup", maps=single_id(), meanwhile=note)
        assert done.status == 0, done.err
        return done.out.strip()

    inside = processes.fork(run, what="run").result()
    with open(place) as file:
        assert os.path.basename(file.read()) == f"bench-{os.path.basename(bench.work)}-1"
    assert inside != os.readlink("/proc/self/ns/cgroup")
