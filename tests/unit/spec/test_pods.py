"""The grammars of pods' options, and the state of a pod by those of its containers."""

from __future__ import annotations

import pytest

from pod.base.errors import InvalidValue
from pod.spec.pods import parse_exit_policy, parse_init_kind, parse_share, state_of


@pytest.mark.parametrize(
    ("text", "shared"),
    [
        ("ipc,net,uts", ("ipc", "net", "uts")),
        ("net", ("net",)),
        ("net,net", ("net",)),
        ("+pid", ("ipc", "net", "uts", "pid")),
        ("+net", ("ipc", "net", "uts")),
        ("none", ()),
        ("", ()),
        (" net, uts", ("net", "uts")),
    ],
)
def test_share(text: str, shared: tuple[str, ...]) -> None:
    assert parse_share(text) == shared


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_share, "mnt"),
        (parse_share, "-pid"),
        (parse_exit_policy, "end"),
        (parse_init_kind, ""),
    ],
)
def test_other_words_are_refused(parse: object, text: str) -> None:
    with pytest.raises(InvalidValue):
        parse(text)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("states", "state"),
    [
        ("", "Created"),
        ("created created", "Created"),
        ("initialized created", "Created"),
        ("running running", "Running"),
        ("running restarting", "Running"),
        ("running exited", "Degraded"),
        ("running created", "Degraded"),
        ("running paused", "Degraded"),
        ("paused paused", "Paused"),
        ("paused exited", "Stopped"),
        ("exited exited", "Exited"),
        ("exited created", "Stopped"),
    ],
)
def test_state(states: str, state: str) -> None:
    assert state_of(states.split()) == state
