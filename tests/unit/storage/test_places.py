"""What is known of repositories and of compressed layers."""

from __future__ import annotations

from pathlib import Path

import pytest

from storage.places import Packed, Places

DIGEST = "sha256:" + "1" * 64


def test_repositories_of_one_registry_the_latest_first(tmp_path: Path) -> None:
    places = Places(f"{tmp_path}/places.json")
    for name in (
        "a.example/x",
        "b.example/y",
        "a.example/team/z",
        "a.example.org/no",
        "a.example/x",
    ):
        places.add([DIGEST], name)
    places.keep()
    known = Places(f"{tmp_path}/places.json")
    assert known.repositories(DIGEST, "a.example") == ("x", "team/z")
    assert known.repositories(DIGEST, "c.example") == ()
    assert known.repositories("sha256:" + "2" * 64, "a.example") == ()


def test_only_the_latest_are_kept(tmp_path: Path) -> None:
    places = Places(f"{tmp_path}/places.json")
    for number in range(20):
        places.add([DIGEST], f"a.example/{number}")
    for number in range(4100):
        places.add([f"sha256:{number:064x}"], "a.example/many")
    places.keep()
    assert places.repositories(DIGEST, "a.example") == ()
    assert places.repositories(f"sha256:{4099:064x}", "a.example") == ("many",)
    places.add([DIGEST], "a.example/x")
    places.keep()
    assert places.repositories(DIGEST, "a.example") == ("x",)


def test_two_writers_lose_nothing_in_turn(tmp_path: Path) -> None:
    one, two = (Places(f"{tmp_path}/places.json") for _ in range(2))
    assert one.packed(DIGEST, "gzip:6") is None
    one.add_packed(DIGEST, "gzip:6", Packed("sha256:x", 7, {"a": "b"}))
    two.add([DIGEST], "a.example/x")
    one.keep()
    two.keep()
    known = Places(f"{tmp_path}/places.json")
    assert known.packed(DIGEST, "gzip:6") == Packed("sha256:x", 7, {"a": "b"})
    assert known.packed(DIGEST, "gzip:9") is None
    assert known.repositories(DIGEST, "a.example") == ("x",)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"version": 99, "places": []}'])
def test_a_file_of_no_use_is_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "places.json"
    path.write_text(content)
    places = Places(str(path))
    assert places.repositories(DIGEST, "a.example") == ()
    places.add([DIGEST], "a.example/x")
    places.keep()
    assert Places(str(path)).repositories(DIGEST, "a.example") == ("x",)


def test_a_place_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    places = Places(f"{tmp_path}/no/such/places.json")
    places.add([DIGEST], "a.example/x")
    places.keep()
    assert places.repositories(DIGEST, "a.example") == ("x",)
