from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base import units
from pod.base.errors import InvalidValue

NANOSECONDS = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("100", 100),
        ("100b", 100),
        ("512m", 512 << 20),
        ("512M", 512 << 20),
        ("512mb", 512 << 20),
        ("64KiB", 64 << 10),
        ("64kib", 64 << 10),
        ("1.5g", 3 << 29),
        ("1.5 g", 3 << 29),
        (".5k", 512),
        ("2.k", 2048),
        ("1t", 1 << 40),
        ("1p", 1 << 50),
        ("0.1k", 102),
        ("7e", 7 << 60),
    ],
)
def test_size_is_read(text: str, size: int) -> None:
    assert units.parse_size(text) == size


@pytest.mark.parametrize(
    "text",
    "|m|-1|-5m|1x|1 0|1bb|1bib|1kk|1,5g|1.2.3|.|٣|1²|8e|9223372036854775808|1_000| 1|1  m|0x10|1e3".split(
        "|"
    ),
)
def test_size_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="--memory"):
        units.parse_size(text, "--memory")


@pytest.mark.parametrize(
    ("text", "size"), [("10m", 10_000_000), ("10mb", 10_000_000), ("10MiB", 10 << 20), ("1k", 1000)]
)
def test_decimal_sizes_keep_the_binary_spelling(text: str, size: int) -> None:
    assert units.parse_size(text, base=1000) == size


@given(st.integers(min_value=0, max_value=units.HIGHEST_SIZE))
def test_size_survives_formatting(size: int) -> None:
    assert units.parse_size(units.format_size(size)) == size


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0"), (1536, "1536"), (65536, "64k"), (1 << 30, "1g")]
)
def test_size_is_written_short(size: int, text: str) -> None:
    assert units.format_size(size) == text


@pytest.mark.parametrize(
    ("text", "duration_ns"),
    [
        ("0", 0),
        ("10", 10 * NANOSECONDS),
        ("1.5", 3 * NANOSECONDS // 2),
        ("10s", 10 * NANOSECONDS),
        ("1h30m", 5400 * NANOSECONDS),
        ("1.5h", 5400 * NANOSECONDS),
        ("2m3s", 123 * NANOSECONDS),
        ("300ms", 300_000_000),
        ("1s500ms", 1_500_000_000),
        ("5us", 5000),
        ("5µs", 5000),
        ("5μs", 5000),
        ("7ns", 7),
        ("1m1m", 120 * NANOSECONDS),
    ],
)
def test_duration_is_read(text: str, duration_ns: int) -> None:
    assert units.parse_duration_ns(text) == duration_ns


@pytest.mark.parametrize(
    "text",
    [
        "",
        "s",
        "10x",
        "1d",
        "-1s",
        "1h30",
        "1 s",
        "1h 30m",
        "h1",
        ".s",
        "1e3s",
        "300000h0m0s1h" * 9,
        "٣s",
    ],
)
def test_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="--health-interval"):
        units.parse_duration_ns(text, "--health-interval")


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1500, "1.5µs"),
        (300_000_000, "300ms"),
        (1_500_000_000, "1.5s"),
        (30 * NANOSECONDS, "30s"),
        (90 * NANOSECONDS, "1m30s"),
        (5400 * NANOSECONDS, "1h30m0s"),
        (3600 * NANOSECONDS + 1, "1h0m0.000000001s"),
        (-2 * NANOSECONDS, "-2s"),
    ],
)
def test_duration_is_written_as_go_does(duration_ns: int, text: str) -> None:
    assert units.format_duration_ns(duration_ns) == text


@given(st.integers(min_value=0, max_value=units.HIGHEST_SIZE))
def test_duration_survives_formatting(duration_ns: int) -> None:
    assert units.parse_duration_ns(units.format_duration_ns(duration_ns)) == duration_ns


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("0", (0,)),
        ("0-3,7", (0, 1, 2, 3, 7)),
        ("7,0-1,1", (0, 1, 7)),
        ("2-2", (2,)),
        ("0, 2", (0, 2)),
    ],
)
def test_number_set_is_read(text: str, numbers: tuple[int, ...]) -> None:
    assert units.parse_number_set(text) == numbers


@pytest.mark.parametrize(
    "text", ["", "a", "3-0", "0,", "-1", "1-", "0-3:2", "0-99999999999", "65536", "1--2"]
)
def test_number_set_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        units.parse_number_set(text)


@given(st.sets(st.integers(min_value=0, max_value=200), min_size=1))
def test_number_set_survives_formatting(numbers: set[int]) -> None:
    text = units.format_number_set(numbers)
    assert units.parse_number_set(text) == tuple(sorted(numbers))


def test_number_set_joins_neighbours() -> None:
    assert units.format_number_set([7, 0, 1, 2, 9]) == "0-2,7,9"
    assert units.format_number_set([]) == ""


@pytest.mark.parametrize(
    ("text", "percent"), [("0%", 0.0), ("50%", 50.0), ("12.5%", 12.5), ("100%", 100.0)]
)
def test_percentage_is_read(text: str, percent: float) -> None:
    assert units.parse_percent(text) == percent


@pytest.mark.parametrize("text", ["", "%", "50", "101%", "-1%", "a%", "5%%"])
def test_percentage_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        units.parse_percent(text)


@pytest.mark.parametrize(
    ("text", "mode"), [("0", 0), ("700", 0o700), ("0755", 0o755), ("0o1777", 0o1777)]
)
def test_mode_is_read(text: str, mode: int) -> None:
    assert units.parse_mode(text) == mode


@pytest.mark.parametrize("text", ["", "8", "0o", "-1", "17777", "rwx", "0x1ff", "0" * 40])
def test_mode_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue):
        units.parse_mode(text)


@pytest.mark.parametrize("text", ["", "-", "1.0", "11", "-6", "1_0", "+1", " 1", "٣", "9" * 50])
def test_integer_outside_its_range_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="between -5 and 10"):
        units.parse_integer(text, "--number", -5, 10)


def test_integer_includes_both_ends() -> None:
    assert [units.parse_integer(text, "--n", -5, 10) for text in ("-5", "10", "007")] == [-5, 10, 7]


def test_boolean_knows_the_words_of_go() -> None:
    assert [units.parse_boolean(word, "ro") for word in ("1", "T", "TRUE", "True")] == [True] * 4
    assert [units.parse_boolean(word, "ro") for word in ("0", "f", "false", "False")] == [False] * 4
    with pytest.raises(InvalidValue):
        units.parse_boolean("yes", "ro")


@given(st.text(max_size=24))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (
        units.parse_size,
        units.parse_duration_ns,
        units.parse_number_set,
        units.parse_percent,
        units.parse_mode,
        lambda value: units.parse_integer(value, "n", 0, 9),
        lambda value: units.parse_boolean(value, "b"),
    ):
        try:
            parse(text)
        except InvalidValue as error:
            assert text in str(error)
