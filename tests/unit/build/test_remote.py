"""Sources of ADD that are elsewhere."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from pod.base.errors import PodError
from pod.build.dockerfile.instructions import Place
from pod.build.remote import Remote, Request, check, fetch, is_remote
from tests.support.repositories import git

PLACE = Place(file="Dockerfile", first=2, last=2, lines=("ADD",))
SUM = hashlib.sha256(b"content").hexdigest()


def request(source: str, checksum: str = "", target: str = "/x/", *, keep: bool = False) -> Request:
    return Request(source=source, target=target, place=PLACE, checksum=checksum, keep_git_dir=keep)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "fetched"
    path.mkdir()
    return path


@pytest.mark.parametrize(
    ("source", "remote"),
    [
        ("https://example.com/x.tar.gz", True),
        ("http://example.com/x", True),
        ("git@example.com:x/y.git#v1:docs", True),
        ("ssh://git@example.com/x", True),
        ("https://example.com/x.git", True),
        ("github.com/x", False),
        ("x.git", False),
        ("http:/x", False),
        ("ftp://example.com/x", False),
    ],
)
def test_which_sources_are_addresses(source: str, remote: bool) -> None:
    assert is_remote(source) is remote


def test_a_file_has_its_name_time_and_mode(site: tuple[str, Path], directory: Path) -> None:
    address, root = site
    (root / "a b").write_bytes(b"content")
    os.utime(root / "a b", (1_000_000_000, 1_000_000_000))
    got = fetch(request(f"{address}/a%20b?query"), str(directory))
    assert got == Remote(path="a b", identity=f"sha256:{SUM}", is_directory=False)
    status = (directory / "a b").stat()
    assert (status.st_mode & 0o7777, status.st_mtime) == (0o600, 1_000_000_000)
    assert (directory / "a b").read_bytes() == b"content"


def test_a_checksum_is_compared(site: tuple[str, Path], directory: Path, tmp_path: Path) -> None:
    address, root = site
    (root / "f").write_bytes(b"content")
    assert fetch(request(f"{address}/f", f"sha256:{SUM}"), str(directory)).path == "f"
    (tmp_path / "again").mkdir()
    with pytest.raises(PodError, match=f"has the checksum sha256:{SUM}, and sha256:{'0' * 64} was"):
        fetch(request(f"{address}/f", f"sha256:{'0' * 64}"), str(tmp_path / "again"))


@pytest.mark.parametrize(
    ("source", "checksum", "says"),
    [
        (
            "http://h/f",
            "sha512:00",
            "--checksum is sha256: and 64 hexadecimal digits, not 'sha512:00'",
        ),
        ("http://h/f", SUM, "--checksum is sha256: and 64"),
        ("http://h/f", f"sha256:{SUM[:-1]}", "--checksum is sha256: and 64"),
        ("https://h/f.git", f"sha256:{SUM}", "is the beginning of a commit"),
        ("http://h", "", "'http://h' has no name for a file in '/x/'"),
        ("http://h/", "", "has no name for a file"),
        ("http://h/a/..", "", "has no name for a file"),
        ("http://h/a%2fb", "", "has no name for a file"),
    ],
)
def test_refused_before_anything_is_fetched(source: str, checksum: str, says: str) -> None:
    with pytest.raises(PodError, match=f"Dockerfile:2: .*{says}"):
        check(request(source, checksum))


def test_what_is_not_there(site: tuple[str, Path], directory: Path) -> None:
    with pytest.raises(PodError, match="there is nothing at"):
        fetch(request(f"{site[0]}/none"), str(directory))


def test_a_repository_by_reference_and_directory(
    repository: tuple[str, Path], directory: Path
) -> None:
    url, source = repository
    commit = git(source, "rev-parse", "side").strip()
    got = fetch(request(f"{url}#side:app", commit[:9]), str(directory))
    assert got == Remote(path="app", identity=f"git:{commit}:app", is_directory=True)
    assert (directory / "app/Dockerfile").read_text() == "FROM side\n"
    assert (directory / "app/Dockerfile").stat().st_mode & 0o777 == 0o644
    assert not (directory / ".git").exists()


def test_a_repository_with_its_history_and_another_commit(
    repository: tuple[str, Path], directory: Path, tmp_path: Path
) -> None:
    got = fetch(request(repository[0], keep=True), str(directory))
    assert got.path == ""
    assert (directory / ".git").is_dir()
    (tmp_path / "again").mkdir()
    with pytest.raises(PodError, match=r"is at the commit [0-9a-f]{40}, and 0000 was asked for"):
        fetch(request(repository[0], "0000"), str(tmp_path / "again"))
