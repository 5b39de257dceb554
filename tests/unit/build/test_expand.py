"""Variables in words, with each operator of the reference."""

from __future__ import annotations

import pytest

from pod.build.dockerfile.expand import ExpansionError, expand, expand_heredoc, expand_words
from pod.build.dockerfile.words import lexed_words

VARIABLES = {"a": "one", "e": "", "path": "/usr/lib/x.tar.gz", "s": "x y", "star": "a*b", "_9": "n"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$a", "one"),
        ("${a}b", "oneb"),
        ("$ab", ""),
        ("$_9-", "n-"),
        ("$none", ""),
        ("a$", "a$"),
        ("$/x", "$/x"),
        ("$1x", "x"),
        ("\\$a", "$a"),
        ("\\\\$a", "\\one"),
        ("'$a'", "$a"),
        ("'a\\b'", "a\\b"),
        ('"$a\\"\\$a\\n"', 'one"$a\\n'),
        ("x'y'\"z\"", "xyz"),
        ("a\\", "a\\"),
        ("${a:-w}", "one"),
        ("${e:-w}", "w"),
        ("${e-w}", ""),
        ("${none-w}", "w"),
        ("${none:-${a}}", "one"),
        ("${none:-'}'}", "}"),
        ("${none:-\\}}", "}"),
        ("${none:-${none:-${none:-deep}}}", "deep"),
        ("${none:-a b}", "a b"),
        ("${a:+w}", "w"),
        ("${e:+w}", ""),
        ("${e+w}", "w"),
        ("${none+w}", ""),
        ("${a:?no}", "one"),
        ("${e?no}", ""),
        ("${path#*/}", "usr/lib/x.tar.gz"),
        ("${path##*/}", "x.tar.gz"),
        ("${path%.*}", "/usr/lib/x.tar"),
        ("${path%%.*}", "/usr/lib/x"),
        ("${path%none}", "/usr/lib/x.tar.gz"),
        ("${path#${none}}", "/usr/lib/x.tar.gz"),
        ("${star%\\*b}", "a"),
        ("${star%'*'b}", "a"),
        ("${path/lib/LIB}", "/usr/LIB/x.tar.gz"),
        ("${path/./_}", "/usr/lib/x_tar.gz"),
        ("${path//./_}", "/usr/lib/x_tar_gz"),
        ("${path//[/_}", "/usr/lib/x.tar.gz"),
        ("${path/x*/y}", "/usr/lib/y"),
        ("${path/\\/usr/}", "/lib/x.tar.gz"),
        ("${a/?/\\\\1}", "\\1ne"),
    ],
)
def test_one_word(text: str, expected: str) -> None:
    assert expand(text, VARIABLES) == expected


@pytest.mark.parametrize(
    "text",
    [
        "${",
        "${a",
        "${}",
        "${a:}",
        "${a!b}",
        "${a:#b}",
        "${a:-b",
        "${a/b}",
        "${a//}",
        "${a/b/c",
        "'x",
        '"x',
        "${a:-'}",
        "${none?}",
        "${e:?}",
        "${none:-" * 200 + "x" + "}" * 200,
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(ExpansionError):
        expand(text, VARIABLES)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("${none:?say it}", "the variable 'none' is not set: say it"),
        ("${e:?}", "the variable 'e' is empty"),
    ],
)
def test_a_variable_that_must_be_there(text: str, says: str) -> None:
    with pytest.raises(ExpansionError, match=says):
        expand(text, VARIABLES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$s z", ["x", "y", "z"]),
        ('"$s" z', ["x y", "z"]),
        ("a\\ b", ["a b"]),
        ("$none", []),
        (" a$s ", ["ax", "y"]),
    ],
)
def test_words_are_cut_in_values_too(text: str, expected: list[str]) -> None:
    assert expand_words(text, VARIABLES) == expected


def test_the_other_escape_character() -> None:
    assert expand("c:\\$a`$a", VARIABLES, "`") == "c:\\one$a"
    assert expand("${star%`*b}", VARIABLES, "`") == "a"


def test_in_heredocs_quotes_mean_nothing() -> None:
    assert expand_heredoc("'$a' \"$a\" \\$a \\n \\\\", VARIABLES) == "'one' \"one\" $a \\n \\"


def test_long_values_take_time_in_proportion() -> None:
    """Minutes, were it the square."""
    value = "x" * (2 << 20)
    assert expand('"' + value + '"${A}' + value, {"A": "y"}) == f"{value}y{value}"
    assert lexed_words(f'a="{value}" b={value}') == [f'a="{value}"', f"b={value}"]
