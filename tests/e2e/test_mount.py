"""`pod mount`, `pod image mount`: file systems as directories, inside of `pod unshare`."""

from __future__ import annotations

import shlex

import pytest

from tests.support.checks import nothing_wrong, one_error
from tests.support.engine import Engine, Result
from tests.support.waiting import until


def inside(pod: Engine, script: str, status: int = 0) -> Result:
    """A script in `pod unshare`, where $POD is the program with its options."""
    setting = f"POD={shlex.quote(shlex.join(pod.full_command()))}; "
    return pod("unshare", "sh", "-c", setting + script, status=status)


def create(pod: Engine, name: str = "c") -> None:
    pod(
        "create", "--name", name, "--network", "none", "busybox", "sh", "-c", "cat /new; sleep 1000"
    )


def start_when_nobody_is_there(pod: Engine) -> None:
    """What deletes trees in the background may be the last process in the namespace for a moment."""
    until(
        lambda: pod("start", "c", status=None).status == 0, "the container is not mounted any more"
    )


def test_change_a_container_that_does_not_run(pod: Engine) -> None:
    create(pod)
    script = "m=$($POD mount c) && cat $m/etc/passwd && echo changed > $m/new && $POD unmount c"
    out = inside(pod, script).out
    assert out.startswith("root:")
    assert out.split()[-1] == "c"
    pod("start", "c")
    assert pod("exec", "c", "cat", "/new").out == "changed"


def test_list(pod: Engine) -> None:
    create(pod)
    create(pod, "d")
    number = pod("inspect", "--format", "{{.Id}}", "c").out
    lines = inside(
        pod, "$POD mount c d >&2; $POD mount; $POD mount --format json; $POD umount -a"
    ).lines
    assert sorted(line.split()[0] for line in lines[:2]) == sorted(
        [number[:12], pod("inspect", "--format", "{{.Id}}", "d").out[:12]]
    )
    assert '"mountpoint"' in "".join(lines)
    assert lines[-1] in {number, pod("inspect", "--format", "{{.Id}}", "d").out}
    assert inside(pod, "$POD mount").out == ""


def test_outside_of_unshare(pod: Engine) -> None:
    create(pod)
    assert "unshare" in pod("mount", "c", status=125).stderr
    assert "unshare" in pod("image", "mount", "busybox", status=125).stderr


def test_image(pod: Engine) -> None:
    script = "m=$($POD image mount busybox) && cat $m/etc/passwd; touch $m/x 2>&1; $POD image unmount busybox"
    out = inside(pod, script).out
    assert out.startswith("root:")
    assert "ead-only" in out


@pytest.mark.not_podman("it keeps what is mounted until it is unmounted")
def test_nothing_is_left_when_unshare_ends(pod: Engine) -> None:
    create(pod)
    inside(pod, "$POD mount c; $POD image mount busybox")
    assert inside(pod, "$POD mount; $POD image mount").out == ""
    start_when_nobody_is_there(pod)
    pod("rm", "-f", "-t", "0", "c")
    inside(pod, "$POD image mount busybox; $POD image unmount -a")
    nothing_wrong(pod)


@pytest.mark.not_podman("it starts the container on the same mount")
def test_mounted_container_is_not_started(pod: Engine) -> None:
    create(pod)
    with pod.spawn(
        "unshare", "sh", "-c", f"{shlex.join(pod.full_command('mount', 'c'))}; read line"
    ) as there:
        assert there.stdout is not None
        assert there.stdin is not None
        assert there.stdout.readline()
        assert "is mounted" in one_error(pod("start", "c", status=125))
        assert "is mounted" in one_error(pod("cp", "/etc/hostname", "c:/tmp", status=125))
        there.stdin.close()
        there.wait()
    start_when_nobody_is_there(pod)


@pytest.mark.not_podman("there it can be written")
def test_running_container_can_be_read(pod: Engine) -> None:
    create(pod)
    pod("start", "c")
    pod("exec", "c", "sh", "-c", "echo x > /made")
    result = inside(
        pod, "m=$($POD mount c) && cat $m/made && ls $m/bin/sh && touch $m/y; $POD unmount c"
    )
    assert result.lines[0] == "x"
    assert "running" in result.stderr
    assert "ead-only" in result.stderr


@pytest.mark.not_podman("it says nothing")
def test_unmount_of_what_is_not_mounted(pod: Engine) -> None:
    create(pod)
    assert "not mounted" in inside(pod, "$POD unmount c", status=125).stderr
    assert "not mounted" in inside(pod, "$POD image unmount busybox", status=125).stderr


@pytest.mark.not_podman("version 4.3 says something else")
def test_unmount_of_what_is_open(pod: Engine) -> None:
    create(pod)
    script = "cd $($POD mount c); $POD unmount c; $POD unmount --force c"
    result = inside(pod, script)
    assert "--force" in result.stderr
    assert result.lines == ["c"]


@pytest.mark.not_podman("it has other drivers")
@pytest.mark.parametrize("driver", ["fuse-overlayfs", "copy"])
def test_other_drivers(fresh_pod: Engine, driver: str) -> None:
    pod = fresh_pod
    pod.have("busybox")
    pod(
        "--storage-driver",
        driver,
        "create",
        "--name",
        "c",
        "--network",
        "none",
        "busybox",
        "cat",
        "/new",
    )
    inside(pod, "m=$($POD mount c) && echo x > $m/new && $POD unmount c")
    assert pod("start", "-a", "c").out == "x"
