"""`pod save`, `load`, and images and containers straight from archives and directories; skopeo and podman read them."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.support import images
from tests.support.checks import nothing_wrong
from tests.support.engine import Engine, engine_in

FORMATS = ["docker-archive", "oci-archive", "oci-dir", "docker-dir"]
TRANSPORTS = {"docker-archive": "docker-archive", "oci-archive": "oci-archive", "oci-dir": "oci",
              "docker-dir": "dir"}  # fmt: skip


def inspected(pod: Engine, name: str) -> tuple[str, Any]:
    """Id and layers."""
    (found,) = pod("image", "inspect", name).json()
    return found["Id"], found["RootFS"]["Layers"]


def skopeo(*words: str) -> Any:
    done = subprocess.run(["skopeo", *words], capture_output=True, text=True)
    assert done.returncode == 0, done
    return json.loads(done.stdout) if words[0] == "inspect" else None


@pytest.mark.parametrize("form", FORMATS)
def test_what_is_saved_is_the_same_when_it_comes_back(
    pod: Engine, fresh_pod: Engine, tmp_path: Path, form: str
) -> None:
    """In another store; the same id and layers, and it runs straight from there."""
    path = str(tmp_path / "image")
    pod("save", "-q", "--format", form, "-o", path, "busybox")
    location = f"{TRANSPORTS[form]}:{path}"
    seen = skopeo("inspect", location)
    assert seen["Layers"]
    run = fresh_pod("run", "--rm", "--network", "none", location, "echo", "in")
    assert run.out == "in"
    (number,) = set(fresh_pod("images", "-q", "--no-trunc").lines)
    assert inspected(fresh_pod, number.partition(":")[2]) == inspected(pod, "busybox")
    fresh_pod("rmi", "-a", "-f")
    if form != "docker-dir":
        loaded = fresh_pod("load", "-q", "-i", path)
        assert "Loaded image" in loaded.stdout
        (number,) = set(fresh_pod("images", "-q", "--no-trunc").lines)
        assert inspected(fresh_pod, number.partition(":")[2]) == inspected(pod, "busybox")
    nothing_wrong(fresh_pod)


def test_names_come_back(pod: Engine, fresh_pod: Engine, tmp_path: Path) -> None:
    path = str(tmp_path / "x.tar")
    pod("tag", "busybox", "localhost/one:1", "localhost/two:2")
    pod("save", "-q", "-o", path, "localhost/one:1", "localhost/two:2")
    assert set(fresh_pod("load", "-q", "-i", path).out.replace(",", " ").split()[2:]) >= {
        "localhost/one:1"
    }
    names = fresh_pod("images", "--format", "{{.Repository}}:{{.Tag}}").lines
    assert sorted(names) == ["localhost/one:1", "localhost/two:2"]


def test_several_images(pod: Engine, fresh_pod: Engine, tmp_path: Path) -> None:
    """In one archive, in which layers are kept once."""
    path = str(tmp_path / "all.tar")
    pod("import", "-q", "-", "localhost/empty:1", stdin=b"\0" * 10240)
    pod("tag", "busybox", "localhost/busy:1")
    pod("save", "-q", "-m", "-o", path, "localhost/busy:1", "localhost/empty:1")
    fresh_pod("load", "-q", "-i", path)
    names = fresh_pod("images", "--format", "{{.Repository}}:{{.Tag}}").lines
    assert sorted(names) == ["localhost/busy:1", "localhost/empty:1"]
    with tarfile.open(path) as archive:
        members = archive.getnames()
    assert len(members) == len(set(members))


def test_through_pipes(pod: Engine, fresh_pod: Engine) -> None:
    with pod.spawn("save", "-q", "busybox") as process:
        data, error = process.communicate()
    assert process.returncode == 0, error
    assert fresh_pod("load", "-q", stdin=data).out.endswith("docker.io/library/busybox:latest")
    assert inspected(fresh_pod, "busybox") == inspected(pod, "busybox")


@pytest.mark.not_podman("it does not unpack what comes through a pipe")
def test_compressed_through_a_pipe(pod: Engine, fresh_pod: Engine) -> None:
    with pod.spawn("save", "-q", "busybox") as process:
        data, _ = process.communicate()
    fresh_pod("load", "-q", stdin=gzip.compress(data, 1))
    assert inspected(fresh_pod, "busybox") == inspected(pod, "busybox")


def test_the_other_engine_reads_it(
    pod: Engine, workspace: str, runtime_directory: str, tmp_path: Path, is_podman: bool
) -> None:
    """What pod saves, podman loads, and the other way round."""
    path, back = str(tmp_path / "there.tar"), str(tmp_path / "back.tar")
    other = engine_in(
        workspace, runtime_directory, "o", None, ["podman"] if not is_podman else None
    )
    pod("save", "-q", "-o", path, "busybox")
    try:
        other("load", "-q", "-i", path)
        assert inspected(other, "busybox") == inspected(pod, "busybox")
        other("tag", "busybox", "localhost/back:1")
        other("save", "-q", "--format", "oci-archive", "-o", back, "localhost/back:1")
    finally:
        other("rmi", "-a", "-f", status=None)
        other("system", "reset", "-f", status=None)
    pod("load", "-q", "-i", back)
    # Podman turns the configuration into another format for this archive.
    assert inspected(pod, "localhost/back:1")[1] == inspected(pod, "busybox")[1]


def test_archive_of_a_stranger(pod: Engine, tmp_path: Path) -> None:
    """Of skopeo, and of our own builder with a name in it."""
    path = images.image("busybox").docker_archive(str(tmp_path / "x.tar"), ["localhost/named:7"])
    assert pod("load", "-q", "-i", path).out == "Loaded image: localhost/named:7"
    layout = images.image("busybox").layout.path
    skopeo("copy", f"oci:{layout}", f"docker-archive:{tmp_path}/y.tar:localhost/copied:1")
    assert "localhost/copied:1" in pod("load", "-q", "-i", f"{tmp_path}/y.tar").out
    assert inspected(pod, "localhost/copied:1")[1] == inspected(pod, "busybox")[1]


def test_one_of_several_in_an_archive(pod: Engine, tmp_path: Path) -> None:
    path = str(tmp_path / "x.tar")
    pod("tag", "busybox", "localhost/one:1")
    pod("import", "-q", "-", "localhost/empty:1", stdin=b"\0" * 10240)
    pod("save", "-q", "-m", "-o", path, "localhost/one:1", "localhost/empty:1")
    pod("rmi", "localhost/one:1", "localhost/empty:1")
    location = f"docker-archive:{path}:localhost/one:1"
    assert pod("run", "--rm", "--network", "none", location, "echo", "in").out == "in"


def test_output_that_cannot_be_written(pod: Engine, tmp_path: Path) -> None:
    for words in (["-o", f"{tmp_path}/no/such/place.tar"], ["--format", "nonsense", "-o", f"{tmp_path}/x"],
                  ["--format", "oci-dir"], ["-m", "--format", "oci-archive", "-o", f"{tmp_path}/x"]):  # fmt: skip
        more = ["busybox", "busybox"] if "-m" in words else ["busybox"]
        result = pod("save", "-q", *words, *more, status=125)
        assert result.stdout == ""
    assert "no-such-image" in pod("save", "-o", f"{tmp_path}/x", "no-such-image", status=125).stderr
    assert os.listdir(tmp_path) == []


@pytest.mark.not_podman("it wants to write over nothing")
def test_output_that_is_there(pod: Engine, tmp_path: Path) -> None:
    """A file is replaced when the new one is complete, a full directory is refused."""
    path = tmp_path / "x"
    path.write_text("old")
    pod("save", "-q", "-o", str(path), "no-such-image", status=125)
    assert path.read_text() == "old"
    pod("save", "-q", "-o", str(path), "busybox")
    assert tarfile.is_tarfile(path)
    pod("save", "-q", "-o", str(tmp_path), "busybox", status=125)
