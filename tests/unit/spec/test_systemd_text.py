"""Words of unit files: written so that systemd reads them back, and read as systemd reads them."""

from __future__ import annotations

import pytest

from pod.spec import systemd_text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b  c", ["a", "b", "c"]),
        ("  ", []),
        ("'a b' \"c d\"", ["a b", "c d"]),
        ("a'b c'd", ["ab cd"]),
        ('""', [""]),
        (r'"a\"b" \x41 \101 \u00e9 \t', ['a"b', "A", "A", "é", "\t"]),
        (r"a\sb", ["a b"]),
        ("%n $A ${B}", ["%n", "$A", "${B}"]),
    ],
)
def test_words_are_split_as_systemd_does(text: str, words: list[str]) -> None:
    assert systemd_text.split(text) == words


def test_unknown_escapes_stay_where_that_is_asked_for() -> None:
    assert systemd_text.split(r"\d \. \;", keep_unknown=True) == [r"\d", r"\.", ";"]


@pytest.mark.parametrize("text", ["'a", '"a', r"\d", r"\x4", "a\\", r"\x00", r"\Uffffffff"])
def test_what_cannot_be_split(text: str) -> None:
    with pytest.raises(systemd_text.BadQuoting, match=r"quote|escape"):
        systemd_text.split(text)


@pytest.mark.parametrize(
    "word",
    [
        "a",
        "",
        "a b",
        'quote"d',
        "it's",
        "back\\slash",
        "line\nline",
        "tab\t",
        "\x01",
        "é",
        ";",
        "a;b",
        "#x",
    ],
)
def test_what_is_written_is_read_back(word: str) -> None:
    assert systemd_text.split(systemd_text.quote(word)) == [word]


def test_nothing_of_a_literal_word_is_expanded() -> None:
    assert systemd_text.join(["%n", "$A", "a b"]) == '%%n $$A "a b"'
