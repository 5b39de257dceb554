"""The grammar of the health options, the image's defaults under them, and what follows from results."""

from __future__ import annotations

from typing import Any

import pytest

from pod.base.errors import InvalidValue, UsageError
from pod.spec import health as rules
from pod.spec import health_option as grammar
from pod.spec.health import HealthConfig, StartupCheck, complete

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ("curl -f localhost || exit 1", ("CMD-SHELL", "curl -f localhost || exit 1")),
        ("true", ("CMD-SHELL", "true")),
        ("CMD curl -f localhost", ("CMD", "curl", "-f", "localhost")),
        ("CMD-SHELL curl -f  localhost", ("CMD-SHELL", "curl -f  localhost")),
        ('["CMD", "curl", "a b"]', ("CMD", "curl", "a b")),
        ('["CMD-SHELL", "ls | wc"]', ("CMD-SHELL", "ls | wc")),
        ('["ls", "/tmp"]', ("CMD", "ls", "/tmp")),
        ('["ls /tmp"]', ("CMD-SHELL", "ls /tmp")),
        ("[ -e /tmp/ready ]", ("CMD-SHELL", "[ -e /tmp/ready ]")),
        ("none", ("NONE",)),
        ('["NONE"]', ("NONE",)),
    ],
)
def test_command_is_read(text: str, test: tuple[str, ...]) -> None:
    assert grammar.parse_command(text, "--health-cmd") == test


@pytest.mark.parametrize("text", ["", " ", "CMD", "[]", "[1]", '["CMD"]', '["CMD-SHELL", " "]'])
def test_command_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="--health-cmd"):
        grammar.parse_command(text, "--health-cmd")


def test_what_is_executed() -> None:
    assert rules.arguments(("CMD", "ls", "x")) == ("ls", "x")
    assert rules.arguments(("CMD-SHELL", "ls | wc")) == ("/bin/sh", "-c", "ls | wc")


def test_interval_can_be_disabled() -> None:
    assert grammar.parse_interval("disable", "--health-interval") == 0
    assert grammar.parse_interval("1m30s", "--health-interval") == 90 * SECOND
    with pytest.raises(InvalidValue, match="--health-interval"):
        grammar.parse_interval("never", "--health-interval")
    with pytest.raises(InvalidValue, match="--health-timeout"):
        grammar.parse_timeout("0", "--health-timeout")


IMAGE = {"Test": ["CMD", "check"], "Interval": 7 * SECOND, "Retries": 9}


def test_image_fills_what_was_not_said() -> None:
    config = complete(HealthConfig(timeout_ns=SECOND), IMAGE)
    assert config is not None
    assert config.test == ("CMD", "check")
    assert (config.interval_ns, config.timeout_ns, config.retries) == (7 * SECOND, SECOND, 9)
    assert complete(None, IMAGE) == complete(HealthConfig(), IMAGE)
    alone = complete(HealthConfig(test=("CMD", "own")), None)
    assert alone is not None
    assert (alone.interval_ns, alone.timeout_ns, alone.retries) == (30 * SECOND, 30 * SECOND, 3)


def test_a_disabled_interval_is_not_filled() -> None:
    config = complete(HealthConfig(interval_ns=0), IMAGE)
    assert config is not None and config.interval_ns == 0


def test_none_is_none_whatever_the_image_says() -> None:
    config = complete(HealthConfig(test=("NONE",)), IMAGE)
    assert config is not None and not config.is_active
    assert complete(None, None) is None
    assert complete(HealthConfig(retries=1), {}) is None


@pytest.mark.parametrize(
    "asked",
    [
        HealthConfig(on_failure="kill"),
        HealthConfig(startup=StartupCheck(("CMD", "y"))),
        HealthConfig(test=("NONE",), on_failure="stop"),
    ],
)
def test_what_follows_from_checks_needs_one(asked: HealthConfig) -> None:
    with pytest.raises(UsageError, match="--health-cmd"):
        complete(asked, None)


def test_configuration_survives_being_stored() -> None:
    config = HealthConfig(test=("CMD", "x"), startup=StartupCheck(("CMD", "y"), retries=2))
    assert HealthConfig.from_json(config.to_json()) == config


# What follows from results


class Run:
    """A container whose checks have results."""

    def __init__(self, **config: Any) -> None:
        completed = complete(HealthConfig(test=("CMD", "x"), **config), None)
        assert completed is not None
        self.config = completed
        self.health = rules.fresh([], pid_started=1, now_ns=0)

    def result(self, status: int, *, at: float = 0.0) -> tuple[str, int]:
        entry = {"Start": "", "End": "", "ExitCode": status, "Output": ""}
        self.health, verdict = rules.after(self.config, self.health, entry, now_ns=int(at * SECOND))
        return self.health["status"], verdict

    def next(self, *, at: float = 0.0) -> int | None:
        settings = self.config.to_json()
        return rules.next_check_ns(settings, self.health, now_ns=int(at * SECOND))


def test_failures_in_a_row_count() -> None:
    run = Run(retries=2)
    assert run.result(1) == ("starting", rules.NOTHING)
    assert run.result(0) == ("healthy", rules.NOTHING)
    assert run.result(1) == ("healthy", rules.NOTHING)
    assert run.result(-1) == ("unhealthy", rules.ON_FAILURE)
    assert run.health["failing_streak"] == 2
    assert run.result(0) == ("healthy", rules.NOTHING)
    assert run.health["failing_streak"] == 0


def test_failures_in_the_start_period_do_not_count() -> None:
    run = Run(retries=1, start_period_ns=10 * SECOND)
    assert run.result(1, at=9) == ("starting", rules.NOTHING)
    assert run.result(1, at=11) == ("unhealthy", rules.ON_FAILURE)


def test_a_success_in_the_start_period_is_one() -> None:
    run = Run(retries=1, start_period_ns=10 * SECOND)
    assert run.result(0, at=1) == ("healthy", rules.NOTHING)


def test_checks_are_more_frequent_in_the_start_period() -> None:
    run = Run(start_period_ns=10 * SECOND, start_interval_ns=SECOND)
    assert run.next(at=1) == SECOND
    assert run.next(at=11) == 30 * SECOND
    run.result(0, at=2)
    assert run.next(at=3) == 30 * SECOND


def test_log_keeps_the_last() -> None:
    run = Run(max_log_count=2)
    for status in (1, 2, 3):
        run.result(status)
    assert [entry["ExitCode"] for entry in run.health["log"]] == [2, 3]
    unlimited = Run(max_log_count=0)
    for _ in range(20):
        unlimited.result(0)
    assert len(unlimited.health["log"]) == 20


def test_startup_check_comes_first() -> None:
    startup = StartupCheck(("CMD", "y"), interval_ns=SECOND, retries=2, successes=2)
    run = Run(startup=startup, retries=1)
    assert rules.is_startup(run.config, run.health)
    assert run.result(1) == ("starting", rules.NOTHING)
    assert run.result(0) == ("starting", rules.NOTHING)
    assert run.next() == SECOND
    assert run.result(1) == ("starting", rules.NOTHING)
    assert run.result(1) == ("starting", rules.RESTART)
    run.result(0)
    run.result(0)
    assert not rules.is_startup(run.config, run.health)
    assert run.next() == 30 * SECOND
    assert run.result(0) == ("healthy", rules.NOTHING)


def test_no_check_follows_by_itself_when_disabled() -> None:
    assert Run(interval_ns=0).next() is None
