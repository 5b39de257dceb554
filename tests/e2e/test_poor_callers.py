"""Callers without subordinate ids, and root: the same program with other id maps.

A caller without subordinate ids is one here whom /etc/subuid does not know: in a user namespace with one id, which is
none of the machine's users.
"""

from __future__ import annotations

import dataclasses
import os
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.images import busybox_layer
from tests.support.layout import Entry, Layout, directory, layer_tar

STRANGER = 4242
ALONE = ["unshare", "--user", f"--map-user={STRANGER}", f"--map-group={STRANGER}"]
QUICK = ("--rm", "--network", "none")
pytestmark = pytest.mark.not_podman("it wants subordinate ids, or a real root")


@pytest.fixture
def alone(fresh_pod: Engine) -> Engine:
    """The program as a caller with one id. Each command has a user namespace of its own."""
    return dataclasses.replace(fresh_pod, command=[*ALONE, *fresh_pod.command])


@pytest.fixture
def image(tmp_path: Path) -> str:
    """An image whose files have other owners than root; where it is."""
    entries = [
        directory("srv", uid=33, gid=33),
        Entry("srv/file", b"x", mode=0o6755, uid=33, gid=999),
        Entry("srv/root", b"x", mode=0o4755),
    ]
    layout = Layout(str(tmp_path / "layout"))
    layers = [layout.add_layer(busybox_layer()), layout.add_layer(layer_tar(entries))]
    layout.add_image(layers, {"Cmd": ["sh"], "Env": ["PATH=/bin"]})
    return f"oci:{layout.path}:latest"


def together(alone: Engine, script: str) -> list[str]:
    """A script of several commands in one user namespace; `pod` in it is the program. Lines of its output."""
    function = (
        f'pod() {{ {shlex.join(alone.full_command()[len(ALONE) :])} "$@"; }}; set -e; {script}'
    )
    one = dataclasses.replace(alone, command=[*ALONE, "sh", "-c"], options=[])
    return one(function).lines


def test_image_with_other_owners_is_pulled_and_runs_with_one_warning(
    alone: Engine, image: str
) -> None:
    pulled = alone("pull", "-q", image)
    assert pulled.stderr.count("Warning:") == 1
    assert "no subordinate ids" in pulled.stderr
    assert "usermod --add-subuids" in pulled.stderr
    words = ("stat", "-c", "%u:%g %a", "/srv", "/srv/file", "/srv/root")
    result = alone("run", *QUICK, pulled.out, *words)
    assert result.lines == ["0:0 755", "0:0 755", "0:0 4755"]
    assert result.stderr == ""


def test_image_without_other_owners_brings_no_warning(alone: Engine) -> None:
    assert alone.registry is not None
    alone.registry.have("busybox")
    assert alone("pull", "-q", "busybox").stderr == ""


def test_true_owners_are_in_what_is_saved(
    alone: Engine, fresh_pod: Engine, image: str, tmp_path: Path, pod: Engine
) -> None:
    number = alone("pull", "-q", image).out
    alone("save", "-q", "-o", str(tmp_path / "saved.tar"), number)
    loaded = (
        pod("load", "-q", "-i", str(tmp_path / "saved.tar")).out.split()[-1].removeprefix("sha256:")
    )
    assert pod("run", *QUICK, loaded, "stat", "-c", "%u:%g %a", "/srv/file").out == "33:999 6755"


@pytest.mark.parametrize(
    ("userns", "expected"),
    [
        ("host", "0:0"),
        ("keep-id", f"{STRANGER}:{STRANGER}"),
        ("keep-id:uid=33,gid=33", "33:33"),
        ("user", "0:0"),
    ],
)
def test_one_id_can_be_any(alone: Engine, tmp_path: Path, userns: str, expected: str) -> None:
    alone.have("busybox")
    script = 'touch /mnt/new /tmp/new; echo "$(id -u):$(id -g)"; stat -c %u:%g /mnt/new /tmp/new'
    words = ("--userns", userns, "-v", f"{tmp_path}:/mnt", "busybox", "sh", "-c", script)
    assert alone("run", *QUICK, *words).lines == [expected] * 3
    assert (tmp_path / "new").stat().st_uid == os.getuid()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--userns", "nomap"), "this needs 1 subordinate ids, and there are 0"),
        (("--userns", "auto"), "this needs 1024 subordinate ids, and there are 0"),
        (("--uidmap", "0:1:10"), "the id 1 is not among yours"),
        (("--user", "33"), "the user 33 cannot be taken"),
        (("--user", "0:33"), "the group 33 cannot be taken"),
    ],
)
def test_what_needs_more_ids_says_so(alone: Engine, options: tuple[str, ...], words: str) -> None:
    alone.have("busybox")
    result = alone("run", *QUICK, *options, "busybox", "true", status=125)
    assert words in result.stderr
    assert "/etc/subuid" in result.stderr


def test_all_of_a_containers_life(alone: Engine) -> None:
    alone.have("busybox")
    script = """
        pod run -d --name one -v data:/etc busybox sleep 60 > /dev/null
        pod ps --format '{{.Names}} {{.State}}'
        pod exec one id -u
        pod stop -t 0 one
        pod start one
        pod rm -f -t 0 one
        pod volume rm data
        pod system check
    """
    assert together(alone, script) == ["one running", "0", "one", "one", "one", "data"]


FILES = """
    echo f > {path}/f
    pod create --name one --network none docker.io/library/busybox sleep 60 > /dev/null
    pod cp {path}/f one:/etc/f
    pod start one
    pod cp -a one:/etc/f one:/etc/g
    pod cp one:/etc/g {path}/g
    pod cp one:/etc - | pod cp - one:/tmp
    pod exec one sh -c 'cat /tmp/etc/g; stat -c %u:%g /etc/f /etc/g /tmp/etc/f'
    pod commit one made > /dev/null
    pod run --rm --network none localhost/made cat /etc/g
    pod diff one | grep etc/g$
    pod export one | tar t | grep etc/g$
    pod rm -f -t 0 one
    pod rmi localhost/made > /dev/null
"""
SEEN = [
    "one",
    "f",
    "0:0",
    "0:0",
    "0:0",
    "f",
    "A /etc/g",
    "A /tmp/etc/g",
    "etc/g",
    "tmp/etc/g",
    "one",
]


def test_files_in_and_out(alone: Engine, tmp_path: Path) -> None:
    alone.have("busybox")
    tmp_path.chmod(0o777)
    assert together(alone, FILES.format(path=tmp_path)) == SEEN


@pytest.mark.parametrize("driver", ["fuse-overlayfs", "copy"])
def test_other_drivers(alone: Engine, driver: str) -> None:
    alone.have("busybox")
    script = "touch /new; rm /bin/cat; stat -c %u /new"
    words = ("--storage-driver", driver, "run", *QUICK, "busybox", "sh", "-c", script)
    assert alone(*words).out == "0"


# Root


@pytest.fixture
def as_root(fresh_pod: Engine) -> Callable[[str], list[str]]:
    """Run a script as root of a user namespace that has ids of its own, one to one, and no other."""
    command = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "--pid",
        "--fork",
        "--mount-proc",
        "sh",
        "-c",
    ]
    words = shlex.join([*fresh_pod.command, *fresh_pod.options])
    one = dataclasses.replace(fresh_pod, command=command, options=[])

    def run(script: str) -> list[str]:
        return one(f'pod() {{ {words} "$@"; }}; set -e; {script}').lines

    return run


def test_root_has_its_own_ids_one_to_one(
    fresh_pod: Engine, as_root: Callable[[str], list[str]]
) -> None:
    fresh_pod.have("busybox")
    script = """
        readlink /proc/self/ns/user
        pod run --rm --network none docker.io/library/busybox sh -c \\
            'readlink /proc/self/ns/user; id -u; stat -c %u /; touch /new'
        pod run -d --name one --network none docker.io/library/busybox sleep 60 > /dev/null
        pod ps --format '{{.Names}} {{.State}}'
        pod exec one id -u
        pod rm -f -t 0 one
        pod ps -a -q
    """
    namespace, *rest = as_root(script)
    assert rest == [namespace, "0", "0", "one running", "0", "one"]


def test_root_has_files_in_and_out(
    fresh_pod: Engine, as_root: Callable[[str], list[str]], tmp_path: Path
) -> None:
    fresh_pod.have("busybox")
    assert as_root(FILES.format(path=tmp_path)) == SEEN


@pytest.mark.parametrize("userns", ["keep-id", "nomap", "auto", "user"])
def test_root_is_told_what_is_not_for_it(
    fresh_pod: Engine, as_root: Callable[[str], list[str]], userns: str
) -> None:
    fresh_pod.have("busybox")
    script = f"pod run --rm --network none --userns {userns} docker.io/library/busybox true 2>&1 || echo $?"
    error, hint, status = as_root(script)
    assert f"--userns={userns} for root is not supported" in error
    assert (hint[:5], status) == ("Hint:", "125")


def test_root_is_told_that_networks_are_not_for_it(
    fresh_pod: Engine, as_root: Callable[[str], list[str]]
) -> None:
    fresh_pod.have("busybox")
    error, status, created, *left = as_root("""
        pod network create back > /dev/null
        pod run --name one --network back docker.io/library/busybox true 2>&1 || echo $?
        pod ps -a --format '{{.Names}} {{.Status}}'
        pod rm -f -t 0 one > /dev/null; pod network rm back
    """)
    assert error == (
        "Error: a user-defined network is not supported: pod has them for ordinary users only"
    )
    assert (status, created.split()[0]) == ("125", "one")
    assert left == ["back"]
