"""Times in templates of `inspect`: Go's text and Go's methods."""

from __future__ import annotations

import json

import pytest

from pod.base.times import NEVER
from pod.cli.template.documents import Moment, Struct
from pod.cli.template.render import Template

UTC = "2023-11-14T22:13:20.5Z"
AHEAD = "2023-11-15T03:43:20.000001+05:30"
BEHIND = "2023-11-14T02:03:04-08:00"


@pytest.mark.parametrize(
    ("text", "action", "expected"),
    [
        (UTC, ".", "2023-11-14 22:13:20.5 +0000 UTC"),
        (AHEAD, ".", "2023-11-15 03:43:20.000001 +0530 +0530"),
        (NEVER, ".", "0001-01-01 00:00:00 +0000 UTC"),
        (UTC, ".Year", "2023"),
        (UTC, ".Month", "November"),
        (UTC, ".Weekday", "Tuesday"),
        (UTC, ".Day", "14"),
        (UTC, ".Hour", "22"),
        (UTC, ".Nanosecond", "500000000"),
        (UTC, ".Unix", "1700000000"),
        (AHEAD, ".Unix", "1700000000"),
        (NEVER, ".IsZero", "true"),
        (UTC, ".IsZero", "false"),
        (UTC, '.Format "2006-01-02T15:04:05Z07:00"', "2023-11-14T22:13:20Z"),
        (AHEAD, '.Format "2006-01-02T15:04:05Z07:00"', "2023-11-15T03:43:20+05:30"),
        (UTC, '.Format "Mon Jan _2 3:04PM 06"', "Tue Nov 14 10:13PM 23"),
        (BEHIND, '.Format "Monday, January 2 03:04:05.000 -0700"', "Tuesday, November 14 02:03:04.000 -0800"),
        (UTC, '.Format "day: 5.99"', "day: 20.5"),
    ],
)  # fmt: skip
def test_moments_are_gos(text: str, action: str, expected: str) -> None:
    document = Struct({"Created": text, "Id": "x"})
    if action == ".":
        assert Template("{{.Created}}").render(document) == expected
    else:
        assert Template(f"{{{{.Created{action}}}}}").render(document) == expected


def test_in_json_a_moment_is_as_it_was() -> None:
    assert json.dumps(Moment(UTC)) == json.dumps(UTC)
    assert Template("{{json .Created}}").render(Struct({"Created": UTC, "Id": "x"})) == f'"{UTC}"'
