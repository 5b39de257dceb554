"""Manifests and indexes from strangers: what is read, what is refused, and that nothing else happens."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base.errors import PodError
from pod.image import manifest, media_types
from pod.image.document import InvalidImage
from pod.image.manifest import Index, Manifest, NoSuchPlatform, NotAnImage, SchemaOneManifest
from pod.image.platform import Platform, parse_platform

WHAT = "manifest of 'x'"


def digest(number: int) -> str:
    return f"sha256:{number:064x}"


def descriptor(
    number: int, media_type: str = media_types.OCI_LAYER_GZIP, **more: Any
) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest(number), "size": 10 + number, **more}


def image(**changes: Any) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_MANIFEST,
        "config": descriptor(1, media_types.OCI_CONFIG),
        "layers": [descriptor(2), descriptor(3)],
        **changes,
    }


def index(*platforms: str, **changes: Any) -> dict[str, Any]:
    entries = []
    for number, text in enumerate(platforms):
        entry = descriptor(number, media_types.OCI_MANIFEST)
        if text:
            parts = text.split("/")
            entry["platform"] = dict(zip(("os", "architecture", "variant"), parts, strict=False))
        entries.append(entry)
    return {"schemaVersion": 2, "mediaType": media_types.OCI_INDEX, "manifests": entries, **changes}


def parse(document: Any, declared: str = "") -> Manifest | Index:
    return manifest.parse_manifest(json.dumps(document).encode(), WHAT, declared)


@pytest.mark.parametrize(
    ("own", "declared", "media_type"),
    [
        (media_types.OCI_MANIFEST, "", media_types.OCI_MANIFEST),
        (media_types.DOCKER_MANIFEST, media_types.DOCKER_MANIFEST, media_types.DOCKER_MANIFEST),
        (media_types.OCI_MANIFEST, "application/json; charset=utf-8", media_types.OCI_MANIFEST),
        (None, media_types.DOCKER_MANIFEST, media_types.DOCKER_MANIFEST),
        (None, "text/plain", media_types.OCI_MANIFEST),
        (None, media_types.OCI_MANIFEST.upper(), media_types.OCI_MANIFEST),
    ],
)
def test_media_type_of_an_image(own: str | None, declared: str, media_type: str) -> None:
    parsed = parse(image(mediaType=own), declared)
    assert isinstance(parsed, Manifest)
    assert parsed.media_type == media_type
    assert [layer.digest for layer in parsed.layers] == [digest(2), digest(3)]
    assert parsed.config.size == 11


@pytest.mark.parametrize("own", [media_types.OCI_INDEX, media_types.DOCKER_LIST, None])
def test_index(own: str | None) -> None:
    parsed = parse(index("linux/amd64", "linux/arm/v7", mediaType=own))
    assert isinstance(parsed, Index)
    assert parsed.manifests[1].platform == Platform("linux", "arm", "v7")


@pytest.mark.parametrize(
    ("document", "why"),
    [
        pytest.param([], "not a JSON object", id="list"),
        pytest.param({}, "'schemaVersion' must be 2, not missing", id="empty"),
        pytest.param(image(schemaVersion="2"), "'schemaVersion' must be", id="version as text"),
        pytest.param(image(schemaVersion=True), "'schemaVersion' must be", id="version is true"),
        pytest.param(image(config=None), "'config.digest' must be a digest", id="no config"),
        pytest.param(image(config=[1]), "'config' must be an object", id="config is a list"),
        pytest.param(image(layers={}), "'layers' must be a list", id="layers are an object"),
        pytest.param(image(layers=["x"]), "'layers[0]' must be an object", id="layer is text"),
        pytest.param(
            image(layers=[descriptor(1), {**descriptor(2), "size": -1}]),
            "'layers[1].size' must be a size in bytes, not -1",
            id="negative size",
        ),
        pytest.param(
            image(layers=[{**descriptor(2), "size": 1.5}]), "'layers[0].size'", id="broken size"
        ),
        pytest.param(
            image(layers=[{**descriptor(2), "size": 2**70}]), "'layers[0].size'", id="huge size"
        ),
        pytest.param(
            image(layers=[{**descriptor(2), "digest": "sha256:../../etc"}]),
            "'layers[0].digest' must be a digest",
            id="path as digest",
        ),
        pytest.param(
            image(layers=[descriptor(1)] * 501), "501 entries, and 500 are the most", id="layers"
        ),
        pytest.param(
            image(layers=[descriptor(1, media_types.OCI_LAYER_GZIP + "+encrypted")]),
            "encrypted",
            id="encrypted",
        ),
        pytest.param(
            image(layers=[descriptor(1, "application/vnd.in-toto+json")]),
            "unknown type 'application/vnd.in-toto+json'",
            id="attestation",
        ),
        pytest.param(image(manifests=[]), "a list and an image at once", id="ambiguous"),
        pytest.param(image(mediaType=7), "'mediaType' must be text", id="media type is a number"),
        pytest.param(index(manifests="x"), "'manifests' must be a list", id="manifests are text"),
        pytest.param(
            index(manifests=[{**descriptor(1), "platform": "linux"}]),
            "'manifests[0].platform' must be an object",
            id="platform is text",
        ),
    ],
)
def test_errors_name_the_field(document: Any, why: str) -> None:
    with pytest.raises(InvalidImage) as error:
        parse(document)
    assert why in error.value.message
    assert WHAT in error.value.message


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"schemaVersion":' + b"9" * 5000 + b"}", b"null"],
    ids=["empty", "cut", "not text", "deep", "long number", "null"],
)
def test_what_is_not_json_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidImage):
        manifest.parse_manifest(data, WHAT)


@pytest.mark.parametrize(
    ("document", "declared"),
    [(image(), media_types.OCI_INDEX), (index(), media_types.DOCKER_MANIFEST)],
)
@pytest.mark.parametrize("strip", [True, False])
def test_one_digest_never_has_two_meanings(
    document: dict[str, Any], declared: str, strip: bool
) -> None:
    if strip:
        document = {key: value for key, value in document.items() if key != "mediaType"}
    with pytest.raises(InvalidImage, match="it came as"):
        parse(document, declared)


@pytest.mark.parametrize("document", [{"schemaVersion": 1}, {"mediaType": manifest._SCHEMA_1[1]}])
def test_schema_1_is_refused_by_name(document: dict[str, Any]) -> None:
    with pytest.raises(SchemaOneManifest, match="obsolete schema 1"):
        parse(document)


def test_artifact_is_no_image() -> None:
    with pytest.raises(NotAnImage, match="vnd\\.example\\.chart"):
        parse(image(config=descriptor(1, "application/vnd.example.chart")))
    with pytest.raises(NotAnImage, match="'application/x-thing'"):
        parse(image(mediaType="application/x-thing"))


@pytest.mark.parametrize(
    ("wanted", "platforms", "chosen"),
    [
        ("linux/amd64", ["linux/arm64", "linux/amd64"], 1),
        ("linux/amd64", ["linux/amd64", "linux/amd64"], 0),
        ("linux/arm/v7", ["linux/arm/v5", "linux/arm/v6", "linux/arm64"], 1),
        ("linux/arm64", ["linux/arm/v7", "linux/arm64/v8"], 1),
        ("linux/amd64", ["", "linux/amd64"], 1),
        ("linux/amd64", ["linux/arm64", ""], 1),
    ],
)
def test_choice(wanted: str, platforms: list[str], chosen: int) -> None:
    parsed = parse(index(*platforms))
    assert isinstance(parsed, Index)
    assert manifest.choose(parsed, parse_platform(wanted), WHAT).digest == digest(chosen)


def test_missing_platform_lists_what_there_is() -> None:
    parsed = parse(index("linux/arm64/v8", "linux/s390x", "unknown/unknown"))
    assert isinstance(parsed, Index)
    with pytest.raises(NoSuchPlatform) as error:
        manifest.choose(parsed, parse_platform("linux/amd64"), WHAT)
    assert "no image for linux/amd64; it has linux/arm64/v8, linux/s390x" in error.value.message
    assert error.value.hint == "--platform linux/arm64/v8"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                "schemaVersion mediaType config layers manifests digest size platform os".split()
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=30,
)


@given(st.sampled_from([image(), index("linux/amd64")]), st.data())
def test_hostile_documents_are_read_or_refused(base: dict[str, Any], data: st.DataObject) -> None:
    document = dict(base)
    for key in data.draw(st.lists(st.sampled_from(sorted(document)), max_size=2)):
        document[key] = data.draw(JSON)
    try:
        parse(document, data.draw(st.sampled_from(["", "text/plain", *media_types.ACCEPTED])))
    except PodError as error:
        assert error.message


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with pytest.raises(PodError):
        manifest.parse_manifest(data, WHAT)
