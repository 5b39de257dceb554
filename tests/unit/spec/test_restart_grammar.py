from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base.errors import InvalidValue
from pod.spec.restart import (
    RestartPolicy,
    delay_seconds,
    parse_restart,
    should_restart,
    starts_at_boot,
)


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("", RestartPolicy()),
        ("no", RestartPolicy("no")),
        ("never", RestartPolicy("no")),
        ("always", RestartPolicy("always")),
        ("unless-stopped", RestartPolicy("unless-stopped")),
        ("on-failure", RestartPolicy("on-failure")),
        ("on-failure:3", RestartPolicy("on-failure", 3)),
        ("on-failure:0", RestartPolicy("on-failure")),
    ],
)
def test_policy_is_read(text: str, policy: RestartPolicy) -> None:
    assert parse_restart(text) == policy
    assert parse_restart(str(policy)) == policy


@pytest.mark.parametrize(
    "text",
    [
        "yes",
        "ALWAYS",
        "always:3",
        "no:",
        "on-failure:",
        "on-failure:-1",
        "on-failure:x",
        "on-failure:1:2",
    ],
)
def test_policy_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="--restart"):
        parse_restart(text)


@pytest.mark.parametrize(
    ("text", "exit_status", "restarts", "restarted"),
    [
        ("no", 1, 0, False),
        ("always", 0, 1000, True),
        ("unless-stopped", 0, 5, True),
        ("on-failure", 0, 0, False),
        ("on-failure", 1, 1000, True),
        ("on-failure:2", 1, 1, True),
        ("on-failure:2", 1, 2, False),
    ],
)
def test_policy_decides(text: str, exit_status: int, restarts: int, restarted: bool) -> None:
    policy = parse_restart(text)
    assert restarted == should_restart(
        policy, exit_status=exit_status, restarts=restarts, stopped_by_user=False
    )
    assert not should_restart(
        policy, exit_status=exit_status, restarts=restarts, stopped_by_user=True
    )


@pytest.mark.parametrize(
    ("text", "stopped", "starts"),
    [
        ("always", True, True),
        ("always", False, True),
        ("unless-stopped", False, True),
        ("unless-stopped", True, False),
        ("on-failure", False, False),
        ("no", False, False),
    ],
)
def test_policy_decides_at_boot(text: str, stopped: bool, starts: bool) -> None:
    assert starts_at_boot(parse_restart(text).name, stopped_by_user=stopped) == starts


def test_delay_doubles_up_to_a_minute() -> None:
    assert [delay_seconds(attempt) for attempt in range(4)] == [0.1, 0.2, 0.4, 0.8]
    assert delay_seconds(9) == pytest.approx(51.2)
    assert delay_seconds(10) == delay_seconds(10**9) == 60.0


def test_delay_and_window_of_compose_files() -> None:
    policy = RestartPolicy("always", 2, delay_ns=5 * 10**9, window_ns=3 * 10**9)
    assert [policy.delay_seconds(attempt) for attempt in (0, 9)] == [5, 5]
    assert [policy.is_steady(lasted) for lasted in (2.9, 3.1)] == [False, True]
    usual = RestartPolicy("always")
    assert [usual.delay_seconds(attempt) for attempt in (0, 1)] == [0.1, 0.2]
    assert [usual.is_steady(lasted) for lasted in (9.9, 10.1)] == [False, True]


def test_attempts_are_counted_whatever_the_status() -> None:
    policy = RestartPolicy("always", 2)
    found = [
        should_restart(policy, exit_status=0, restarts=restarts, stopped_by_user=False)
        for restarts in range(4)
    ]
    assert found == [True, True, False, False]


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_restart(text)
    except InvalidValue as error:
        assert error.message
