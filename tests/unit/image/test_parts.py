"""Archives in memory and on disk: damaged at random, they are read or refused, and nothing else."""

from __future__ import annotations

import io
import json
import os
import tarfile
import tempfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pod.base.errors import PodError
from pod.image import docker_archive
from pod.image.parts import BadArchive, DirectoryParts, Parts, nameless_file, open_parts
from storage.blobs import digest_of
from tests.support.connections import own_descriptors


def archive(members: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info)
    return buffer.getvalue()


def opened(data: bytes, scratch: str) -> Parts:
    fd = nameless_file(scratch)
    try:
        os.write(fd, data)
        os.lseek(fd, 0, os.SEEK_SET)
        return open_parts(fd, scratch)
    finally:
        os.close(fd)


def test_files_of_an_archive(tmp_path: Any) -> None:
    members = {"a": b"1", "./b/c": b"22", "d//e": b"333", "l" * 200: b"4444"}
    links = {"x/link": "../b/c", "far": "/a", "outside": "../../etc/passwd"}
    with opened(archive(members, links), str(tmp_path)) as parts:
        for name, data in (("a", b"1"), ("b/c", b"22"), ("d/e", b"333"), ("l" * 200, b"4444")):
            assert parts.read(name) == data
        assert parts.read("x/link") == b"22"
        assert parts.read("far") == b"1"
        assert not parts.has("outside")
        assert not parts.has("nothing")
        with pytest.raises(BadArchive, match="'nothing' is missing"):
            parts.read("nothing")


def test_later_entry_replaces_an_earlier_one(tmp_path: Any) -> None:
    data = archive({"a": b"old"})[:-10240].rstrip(b"\0")
    data += bytes(-len(data) % 512) + archive({"a": b"new!"})
    with opened(data, str(tmp_path)) as parts:
        assert parts.read("a") == b"new!"


def test_directory(tmp_path: Any) -> None:
    (tmp_path / "a").write_text("x")
    (tmp_path / "d").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with DirectoryParts(str(tmp_path)) as parts:
        assert parts.read("a") == b"x"
        for name in ("d", "pipe", "../a", "/etc/passwd", "", "nothing", "a/b"):
            assert not parts.has(name)


def test_documents_have_a_limit(tmp_path: Any) -> None:
    with (
        opened(archive({"a": bytes(5 << 20)}), str(tmp_path)) as parts,
        pytest.raises(BadArchive, match="no such document"),
    ):
        parts.read("a")


def test_no_descriptor_is_left_open(tmp_path: Any) -> None:
    before = own_descriptors()
    for data in (archive({"a": b"x"}), b"nonsense" * 100, b"\x1f\x8b\x08nonsense", b""):
        try:
            with opened(data, str(tmp_path)):
                pass
        except BadArchive:
            pass
    assert own_descriptors() == before


def _an_image() -> bytes:
    layer = archive({"file": b"content"})
    config = json.dumps({"rootfs": {"type": "layers", "diff_ids": [digest_of(layer)]}}).encode()
    name = f"{digest_of(config)[7:]}.json"
    listing = json.dumps([{"Config": name, "RepoTags": ["a:1"], "Layers": ["l.tar"]}]).encode()
    return archive({"l.tar": layer, name: config, "manifest.json": listing})


IMAGE = _an_image()


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.integers(0, len(IMAGE) - 1), st.binary(min_size=1, max_size=12)), max_size=4
    ),
    st.integers(0, len(IMAGE)),
)
def test_damaged_archive_is_read_or_refused(damage: list[tuple[int, bytes]], end: int) -> None:
    data = bytearray(IMAGE)
    for position, replacement in damage:
        data[position : position + len(replacement)] = replacement
    with tempfile.TemporaryDirectory() as scratch:
        try:
            with opened(bytes(data[: max(end, 512)] if end % 3 == 0 else data), scratch) as parts:
                docker_archive.read_docker_archive(parts)
        except PodError as error:
            assert error.message
