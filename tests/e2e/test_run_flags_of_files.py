"""`pod run`: flags of users and files that are easily got wrong, and their forms, several in a container."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.support.engine import Engine, Result

NEWER = pytest.mark.not_podman("4.3 does not have it yet")


def run(pod: Engine, *words: str, **more: object) -> Result:
    """A container without a network that is gone afterwards."""
    return pod("run", "--rm", "--network", "none", *words, **more)  # type: ignore[arg-type]


def shell(pod: Engine, script: str, *options: str, **more: object) -> list[str]:
    """The lines that a shell script writes in a container with these options."""
    return run(pod, *options, "busybox", "sh", "-c", script, **more).lines


# Users


def test_groups(pod: Engine) -> None:
    assert shell(pod, "id -G") == ["0 10"]  # root is in wheel, says the image
    assert shell(pod, "id -G", "-u", "0:0") == ["0"]
    assert shell(pod, "id -G", "-u", "5:6", "--group-add", "7,wheel")[0].split() == ["6", "7", "10"]


def test_keep_groups(pod: Engine) -> None:
    kept = [group for group in os.getgroups() if group != os.getgid()]
    groups = shell(pod, "grep ^Groups: /proc/1/status", "--group-add", "keep-groups")[0].split()[1:]
    assert groups.count("65534") == len(kept)
    run(pod, "--group-add", "keep-groups", "--group-add", "5", "busybox", "id", status=125)


def test_umask_and_time_zone(pod: Engine) -> None:
    script = "umask; date +%Z"
    assert shell(pod, script, "--umask", "027", "--tz", "Asia/Tokyo") == ["0027", "JST"]
    assert "No/Such" in run(pod, "--tz", "No/Such", "busybox", "true", status=125).stderr
    assert shell(pod, script, "--tz", "local")[0] == "0022"


# Files


def test_volumes_from_takes_over_place_and_mode(pod: Engine) -> None:
    pod("create", "--name", "donor", "-v", "shared:/data:ro", "-v", "/anonymous", "busybox")
    script = "touch /data/x 2>/dev/null || echo data; touch /anonymous/x || echo anonymous"
    assert shell(pod, script, "--volumes-from", "donor") == ["data"]
    assert shell(pod, "ls /anonymous", "--volumes-from", "donor:z") == ["x"]
    both = ["data", "anonymous"]
    assert shell(pod, script, "--volumes-from", "donor:ro") == both
    assert "often" in run(pod, "--volumes-from", "donor:often", "busybox", status=125).stderr


def test_mounts_of_every_type(pod: Engine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("bound")
    mounts = [
        f"type=bind,src={tmp_path},dst=/bind,ro=true,bind-propagation=rslave",
        "type=volume,source=v,target=/volume,ro",
        "type=volume,destination=/anonymous",
        "type=tmpfs,dst=/tmpfs,tmpfs-size=1m,tmpfs-mode=0710",
        "type=image,src=busybox,dst=/image",
        "type=image,src=busybox,dst=/writable,rw=true",
        "type=devpts,dst=/pts",
    ]
    script = (
        "cat /bind/file; echo; touch /anonymous/x /tmpfs/x /writable/x && echo written;"
        "for d in /bind /volume /image; do touch $d/x 2>/dev/null || echo $d; done;"
        "ls /image/bin/sh; stat -c %a /tmpfs; df -k /tmpfs | tail -1; ls /pts"
    )
    lines = shell(pod, script, *(word for mount in mounts for word in ("--mount", mount)))
    assert lines[:7] == ["bound", "written", "/bind", "/volume", "/image", "/image/bin/sh", "710"]
    assert " 1024 " in lines[7]
    assert lines[8] == "ptmx"
    assert sorted(os.listdir(tmp_path)) == ["file"]


@NEWER
def test_part_of_an_image_is_for_the_own_runtime(pod: Engine) -> None:
    mount = "type=image,src=busybox,dst=/part,subpath=bin"
    words = ["--runtime", "crun", "--mount", mount, "busybox", "true"]
    assert "subpath of the mount on '/part'" in run(pod, *words, status=125).stderr


def test_new_volume_belongs_to_the_user_where_the_image_has_nothing(pod: Engine) -> None:
    options = ["-u", "33:44", "-v", "named:/new", "-v", "/anonymous", "-v", "usual:/etc"]
    script = "touch /new/x /anonymous/x; stat -c %u:%g /new /anonymous /etc"
    assert shell(pod, script, *options) == ["33:44", "33:44", "0:0"]
    assert shell(pod, "stat -c %u:%g /new", "-u", "55", "-v", "named:/new") == ["33:44"]


@pytest.mark.not_podman("it refuses a directory that the image lacks; docker makes it, too")
def test_working_directory_is_made_in_a_root_that_is_read_only(pod: Engine) -> None:
    script = "pwd; touch x 2>/dev/null || echo read-only"
    assert shell(pod, script, "--read-only", "-w", "/made/here") == ["/made/here", "read-only"]


@NEWER
def test_newer_mounts(pod: Engine, tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "c.png"):
        (tmp_path / name).write_text(name)
    options = ["--mount", f"type=glob,src={tmp_path}/*.txt,dst=/glob"]
    options += ["--mount", "type=image,src=busybox,dst=/part,subpath=bin"]
    script = "ls /glob; ls /part/sh; ls /part/bin || true"
    assert shell(pod, script, *options) == ["a.txt", "b.txt", "/part/sh"]


@pytest.mark.parametrize(
    ("mount", "named"),
    [
        ("type=nonsense,dst=/m", "nonsense"),
        ("type=bind,src=/,dst=/m,nonsense=1", "nonsense"),
        ("type=bind,src=/", "destination"),
        ("type=bind,src=/no/such,dst=/m", "/no/such"),
        ("type=tmpfs,dst=relative", "relative"),
    ],
)
def test_wrong_mount_is_named(pod: Engine, mount: str, named: str) -> None:
    result = run(pod, "--mount", mount, "busybox", "true", status=125)
    assert named in result.stderr and result.stdout == ""


def test_tmpfs_modes(pod: Engine) -> None:
    options = ["--tmpfs", "/new", "--tmpfs", "/etc:mode=0700", "--tmpfs", "/x:size=64k,exec,ro"]
    script = "stat -c %a /new /etc; ls /etc/passwd; grep ' /x ' /proc/mounts"
    *lines, mount = shell(pod, script, *options)
    assert lines == ["1777", "700", "/etc/passwd"]
    words = mount.split()[3].split(",")
    assert {"ro", "nosuid", "nodev", "size=64k"} <= set(words) and "noexec" not in words


def test_tmpfs_has_its_mode_at_every_start(pod: Engine) -> None:
    pod(
        "create", "--name", "t", "--network=none", "--tmpfs=/new", "busybox", "stat", "-c%a", "/new"
    )
    assert [pod("start", "-a", "t").out for _ in range(2)] == ["1777", "1777"]


def test_read_only_leaves_what_is_no_part_of_the_root(pod: Engine) -> None:
    script = "for d in / /tmp /run /var/tmp /dev/shm /v; do touch $d/x 2>/dev/null || echo $d; done"
    options = ["--read-only", "-v", "/v"]
    assert shell(pod, script, *options) == ["/"]
    assert shell(pod, script, *options, "--read-only-tmpfs=false") == [
        "/",
        "/tmp",
        "/run",
        "/var/tmp",
    ]


@pytest.mark.not_podman("0 is a size of nothing for 4.3, against its manual")
def test_shm_size_of_0_is_no_limit(pod: Engine) -> None:
    mount = shell(pod, "grep ' /dev/shm ' /proc/mounts", "--shm-size", "0")[0]
    assert "size=" not in mount


def test_rootfs_keeps_what_is_written(pod: Engine, tmp_path: Path) -> None:
    from tests.support.images import busybox_program

    tree = tmp_path / "tree"
    tree.mkdir()
    tree.chmod(0o755)
    (tree / "sh").write_bytes(Path(busybox_program()).read_bytes())
    (tree / "sh").chmod(0o755)
    run(pod, "--rootfs", str(tree), "/sh", "-c", "echo $0 > /written", "kept")
    assert (tree / "written").read_text() == "kept\n"


@pytest.mark.not_podman("4.3 keeps relative paths, and has no --hosts-file")
def test_relative_files_are_found_from_another_directory(pod: Engine, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("192.0.2.9 from-the-file\n")
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}
    profile = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"],
        "syscalls": [rule],
    }
    (tmp_path / "profile.json").write_text(json.dumps(profile))
    options = ["--hosts-file", "hosts", "--security-opt", "seccomp=profile.json"]
    pod(
        "create", "--name", "c", "--network", "none", *options, "busybox",
        "sh", "-c", "head -1 /etc/hosts; mkdir /x", cwd=str(tmp_path),
    )  # fmt: skip
    result = pod("start", "-a", "c", status=1)
    assert result.out.split() == ["192.0.2.9", "from-the-file"]
    assert "No space left" in result.stderr


@NEWER
def test_files_that_do_not_exist_are_named_at_once(pod: Engine, tmp_path: Path) -> None:
    for flag in ("--hosts-file", "--authfile", "--cert-dir"):
        result = pod("create", "--network", "none", flag, "missing", "busybox", status=125)
        assert flag in result.stderr and "'missing'" in result.stderr
    assert pod("ps", "-aq").out == ""


@NEWER
def test_a_hosts_file_that_has_gone_since_is_named(pod: Engine, tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n")
    pod("create", "--name", "c", "--network", "none", "--hosts-file", str(hosts), "busybox", "true")
    hosts.unlink()
    error = pod("start", "c", status=125).stderr
    assert str(hosts) in error and "--hosts-file" in error


# Values


def test_an_empty_value_is_as_good_as_none(pod: Engine) -> None:
    """As scripts have it whose variables are not set: --platform "$PLATFORM"."""
    names = "hostname workdir umask platform pull cidfile pidfile stop-signal shm-size health-timeout health-interval"
    options = [word for name in names.split() for word in (f"--{name}", "")]
    pod("create", "--name", "plain", "--network", "none", "busybox", "sleep", "1000")
    pod("create", "--name", "empty", "--network", "none", *options, "busybox", "sleep", "1000")
    plain, empty = (pod("inspect", name).json()[0] for name in ("plain", "empty"))
    for document in (plain, empty):
        document["HostConfig"]["LogConfig"] = None
        for name in ("Hostname", "Env", "CreateCommand"):
            document["Config"][name] = None
    assert plain["HostConfig"] == empty["HostConfig"]
    assert plain["Config"] == empty["Config"]
    assert shell(pod, "pwd", "--workdir", "/tmp", "--workdir", "") == ["/"]  # the last one holds
