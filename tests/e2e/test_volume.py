"""`pod volume`: made, shown, filled, shared, exported, imported and removed."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from tests.support.checks import nothing_wrong, one_error
from tests.support.engine import Engine


def names(pod: Engine, *words: str) -> set[str]:
    return set(pod("volume", "ls", "-q", *words).lines)


def run(pod: Engine, volume: str, *words: str, status: int = 0) -> str:
    """What a command in busybox prints that has the volume as /v."""
    options = ("--rm", "--network", "none", "-v", volume)
    return pod("run", *options, "busybox", *words, status=status).out


def test_create_and_list(pod: Engine) -> None:
    assert pod("volume", "create", "data").out == "data"
    number = pod("volume", "create").out
    assert len(number) == 64
    assert names(pod) == {"data", number}
    lines = pod("volume", "ls").lines
    assert lines[0].split() == ["DRIVER", "VOLUME", "NAME"]
    assert sorted(line.split() for line in lines[1:]) == sorted(
        [["local", "data"], ["local", number]]
    )
    assert pod("volume", "ls", "--format", "{{.Name}} {{.Driver}}").lines[0].endswith(" local")
    assert {one["Name"] for one in pod("volume", "ls", "--format", "json").json()} == {
        "data",
        number,
    }
    pod("volume", "exists", "data")
    pod("volume", "exists", "nothing", status=1)


def test_name_is_taken(pod: Engine) -> None:
    pod("volume", "create", "data")
    assert "data" in pod("volume", "create", "data", status=125).stderr


@pytest.mark.not_podman("version 4.3 has no --ignore")
def test_name_may_be_taken(pod: Engine) -> None:
    pod("volume", "create", "data")
    assert pod("volume", "create", "--ignore", "data").out == "data"


@pytest.mark.parametrize(
    "words",
    [["create", "a/b"], ["create", ".x"], ["create", "--driver", "nfs", "x"],
     ["create", "-o", "nonsense=1", "x"], ["inspect"], ["inspect", "nothing"], ["rm"], ["rm", "-a", "x"],
     ["export", "nothing"], ["ls", "--filter", "nonsense=1"], ["ls", "--format", "{{"], ["ls", "x"]],
    ids=" ".join,
)  # fmt: skip
def test_wrong_usage(pod: Engine, words: list[str]) -> None:
    if pod.kind == "podman" and "nonsense=1" in words and "-o" in words:
        return  # it makes them
    if "{{" in words:
        pod("volume", "create", "one")
    result = pod("volume", *words, status=125)
    assert result.stdout.strip() in ("", "[]")
    assert names(pod) <= {"one"}


def test_inspect(pod: Engine) -> None:
    pod("volume", "create", "-l", "app=web", "-l", "empty", "data")
    (found,) = pod("volume", "inspect", "data").json()
    assert found["Name"] == "data"
    assert found["Driver"] == "local"
    assert found["Labels"] == {"app": "web", "empty": ""}
    assert found["Scope"] == "local"
    assert not found.get("Anonymous")
    assert os.path.isdir(found["Mountpoint"])
    assert (
        pod("volume", "inspect", "--format", "{{.Mountpoint}}", "data").out == found["Mountpoint"]
    )
    pod("volume", "create", "other")
    assert len(pod("volume", "inspect", "-a").json()) == 2
    result = pod("volume", "inspect", "data", "nothing", status=125)
    assert "nothing" in result.stderr
    assert len(json.loads(result.stdout)) == 1


def test_filters(pod: Engine) -> None:
    pod("volume", "create", "-l", "app=web", "one")
    pod("volume", "create", "-l", "app=db", "two")
    pod("create", "-v", "one:/v", "-v", "/anonymous", "busybox")
    anonymous = names(pod) - {"one", "two"}
    assert names(pod, "--filter", "label=app=web") == {"one"}
    assert names(pod, "--filter", "label=app") == {"one", "two"}
    assert names(pod, "--filter", "name=wo") == {"two"}
    assert names(pod, "--filter", "dangling=true") == {"two"}
    assert names(pod, "--filter", "dangling=false") == {"one"} | anonymous
    if pod.kind == "pod":  # version 4.3 of podman takes several filters for alternatives
        assert names(pod, "--filter", "driver=local", "--filter", "name=one") == {"one"}


def test_rm(pod: Engine) -> None:
    for name in ("one", "two", "used"):
        pod("volume", "create", name)
    result = pod("volume", "rm", "one", "nothing", "two", status=1)
    assert result.lines == ["one", "two"]
    assert "nothing" in result.stderr
    pod("create", "--name", "user", "-v", "used:/v", "busybox")
    assert "used" in pod("volume", "rm", "used", status=2).stderr
    assert pod("volume", "rm", "--force", "-t", "0", "used").out == "used"
    assert pod("ps", "-a", "-q").out == ""
    pod("volume", "create", "last")
    assert pod("volume", "rm", "-a").out == "last"
    nothing_wrong(pod)


def test_prune(pod: Engine) -> None:
    pod("volume", "create", "-l", "keep=no", "one")
    pod("volume", "create", "two")
    pod("create", "-v", "used:/v", "busybox")
    assert pod("volume", "prune", "-f", "--filter", "label=keep=no").lines == ["one"]
    assert pod("volume", "prune", stdin="n\n").out.endswith("[y/N]") or names(pod) == {
        "two",
        "used",
    }
    assert names(pod) == {"two", "used"}
    assert pod("volume", "prune", "-f").lines == ["two"]
    assert names(pod) == {"used"}


def test_content_is_shared_and_stays(pod: Engine) -> None:
    run(pod, "data:/v", "sh", "-c", "echo content > /v/file")
    pod(
        "run",
        "-d",
        "--network",
        "none",
        "--name",
        "reader",
        "-v",
        "data:/v:ro",
        "busybox",
        "sleep",
        "100",
    )
    run(pod, "data:/v", "sh", "-c", "echo more >> /v/file")
    assert pod("exec", "reader", "cat", "/v/file").lines == ["content", "more"]
    assert "Read-only" in pod("exec", "reader", "touch", "/v/x", status=1).stderr


def test_copy_up(pod: Engine) -> None:
    """A new volume has what the image has there, an old one what it had; nocopy leaves it empty."""
    assert "root:x:0:0" in run(pod, "etc:/etc", "cat", "/etc/passwd")
    run(pod, "etc:/etc", "rm", "/etc/passwd")
    run(pod, "etc:/etc", "test", "-e", "/etc/passwd", status=1)
    run(pod, "empty:/v", "sh", "-c", "echo mine > /v/file")
    assert run(pod, "empty:/etc", "ls", "/etc").split() == ["file", "hostname", "hosts", "resolv.conf"] or \
        "file" in run(pod, "empty:/etc", "ls", "/etc")  # fmt: skip
    run(pod, "not:/etc:nocopy", "test", "-e", "/etc/passwd", status=1)


def test_volumes_without_a_name(pod: Engine) -> None:
    """They go with a container of --rm, or when asked for, and stay otherwise."""
    run(pod, "/v", "touch", "/v/x")
    assert names(pod) == set()
    pod("create", "--name", "c", "-v", "/v", "busybox")
    (number,) = names(pod)
    assert pod("volume", "inspect", "--format", "{{.Anonymous}}", number).out == "true"
    pod("rm", "c")
    assert names(pod) == {number}
    pod("create", "--name", "d", "-v", "/v", "busybox")
    pod("rm", "-v", "d")
    assert names(pod) == {number}


def test_owner(pod: Engine) -> None:
    """The first container's image directory gives it, or --uid and --gid."""
    assert run(pod, "tmp:/tmp", "stat", "-c", "%a", "/tmp") == "1777"
    if pod.kind == "pod":  # version 4.3 of podman has no such options
        pod("volume", "create", "--uid", "7", "--gid", "8", "owned")
        assert run(pod, "owned:/v", "stat", "-c", "%u:%g", "/v") == "7:8"


def test_options(pod: Engine, tmp_path: Path) -> None:
    size = ["-o", "o=size=1m"] if pod.kind == "pod" else []  # podman wants quotas for it
    pod("volume", "create", "-o", "type=tmpfs", *size, "memory")
    assert "tmpfs" in run(pod, "memory:/v", "grep", " /v ", "/proc/mounts")
    (tmp_path / "file").write_text("host")
    os.chmod(tmp_path, 0o755)
    pod("volume", "create", "-o", "type=none", "-o", "o=bind", "-o", f"device={tmp_path}", "host")
    assert run(pod, "host:/v", "cat", "/v/file") == "host"
    assert pod("volume", "inspect", "host").json()[0]["Options"]["device"] == str(tmp_path)
    pod("volume", "rm", "host", "memory")
    assert (tmp_path / "file").read_text() == "host"


def test_export_and_import(pod: Engine, tmp_path: Path) -> None:
    script = (
        "mkdir /v/d && echo in > /v/d/f && ln -s f /v/d/l && chown 7:8 /v/d/f && chmod 4750 /v/d/f"
    )
    run(pod, "data:/v", "sh", "-c", script)
    path = str(tmp_path / "data.tar")
    pod("volume", "export", "-o", path, "data")
    with tarfile.open(path) as archive:
        member = archive.getmember(
            next(name for name in archive.getnames() if name.endswith("d/f"))
        )
        assert (member.uid, member.gid, member.mode & 0o7777) == (7, 8, 0o4750)
    with pod.spawn("volume", "export", "data") as process:
        piped, _ = process.communicate()
    with tarfile.open(fileobj=io.BytesIO(piped)) as archive:
        assert archive.getnames()
    pod("volume", "create", "copy")
    pod("volume", "import", "copy", path)
    assert run(pod, "copy:/v", "stat", "-c", "%u:%g %a", "/v/d/f") == "7:8 4750"
    pod("volume", "create", "piped")
    pod("volume", "import", "piped", "-", stdin=piped)
    assert run(pod, "piped:/v", "cat", "/v/d/l") == "in"


def test_import_of_what_is_no_archive(pod: Engine, tmp_path: Path) -> None:
    pod("volume", "create", "data")
    if pod.kind == "pod":  # podman takes it for an empty archive
        one_error(
            pod("volume", "import", "data", "-", stdin=b"nonsense" * 1000, status=125), hint=None
        )
    one_error(pod("volume", "import", "data", f"{tmp_path}/nothing", status=125), hint=None)
    one_error(pod("volume", "import", "nothing", "-", stdin=b"\0" * 10240, status=125), hint=None)
    assert names(pod) == {"data"}


@pytest.mark.not_podman("it unpacks what is before the entry that it refuses")
def test_import_stays_inside(pod: Engine, tmp_path: Path) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../../../outside"))
    pod("volume", "create", "data")
    one_error(pod("volume", "import", "data", "-", stdin=data.getvalue(), status=125), hint=None)
    assert run(pod, "data:/v", "ls", "-A", "/v") == ""
    nothing_wrong(pod)


def test_mount_needs_unshare(pod: Engine) -> None:
    run(pod, "data:/v", "sh", "-c", "echo in > /v/file; chown 7 /v/file; chmod 600 /v/file")
    assert "unshare" in pod("volume", "mount", "data", status=125).stderr
    inner = " ".join(pod.full_command("volume", "mount", "data"))
    assert pod("unshare", "sh", "-c", f'cat "$({inner})/file"').out == "in"


def test_ownership_is_given(pod: Engine, tmp_path: Path) -> None:
    """U: the source belongs to the container's user, whoever that is; what links lead to does not."""
    run(
        pod,
        "data:/v",
        "sh",
        "-c",
        "mkdir /v/d; touch /v/d/f; ln -s /etc/passwd /v/l; ln -s /etc /v/m",
    )
    options = ["--rm", "--network", "none", "--user", "5:6"]
    shown = ["busybox", "stat", "-c", "%u:%g"]
    every = ["/v", "/v/d", "/v/d/f", "/v/l", "/v/m"]
    assert pod("run", *options, "-v", "data:/v:U", *shown, *every).lines == ["5:6"] * 5
    assert (
        pod("run", *options, "-v", "data:/v:U", *shown, "/etc", "/etc/passwd").lines == ["0:0"] * 2
    )
    named = ["--rm", "--network", "none", "--user", "nobody", "-v", "data:/v:U"]
    assert pod("run", *named, *shown, "/v/d/f").out == "65534:65534"
    (tmp_path / "file").write_text("x")
    assert pod("run", *options, "-v", f"{tmp_path}:/v:U", *shown, "/v/file").out == "5:6"
    bind = f"type=bind,source={tmp_path},target=/v,U=true"
    assert pod("run", "--rm", "--network", "none", "--mount", bind, *shown, "/v/file").out == "0:0"
    assert (tmp_path / "file").stat().st_uid == os.getuid()


@pytest.mark.not_podman("version 4.3 knows no U for tmpfs")
@pytest.mark.parametrize("runtime", [[], ["--runtime", "crun"]], ids=["own", "crun"])
def test_ownership_by_every_runtime(pod: Engine, runtime: list[str]) -> None:
    run(pod, "data:/v", "touch", "/v/f")
    words = [
        "run",
        "--rm",
        "--network",
        "none",
        "--user",
        "5:6",
        "-v",
        "data:/v:U",
        "--tmpfs",
        "/t:U",
    ]
    shown = pod(*runtime, *words, "busybox", "stat", "-c", "%u:%g", "/v", "/v/f", "/t")
    assert shown.lines == ["5:6"] * 3


@pytest.mark.not_podman("it changes the owner all the same")
def test_read_only_is_not_given(pod: Engine) -> None:
    run(pod, "data:/v", "touch", "/v/f")
    words = [
        "run",
        "--rm",
        "--network",
        "none",
        "--user",
        "5:6",
        "-v",
        "data:/v:ro,U",
        "busybox",
        "true",
    ]
    assert "read-only" in one_error(pod(*words, status=125))


@pytest.mark.not_podman("it tries, and takes what it can")
def test_home_is_not_given(pod: Engine) -> None:
    for source in (pod.environment["HOME"], "/"):
        message = one_error(pod("run", "-v", f"{source}:/v:U", "busybox", "true", status=125))
        assert "home directory" in message
    assert pod("ps", "-a", "-q").out == ""
