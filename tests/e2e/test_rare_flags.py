"""Flags that few people type, and that work all the same; hints that fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.registry import Registry


def start(pod: Engine, name: str, script: str) -> None:
    pod("run", "-d", "--network", "none", "--name", name, "busybox", "sh", "-c", script)


@pytest.mark.not_podman("4.3 has no such option")
def test_wait_for_the_first_of_several(pod: Engine) -> None:
    start(pod, "long", "sleep 1000")
    start(pod, "short", "exit 3")
    assert pod("wait", "--exit-first-match", "-i", "10ms", "long", "short").out == "3"
    running = ("wait", "--exit-first-match", "--condition", "running", "-i", "10ms")
    assert pod(*running, "short", "long").out == "-1"
    assert pod("wait", "--exit-first-match", "--ignore", "nobody", "short").out == "3"
    result = pod("wait", "--exit-first-match", "nobody", "short", status=125)
    assert result.out == "" and "nobody" in result.stderr


def test_containers_of_other_programs(pod: Engine) -> None:
    pod("create", "--name", "c", "busybox")
    pod("container", "exists", "--external", "c")
    pod("container", "exists", "--external", "nobody", status=1)
    assert pod("ps", "-a", "--external", "--sync", "--format", "{{.Names}}").lines == ["c"]


def test_pods_of_containers(pod: Engine) -> None:
    pod("create", "--name", "c", "busybox")
    heading, row = pod("ps", "-a", "--pod").lines
    assert heading.split()[-3:] == ["POD", "ID", "PODNAME"]
    assert row.split()[-1] == "c"


@pytest.mark.not_podman("4.3 has no such option")
def test_exec_without_a_session(pod: Engine) -> None:
    start(pod, "c", "sleep 1000")
    assert pod("exec", "--no-session", "c", "echo", "ok").out == "ok"


@pytest.mark.not_podman("its words are others")
@pytest.mark.parametrize(
    "words", [("rmi", "nothing"), ("tag", "nothing", "x"), ("untag", "nothing")]
)
def test_what_is_not_here_is_not_offered_from_a_registry(
    pod: Engine, words: tuple[str, ...]
) -> None:
    error = pod(*words, status=None).stderr
    assert "'nothing'" in error and "pod images" in error and "pull" not in error


@pytest.mark.not_podman("it warns")
def test_no_warning_where_nothing_would_be_published(pod: Engine) -> None:
    assert pod("run", "--rm", "--network", "none", "-P", "busybox", "true").stderr == ""
    warned = pod("run", "--rm", "--network", "none", "-P", "--expose", "80", "busybox", "true")
    assert "--network=none" in warned.stderr


@pytest.mark.not_podman("its configuration directory is that of the tests")
def test_mounts_conf_gives_copies(pod: Engine, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep/file").write_text("hello\n")
    (source / "link").symlink_to("deep/file")
    (source / "nowhere").symlink_to("nothing")
    folder = tmp_path / "config/containers"
    folder.mkdir(parents=True)
    missing = tmp_path / "missing"
    (folder / "mounts.conf").write_text(f"# ours\n{source}:/given\n{missing}\n")
    for path in (tmp_path, source, source / "deep"):
        path.chmod(0o755)
    env = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    script = "cat /given/deep/file /given/link; ls /given; echo changed > /given/deep/file"
    result = pod("run", "--name", "c", "--network", "none", "busybox", "sh", "-c", script, env=env)
    assert result.lines == ["hello", "hello", "deep", "link"]
    assert str(missing) in result.stderr
    assert (source / "deep/file").read_text() == "hello\n"
    assert pod("start", "-a", "c").lines[0] == "changed"
    own = pod(
        "run", "--rm", "--network", "none", "-v", "v:/given", "busybox", "ls", "/given", env=env
    )
    assert own.lines == []


def run(pod: Engine, *words: str) -> list[str]:
    return pod("run", "--rm", "--network", "none", *words).lines


@pytest.mark.not_podman("4.3 has no such options")
def test_names_of_the_host_inside(pod: Engine) -> None:
    assert run(
        pod, "--domainname", "example.com", "busybox", "cat", "/proc/sys/kernel/domainname"
    ) == ["example.com"]
    words = ("--hostname", "inside", "--domainname", "example.com", "busybox", "hostname", "-f")
    assert run(pod, *words) == ["inside.example.com"]
    script = "hostname; test -e /etc/hostname || echo none"
    words = ("--hostname", "inside", "--no-hostname", "busybox", "sh", "-c", script)
    assert run(pod, *words) == ["inside", "none"]


@pytest.mark.not_podman("4.3 says bind for anonymous")
def test_volumes_of_the_image_can_be_something_else(pod: Engine) -> None:
    pod(
        "import",
        "--change",
        "VOLUME /data",
        "--change",
        'CMD ["/x"]',
        "-",
        "localhost/with-volume",
        stdin=b"\0" * 10240,
    )
    for mode, count in (("anonymous", 1), ("tmpfs", 0), ("ignore", 0)):
        pod("create", "--name", mode, "--image-volume", mode, "localhost/with-volume")
        assert pod("inspect", "-f", "{{len .Mounts}}", mode).out == str(count)
    assert len(pod("volume", "ls", "-q").lines) == 1
    pod("rm", "-v", "anonymous", "tmpfs", "ignore")
    assert pod("volume", "ls", "-q").lines == []


@pytest.mark.not_podman("it keeps a container that could not be started")
def test_the_image_goes_with_its_last_container(pod: Engine) -> None:
    number = pod("images", "-q", "busybox").out
    pod("tag", "busybox", "localhost/mine")
    for words in (("run", "--rmi"), ("create",)):
        pod("import", "--change", 'CMD ["/x"]', "-", "localhost/gone", stdin=b"\0" * 10240)
        pod(*words, "--name", "c", "--network", "none", "localhost/gone", status=None)
        if words == ("create",):
            pod("container", "cleanup", "--rm", "--rmi", "c")
        assert pod("ps", "-a", "-q").lines == []
        assert pod("images", "-q", "localhost/gone", status=None).lines == []
    assert pod("images", "-q", "localhost/mine").out == number


def test_names_that_an_image_has_had(pod: Engine) -> None:
    pod("tag", "busybox", "localhost/mine")
    assert "localhost/mine:latest" in pod("images", "--history", "localhost/mine").stdout
    pod("rmi", "--no-prune", "localhost/mine")
    assert pod("images", "-q", "localhost/mine", status=None).lines == []


def test_maps_of_users_and_groups(pod: Engine) -> None:
    maps = ("--gidmap", "0:0:11", "--uidmap", "0:0:20")
    lines = run(
        pod, *maps, "busybox", "sh", "-c", "cat /proc/self/uid_map; echo; cat /proc/self/gid_map"
    )
    between = lines.index("")
    counts = [
        sum(int(line.split()[2]) for line in part)
        for part in (lines[:between], lines[between + 1 :])
    ]
    assert counts == [20, 11]


@pytest.mark.not_podman("its words are others")
def test_a_group_of_the_image_that_the_map_lacks_is_named(pod: Engine) -> None:
    """The root of busybox is in group 10."""
    error = pod(
        "run", "--rm", "--network", "none", "--gidmap", "0:0:10", "busybox", "true", status=125
    ).stderr
    assert "group 10" in error and "report" not in error


def test_the_certificate_of_a_registry_is_looked_for_in_cert_dir(
    pod: Engine, registry_with: Callable[..., Registry], tmp_path: Path
) -> None:
    registry = registry_with(tls=True)
    image = registry.have("busybox")
    assert registry.certificate is not None
    quick = ("--retry", "0") if pod.kind == "pod" else ()
    assert "certificate" in pod("pull", "-q", *quick, image, status=125).stderr
    (tmp_path / "ca.crt").write_bytes(Path(registry.certificate).read_bytes())
    pod("pull", "-q", "--cert-dir", str(tmp_path), image)


@pytest.mark.not_podman("it tries, and fails later")
def test_what_to_do_without_a_limit_of_disk_space_is_said(pod: Engine) -> None:
    result = pod("run", "--rm", "--storage-opt", "size=1g", "busybox", "true", status=125)
    assert "which only root can set" in result.stderr and "--tmpfs" in result.stderr
