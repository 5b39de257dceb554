"""User namespaces: who owns the files of images, of containers, of the caller, under each id map.

"Both sides" means: what the container sees as its owner, and what the file system of the host has.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from tests.support.checks import nothing_wrong
from tests.support.engine import Engine
from tests.support.owners import *  # noqa: F403
from tests.support.owners import GID, OWNERS, UID

QUICK = ("--rm", "--network", "none")


CALLER = pwd.getpwuid(UID).pw_name


def owners_of(pod: Engine, image: str, userns: str, *paths: str) -> list[str]:
    """The owner and group of each path as a container with that user namespace has them."""
    options = ("--user", "0", *(("--userns", userns) if userns else ()))
    return pod("run", *QUICK, *options, image, "stat", "-c", "%u:%g", *paths).lines


KEEP_IDS = [
    "keep-id",
    "keep-id:uid=33,gid=33",
    "keep-id:uid=1000,gid=999",
    pytest.param(
        "keep-id:uid=0,gid=0", marks=pytest.mark.not_podman("the kernel refuses the map it makes")
    ),
]


NOMAP = pytest.param(
    "nomap", marks=pytest.mark.not_podman("its root may not reach its own overlays then")
)


@pytest.mark.parametrize("userns", ["", "host", *KEEP_IDS, "nomap"])
def test_files_of_images_have_their_owners(
    pod: Engine, owners: Callable[..., str], userns: str
) -> None:
    image = owners()
    numbers = [f"{number}:{number}" for number in OWNERS]
    assert owners_of(pod, image, userns, *(f"/owners/{n}" for n in OWNERS)) == numbers
    paths = ("/", "/bin/busybox", "/srv", "/srv/setuid", "/home/app", "/later/file", "/gone/new")
    assert owners_of(pod, image, userns, *paths) == [
        "0:0",
        "0:0",
        "33:33",
        "33:33",
        "1000:1000",
        f"{UID}:{GID}",
        "33:33",
    ]


@pytest.mark.parametrize("userns", ["", *KEEP_IDS, "nomap"])
def test_modes_links_and_removed_files_are_those_of_the_image(
    pod: Engine, owners: Callable[..., str], userns: str
) -> None:
    script = (
        "stat -c '%a' /srv/setuid /srv /home/app; stat -c %h /srv/linked; ls /srv /gone; "
        "[ /srv/setuid -ef /srv/linked ] && echo same"
    )
    options = ("--user", "0", *(("--userns", userns) if userns else ()))
    assert pod("run", *QUICK, *options, owners(), "sh", "-c", script).lines == [
        *("4755", "711", "700", "2"),
        *("/gone:", "new", "", "/srv:", "linked", "setuid"),
        "same",
    ]


# What the container writes


@pytest.mark.parametrize(
    ("userns", "inside"),
    [
        ("keep-id", f"{UID}:{GID}"),
        ("keep-id:uid=33,gid=33", "33:33"),
        ("keep-id:uid=1000,gid=999", "1000:999"),
        ("host", "0:0"),
    ],
)
def test_the_caller_owns_bind_mounted_files_on_both_sides(
    pod: Engine, tmp_path: Path, userns: str, inside: str
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "from-host").write_text("x")
    script = "stat -c %u:%g . from-host; echo y >> from-host; touch new; stat -c %u:%g new"
    words = ("--userns", userns, "-v", f"{project}:/project", "-w", "/project")
    assert pod("run", *QUICK, *words, "busybox", "sh", "-c", script).lines == [inside] * 3
    for path in (project, *project.iterdir()):
        assert (path.stat().st_uid, path.stat().st_gid) == (UID, GID)


def test_nobody_in_a_container_with_nomap_is_the_caller(pod: Engine, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "file").write_text("x")
    words = ("run", *QUICK, "--userns", "nomap", "-v", f"{tmp_path}:/mnt", "busybox")
    assert pod(*words, "stat", "-c", "%u:%g", "/mnt/file").out == "65534:65534"
    assert pod(*words, "touch", "/mnt/new", status=1).stderr
    assert pod(*words, "cat", "/mnt/file").out == "x"


def test_the_caller_may_be_in_a_closed_directory(pod: Engine, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert pod("run", *QUICK, "--userns", "nomap", "busybox", "pwd", cwd=str(closed)).out == "/"


@pytest.mark.not_podman("it tells what its runtime says")
@pytest.mark.parametrize("userns", ["host", "nomap"])
def test_mount_that_fails_names_its_source(pod: Engine, tmp_path: Path, userns: str) -> None:
    file = tmp_path / "file"
    file.touch()
    words = ("--userns", userns, "-v", f"{file}:/etc", "busybox", "true")
    result = pod("run", *QUICK, *words, status=125)
    assert f"'{file}' cannot be mounted on '/etc' in the container" in result.stderr


@pytest.mark.parametrize("userns", ["keep-id", "keep-id:uid=33,gid=33", "nomap"])
def test_files_of_the_container_keep_their_owners(pod: Engine, userns: str) -> None:
    """Written in the image's directories and over its files, by root and by others, over a restart."""
    script = (
        "if [ ! -e /etc/mine ]; then echo x >> /etc/group; touch /etc/mine; chown 1:65534 /etc/mine; "
        "mkdir /new; chown 33 /new; fi; stat -c %u:%g /etc/group /etc /etc/mine /new"
    )
    pod("create", "--name", "kept", "--network", "none", "--user", "0", "--userns", userns,
        "busybox", "sh", "-c", script)  # fmt: skip
    for _ in range(2):
        assert pod("start", "-a", "kept").lines == ["0:0", "0:0", "1:65534", "33:0"]


@pytest.mark.parametrize("userns", ["keep-id", "keep-id:uid=33,gid=33", "nomap"])
def test_volumes_are_filled_with_the_owners_of_the_image(
    pod: Engine, owners: Callable[..., str], userns: str
) -> None:
    words = ("run", *QUICK, "--user", "0", "--userns", userns)
    image = owners()
    for _ in range(2):
        lines = pod(
            *words, "-v", "data:/srv", image, "stat", "-c", "%u:%g", "/srv", "/srv/setuid"
        ).lines
        assert lines == ["33:33", "33:33"]


@pytest.mark.parametrize("userns", ["keep-id", "nomap"])
def test_new_volume_can_be_written(pod: Engine, userns: str) -> None:
    words = ("run", *QUICK, "--userns", userns, "-v", "data:/not/in/the/image", "busybox")
    pod(*words, "touch", "/not/in/the/image/file")
    assert pod(*words, "ls", "/not/in/the/image").out == "file"


# Who the caller is


def test_caller_is_the_user_and_has_an_entry(pod: Engine) -> None:
    script = "id -u; id -g; id -un; id -gn; echo $HOME; grep -c . /etc/passwd"
    result = pod("run", *QUICK, "--userns", "keep-id", "-w", "/tmp", "busybox", "sh", "-c", script)
    assert result.lines[:4] == [str(UID), str(GID), CALLER, CALLER]
    assert result.lines[4] == "/tmp"


def test_entry_has_the_home_that_is_mounted(pod: Engine, tmp_path: Path) -> None:
    home = pwd.getpwuid(UID).pw_dir
    words = ("--userns", "keep-id", "-v", f"{tmp_path}:{home}", "busybox")
    assert pod("run", *QUICK, *words, "sh", "-c", "echo ~; echo $HOME").lines == [home, home]


def test_entry_is_there_for_other_users_too(pod: Engine) -> None:
    words = ("--userns", "keep-id", "--user", "0", "busybox")
    assert pod("run", *QUICK, *words, "id", "-u", CALLER).out == str(UID)
    pod("run", "-d", "--name", "with-entry", "--network", "none", "--userns", "keep-id", "busybox",
        "sleep", "60")  # fmt: skip
    assert pod("exec", "with-entry", "id", "-un").out == CALLER
    assert pod("exec", "--user", "root", "with-entry", "id", "-u").out == "0"
    pod("rm", "-f", "-t", "0", "with-entry")


def test_caller_and_an_unknown_user_have_entries(pod: Engine) -> None:
    script = f"id -u; id -un; whoami; id -u {CALLER}; grep -c {CALLER} /etc/group"
    words = ("--userns", "keep-id", "--user", "7000")
    lines = pod("run", *QUICK, *words, "busybox", "sh", "-c", script).lines
    assert lines == ["7000", "7000", "7000", str(UID), "1"]


@pytest.mark.not_podman("it has no --group-entry")
def test_users_of_the_host_and_an_unknown_user_have_entries(pod: Engine) -> None:
    words = ("--hostuser", CALLER, "--user", "7000", "--group-entry", "$GROUPNAME:x:$GID:")
    lines = pod("run", *QUICK, *words, "busybox", "sh", "-c", f"id -un; id -u {CALLER}").lines
    assert lines == ["7000", str(UID)]


def test_user_of_the_image_comes_before_the_caller(pod: Engine, owners: Callable[..., str]) -> None:
    words = ("run", *QUICK, "--userns", "keep-id")
    assert pod(*words, owners("app"), "id", "-u").out == "1000"
    assert pod(*words, owners(), "id", "-u").out == str(UID)


@pytest.mark.not_podman("it has no --userns=user")
@pytest.mark.parametrize(
    ("user", "expected"),
    [
        ("", "0:0"),
        ("33", "33:33"),
        ("999", "999:0"),
        ("app", "1000:1000"),
        ("app:33", "1000:33"),
        ("65534", "65534:65534"),
        ("nobody", "65534:65534"),
    ],
)
def test_userns_user_is_right_for_every_user(
    pod: Engine, owners: Callable[..., str], tmp_path: Path, user: str, expected: str
) -> None:
    """The caller is whoever the image runs as: what either side writes belongs to both."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "from-host").write_text("x")
    image = owners(user)
    script = "echo y >> from-host; mkdir sub; touch sub/new; stat -c %u:%g . from-host sub/new"
    words = (
        "run",
        *QUICK,
        "--userns",
        "user",
        "-v",
        f"{project}:/project",
        "-w",
        "/project",
        image,
    )
    assert pod(*words, "sh", "-c", script).lines == [expected] * 3
    strangers = [path for path in project.rglob("*") if path.stat().st_uid != UID]
    assert strangers == []
    assert owners_of(pod, image, "user", "/", "/srv", "/owners/999") == ["0:0", "33:33", "999:999"]


# Maps of one's own, and ranges


def test_explicit_maps(pod: Engine, owners: Callable[..., str]) -> None:
    words = ("run", *QUICK, "--uidmap", "0:1:500", "--uidmap", "500:0:1", "--uidmap", "501:501:500")
    lines = pod(
        *words, owners(), "stat", "-c", "%u", "/", "/owners/33", "/owners/999", "/owners/65534"
    ).lines
    assert lines == ["0", "33", "999", "65534"]  # the last one by being nobody


@pytest.mark.not_podman("it wants ranges of their own for a user 'containers'")
def test_auto_gives_each_container_ids_of_its_own(pod: Engine, owners: Callable[..., str]) -> None:
    image = owners()
    maps = []
    for name in ("first", "second"):
        pod(
            "run",
            "-d",
            "--name",
            name,
            "--network",
            "none",
            "--userns",
            "auto",
            image,
            "sleep",
            "60",
        )
        maps.append(pod("exec", name, "cat", "/proc/self/uid_map").out.split())
        assert pod("exec", name, "stat", "-c", "%u", "/", "/owners/999").lines == ["0", "999"]
    first, second = ((int(start), int(count)) for _, start, count in maps)
    assert first[0] + first[1] <= second[0]
    assert first[1] == 1024
    pod("rm", "-f", "-t", "0", "first", "second")


@pytest.mark.not_podman("it has a range for each root")
def test_auto_ranges_of_several_roots_do_not_overlap(pod: Engine, fresh_pod: Engine) -> None:
    fresh_pod.have("busybox")
    home = {"HOME": pod.environment["HOME"]}  # of one user, who has one list of roots
    words = ("create", "--network", "none", "--userns", "auto", "busybox")
    template = "{{range .HostConfig.IDMappings.UidMap}}{{.}} {{end}}"
    ranges = []
    for engine in (pod, fresh_pod, pod, fresh_pod):
        number = engine(*words, env=home).out
        first, *_ = engine("inspect", "-f", template, number).out.split()
        _, start, count = map(int, first.split(":"))
        ranges.append((start, start + count))
    assert all(end <= following for (_, end), (following, _) in pairwise(sorted(ranges)))


# Where the commands are killed that start a container at the same time as others.
STARTING = ("create: directory", "create: row", "launch: run directory", "launch: ordered")


@pytest.mark.not_podman("its templates have no UidMap, its steps no names")
def test_auto_ranges_of_many_at_once_do_not_overlap(pod: Engine) -> None:
    """Twenty at once, eight of them killed; then more in the gaps, and nothing is left of any."""
    words = ("run", "-d", "--network", "none", "--userns", "auto", "busybox", "sleep", "60")
    steps = [*STARTING, *STARTING, *[""] * 12]
    started = [pod.spawn(*words, env={"POD_TEST_KILL_AT": step}) for step in steps]
    outs = [process.communicate(timeout=80) for process in started]
    assert [process.returncode for process in started] == [-9] * 8 + [0] * 12, outs
    template = "{{.ID}} {{range .HostConfig.IDMappings.UidMap}}{{.}} {{end}}"
    for _ in range(2):
        rows = [line.split() for line in pod("inspect", "-f", template, *pod.containers()).lines]
        extents = [tuple(map(int, row[1].split(":"))) for row in rows]
        ranges = sorted((start, start + count) for _, start, count in extents)
        assert all(end <= following for (_, end), (following, _) in pairwise(ranges))
        assert {row[0] for row in rows} >= {out.decode().strip() for out, _ in outs if out}
        pod(*words)
    pod("rm", "-f", "-a", "-t", "0")
    nothing_wrong(pod, max_age="24h")
    assert os.listdir(f"{pod.root}/containers") == []


@pytest.mark.not_podman("it takes the numbers of the range for ids of its own namespace")
def test_named_range_is_that_of_the_caller(pod: Engine) -> None:
    with open("/etc/subuid") as file:
        ranges = [line.strip().split(":") for line in file]
    first = next(start for name, start, _ in ranges if name in {CALLER, str(UID)})
    words = pod("run", *QUICK, "--subuidname", CALLER, "busybox", "cat", "/proc/self/uid_map").out
    assert words.split()[:2] == ["0", first]
    result = pod("run", *QUICK, "--subgidname", "somebody", "busybox", "true", status=125)
    assert "--subgidname 'somebody'" in result.stderr
    result = pod(
        "run", *QUICK, "--subuidname", CALLER, "--userns", "host", "busybox", "true", status=125
    )
    assert "--subuidname and --userns exclude each other" in result.stderr


@pytest.mark.parametrize(
    "userns", ["keep-id:uid=x", "keep-id:size=", "bogus", "nomap:uid=1", "auto:big"]
)
def test_what_is_no_mode_is_refused(pod: Engine, userns: str) -> None:
    result = pod("run", *QUICK, "--userns", userns, "busybox", "true", status=125)
    assert len(result.stderr.splitlines()) <= 2


def test_containers_share_a_user_namespace(pod: Engine, owners: Callable[..., str]) -> None:
    image = owners()
    pod(
        "run",
        "-d",
        "--name",
        "owner",
        "--network",
        "none",
        "--userns",
        "keep-id",
        image,
        "sleep",
        "60",
    )
    words = ("run", "--rm", "--network", "container:owner", "--user", "0", image)
    assert pod(*words, "stat", "-c", "%u", "/", "/owners/33", "/owners/999").lines == [
        "0",
        "33",
        "999",
    ]
    pod("rm", "-f", "-t", "0", "owner")


@pytest.mark.parametrize("userns", ["keep-id", NOMAP])
def test_overlays_of_a_directory(pod: Engine, tmp_path: Path, userns: str) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "file").write_text("x")
    words = ("run", *QUICK, "--userns", userns, "-v", f"{tmp_path}:/mnt:O", "busybox", "sh", "-c")
    assert pod(*words, "cat /mnt/file; touch /mnt/new; ls /mnt").out.split() == ["xfile", "new"]
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.not_podman("it shows the image with the owners of the usual map")
@pytest.mark.parametrize("userns", ["keep-id", "nomap"])
def test_image_mounts(pod: Engine, owners: Callable[..., str], userns: str) -> None:
    words = (
        "--user",
        "0",
        "--userns",
        userns,
        "--mount",
        f"type=image,source={owners()},target=/mnt",
    )
    assert pod("run", *QUICK, *words, "busybox", "stat", "-c", "%u", "/mnt/owners/33").out == "33"


# The option U


@pytest.mark.parametrize("userns", ["host", "keep-id"])
def test_option_u_gives_a_directory_to_the_user(
    pod: Engine, owners: Callable[..., str], tmp_path: Path, userns: str
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "file").write_text("x")
    (project / "link").symlink_to("/etc/passwd")
    (tmp_path / "beside").write_text("x")
    tmp_path.chmod(0o755)
    words = ("--userns", userns, "-v", f"{project}:/project:U", "-v", "data:/data:U")
    script = (
        "touch /project/new /data/new; stat -c %u:%g /project /project/file /project/link /data"
    )
    lines = pod("run", *QUICK, *words, owners("app"), "sh", "-c", script).lines
    assert lines == ["1000:1000"] * 4
    assert (tmp_path / "beside").stat().st_uid == UID
    pod(
        "unshare", "chown", "-R", "0:0", str(project)
    )  # so that the temporary directory can be removed


@pytest.mark.not_podman("it says what chown(2) said")
@pytest.mark.parametrize(
    ("userns", "options", "reason"),
    [
        ("host", "U", "some of it belongs to somebody else"),
        ("nomap", "U,ro", "it is mounted read-only"),
    ],
)
def test_option_u_that_is_impossible(
    pod: Engine, tmp_path: Path, userns: str, options: str, reason: str
) -> None:
    tmp_path.chmod(0o755)
    source = "/usr/share" if userns == "host" else str(tmp_path)
    words = ("--userns", userns, "-v", f"{source}:/mnt:{options}", "busybox", "true")
    result = pod("run", *QUICK, *words, status=125)
    assert f"'/mnt' cannot be given to user 0:0: {reason}" in result.stderr


@pytest.mark.parametrize(
    "options",
    [["--uidmap", "5:0:10"], ["--uidmap", "+5:@CALLER:1"], ["--uidmap=0:0:1", "--gidmap=5:0:1"]],
    ids=["replacing", "extending", "groups"],
)
@pytest.mark.not_podman("it says what the runtime says")
def test_maps_without_a_root_are_refused_at_once(pod: Engine, options: list[str]) -> None:
    options = [option.replace("CALLER", str(UID)) for option in options]
    error = pod("create", *options, "busybox", "id", status=125).stderr
    asked = "--gidmap" if "--gidmap=5:0:1" in options else "--uidmap"
    assert f"{asked} leaves out the id 0" in error
    assert pod("ps", "-aq").out == ""


@pytest.mark.not_podman("it says what the runtime says")
def test_files_that_are_no_such_namespace_are_named(pod: Engine) -> None:
    for options, part in (
        (["--userns", "ns:/proc/self/ns/user"], "your own user namespace"),
        (["--userns", "ns:/proc/self/ns/net"], "a namespace of kind network"),
        (["--userns", "ns:/no/such"], "cannot be opened"),
        (["--pid", "ns:/etc/passwd"], "no namespace"),
        (["--network", "ns:/proc/self/ns/uts"], "a namespace of kind uts"),
        (["--cgroupns", "ns:/"], "no namespace"),
    ):
        error = pod("run", "--rm", *options, "busybox", "true", status=125).stderr
        assert options[0] in error and options[1][3:] in error and part in error
    assert pod("ps", "-aq").out == ""
