"""Platforms: spelling and what runs on what."""

from __future__ import annotations

import pytest

from pod.base.errors import InvalidValue
from pod.image.platform import Platform, host_platform, parse_platform, platform_of


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", Platform("linux", "amd64")),
        ("linux/arm/v7", Platform("linux", "arm", "v7")),
        ("linux/arm/7", Platform("linux", "arm", "v7")),
        ("linux/aarch64", Platform("linux", "arm64", "v8")),
        ("Linux/X86_64", Platform("linux", "amd64")),
        ("amd64", Platform("linux", "amd64")),
        ("arm/v6", Platform("linux", "arm", "v6")),
        ("windows/amd64", Platform("windows", "amd64")),
        ("linux", host_platform()),
    ],
)
def test_spellings(text: str, platform: Platform) -> None:
    assert parse_platform(text) == platform


@pytest.mark.parametrize("text", ["", "/", "linux/", "a/b/c/d", "linux/a b", "linux//v7"])
def test_bad_spellings(text: str) -> None:
    with pytest.raises(InvalidValue):
        parse_platform(text)


def test_missing_words_are_the_hosts() -> None:
    assert platform_of("", "") == host_platform()
    assert platform_of("", "", "v9").architecture == host_platform().architecture


@pytest.mark.parametrize(
    ("wanted", "offered", "better"),
    [
        ("linux/arm/v7", "linux/arm/v6", "linux/arm/v7"),
        ("linux/arm/v8", "linux/arm/v6", "linux/arm/v7"),
        ("linux/arm64/v8", "linux/arm64", "linux/arm64/v8"),
        ("linux/amd64/v3", "linux/amd64", "linux/amd64/v2"),
        ("linux/arm", "linux/arm/v5", "linux/arm/v7"),
    ],
)
def test_the_nearest_variant_is_better(wanted: str, offered: str, better: str) -> None:
    first = parse_platform(wanted).rank_of(_exact(better))
    second = parse_platform(wanted).rank_of(_exact(offered))
    assert first is not None
    assert second is not None
    assert first < second


@pytest.mark.parametrize(
    ("wanted", "offered"),
    [
        ("linux/amd64", "linux/arm64"),
        ("linux/amd64", "windows/amd64"),
        ("linux/arm/v6", "linux/arm/v7"),
        ("linux/amd64", "linux/amd64/v3"),
        ("linux/riscv64", "linux/riscv64/odd"),
    ],
)
def test_what_does_not_run(wanted: str, offered: str) -> None:
    assert parse_platform(wanted).rank_of(_exact(offered)) is None


def _exact(text: str) -> Platform:
    return Platform(*text.split("/"))
