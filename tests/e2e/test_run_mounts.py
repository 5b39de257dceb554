"""`pod run`: bind mounts, volumes, tmpfs, devices and the root file system of a container."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.engine import Engine, Result

QUICK = ("--rm", "--network", "none")


def run(pod: Engine, *words: str, **more: object) -> Result:
    """A container without a network that is gone afterwards."""
    return pod("run", *QUICK, *words, **more)  # type: ignore[arg-type]


# Files and devices


def test_bind_mounts(pod: Engine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content\n")
    script = "cat /data/file; echo new > /data/new; touch /ro/x"
    result = run(
        pod, "-v", f"{tmp_path}:/data", "-v", f"{tmp_path}:/ro:ro", "busybox", "sh", "-c", script,
        status=1,
    )  # fmt: skip
    assert result.out == "content"
    assert "Read-only" in result.stderr
    assert (tmp_path / "new").read_text() == "new\n"
    assert (tmp_path / "new").stat().st_uid == os.getuid()


def test_relative_source_is_below_the_current_directory(pod: Engine, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "f").write_text("x")
    out = run(pod, "-v", "./sub:/s", "busybox", "cat", "/s/f", cwd=str(tmp_path))
    assert out.stdout == "x"


def test_mount_option(pod: Engine, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("bound")
    out = run(
        pod, "--mount", f"type=bind,src={tmp_path},dst=/b,ro", "--mount", "type=tmpfs,dst=/t,tmpfs-size=1m",
        "busybox", "sh", "-c", "cat /b/f; df -k /t | tail -1",
    )  # fmt: skip
    assert out.stdout.startswith("bound")
    assert "1024" in out.stdout


def test_volumes_keep_their_content(pod: Engine) -> None:
    run(pod, "-v", "keep:/v", "busybox", "sh", "-c", "echo kept > /v/file")
    assert run(pod, "-v", "keep:/v:ro", "busybox", "cat", "/v/file").out == "kept"


def test_new_volume_has_what_the_image_has_there(pod: Engine) -> None:
    assert "passwd" in run(pod, "-v", "filled:/etc", "busybox", "ls", "/etc").out
    assert "passwd" in run(pod, "-v", "filled:/elsewhere", "busybox", "ls", "/elsewhere").out


def test_anonymous_volumes_go_with_the_container(pod: Engine) -> None:
    run(pod, "-v", "/anon", "busybox", "touch", "/anon/x")
    assert pod("volume", "ls", "-q").out == ""


def test_overlay_volume_leaves_the_source_as_it_is(pod: Engine, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("old")
    script = "echo new > /o/f; cat /o/f"
    assert run(pod, "-v", f"{tmp_path}:/o:O", "busybox", "sh", "-c", script).out == "new"
    assert (tmp_path / "f").read_text() == "old"


def test_volumes_from_another_container(pod: Engine) -> None:
    pod("create", "--name", "donor", "-v", "shared:/s", "busybox")
    run(pod, "--volumes-from", "donor", "busybox", "sh", "-c", "echo 1 > /s/x")
    assert run(pod, "-v", "shared:/t", "busybox", "cat", "/t/x").out == "1"


def test_tmpfs(pod: Engine) -> None:
    out = run(pod, "--tmpfs", "/x:size=64k,mode=700", "busybox", "sh", "-c", "mount; stat -c %a /x")
    assert any(" /x type tmpfs" in line for line in out.lines)
    assert out.lines[-1] == "700"


def test_read_only_root(pod: Engine) -> None:
    script = "touch /x 2>/dev/null || echo refused; touch /tmp/x && echo fine"
    assert run(pod, "--read-only", "busybox", "sh", "-c", script).lines == ["refused", "fine"]
    out = run(
        pod,
        "--read-only",
        "--read-only-tmpfs=false",
        "busybox",
        "sh",
        "-c",
        "touch /tmp/x",
        status=1,
    )
    assert "Read-only" in out.stderr


def test_shm_size(pod: Engine) -> None:
    out = run(pod, "--shm-size", "8m", "busybox", "df", "-k", "/dev/shm")
    assert "8192" in out.lines[-1].split()


def test_device(pod: Engine) -> None:
    out = run(pod, "--device", "/dev/null:/dev/mynull", "busybox", "ls", "-l", "/dev/mynull")
    assert out.out.startswith("c")


@pytest.mark.not_podman("it stops at a directory that is closed")
def test_devices_of_a_directory(pod: Engine, tmp_path: Path) -> None:
    words = ["busybox", "sh", "-c", "ls /dev/other; test -c /dev/other/tun && echo device"]
    assert run(pod, "--device", "/dev/net:/dev/other", *words).lines == ["tun", "device"]
    (tmp_path / "closed").mkdir(mode=0)
    assert run(pod, "--device", f"{tmp_path}:/dev/other", "busybox", "true").status == 0


def test_privileged(pod: Engine) -> None:
    script = """
    mount -t tmpfs x /home && echo mounted
    echo 1 >/proc/sys/net/ipv4/ip_forward && echo written
    test -c /dev/fuse && echo device
    grep -c ' /proc/' /proc/mounts
    """
    lines = ["mounted", "written", "device", "0"]
    assert run(pod, "--privileged", "busybox", "sh", "-c", script, status=None).lines == lines
    limited = run(pod, "busybox", "sh", "-c", script, status=None)
    assert "mounted" not in limited.lines and "device" not in limited.lines


def test_rootfs_instead_of_an_image(pod: Engine, tmp_path: Path) -> None:
    from tests.support.images import busybox_program

    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "busybox"
    program.write_bytes(Path(busybox_program()).read_bytes())
    program.chmod(0o755)
    tmp_path.chmod(0o755)
    out = run(pod, "--rootfs", str(tmp_path), "/bin/busybox", "echo", "from directory")
    assert out.out == "from directory"
