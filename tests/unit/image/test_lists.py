"""Lists as documents: what changes, what stays, what cannot be said in docker's format."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pod.base.errors import UsageError
from pod.image import lists
from pod.image.lists import Changes, NotInList
from pod.image.media_types import DOCKER_LIST, OCI_INDEX

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def entry(digest: str, **more: Any) -> dict[str, Any]:
    return {"mediaType": "application/x", "size": 1, "digest": digest, **more}


def docker(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"schemaVersion": 2, "mediaType": DOCKER_LIST, "manifests": list(entries)}


def test_entry_takes_the_place_of_one_with_its_digest() -> None:
    document = lists.empty({"a": "b"})
    for it in (entry(ONE), entry(TWO), entry(ONE, platform={"os": "linux"})):
        document = lists.with_entry(document, it)
    assert document["manifests"] == [entry(ONE, platform={"os": "linux"}), entry(TWO)]
    assert document["annotations"] == {"a": "b"}
    assert lists.without_entry(document, ONE, "x")["manifests"] == [entry(TWO)]
    with pytest.raises(NotInList, match="the list 'x' has no entry"):
        lists.without_entry(document, "sha256:" + "3" * 64, "x")


def test_only_what_is_named_changes() -> None:
    before = entry(ONE, platform={"os": "linux", "architecture": "arm", "x": 1}, other=[1])
    changes = Changes(architecture="arm64", os_features=("a",), annotations={"k": "v"})
    after = lists.changed(before, changes)
    assert after == {
        **before,
        "platform": {"os": "linux", "architecture": "arm64", "x": 1, "os.features": ["a"]},
        "annotations": {"k": "v"},
    }
    assert lists.changed(before, Changes()) == before
    assert lists.changed(entry(ONE, platform=7), Changes(os="x"))["platform"] == {"os": "x"}


@pytest.mark.parametrize("nothing", [{}, {"manifests": None}, {"manifests": []}])
def test_lists_without_entries(nothing: dict[str, Any]) -> None:
    assert lists.with_entry(nothing, entry(ONE))["manifests"] == [entry(ONE)]
    with pytest.raises(NotInList):
        lists.with_changes(nothing, ONE, Changes(os="x"), "x")


def test_docker_list_becomes_an_index_for_what_it_cannot_say() -> None:
    document = docker(entry(ONE))
    assert lists.with_entry(document, entry(TWO))["mediaType"] == DOCKER_LIST
    assert lists.with_annotations(document, {})["mediaType"] == DOCKER_LIST
    assert lists.with_annotations(document, {"a": "b"})["mediaType"] == OCI_INDEX
    assert lists.with_subject(document, entry(TWO))["mediaType"] == OCI_INDEX
    annotated = Changes(annotations={"a": "b"})
    assert lists.with_changes(document, ONE, annotated, "x")["mediaType"] == OCI_INDEX
    assert lists.with_entry(document, entry(TWO, artifactType="y"))["mediaType"] == OCI_INDEX


def test_formats() -> None:
    document = docker(entry(ONE))
    assert lists.as_format(document, DOCKER_LIST) is document
    there = lists.as_format(document, OCI_INDEX)
    assert lists.as_format(there, DOCKER_LIST) == document
    with pytest.raises(UsageError, match="cannot have 'annotations'"):
        lists.as_format(lists.with_annotations(there, {"a": "b"}), DOCKER_LIST)


def test_annotations_are_read() -> None:
    assert lists.parse_annotations(["a=b=c", "d="], "--x") == {"a": "b=c", "d": ""}
    for text in ("a", "=b", ""):
        with pytest.raises(UsageError, match="KEY=VALUE is expected"):
            lists.parse_annotations([text], "--x")


def test_bytes_are_json() -> None:
    document = lists.with_entry(lists.empty(), entry(ONE))
    assert json.loads(lists.to_bytes(document)) == document
