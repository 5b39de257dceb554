"""User namespaces: the copies of layers that another id map needs, made once, counted, made again."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.images import busybox_layer
from tests.support.leaks import WAIT_SECONDS
from tests.support.owners import *  # noqa: F403
from tests.support.waiting import until

QUICK = ("--rm", "--network", "none")


# The copies of layers


def forms(pod: Engine) -> list[str]:
    """The copies of layers for other id maps, without files that are just being written behind a command."""
    names = [name for name in os.listdir(f"{pod.root}/layers") if not name.endswith(".tmp")]
    return [name for name in names if "." in name.removesuffix(".json")]


copies = pytest.mark.not_podman("it keeps its copies elsewhere")


@copies
def test_copies_are_made_once_and_only_of_what_must_be(
    fresh_pod: Engine, owners: Callable[..., str], pod: Engine, tmp_path: Path
) -> None:
    owners()
    image = fresh_pod("pull", "-q", f"oci:{tmp_path}/layout:latest").out
    assert forms(fresh_pod) == []
    fresh_pod("run", *QUICK, "--userns", "keep-id:uid=0,gid=0", image, "true")
    assert forms(fresh_pod) == []  # that is the usual map
    fresh_pod("run", *QUICK, "--userns", "nomap", image, "true")
    shifted = sorted(name for name in forms(fresh_pod) if not name.endswith(".json"))
    assert [name.partition(".")[2] for name in shifted] == ["u1g1"] * 3
    for userns in ("keep-id:uid=5000,gid=5000", "keep-id:uid=33,gid=33"):
        fresh_pod("run", *QUICK, "--userns", userns, image, "true")
    thin = [name for name in forms(fresh_pod) if "-" in name and not name.endswith(".json")]
    before = sorted(forms(fresh_pod))
    fresh_pod("run", *QUICK, "--userns", "keep-id:uid=33,gid=33", image, "true")
    assert sorted(forms(fresh_pod)) == before
    lines = fresh_pod(
        "unshare", "find", *(f"{fresh_pod.root}/layers/{it}" for it in thin), "-type", "f"
    ).lines
    names = {line.rpartition("/")[2] for line in lines}
    assert names == {
        "33",
        "999",
        "1000",
        "65534",
        "setuid",
        "linked",
        "new",
        "file",
    }  # none of root's
    fresh_pod("rmi", "-f", image)
    assert os.listdir(f"{fresh_pod.root}/layers") == []


@copies
def test_a_container_keeps_its_copies_when_the_image_goes(
    fresh_pod: Engine, owners: Callable[..., str], pod: Engine, tmp_path: Path
) -> None:
    owners()
    image = fresh_pod("pull", "-q", f"oci:{tmp_path}/layout:latest").out
    fresh_pod(
        "create",
        "--name",
        "kept",
        "--network",
        "none",
        "--userns",
        "keep-id",
        image,
        "stat",
        "-c",
        "%u",
        "/srv",
    )
    fresh_pod("image", "prune", "-a", "-f")
    assert fresh_pod("start", "-a", "kept").out == "33"
    assert fresh_pod("system", "check").status == 0
    fresh_pod("rm", "kept")
    fresh_pod("image", "prune", "-a", "-f")
    assert forms(fresh_pod) == []


@copies
def test_every_byte_of_the_copies_is_counted(fresh_pod: Engine) -> None:
    fresh_pod.have("busybox")
    form = "{{.Type}} {{.RawSize}}"
    before = dict(line.rsplit(" ", 1) for line in fresh_pod("system", "df", "--format", form).lines)
    fresh_pod("run", *QUICK, "--userns", "keep-id", "busybox", "true")
    now = dict(line.rsplit(" ", 1) for line in fresh_pod("system", "df", "--format", form).lines)
    assert int(now["Images"]) > int(before["Images"]) + 1_900_000
    assert now["Garbage"] == "0"


@copies
@pytest.mark.parametrize("step", ["mapped: staged", "mapped: copied", "mapped: placed"])
@pytest.mark.parametrize("userns", ["keep-id", "keep-id:uid=33,gid=33"])
def test_copy_that_is_killed(
    fresh_pod: Engine,
    owners: Callable[..., str],
    pod: Engine,
    tmp_path: Path,
    step: str,
    userns: str,
) -> None:
    owners()
    image = fresh_pod("pull", "-q", f"oci:{tmp_path}/layout:latest").out
    words = (
        "run",
        *QUICK,
        "--userns",
        userns,
        "--user",
        "0",
        image,
        "stat",
        "-c",
        "%u",
        "/srv",
        "/",
    )
    fresh_pod(*words, status=None, env={"POD_TEST_KILL_AT": step})
    assert fresh_pod(*words).lines == ["33", "0"]
    fresh_pod("system", "prune", "-f")
    assert fresh_pod("system", "check").status == 0


@copies
def test_several_first_starts_at_once(fresh_pod: Engine) -> None:
    fresh_pod.have("busybox")
    words = ("run", *QUICK, "--userns", "keep-id", "busybox", "stat", "-c", "%u", "/bin/busybox")
    started = [fresh_pod.spawn(*words) for _ in range(3)]
    outs = [process.communicate(timeout=60) for process in started]
    assert [out.split() for out, _ in outs] == [[b"0"]] * 3, outs
    assert len(forms(fresh_pod)) == 2


@copies
@pytest.mark.parametrize("what", ["record", "tree"])
@pytest.mark.parametrize("how", ["start", "check"])
def test_lost_copy_is_made_again(fresh_pod: Engine, what: str, how: str) -> None:
    """As after a power cut, which takes what was not on the disk yet."""
    fresh_pod.have("busybox")
    words = ("--network", "none", "--userns", "keep-id", "busybox", "stat", "-c", "%u", "/bin")
    fresh_pod("create", "--name", "kept", *words)
    for name in forms(fresh_pod):
        if name.endswith(".json") == (what == "record"):
            fresh_pod("unshare", "rm", "-r", f"{fresh_pod.root}/layers/{name}")
    if how == "check" or what == "tree":
        result = fresh_pod("system", "check", status=None)
        assert result.status != 0
        assert "copied for container" in result.stdout + result.stderr
        fresh_pod("system", "check", "--repair", "--force")
        assert fresh_pod("system", "check").status == 0
    assert fresh_pod("start", "-a", "kept").out == "0"


@pytest.fixture(scope="module")
def many_files(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An archive of a file system with so many files that a container does not wait for a copy of them."""
    path = str(tmp_path_factory.mktemp("many") / "many.tar")
    with tarfile.open(path, "w") as archive:
        with tarfile.open(fileobj=BytesIO(busybox_layer())) as busybox:
            for member in busybox:
                archive.addfile(member, busybox.extractfile(member) if member.isfile() else None)
        for number in range(9000):
            member = tarfile.TarInfo(f"many/{number}")
            member.uid = member.gid = number % 3 * 33
            archive.addfile(member)
    return path


@copies
@pytest.mark.parametrize("userns", ["keep-id:uid=33,gid=33", "auto"])
def test_first_start_of_many_files_does_not_wait_for_copies(
    fresh_pod: Engine, many_files: str, userns: str
) -> None:
    fresh_pod("import", "-q", many_files, "many")
    script = """stat -c %u:%g /many/3 /many/4 /many/5
        touch /many/new && chown 5:6 /many/new && rm /many/7 && stat -c %u:%g /many/new
        cut -d' ' -f3 /proc/mounts | head -n 1"""
    first = fresh_pod(
        "run", "--name", "a", "--userns", userns, "-u", "0", "many", "sh", "-c", script
    )
    assert first.lines == ["0:0", "33:33", "66:66", "5:6", "fuse.fuse-overlayfs"]
    # What it wrote is there when it starts again, and in every other way of reading it.
    fresh_pod("start", "-a", "a", status=None)
    assert set(fresh_pod("diff", "a").lines) >= {"A /many/new", "D /many/7"}
    assert fresh_pod("cp", "a:/many/new", "-").stdout
    fresh_pod("rm", "a")  # --userns=auto gives its ids to the next one
    until(lambda: len(forms(fresh_pod)) >= 2, "the copy", WAIT_SECONDS)
    until(
        lambda: any(name.endswith(".json") for name in forms(fresh_pod)), "its record", WAIT_SECONDS
    )
    second = fresh_pod(
        *("run", *QUICK, "--userns", userns, "-u", "0", "many"),
        *("sh", "-c", "stat -c %u:%g /many/3 /many/4; ls /many/7; cut -d' ' -f3 /proc/mounts"),
    ).lines
    assert second[:4] == ["0:0", "33:33", "/many/7", "overlay"]
