from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base.errors import InvalidValue, UsageError
from pod.spec import environment as env

CALLER = {
    "HOME": "/home/me",
    "LC_ALL": "C",
    "LC_TIME": "de",
    "EMPTY": "",
    "http_proxy": "http://p",
    "NO_PROXY": "x",
}


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["A=1"], {"A": "1"}),
        (["A="], {"A": ""}),
        (["A=b=c"], {"A": "b=c"}),
        (["A=1", "A=2"], {"A": "2"}),
        (["A=two words"], {"A": "two words"}),
        (["HOME"], {"HOME": "/home/me"}),
        (["EMPTY"], {"EMPTY": ""}),
        (["MISSING"], {}),
        (["LC_*"], {"LC_ALL": "C", "LC_TIME": "de"}),
        (["LC_*=x"], {"LC_*": "x"}),
        (["*"], CALLER),
        (["NONE*"], {}),
    ],
)
def test_variables_are_read(texts: list[str], expected: dict[str, str]) -> None:
    assert env.parse_env(texts, CALLER) == expected


@pytest.mark.parametrize("text", ["", "=", "=x", "A=\0"])
def test_a_variable_without_a_name_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="--env"):
        env.parse_env([text], CALLER)


def test_a_file_of_variables_is_read_line_by_line() -> None:
    contents = (
        "\ufeff# a comment\n"
        "A=1\r\n"
        "\n"
        "   \t\n"
        "  B=indented\n"
        '  # C=no\nQUOTED="with quotes"\n'
        "TRAILING=blank \n"
        "HASH=a # b\n"
        "SEPARATOR=a\u2028b\fc\n"
        "EQUALS=a=b\n"
        "DOLLAR=$HOME\n"
        "HOME\nMISSING\nLC_*\n"
        "LAST=without newline"
    )
    assert env.parse_env_file(contents, "x.env", CALLER) == {
        "A": "1",
        "B": "indented",
        "QUOTED": '"with quotes"',
        "TRAILING": "blank ",
        "HASH": "a # b",
        "SEPARATOR": "a\u2028b\fc",
        "EQUALS": "a=b",
        "DOLLAR": "$HOME",
        "HOME": "/home/me",
        "LC_ALL": "C",
        "LC_TIME": "de",
        "LAST": "without newline",
    }


@pytest.mark.parametrize("line", ["export A=1", "A B=1", "A =1", "=1", "A\t=1"])
def test_a_bad_line_is_named_by_file_and_number(line: str) -> None:
    with pytest.raises(InvalidValue, match=r"line 2 of 'x\.env'"):
        env.parse_env_file(f"OK=1\n{line}\n", "x.env", {})


def test_proxies_are_taken_in_both_spellings() -> None:
    assert env.proxy_environment(CALLER) == {"http_proxy": "http://p", "NO_PROXY": "x"}


def test_later_sources_win() -> None:
    merged = env.merge_environment(
        {"PATH": "default", "TERM": "xterm"},
        ["PATH=image", "A=image", "B=image", "C=image", "ODD", "=none"],
        {"A": "proxy", "B": "proxy"},
        {"B": "file"},
        {"C": "option"},
    )
    assert merged == {
        "PATH": "image",
        "TERM": "xterm",
        "A": "proxy",
        "B": "file",
        "C": "option",
        "ODD": "",
    }


def test_unset_takes_defaults_away_and_leaves_what_was_asked_for() -> None:
    base = ({"PATH": "p", "TERM": "xterm"}, ["A=image", "B=image"])
    assert env.merge_environment(*base, {"A": "asked"}, unset=["A", "TERM", "NONE"]) == {
        "PATH": "p",
        "B": "image",
        "A": "asked",
    }
    assert env.merge_environment(*base, {"X": "1"}, unset_all=True) == {"X": "1"}


def test_merge_fills_in_the_values_of_the_image() -> None:
    merged = env.merge_environment(
        {"PATH": "/bin"},
        ["hello=world", "other=1"],
        {"asked": "yes"},
        merges=["hello=${hello}-some", "other=$hello$other", "PATH=/opt:$PATH", "asked=${asked}"],
    )
    assert merged == {"PATH": "/opt:/bin", "hello": "world-some", "other": "world1", "asked": "yes"}


@pytest.mark.parametrize("text", ["", "A", "=x"])
def test_a_merge_needs_a_name_and_a_value(text: str) -> None:
    with pytest.raises(InvalidValue, match="--env-merge"):
        env.merge_environment({}, [], merges=[text])


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("", ""),
        ("plain", "plain"),
        ("$A", "1"),
        ("${A}b", "1b"),
        ("$A$A", "11"),
        ("$AB", ""),
        ("x${NONE}y", "xy"),
        ("100$", "100$"),
        ("$ A", "$ A"),
        ("${A", "${A"),
        ("$$A", "$1"),
        ("a-$A-b", "a-1-b"),
    ],
)
def test_variables_are_expanded(text: str, expanded: str) -> None:
    assert env.expand(text, {"A": "1"}) == expanded


def test_entries_keep_the_order() -> None:
    assert env.as_entries({"B": "1", "A": "x=y"}) == ("B=1", "A=x=y")


def test_labels_are_read() -> None:
    assert env.parse_labels(["a=1", "b", "c=x=y", "a=2"]) == {"a": "2", "b": "", "c": "x=y"}
    assert env.parse_label_file("# no\na=1\r\n\n b\n", "labels") == {"a": "1", "b": ""}
    with pytest.raises(InvalidValue, match="--label"):
        env.parse_labels(["=x"])
    with pytest.raises(InvalidValue, match="line 1 of 'labels'"):
        env.parse_label_file("=x", "labels")


def test_annotations_have_a_value() -> None:
    assert env.parse_annotations(["a=1", "b="]) == {"a": "1", "b": ""}
    for text in ("a", "=x", ""):
        with pytest.raises(InvalidValue, match="--annotation"):
            env.parse_annotations([text])


@given(st.text() | st.text(alphabet="AB$={}#* \n\r\0"))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (
        lambda value: env.parse_env([value], CALLER),
        lambda value: env.parse_env_file(value, "f", CALLER),
        lambda value: env.parse_label_file(value, "f"),
        lambda value: env.parse_annotations([value]),
        lambda value: env.merge_environment({}, [value], merges=[value]),
    ):
        try:
            parse(text)
        except UsageError as error:
            assert error.message


@given(
    st.dictionaries(st.text(alphabet="ABC_", min_size=1), st.text(alphabet="x =#$\"'"), max_size=5)
)
def test_a_file_gives_back_what_was_written_to_it(variables: dict[str, str]) -> None:
    contents = "".join(f"{name}={value}\n" for name, value in variables.items())
    assert env.parse_env_file(contents, "f", {}) == variables
