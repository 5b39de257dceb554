"""Sizes, ages and times in podman's words."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base import times
from pod.cli import human

SECOND = 1_000_000_000


@pytest.fixture
def berlin() -> Iterator[None]:
    before = os.environ.get("TZ")
    os.environ["TZ"] = "CET-1CEST,M3.5.0,M10.5.0/3"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (42_051, "42.1 kB"),
        (144_000, "144 kB"),
        (999_499, "999 kB"),
        (999_999, "1 MB"),
        (1_234_567_890, "1.23 GB"),
        (5 * 10**15, "5 PB"),
        (10**30, "1e+06 YB"),
    ],
)
def test_size_with_three_digits(number: int, text: str) -> None:
    assert human.size(number) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0B"), (35_700, "35.7kB"), (1_234_567, "1.235MB"), (999_999, "1MB")]
)
def test_size_as_ps_has_it(number: int, text: str) -> None:
    assert human.size(number, digits=4, space=False) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "Less than a second"),
        (0.99, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (119, "About a minute"),
        (120, "2 minutes"),
        (59 * 60, "59 minutes"),
        (60 * 60, "About an hour"),
        (90 * 60, "2 hours"),
        (47 * 3600, "47 hours"),
        (48 * 3600, "2 days"),
        (13 * 86400, "13 days"),
        (14 * 86400, "2 weeks"),
        (59 * 86400, "8 weeks"),
        (60 * 86400, "2 months"),
        (729 * 86400, "24 months"),
        (730 * 86400, "2 years"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert human.duration(seconds) == text


def test_age_is_never_in_the_future() -> None:
    assert human.ago(10 * SECOND, 5 * SECOND) == "Less than a second ago"
    assert human.ago(0, 120 * SECOND) == "2 minutes ago"


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_500, "1.5µs"),
        (250_000_000, "250ms"),
        (1_500_000_000, "1.5s"),
        (30 * SECOND, "30s"),
        (90 * SECOND, "1m30s"),
        (3600 * SECOND, "1h0m0s"),
        (5_400 * SECOND + 5_000_000, "1h30m0.005s"),
        (-30 * SECOND, "-30s"),
    ],
)
def test_durations_in_gos_notation(length: int, text: str) -> None:
    assert human.go_duration(length) == text


@pytest.mark.usefixtures("berlin")
@pytest.mark.parametrize(
    ("moment", "go", "utc", "local"),
    [
        pytest.param(
            1_795_238_534_662_494_828,
            "2026-11-21 06:22:14.662494828 +0100 CET",
            "2026-11-21T05:22:14.662494828Z",
            "2026-11-21T06:22:14.662494828+01:00",
            id="winter",
        ),
        pytest.param(
            1_784_000_000_500_000_000,
            "2026-07-14 05:33:20.5 +0200 CEST",
            "2026-07-14T03:33:20.5Z",
            "2026-07-14T05:33:20.5+02:00",
            id="summer",
        ),
        pytest.param(
            0,
            "1970-01-01 01:00:00 +0100 CET",
            "1970-01-01T00:00:00Z",
            "1970-01-01T01:00:00+01:00",
            id="whole-second",
        ),
    ],
)
def test_moments(moment: int, go: str, utc: str, local: str) -> None:
    assert human.go_time(moment) == go
    assert times.rfc3339(moment) == utc
    assert times.rfc3339(moment, local=True) == local


@given(st.integers(0, 10**26))
def test_size_has_at_most_three_digits(number: int) -> None:
    text, unit = human.size(number).split(" ")
    assert 0 <= float(text) < 1000
    assert unit in ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")
