"""What a manifest of any kind refers to, and hostile ones; artifacts: types of files, names of files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pod.base.errors import PodError
from pod.image import artifact
from pod.image.artifact import HostileName, NoSuchFile, TitleTaken
from pod.image.contents import read_contents
from pod.image.document import InvalidImage
from pod.image.media_types import DOCKER_LIST, OCI_INDEX, OCI_MANIFEST
from storage.store import Store

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def part(digest: str = ONE, media_type: str = "text/plain", **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": 3, **more}


def document(**fields: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, **fields}).encode()


def test_images_and_artifacts() -> None:
    data = document(mediaType=OCI_MANIFEST, config=part(TWO, "a/config"), layers=[part(), part()])
    contents = read_contents(data, "manifest")
    assert not contents.is_list
    assert contents.artifact_type == "a/config"
    assert [it.digest for it in contents.blobs] == [TWO, ONE]
    named = read_contents(document(artifactType="x", config=part(), layers=[]), "manifest")
    assert (named.artifact_type, named.media_type) == ("x", OCI_MANIFEST)


def test_lists() -> None:
    for media_type in (OCI_INDEX, DOCKER_LIST, ""):
        contents = read_contents(document(mediaType=media_type, manifests=[part()]), "list")
        assert contents.is_list
        assert [it.digest for it in contents.manifests] == [ONE]
        assert contents.blobs == ()


def test_what_its_maker_keeps_elsewhere_is_no_blob() -> None:
    foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    layers = [part(ONE, foreign, urls=["https://example.com/x"]), part(TWO, foreign)]
    contents = read_contents(document(config=part(), layers=layers), "manifest")
    assert [it.digest for it in contents.blobs] == [ONE, TWO]  # the first as the configuration
    assert [it.is_elsewhere for it in contents.layers] == [True, False]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        document(schemaVersion=1),
        document(schemaVersion="2"),
        document(mediaType=7),
        document(mediaType=OCI_INDEX, layers=[]),
        document(mediaType=OCI_MANIFEST, manifests=[]),
        document(manifests=[], config=part()),
        document(manifests={"a": 1}),
        document(manifests=[7]),
        document(manifests=[{}]),
        document(manifests=[part("sha256:../../etc/passwd")]),
        document(manifests=[{**part(), "size": "3"}]),
        document(manifests=[{**part(), "size": -1}]),
        document(manifests=[part()] * 2001),
        document(layers=[part()] * 501),
        document(config=[]),
        document(config=part(), layers="x"),
        document(config=part(), layers=[part(annotations={"a": 1})]),
        document(config=part(), layers=[part(ONE, "x.foreign.y", urls=7)]),
        b'{"a":' * 100_000,
    ],
)
def test_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(PodError):
        read_contents(data, "manifest")


@pytest.mark.parametrize(
    ("beginning", "expected"),
    [
        (b"", "text/plain; charset=utf-8"),
        (b"hello\n", "text/plain; charset=utf-8"),
        (b"\x00\x01", "application/octet-stream"),
        (b"\x1f\x8b\x08\x00", "application/x-gzip"),
        (b"PK\x03\x04x", "application/zip"),
        (b"%PDF-1.7", "application/pdf"),
        (b"\n<!DOCTYPE html><p>", "text/html; charset=utf-8"),
        (b"\x89PNG\r\n\x1a\n", "image/png"),
    ],
)
def test_types_of_files(beginning: bytes, expected: str) -> None:
    assert artifact.type_of(beginning) == expected


@pytest.mark.parametrize("name", ["a", "a b", ".hidden", "...", "ä", "-x", "a\nb", "x" * 255])
def test_names_of_files(name: str) -> None:
    assert artifact.is_file_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "/", "a/", "/a", "a/b", "../a", "a\0", "ä" * 128, "\ud800"]
)
def test_names_that_are_none(name: str) -> None:
    assert not artifact.is_file_name(name)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "root"))


def files(store: Store, *titles: str | None) -> bytes:
    layers = []
    for number, title in enumerate(titles):
        annotations = {} if title is None else {artifact.TITLE: title}
        layers.append(part(store.blobs.add(f"{number}".encode()), annotations=annotations))
    return document(config=part(), layers=layers)


def test_nothing_is_written_for_one_bad_name(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for titles, error in (
        (("good", "../bad"), HostileName),
        (("good", "good"), TitleTaken),
    ):
        chosen = artifact.choose(files(store, *titles), "x")
        with pytest.raises(error):
            artifact.extract(store.blobs, chosen, str(out))
        assert os.listdir(out) == []


def test_file_without_a_name_has_its_digest(store: Store, tmp_path: Path) -> None:
    data = files(store, None, "two")
    written = artifact.extract(store.blobs, artifact.choose(data, "x"), str(tmp_path))
    names = [os.path.basename(path) for path in written]
    assert names[0].startswith("sha256-") and names[1] == "two"
    assert (tmp_path / names[0]).read_text() == "0"
    with pytest.raises(NoSuchFile):
        artifact.choose(data, "x", title="three")


def test_directory_in_the_way_is_no_defect(store: Store, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    with pytest.raises(OSError):
        artifact.extract(store.blobs, artifact.choose(files(store, "one"), "x"), str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == ["one", "root"]


def test_missing_fields_are_named() -> None:
    with pytest.raises(InvalidImage, match=r"'manifests\[0\].digest' must be a digest"):
        read_contents(document(manifests=[{"mediaType": "x", "size": 1}]), "list")
