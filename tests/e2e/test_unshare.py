"""`pod unshare`: a command as root of the caller's user namespace."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.support.engine import Engine

LEAVES = pytest.mark.not_podman("it leaves a namespace and slirp4netns for good; all else holds")


def test_caller_is_root_and_has_subordinate_ids(pod: Engine) -> None:
    assert pod("unshare", "id", "-u").out == "0"
    first = pod("unshare", "cat", "/proc/self/uid_map").lines[0].split()
    assert first == ["0", str(os.getuid()), "1"]
    assert len(pod("unshare", "cat", "/proc/self/gid_map").lines) >= 2


def test_status_of_the_command(pod: Engine) -> None:
    pod("unshare", "sh", "-c", "exit 7", status=7)
    pod("unshare", "no-such-command", status=127)
    assert pod("unshare", "sh", "-c", "cat", stdin="through").out == "through"


def test_files_of_containers_can_be_changed(pod: Engine, tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o777)
    pod("run", "--rm", "--network", "none", "--user", "33", "-v", f"{tmp_path}:/v", "busybox",
        "touch", "/v/file")  # fmt: skip
    path = tmp_path / "file"
    assert path.stat().st_uid != os.getuid()
    assert pod("unshare", "stat", "-c", "%u", str(path)).out == "33"
    pod("unshare", "chown", "0:0", str(path))
    assert path.stat().st_uid == os.getuid()


def test_mounts_stay_inside(pod: Engine, tmp_path: Path) -> None:
    script = f"mount -t tmpfs none {tmp_path} && touch {tmp_path}/inside && ls {tmp_path}"
    assert pod("unshare", "sh", "-c", script).out == "inside"
    assert list(tmp_path.iterdir()) == []


def test_the_program_itself_works_inside(pod: Engine) -> None:
    """With the same images, containers and volumes."""
    pod("volume", "create", "outside")
    inner = pod.full_command("volume", "ls", "-q")
    assert pod("unshare", *inner).out == "outside"


@LEAVES
def test_the_networks_are_there(pod: Engine) -> None:
    """With containers on them or without; it is over with the command, and so is what was started for it."""
    pod("network", "create", "--subnet", "10.77.3.0/24", "back")
    script = "mkdir /www; echo found > /www/index.html; exec httpd -f -h /www"
    pod("run", "-d", "--name", "web", "--network", "back", "--ip", "10.77.3.9", "busybox",
        "sh", "-c", script)  # fmt: skip
    fetch = "for i in $(seq 100); do busybox wget -q -O - http://10.77.3.9/ && exit; sleep 0.1; done; exit 9"
    assert pod("unshare", "--rootless-netns", "sh", "-c", fetch).out == "found"
    pod("unshare", "sh", "-c", "! busybox wget -q -T 2 -O - http://10.77.3.9/ 2>/dev/null")
    pod("rm", "-f", "-t", "0", "web")
    pod("network", "rm", "back")
    said = pod(
        "unshare", "--rootless-netns", "sh", "-c", "id -u; cat /proc/net/route; exit 3", status=3
    )
    assert said.lines[0] == "0" and len(said.lines) > 2, "a route to the world"


@LEAVES
def test_the_networks_stay_for_the_command(pod: Engine) -> None:
    """Also when the last container goes; killed, it leaves nothing."""
    pod("run", "-d", "--name", "last", "--network", "bridge", "busybox", "sleep", "1000")
    with pod.spawn("unshare", "--rootless-netns", "sh", "-c", "echo in; exec cat") as inside:
        assert inside.stdout is not None and inside.stdin is not None
        assert inside.stdout.readline() == b"in\n"
        pod("rm", "-f", "-t", "0", "last")
        there = os.stat(f"/proc/{inside.pid}/ns/net").st_ino
        time.sleep(2)
        pod("run", "-d", "--name", "next", "--network", "bridge", "busybox", "sleep", "1000")
        show = "readlink /proc/self/ns/net"
        assert pod("unshare", "--rootless-netns", "sh", "-c", show).out == f"net:[{there}]"
        inside.kill()
    pod("rm", "-f", "-t", "0", "next")


@LEAVES
def test_there_are_names_of_the_world_where_the_networks_are(pod: Engine) -> None:
    """The machine's own resolver may be out of reach there."""
    said = pod("unshare", "--rootless-netns", "cat", "/etc/resolv.conf").out
    assert "nameserver" in said
    inner = pod.full_command("unshare", "--rootless-netns", "true")
    message = pod("unshare", *inner, status=125).stderr
    assert "--rootless-netns" in message and "ordinary users" in message
