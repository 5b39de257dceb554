"""Machines that lack something: a sentence with what to type, or a smaller form that says so.

What is missing is taken away in a private mount namespace, or by a PATH in which it is not.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from tests.support import images
from tests.support.checks import one_error
from tests.support.engine import Engine, engine_in, program
from tests.support.leaks import Watch
from tests.support.places import remove_tree

pytestmark = pytest.mark.not_podman("it says other things")

QUICK = ("run", "--rm", "--network", "none", "busybox")


@pytest.fixture
def path_with(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """An environment whose PATH has only these programs of the machine."""

    def make(*names: str) -> dict[str, str]:
        directory = tmp_path / "bin"
        directory.mkdir()
        for name in names:
            found = next(
                f"{place}/{name}"
                for place in ("/usr/bin", "/bin")
                if os.path.exists(f"{place}/{name}")
            )
            (directory / name).symlink_to(found)
        return {"PATH": str(directory)}

    return make


# Programs


def test_without_a_network_helper(pod: Engine, path_with: Callable[..., dict[str, str]]) -> None:
    env = path_with("newuidmap", "newgidmap")
    for network in ("private", "pasta", "slirp4netns"):
        told = one_error(
            pod("run", "--rm", "--network", network, "busybox", "true", env=env, status=125)
        )
        assert "is not installed" in told
        result = pod("run", "-d", "--network", network, "busybox", "true", env=env, status=125)
        assert "sudo apt install passt" in result.stderr and "--network none" in result.stderr
    pod("rm", "-a", "-f")
    assert pod(*QUICK, "echo", "works", env=env).out == "works"
    assert (
        pod("run", "--rm", "--network", "host", "busybox", "echo", "works", env=env).out == "works"
    )


def test_slirp4netns_is_used_where_pasta_is_missing(
    pod: Engine, path_with: Callable[..., dict[str, str]]
) -> None:
    env = path_with("newuidmap", "newgidmap", "slirp4netns")
    script = "ls /sys/class/net"
    assert "tap0" in pod("run", "--rm", "busybox", "sh", "-c", script, env=env).lines
    assert "pasta is not installed" in pod("run", "--rm", "--network", "pasta", "busybox", env=env,
                                           status=125).stderr  # fmt: skip


def test_without_newuidmap(pod: Engine, path_with: Callable[..., dict[str, str]]) -> None:
    result = pod(*QUICK, "true", env=path_with(), status=125)
    assert "'newuidmap' is not installed" in one_error(result)
    assert "uidmap" in result.stderr and "shadow-utils" in result.stderr
    assert pod.containers() == []
    assert pod(*QUICK, "echo", "works").out == "works"


@pytest.mark.parametrize("missing", ["newuidmap", "newgidmap"])
def test_with_one_of_both(
    pod: Engine, path_with: Callable[..., dict[str, str]], missing: str
) -> None:
    there = {"newuidmap", "newgidmap"} - {missing}
    result = pod(*QUICK, "true", env=path_with(*there), status=125)
    assert f"'{missing}' is not installed" in one_error(result)


def test_newuidmap_that_is_not_set_uid(pod: Engine, tmp_path: Path) -> None:
    """As after copying a file system without its modes."""
    for name in ("newuidmap", "newgidmap"):
        with open(f"/usr/bin/{name}", "rb") as file:
            (tmp_path / name).write_bytes(file.read())
        (tmp_path / name).chmod(0o755)
    result = pod(*QUICK, "true", env={"PATH": str(tmp_path)}, status=125)
    assert "ids of the container could not be mapped" in one_error(result)
    assert "set-uid root" in result.stderr


def test_an_oci_runtime_that_is_missing(pod: Engine) -> None:
    result = pod("--runtime", "crun-that-is-not-here", *QUICK, "true", status=125)
    assert "'crun-that-is-not-here' is not installed" in one_error(result)


# Directories


def test_without_a_runtime_directory(pod: Engine) -> None:
    """The state of containers is under /tmp then."""
    environment = {
        name: value for name, value in pod.environment.items() if name != "XDG_RUNTIME_DIR"
    }
    command = [
        *pod.command,
        "--root",
        pod.root,
        "run",
        "--rm",
        "--network",
        "none",
        "busybox",
        "echo",
        "x",
    ]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (result.stdout, result.returncode) == ("x\n", 0)
    place = f"/tmp/pod-run-{os.getuid()}"
    assert os.stat(place).st_mode & 0o777 == 0o700
    assert os.listdir(f"{place}/containers") == []


def test_a_runtime_directory_of_somebody_else(pod: Engine) -> None:
    command = [*pod.command, "--root", pod.root, "--runroot", "/usr/share", *QUICK, "true"]
    result = subprocess.run(
        command, env=pod.environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 125 and "directory '/usr/share" in result.stderr
    assert "--runroot" in result.stderr


def test_a_home_that_cannot_be_written(pod: Engine) -> None:
    environment = {
        name: value for name, value in pod.environment.items() if name != "XDG_DATA_HOME"
    }
    command = [*pod.command, *QUICK, "true"]
    result = subprocess.run(
        command,
        env={**environment, "HOME": "/usr/share"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 125 and "Error: directory '/usr/share/" in result.stderr
    assert "--root" in result.stderr


def test_a_root_that_is_somebody_elses_too(fresh_pod: Engine) -> None:
    """As `--root ~/.local/share`, where podman keeps its own in "containers"."""
    theirs = [
        Path(fresh_pod.root, "containers/storage/file"),
        Path(fresh_pod.runroot, "containers/file"),
    ]
    for path in theirs:
        path.parent.mkdir(parents=True)
        path.touch()
    fresh_pod("ps", "-a")
    fresh_pod("system", "prune", "-a", "-f")
    fresh_pod("system", "check", status=None)
    assert all(path.exists() for path in theirs)
    for path in theirs:
        path.unlink()
    theirs[0].parent.rmdir()


# Devices, ids and file systems


@pytest.fixture
def poor_pod(
    workspace: str, runtime_directory: str, watch: Watch, tmp_path: Path
) -> Generator[Callable[[str], Engine]]:
    """The program on a machine that a shell script of mounts has made poorer; there, no subordinate ids are mapped."""
    name = "poor"
    made: list[Engine] = []

    def make(script: str) -> Engine:
        (tmp_path / "poorer").write_text(
            f"set -e\nexport ROOT={workspace}/{name}\n{script}\n"
            'exec setpriv --ambient-caps=-all --inh-caps=-all "$@"\n'
        )
        enter = ["unshare", "--map-current-user", "--mount", "--keep-caps"]
        command = [*enter, "sh", str(tmp_path / "poorer"), *program()]
        engine = engine_in(workspace, runtime_directory, name, None, command)
        engine.environment["PATH"] = pod_path()
        made.append(engine)
        engine("load", "-q", "-i", images.docker_archive("busybox"))
        return engine

    yield make
    for engine in made:
        engine("rm", "-f", "-a", "-t", "0", status=None)
        remove_tree(engine.root)
        remove_tree(engine.runroot)


def pod_path() -> str:
    return "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin"


NO_RANGES = "for kind in uid gid; do mount --bind /dev/null /etc/sub$kind; done"


def test_without_subordinate_ids_there_is_a_network(poor_pod: Callable[[str], Engine]) -> None:
    pod = poor_pod(NO_RANGES)
    assert "10.0.2.100" in pod("run", "--rm", "busybox", "ip", "addr").stdout


def test_without_a_device_for_the_network(
    poor_pod: Callable[[str], Engine], tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    closed.touch(mode=0o000)
    pod = poor_pod(f"{NO_RANGES}; mount --bind {closed} /dev/net/tun")
    result = pod("run", "--rm", "busybox", "true", status=125)
    assert "/dev/net/tun cannot be opened by this user" in result.stderr
    assert "sudo chmod 0666 /dev/net/tun" in result.stderr and "--network none" in result.stderr
    assert pod(*QUICK, "echo", "works").out == "works"


def test_a_file_system_that_overlay_cannot_use(
    poor_pod: Callable[[str], Engine], tmp_path: Path
) -> None:
    """Overlay does not lie on overlay; info says what is used instead."""
    for name in ("lower", "upper", "work"):
        (tmp_path / name).mkdir()
    options = (
        f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/work,userxattr"
    )
    (tmp_path / "closed").touch(mode=0o000)
    pod = poor_pod(
        f"{NO_RANGES}; mkdir -p $ROOT; mount -t overlay -o {options} none $ROOT; "
        f"mount --bind {tmp_path}/closed /dev/fuse"
    )
    assert pod("info", "--format", "{{.Store.GraphDriverName}}").out == "copy"
    script = "test ! -e /new && echo x > /new && rm /bin/busybox && cat /new"
    for _ in range(2):
        assert pod(*QUICK, "sh", "-c", script).out == "x"
