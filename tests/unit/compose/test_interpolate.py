"""Variables in texts, and files of variables."""

from __future__ import annotations

import pytest

from pod.compose import dotenv
from pod.compose.errors import FileError
from pod.compose.interpolate import Malformed, Unset, substitute

VARIABLES = {"A": "a", "EMPTY": "", "B_1": "b", "NESTED": "$A"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$A", "a"),
        ("${A}", "a"),
        ("$B_1-$A", "b-a"),
        ("x${A}y", "xay"),
        ("$$A $${A} $$", "$A ${A} $"),
        ("$GONE", ""),
        ("${GONE:-x}", "x"),
        ("${GONE-x}", "x"),
        ("${EMPTY:-x}", "x"),
        ("${EMPTY-x}", ""),
        ("${A:-x}", "a"),
        ("${A:+x}", "x"),
        ("${EMPTY:+x}", ""),
        ("${EMPTY+x}", "x"),
        ("${GONE+x}", ""),
        ("${A:?no}", "a"),
        ("${EMPTY?no}", ""),
        ("${GONE:-${A}}", "a"),
        ("${GONE:-${EMPTY:-${A}}}", "a"),
        ("${GONE:-$A$$}", "a$"),
        ("${A:-${GONE:?no}}", "a"),
        ("${GONE:-}", ""),
        ("${GONE:-{}}", "{}"),
        ("${GONE:-http://x:80/?q=1}", "http://x:80/?q=1"),
        ("$NESTED", "$A"),
    ],
)
def test_variables_are_filled_in(text: str, expected: str) -> None:
    assert substitute(text, VARIABLES) == expected


@pytest.mark.parametrize(
    "text", ["$", "$5", "${", "${A", "${}", "${5}", "${A!}", "${A:}", "${A-${B}"]
)
def test_what_is_no_variable_is_refused(text: str) -> None:
    with pytest.raises(Malformed):
        substitute(text, VARIABLES)


@pytest.mark.parametrize(
    "text", ["${GONE?why}", "${GONE:?why}", "${EMPTY:?why}", "${GONE:-${GONE?why}}"]
)
def test_variable_that_is_needed_must_be_there(text: str) -> None:
    with pytest.raises(Unset, match="why"):
        substitute(text, VARIABLES)


def test_only_what_is_used_is_missing() -> None:
    missing: list[str] = []
    substitute("$X ${Y} ${A:-$Z} ${EMPTY:-$W} ${V-x}", VARIABLES, missing.append)
    assert missing == ["X", "Y", "W"]


FILE = """\
# comment
A=1
export B = two words   # comment
C: colon
D='single $A \\n'
E="double $A \\n\\t\\"\\$A"
F=
G=a#b
H="two
lines"
I=${A:-0}${GONE:-x}
J
OUTER
K='it\\'s'
L=a=b
"""


def test_file_of_variables() -> None:
    assert dotenv.parse(FILE, ".env", {"OUTER": "o"}) == {
        "A": "1",
        "B": "two words",
        "C": "colon",
        "D": "single $A \\n",
        "E": 'double 1 \n\t"$A',
        "F": "",
        "G": "a#b",
        "H": "two\nlines",
        "I": "1x",
        "J": None,
        "OUTER": "o",
        "K": "it's",
        "L": "a=b",
    }


def test_raw_file_of_variables_is_taken_as_it_is() -> None:
    text = "A=\"x\" # y\nB='$A'\n"
    assert dotenv.parse(text, ".env", {}, raw=True) == {"A": '"x" # y', "B": "'$A'"}


def test_environment_stands_above_the_file() -> None:
    assert dotenv.parse("A=1\nB=$A\n", ".env", {"A": "2"}) == {"A": "1", "B": "2"}


@pytest.mark.parametrize(
    ("text", "line"),
    [("A=1\n=2\n", 2), ("A 1\n", 1), ('A="x" y\n', 1), ("A=${B\n", 2), ("A='\n", 1)],
)
def test_wrong_line_is_named(text: str, line: int) -> None:
    with pytest.raises(FileError, match=f"^x.env:{line}: "):
        dotenv.parse(text, "x.env", {})
