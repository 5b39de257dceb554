"""Which layers a push compresses, and what the manifest says of them."""

from __future__ import annotations

import json

import pytest

from pod.base.errors import UsageError
from pod.image import manifest, media_types, packing
from pod.image.manifest import Descriptor, Manifest
from pod.image.packing import CHUNKED, DOCKER, GZIP, NONE, OCI, ZSTD, Packing
from storage import chunked
from storage.places import Packed

DIGEST = "sha256:" + "1" * 64


def layer(compression: str, family: str = OCI) -> Descriptor:
    annotations = {chunked.CHECKSUM: "x", "mine": "y"} if compression == CHUNKED else {}
    media_type = packing.layer_type(compression, family)
    return Descriptor(media_type, DIGEST, 7, annotations=annotations)


def image(*layers: Descriptor, family: str = OCI) -> Manifest:
    docker = family == DOCKER
    return Manifest(
        media_types.DOCKER_MANIFEST if docker else media_types.OCI_MANIFEST,
        Descriptor(media_types.DOCKER_CONFIG if docker else media_types.OCI_CONFIG, DIGEST, 3),
        layers,
        {} if docker else {"of": "the image"},
    )


@pytest.mark.parametrize(
    ("asked", "has", "family", "becomes"),
    [
        pytest.param({}, GZIP, OCI, "", id="compressed stays"),
        pytest.param({}, ZSTD, OCI, "", id="zstd stays"),
        pytest.param({}, NONE, OCI, GZIP, id="plain is compressed"),
        pytest.param({"usual": ZSTD}, NONE, OCI, ZSTD, id="as configured"),
        pytest.param({"usual": ZSTD}, NONE, DOCKER, GZIP, id="as docker can"),
        pytest.param({"usual": ""}, NONE, OCI, "", id="plain stays"),
        pytest.param({"usual": ""}, ZSTD, DOCKER, NONE, id="docker has no zstd"),
        pytest.param({}, ZSTD, DOCKER, GZIP, id="gzip in its place"),
        pytest.param({"compression": GZIP}, GZIP, OCI, "", id="already gzip"),
        pytest.param({"compression": GZIP}, ZSTD, OCI, GZIP, id="gzip"),
        pytest.param({"compression": ZSTD}, CHUNKED, OCI, "", id="chunked is zstd"),
        pytest.param({"compression": CHUNKED}, ZSTD, OCI, CHUNKED, id="zstd is not chunked"),
        pytest.param({"compression": NONE}, GZIP, OCI, NONE, id="none"),
        pytest.param({"compression": NONE}, NONE, OCI, "", id="none already"),
    ],
)
def test_what_layers_become(asked: dict[str, str], has: str, family: str, becomes: str) -> None:
    assert Packing(**asked).compression_for(layer(has), family) == becomes


@pytest.mark.parametrize(
    ("asked", "own", "family"),
    [
        ({}, OCI, OCI),
        ({}, DOCKER, DOCKER),
        ({"family": OCI}, DOCKER, OCI),
        ({"family": DOCKER}, OCI, DOCKER),
        ({"compression": ZSTD}, DOCKER, OCI),
        ({"compression": GZIP}, DOCKER, DOCKER),
        ({"usual": ZSTD}, DOCKER, DOCKER),
    ],
)
def test_family(asked: dict[str, str], own: str, family: str) -> None:
    assert Packing(**asked).family_for(image(family=own)) == family


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Packing(compression=ZSTD, family=DOCKER), "zstd"),
        (Packing(level=10), "from 1 to 9"),
        (Packing(compression=ZSTD, level=23), "from 1 to 22"),
        (Packing(compression=NONE, level=1), "none"),
    ],
)
def test_what_makes_no_sense(wrong: Packing, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        packing.check(wrong)


def test_manifest_in_other_words_and_back() -> None:
    """Nothing but the family changes, and annotations, which Docker's has not."""
    plain = image(layer(GZIP), layer(NONE))
    data, media_type = packing.rewritten(plain, plain.layers, DOCKER)
    docker = manifest.parse_manifest(data, "manifest", media_type)
    assert isinstance(docker, Manifest)
    assert docker == image(layer(GZIP, DOCKER), layer(NONE, DOCKER), family=DOCKER)
    data, media_type = packing.rewritten(docker, docker.layers, OCI)
    assert manifest.parse_manifest(data, "manifest", media_type) == plain.replace(annotations={})


def test_annotations_of_a_layer() -> None:
    """Those that tell of its old compression go."""
    packed = Packed(DIGEST, 5, {})
    became = packing.packed_layer(layer(CHUNKED), packed, GZIP, OCI)
    data, _ = packing.rewritten(image(layer(CHUNKED)), [became], OCI)
    document = json.loads(data)
    assert document["layers"][0]["annotations"] == {"mine": "y"}
    assert document["annotations"] == {"of": "the image"}
    packed = Packed(DIGEST, 5, {chunked.CHECKSUM: "z"})
    became = packing.packed_layer(layer(GZIP), packed, CHUNKED, OCI)
    assert packing.compression_of(became) == CHUNKED
