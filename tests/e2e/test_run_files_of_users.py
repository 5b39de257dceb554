"""Options of `run` about the files of users, and the places of files that pod puts into a container."""

from __future__ import annotations

import getpass
import os

import pytest

from tests.support.engine import Engine


def run(pod: Engine, *words: str, status: int = 0) -> list[str]:
    return pod("run", "--rm", "--network", "none", *words, status=status).lines


def test_hostuser_is_known_inside(pod: Engine) -> None:
    me = getpass.getuser()
    out = run(pod, "--hostuser", me, "busybox", "grep", f"^{me}:", "/etc/passwd")
    assert len(out) == 1 and out[0].split(":")[2] == str(os.getuid())
    assert run(
        pod, "--hostuser", str(os.getuid()), "busybox", "grep", "-c", f"^{me}:", "/etc/passwd"
    ) == ["1"]
    assert (
        "no-such-user"
        in pod(
            "run",
            "--hostuser",
            "no-such-user",
            "busybox",
            "true",
            status=125 if pod.kind == "pod" else None,
        ).stderr
    )


@pytest.mark.not_podman("it takes no number alone there")
def test_hostuser_can_be_who_runs(pod: Engine) -> None:
    me = getpass.getuser()
    assert run(pod, "--hostuser", me, "--user", me, "busybox", "id", "-u") == [str(os.getuid())]


@pytest.mark.not_podman("4.3 has no such option")
def test_group_entry(pod: Engine) -> None:
    line = run(pod, "--user", "4711:4712", "--group-entry", "crew:x:$GID:$USERLIST", "busybox",
               "tail", "-n1", "/etc/group")  # fmt: skip
    assert line == ["crew:x:4712:4711"]
    assert "--group-entry" in pod("run", "--group-entry", "x", "busybox", "true", status=125).stderr


@pytest.mark.not_podman("it writes the files itself")
@pytest.mark.parametrize("option", ["--passwd-entry", "--group-entry", "--hostuser"])
def test_other_runtimes_know_no_lines_for_users(pod: Engine, option: str) -> None:
    lines = {"--passwd-entry": "x:x:$UID:$GID:::", "--group-entry": "x:x:$GID:"}
    value = lines.get(option, getpass.getuser())
    words = ("--rm", "--network", "none", "--user", "4711", option, value, "busybox", "true")
    result = pod("--runtime", "crun", "run", *words, status=125)
    assert f"{option} is not possible with the runtime" in result.stderr


def test_chrootdirs_get_the_files_of_the_container(pod: Engine) -> None:
    root = run(pod, "-v", "v:/srv/root", "busybox", "mkdir", "-p", "/srv/root/etc")
    assert root == []
    out = run(pod, "-v", "v:/srv/root", "--chrootdirs", "/srv/root", "--add-host", "inside:10.1.2.3",
              "busybox", "grep", "-c", "inside", "/srv/root/etc/hosts")  # fmt: skip
    assert out == ["1"]


@pytest.mark.not_podman("4.3 has no such option")
def test_size_of_what_systemd_gets(pod: Engine) -> None:
    out = run(
        pod,
        "--systemd",
        "always",
        "--shm-size-systemd",
        "8m",
        "busybox",
        "grep",
        " /run ",
        "/proc/mounts",
    )
    assert "size=8192k" in out[0]


@pytest.mark.parametrize(
    ("option", "good", "bad"),
    [
        ("--volume-driver", "local", "nfs"),
        ("--isolation", "default", "hyperv"),
        ("--seccomp-policy", "default", "image"),
    ],
)
@pytest.mark.not_podman("docker's options, and labels of images")
def test_what_has_one_value(pod: Engine, option: str, good: str, bad: str) -> None:
    assert run(pod, f"{option}={good}", "busybox", "echo", "ok") == ["ok"]
    error = pod("run", f"{option}={bad}", "busybox", "true", status=125).stderr
    assert option in error and bad in error


@pytest.mark.not_podman("it has no such option")
def test_limits_of_disk_space_are_refused(pod: Engine) -> None:
    error = pod("run", "--storage-opt", "size=1g", "busybox", "true", status=125).stderr
    assert "size" in error and "root" in error
