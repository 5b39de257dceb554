from __future__ import annotations

import pytest

from pod.base import ids


def test_ids_are_64_digits_and_differ() -> None:
    made = {ids.new_id() for _ in range(100)}
    assert len(made) == 100
    assert all(len(one) == 64 and ids.looks_like_id(one) for one in made)


@pytest.mark.parametrize(
    ("full", "short"),
    [
        ("0123456789abcdef" * 4, "0123456789ab"),
        ("sha256:" + "0123456789abcdef" * 4, "0123456789ab"),
        ("abc", "abc"),
    ],
)
def test_short_is_the_first_12_digits(full: str, short: str) -> None:
    assert ids.short(full) == short


@pytest.mark.parametrize(
    ("text", "can_be"),
    [("a", True), ("f" * 64, True), ("", False), ("f" * 65, False), ("A", False), ("xyz", False)],
)
def test_looks_like_id(text: str, can_be: bool) -> None:
    assert ids.looks_like_id(text) is can_be


def test_random_names_are_valid_names_and_never_ids() -> None:
    names = {ids.random_name() for _ in range(500)}
    assert len(names) > 300
    for name in names:
        adjective, noun = name.split("_")
        assert adjective.isalpha() and noun.isalpha() and name.islower()
        assert not ids.looks_like_id(name)
