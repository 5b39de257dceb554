"""Large contexts: what is not used is not read, and what comes from elsewhere lies on the disk, not in memory."""

from __future__ import annotations

import io
import os
import signal
import tarfile
from pathlib import Path

import pytest

from tests.support.build import Context
from tests.support.checks import nothing_wrong
from tests.support.engine import Engine
from tests.support.repositories import repository, site  # noqa: F401  # fixtures
from tests.support.waiting import until

NONE = "--network=none"


@pytest.fixture
def context(pod: Engine, tmp_path: Path) -> Context:
    return Context(pod, tmp_path / "context")


@pytest.mark.parametrize("source", ["used", "used*", "dir/../used", "."])
def test_what_is_not_used_is_not_read(context: Context, source: str) -> None:
    """To read the large one would take minutes. COPY of all leaves out what is ignored."""
    top = context.write({"used": "used", "dir/": "", "large": ""}).directory
    os.truncate(top / "large", 200 << 30)
    if source == ".":
        context.write({".dockerignore": "large\ndir\nDockerfile\n"})
    context.build(f"FROM busybox\nCOPY {source} /made/\n", NONE)
    assert context.run("cat", "/made/used") == "used"


def archive_with(files: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def bytes_below(directory: str) -> int:
    """What the files of ours below a directory take."""
    return sum(
        os.lstat(os.path.join(folder, name)).st_size
        for folder, _, names in os.walk(directory)
        for name in names
    )


@pytest.mark.not_podman("its contexts lie in /var/tmp")
def test_archive_lies_on_the_disk_and_goes_when_the_build_is_killed(
    pod: Engine, tmp_path: Path
) -> None:
    size = 20 << 20
    text = b"FROM busybox\nCOPY small /small\nRUN echo begun; sleep 1000\n"
    files = {"Dockerfile": text, "small": b"x", "large": os.urandom(size)}
    (tmp_path / "context.tar").write_bytes(archive_with(files))
    staging, log = f"{pod.root}/staging", tmp_path / "log"
    with (
        log.open("wb") as out,
        (tmp_path / "context.tar").open("rb") as archive,
        pod.spawn("build", NONE, "-", stdin=archive, stdout=out, stderr=out) as build,
    ):
        until(lambda: b"\nbegun" in log.read_bytes(), "the command runs")
        assert bytes_below(staging) >= size
        assert bytes_below(pod.runroot) < size
        build.send_signal(signal.SIGKILL)

    def is_cleared_up() -> bool:
        pod("ps")  # any command does it, as soon as the last process of the build has ended
        return not names_in(staging)

    until(is_cleared_up, "nothing is left of the context")
    nothing_wrong(pod, max_age="24h")


def names_in(directory: str) -> list[str]:
    return [name for name in os.listdir(directory) if not name.endswith(".lock")]


@pytest.mark.not_podman("4.3 has no named contexts that are addresses")
def test_contexts_from_elsewhere(
    pod: Engine,
    tmp_path: Path,
    repository: tuple[str, Path],  # noqa: F811
) -> None:
    """A branch and directory of a repository, as context and as a named one; an archive at an address."""
    address, _ = repository
    site_address = address.rpartition("/")[0]
    (tmp_path / "site/it.tar").write_bytes(
        archive_with({"Containerfile": b"FROM scratch\nCOPY f /f\n", "f": b"of the archive\n"})
    )
    pod("build", "-q", "-t", "made", f"{site_address}/it.tar")
    out = tmp_path / "out"
    pod("build", "-q", "-o", str(out), f"{site_address}/it.tar")
    assert (out / "f").read_text() == "of the archive\n"
    here = Context(pod, tmp_path / "context")
    here.build(
        "FROM scratch\nCOPY --from=repository Dockerfile /one\nCOPY --from=archive f /f\n",
        *("--build-context", f"repository={address}#side:app"),
        *("--build-context", f"archive={site_address}/it.tar"),
        *("-o", str(tmp_path / "both")),
    )
    assert (tmp_path / "both/one").read_text() == "FROM side\n"
    assert (tmp_path / "both/f").read_text() == "of the archive\n"
    assert not names_in(f"{pod.root}/staging")
    nothing_wrong(pod, max_age="24h")
