"""`docker-compose` as a name of pod: its words are those of `pod compose`."""

from __future__ import annotations

import pytest

from pod.cli import compose_program


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("up -d", "compose up -d"),
        ("-f a.yaml -p shop up --verbose", "compose -f a.yaml -p shop up --verbose"),
        ("--file=a.yaml ps", "compose --file=a.yaml ps"),
        ("-f - config", "compose -f - config"),
        ("--no-ansi --verbose ps -a", "--log-level=debug compose --ansi=never ps -a"),
        ("--log-level INFO -p a ps", "--log-level INFO compose -p a ps"),
        ("--root /x --env-file=e up", "--root /x compose --env-file=e up"),
        ("-v", "compose version"),
        ("--version", "compose version"),
        ("help", "compose --help"),
        ("help up", "compose up --help"),
        ("--help", "compose --help"),
        ("--what ps", "compose --what ps"),
        ("", "compose"),
    ],
)
def test_words(typed: str, meant: str) -> None:
    assert compose_program.words(typed.split()) == meant.split()


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("/usr/bin/docker-compose", True),
        ("docker-compose", True),
        ("podman-compose", True),
        ("/usr/bin/pod", False),
        ("my-compose", False),
    ],
)
def test_names(program: str, expected: bool) -> None:
    assert compose_program.is_called(program) == expected
