"""Digests: what is accepted, and what is refused with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from pod.spec.digest import InvalidDigest, algorithm_of, hex_of, is_digest, parse_digest

SHA256 = "sha256:" + "0123456789abcdef" * 4
SHA512 = "sha512:" + "0123456789abcdef" * 8


@pytest.mark.parametrize("text", [SHA256, SHA512])
def test_digest_is_returned_as_it_is(text: str) -> None:
    assert parse_digest(text) == text
    assert is_digest(text)
    assert f"{algorithm_of(text)}:{hex_of(text)}" == text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param(SHA256[7:], id="without algorithm"),
        pytest.param("sha256:", id="without digits"),
        pytest.param(SHA256[:-1], id="too short"),
        pytest.param(SHA256 + "0", id="too long"),
        pytest.param(SHA256.upper(), id="upper case"),
        pytest.param("SHA256" + SHA256[6:], id="upper-case algorithm"),
        pytest.param("md5:" + "0" * 32, id="unknown algorithm"),
        pytest.param("sha256:" + "g" * 64, id="not hexadecimal"),
        pytest.param("sha256:" + "../" * 21 + "a", id="a path"),
        pytest.param(SHA256 + "\n", id="line end"),
        pytest.param("sha256:" + "\u0660" * 64, id="other digits"),
        pytest.param(None, id="nothing"),
        pytest.param(17, id="a number"),
        pytest.param({"sha256": "0"}, id="a dictionary"),
    ],
)
def test_everything_else_is_refused(text: Any) -> None:
    with pytest.raises(InvalidDigest):
        parse_digest(text)
