"""`--storage-driver`: each of them runs containers, keeps what they wrote, and leaves nothing."""

from __future__ import annotations

import io
import os
import signal
import tarfile
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.keeper import descendants
from tests.support.waiting import until

DRIVERS = ["overlay", "fuse-overlayfs", "copy"]
pytestmark = pytest.mark.not_podman(
    "its drivers have other names, and each wants a root of its own"
)


class Driver:
    """The program with one storage driver, with the images that all drivers share."""

    def __init__(self, pod: Engine, name: str) -> None:
        self.name = name
        self._pod = pod

    def __call__(self, *words: str, **more: object):  # type: ignore[no-untyped-def]
        return self._pod("--storage-driver", self.name, *words, **more)  # type: ignore[arg-type]


@pytest.fixture(params=DRIVERS)
def driver(pod: Engine, request: pytest.FixtureRequest) -> Driver:
    return Driver(pod, request.param)


def servers() -> list[int]:
    """The processes of fuse-overlayfs that this test run has."""
    return [it.pid for it in descendants() if it.command()[:1] == ["/usr/bin/fuse-overlayfs"]]


def test_container_reads_and_changes_its_image(driver: Driver) -> None:
    script = (
        "echo new > /new; echo more >> /etc/group; rm /bin/cat; ls /bin/cat; tail -1 /etc/group"
    )
    result = driver("run", "--rm", "--network", "none", "busybox", "sh", "-c", script)
    assert result.lines == ["more"]
    assert "/bin/cat" in result.stderr
    assert driver("run", "--rm", "--network", "none", "busybox", "cat", "/etc/hostname").out


def test_changes_stay_from_start_to_start(driver: Driver) -> None:
    count = "echo x >> /count; grep -c x /count"
    driver("create", "--name", "kept", "--network", "none", "busybox", "sh", "-c", count)
    assert [driver("start", "-a", "kept").out for _ in range(3)] == ["1", "2", "3"]
    driver("rm", "kept")


def test_much_is_written_before_the_container_counts_as_ended(driver: Driver) -> None:
    driver(
        "run", "--name", "kept", "--network", "none", "busybox",
        "dd", "if=/dev/zero", "of=/data", "bs=1M", "count=20",
    )  # fmt: skip
    driver("start", "-a", "kept")
    again = driver("inspect", "--format", "{{.State.ExitCode}}", "kept")
    assert again.out == "0"
    driver("rm", "kept")


def test_another_driver_runs_what_one_has_made(pod: Engine) -> None:
    for name in DRIVERS:
        made = Driver(pod, name)
        made("create", "--name", name, "--network", "none", "busybox", "echo", name)
    for name, other in zip(DRIVERS, reversed(DRIVERS), strict=True):
        assert Driver(pod, other)("start", "-a", name).out == name


def test_volumes_and_bind_mounts(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "from-host").write_text("host")
    words = ("run", "--rm", "--network", "none", "-v", f"{tmp_path}:/mnt", "-v", "data:/etc")
    assert (
        driver(*words, "busybox", "sh", "-c", "cat /mnt/from-host; echo x >/mnt/new").out == "host"
    )
    assert (tmp_path / "new").read_text() == "x\n"
    assert driver(*words, "busybox", "grep", "-c", "^root:", "/etc/passwd").out == "1"  # copied up


@pytest.mark.parametrize("userns", ["keep-id", "nomap"])
def test_id_maps(driver: Driver, userns: str) -> None:
    script = "stat -c %u:%g /bin/busybox / && touch /tmp/mine && stat -c %u /tmp/mine"
    lines = driver(
        "run", "--rm", "--network", "none", "--userns", userns, "busybox", "sh", "-c", script
    ).lines
    assert lines == ["0:0", "0:0", str(os.getuid()) if userns == "keep-id" else "0"]


def test_files_go_in_and_out_and_into_images(driver: Driver, tmp_path: Path) -> None:
    """Stopped, and running."""
    (tmp_path / "f").write_text("f")
    driver(
        "create",
        "--name",
        "c",
        "--network",
        "none",
        "busybox",
        "sh",
        "-c",
        "rm /bin/cat; sleep 100",
    )
    driver("cp", str(tmp_path / "f"), "c:/etc/f")
    driver("start", "c")
    driver("exec", "c", "sh", "-c", "until ! [ -e /bin/cat ]; do :; done; cp /etc/f /etc/g")
    driver("cp", "c:/etc/g", str(tmp_path / "g"))
    assert (tmp_path / "g").read_text() == "f"
    assert {"C /etc", "A /etc/f", "A /etc/g", "D /bin/cat"} <= set(driver("diff", "c").lines)
    driver("stop", "-t", "0", "c")
    driver("cp", "c:/etc/g", "c:/etc/h")
    driver("commit", "c", "made")
    script = "ls /bin/cat 2> /dev/null; sort /etc/h"
    assert driver("run", "--rm", "--network", "none", "made", "sh", "-c", script).out == "f"


@pytest.mark.parametrize("userns", ["keep-id", "nomap"])
def test_files_of_running_containers_with_another_map(
    fuse: Driver, tmp_path: Path, userns: str
) -> None:
    (tmp_path / "f").write_text("f")
    fuse(
        "run",
        "-d",
        "--name",
        "c",
        "--network",
        "none",
        "--userns",
        userns,
        "busybox",
        "sleep",
        "100",
    )
    into = fuse("cp", str(tmp_path / "f"), "c:/tmp/f", status=125 if userns == "nomap" else 0)
    if userns == "nomap":
        assert "you are nobody" in into.stderr
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as archive:
            archive.add(tmp_path / "f", "f")
        fuse("cp", "-", "c:/tmp", stdin=data.getvalue())
        assert fuse("cp", "c:/tmp/f", "-").stdout.startswith("f")
    else:
        fuse("cp", "c:/tmp/f", str(tmp_path / "g"))
        assert (tmp_path / "g").stat().st_uid == os.getuid()
    owner = "0" if userns == "nomap" else str(os.getuid())
    assert fuse("exec", "c", "stat", "-c", "%u", "/tmp/f").out == owner


def test_unknown_driver_is_refused(pod: Engine) -> None:
    result = pod("--storage-driver", "zfs", "run", "--rm", "busybox", "true", status=125)
    assert "storage driver 'zfs' cannot be used" in result.stderr
    assert "overlay, fuse-overlayfs, copy" in result.stderr


# fuse-overlayfs is a process


@pytest.fixture
def fuse(pod: Engine) -> Driver:
    return Driver(pod, "fuse-overlayfs")


def test_program_ends_with_its_container(fuse: Driver) -> None:
    fuse("run", "-d", "--name", "served", "--network", "none", "busybox", "sleep", "60")
    assert len(servers()) == 1
    assert fuse("exec", "served", "ls", "/bin/busybox").out == "/bin/busybox"
    fuse("stop", "-t", "0", "served")
    assert servers() == []


def test_program_is_not_seen_in_the_container(fuse: Driver) -> None:
    result = fuse("run", "--rm", "--network", "none", "busybox", "ps", "-o", "args")
    assert "fuse" not in result.stdout


def test_death_of_the_program_ends_nothing_but_the_files(fuse: Driver) -> None:
    fuse("run", "-d", "--name", "served", "--network", "none", "busybox", "sleep", "60")
    os.kill(servers()[0], signal.SIGKILL)
    until(lambda: not servers(), "killed")
    assert fuse("exec", "served", "ls", "/", status=None).status != 0
    fuse("rm", "-f", "-t", "0", "served")
    assert fuse("ps", "-a", "-q").out == ""


@pytest.mark.parametrize("also_container", [False, True])
def test_killed_monitor(fuse: Driver, *, also_container: bool) -> None:
    fuse("run", "-d", "--name", "served", "--network", "none", "busybox", "sleep", "60")
    form = "{{.State.ConmonPid}} {{.State.Pid}}"
    monitor, container = map(int, fuse("inspect", "--format", form, "served").out.split())
    os.kill(monitor, signal.SIGKILL)
    if also_container:
        os.kill(container, signal.SIGKILL)
        until(lambda: not servers(), "ended by itself")
    assert fuse("ps", "-a", "--format", "{{.Status}}").out.startswith("Exited (137)")
    assert servers() == []
    fuse("start", "served")
    fuse("rm", "-f", "-t", "0", "served")
    assert fuse("system", "check").status == 0


@pytest.mark.parametrize(
    "step", ["init: mapped", "init: forked", "init: placed", "monitor: started"]
)
def test_start_that_is_killed(fuse: Driver, step: str) -> None:
    fuse("run", "--name", "served", "--network", "none", "busybox", "true",
         status=None, env={"POD_TEST_KILL_AT": step})  # fmt: skip
    fuse("rm", "-f", "served", status=None)
    assert fuse("run", "--rm", "--network", "none", "busybox", "echo", "well").out == "well"


def test_other_runtimes_use_it_too(fuse: Driver) -> None:
    words = ("--runtime", "crun", "run", "--rm", "--network", "none", "busybox", "echo", "hello")
    assert fuse(*words).out == "hello"


def test_program_that_fails_is_quoted(fuse: Driver, tmp_path: Path) -> None:
    broken = tmp_path / "fuse-overlayfs"
    broken.write_text("#!/bin/sh\necho 'no such luck' >&2\nexit 1\n")
    broken.chmod(0o755)
    path = f"{tmp_path}:/usr/bin:/bin:/usr/sbin"
    words = ("run", "--rm", "--network", "none", "busybox", "true")
    result = fuse(*words, status=125, env={"PATH": path})
    assert "fuse-overlayfs said 'no such luck'" in result.stderr


BUILD = """\
FROM busybox AS one
RUN mkdir -p /d/e && echo 1 > /d/e/f && chown -R 3:4 /d && chmod 750 /d && rm /bin/cat && rm -r /var
RUN rm -r /d/e && mkdir /d/e && echo 2 > /d/e/g && ln -s g /d/e/link && mkfifo /d/fifo
COPY --chown=5:6 a /d/copied/
FROM one AS two
RUN chmod 700 / && touch /d/e/h
FROM busybox
COPY --from=two /d /d
COPY a/one /0
COPY a/one /bin/cat
RUN --mount=from=two,target=/seen --mount=target=/context,rw cp /seen/d/e/g /g && touch /context/new
RUN stat -c %a:%u / > /root-is
"""


def test_builds_are_the_same_with_every_driver(pod: Engine, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "one").write_text("one")
    (tmp_path / "Dockerfile").write_text(BUILD)
    words = ("build", "-q", "--no-cache", "--network=none", "--timestamp=0", str(tmp_path))
    made = {name: Driver(pod, name)(*words).out for name in DRIVERS}
    assert len(set(made.values())) == 1, made
    script = "ls /d /d/e /g /0 && cat /d/e/g && stat -c '%a %u:%g' /d /d/copied /d/copied/one; cat /bin/cat"
    run = ("run", "--rm", "--network=none", made["overlay"], "busybox", "sh", "-c", script)
    lines = pod(*run, status=None).lines
    assert lines[-3:] == ["755 5:6", "644 5:6", "one"]
    assert servers() == []
