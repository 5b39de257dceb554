"""Signatures beside a registry: which files, in which order, and that none is lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pod.image.http import HttpClient
from pod.image.trust import lookaside
from pod.image.trust.lookaside import BadLookaside

DIGEST = "sha256:" + "1" * 64


def read(url: str) -> list[bytes]:
    return lookaside.read(url, "team/app", DIGEST, HttpClient(), insecure=False)


def test_what_is_written_is_read_in_order(tmp_path: Path) -> None:
    url = f"file://{tmp_path}/with%20space/"
    assert read(url) == []
    for content in (b"one", b"two", b"one"):
        lookaside.write(url, "team/app", DIGEST, content)
    assert read(url) == [b"one", b"two"]
    directory = tmp_path / "with space/team" / f"app@sha256={'1' * 64}"
    assert sorted(os.listdir(directory)) == ["signature-1", "signature-2"]
    assert (directory / "signature-1").stat().st_mode & 0o777 == 0o644


def test_there_is_an_end(tmp_path: Path) -> None:
    url = f"file://{tmp_path}"
    for number in range(lookaside.MAX_SIGNATURES):
        lookaside.write(url, "team/app", DIGEST, str(number).encode())
    with pytest.raises(BadLookaside, match="128 signatures already"):
        lookaside.write(url, "team/app", DIGEST, b"more")
    assert len(read(url)) == lookaside.MAX_SIGNATURES


@pytest.mark.parametrize("url", ["/path", "ftp://host/x", "file://host/x", "http://", "x", "file:"])
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(BadLookaside, match="must be a URL"):
        read(url)
    with pytest.raises(BadLookaside):
        lookaside.check_writable(url)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "team").write_text("a file")
    with pytest.raises(BadLookaside, match=f"{tmp_path}/team"):
        lookaside.write(f"file://{tmp_path}", "team/app", DIGEST, b"x")


def test_many_large_signatures_are_too_many(tmp_path: Path) -> None:
    for number in range(5):
        lookaside.write(f"file://{tmp_path}", "team/app", DIGEST, bytes([number]) * (4 << 20))
    with pytest.raises(BadLookaside, match="more than 16777216 bytes"):
        read(f"file://{tmp_path}")
