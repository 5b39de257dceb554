"""Secrets that log in to servers, while a context or a source of ADD is fetched."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from pod.base.errors import PodError
from pod.build import git
from pod.build.context_archives import CannotReadContext
from pod.build.credentials import for_git, for_http
from pod.build.download import downloaded
from pod.build.options import SecretSource


def secret(directory: Path, name: str, text: str) -> SecretSource:
    path = directory / name
    path.write_text(text)
    return SecretSource(name, "file", str(path))


def test_what_is_for_one_host_comes_first(tmp_path: Path) -> None:
    secrets = [
        secret(tmp_path, "GIT_AUTH_TOKEN", "all\n"),
        secret(tmp_path, "GIT_AUTH_HEADER.a.example", "Digest x"),
        secret(tmp_path, "HTTP_AUTH_TOKEN_a.example", "one"),
        secret(tmp_path, "HTTP_AUTH_HEADER_b.example:81", "Basic y"),
    ]
    assert for_git(secrets, "a.example") == "Digest x"
    assert base64.b64decode(for_git(secrets, "b.example").split()[1]) == b"x-access-token:all"
    assert for_http(secrets, "a.example") == "Bearer one"
    assert for_http(secrets, "b.example:81") == "Basic y"
    assert for_http(secrets, "b.example") == ""
    with pytest.raises(PodError, match="no line of text"):
        for_http([secret(tmp_path, "HTTP_AUTH_TOKEN_c", "a\nX-Evil: b")], "c")


def test_file_that_takes_a_login(site: tuple[str, Path], tmp_path: Path) -> None:
    address, root = site
    (root / "private").mkdir()
    (root / "private/file").write_text("found")
    (root / "authorization").write_text("Bearer very-secret")
    host = address.removeprefix("http://")
    with pytest.raises(CannotReadContext, match=r"refuses .* with status 401"):
        list(downloaded(f"{address}/private/file"))
    secrets = [secret(tmp_path, f"HTTP_AUTH_TOKEN_{host}", "very-secret")]
    assert b"".join(downloaded(f"{address}/private/file", secrets=secrets)) == b"found"


def test_repository_that_takes_a_login(
    site: tuple[str, Path], repository: tuple[str, Path], tmp_path: Path
) -> None:
    """And its submodules on the same host, and nothing of it in the files that come."""
    address, root = site
    (root / "private").mkdir()
    os.rename(root / "it.git", root / "private/it.git")
    pair = base64.b64encode(b"x-access-token:very-secret").decode()
    (root / "authorization").write_text(f"Basic {pair}")
    source = git.parse_git(f"{address}/private/it.git")
    for number, secrets in enumerate([[], [secret(tmp_path, "GIT_AUTH_TOKEN", "very-secret")]]):
        target = tmp_path / f"target{number}"
        target.mkdir()
        if not secrets:
            with pytest.raises(git.CannotFetch, match=r"private/it\.git': git fetch failed"):
                git.fetch(source, str(target))
            continue
        git.fetch(source, str(target), keep_history=True, secrets=secrets)
        assert (target / "Dockerfile").read_text() == "FROM scratch\n"
        kept = b"".join(path.read_bytes() for path in target.rglob("*") if path.is_file())
        assert pair.encode() not in kept and b"very-secret" not in kept


def test_servers_are_no_registries() -> None:
    with pytest.raises(CannotReadContext, match="server 'localhost:1' cannot be reached"):
        list(downloaded("http://localhost:1/x"))
