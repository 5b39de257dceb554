"""Images made by the tests are what other tools take for images."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
from pathlib import Path

import pytest

from tests.support.engine import TREE
from tests.support.images import write_difference
from tests.support.layout import Entry, Layout, directory, layer_tar, symlink


def names(path: Path | str) -> dict[str, str]:
    with tarfile.open(path) as archive:
        return {member.name: member.type.decode() for member in archive}


def test_digests_depend_on_the_content_alone(tmp_path: Path) -> None:
    digests = set()
    for place in ("a", "b"):
        layout = Layout(str(tmp_path / place))
        digests.add(
            layout.add_image([layout.add_layer(layer_tar([Entry("file", b"text")]))]).digest
        )
    assert len(digests) == 1


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_a_layer_comes_back_as_it_was(tmp_path: Path, compression: str) -> None:
    layout, data = Layout(str(tmp_path)), layer_tar([Entry("file", b"x" * 100_000)])
    descriptor, diff_id = layout.add_layer(data, compression)
    image = layout.add_image([(descriptor, diff_id)])
    with image.open_layer(0) as stream:
        assert stream.read() == data
    blob = layout.blob(descriptor["digest"])
    assert diff_id == "sha256:" + hashlib.sha256(data).hexdigest()
    assert descriptor["digest"] == "sha256:" + hashlib.sha256(blob).hexdigest()
    assert descriptor["size"] == len(blob)
    if compression == "gzip":
        assert gzip.decompress(blob) == data


def test_docker_archive_has_plain_layers_and_tags(tmp_path: Path) -> None:
    layout = Layout(str(tmp_path / "layout"))
    image = layout.add_image(
        [layout.add_layer(layer_tar([Entry("file", b"text")]))], {"Cmd": ["sh"]}
    )
    path = image.docker_archive(str(tmp_path / "it.tar"), ["docker.io/library/it:latest"])
    with tarfile.open(path) as archive:
        file = archive.extractfile("manifest.json")
        assert file is not None
        (entry,) = json.load(file)
        assert entry["RepoTags"] == ["docker.io/library/it:latest"]
        layer = archive.extractfile(entry["Layers"][0])
        assert layer is not None
        with tarfile.open(fileobj=io.BytesIO(layer.read())) as inner:
            assert inner.getnames() == ["file"]


def test_difference_of_two_trees_is_a_layer_with_whiteouts(tmp_path: Path) -> None:
    below = [
        directory("kept"),
        directory("gone"),
        Entry("gone/inner"),
        Entry("same", b"1"),
        Entry("old", b"1"),
    ]
    above = [directory("kept"), Entry("same", b"1"), Entry("old", b"2"), symlink("new", "old")]
    (tmp_path / "above.tar").write_bytes(layer_tar(above))
    out = str(tmp_path / "out.tar")
    write_difference(io.BytesIO(layer_tar(below)), str(tmp_path / "above.tar"), out)
    assert set(names(out)) == {"old", "new", ".wh.gone"}


def test_images_that_take_minutes_are_made_before_the_tests() -> None:
    """In the minute and a half that a test has, a distribution cannot be fetched and unpacked."""
    tests = Path(TREE, "tests")
    texts = [
        path.read_text()
        for name in ("e2e", "integration")
        for path in tests.glob(f"{name}/**/*.py")
    ]
    used = {
        name for text in texts for name in re.findall(r'(?:\.have|images\.image)\("(\w+)"\)', text)
    }
    made = re.findall(r"tests\.support\.images (.+)", Path(TREE, "check").read_text())[0].split()
    assert used and used <= set(made)
