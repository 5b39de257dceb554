"""`pod unshare`: a command as root of the caller's user namespace."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.engine import Engine


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
