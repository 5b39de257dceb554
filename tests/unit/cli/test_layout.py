"""Pages for the terminal."""

from __future__ import annotations

import os
import pty
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.cli.layout import Layout, terminal_columns, wrap


@given(st.text(), st.integers(1, 60))
def test_wrapped_text_has_the_same_words_in_lines_that_fit(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert " ".join(lines).split() == text.split()
    for line in lines:
        assert len(line) <= width or len(line.split()) == 1
        assert line == line.strip() and line


def test_meanings_stand_in_one_column_and_long_terms_have_their_own_line() -> None:
    page = Layout(50)
    long = "--a-very-long-option VALUE-OF-SOMETHING"
    page.definitions([("-a", "one"), ("--bb", "two " * 15), (long, "three"), ("-c", "")])
    assert page.text() == (
        "-a    one\n"
        "  --bb  two two two two two two two two two two\n"
        "        two two two two two\n"
        f"  {long}\n"
        "        three\n"
        "  -c\n"
    ).replace("-a    one", "  -a    one", 1)


def test_usage_that_does_not_fit_behind_the_program_goes_below() -> None:
    page = Layout(50)
    page.usage("pod container a-long-name-of-a-command", "[OPTIONS] CONTAINER [CONTAINER...]")
    assert page.text() == (
        "Usage: pod container a-long-name-of-a-command\n        [OPTIONS] CONTAINER [CONTAINER...]\n"
    )


def test_lines_that_begin_with_a_blank_are_not_wrapped() -> None:
    page = Layout(50)
    page.paragraphs("one two\nthree\n\n  a   b\n  c\n\nfour")
    assert page.text() == "one two three\n\n  a   b\n  c\n\nfour\n"


@pytest.fixture
def terminal() -> Iterator[int]:
    ours, theirs = pty.openpty()
    yield theirs
    os.close(ours)
    os.close(theirs)


def test_columns_are_those_that_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "61")
    assert terminal_columns() == 61
    for nonsense in ("", "0", "wide", "-5"):
        monkeypatch.setenv("COLUMNS", nonsense)
        assert terminal_columns() > 0


def test_columns_are_those_of_the_terminal(terminal: int, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl
    import struct
    import termios

    monkeypatch.delenv("COLUMNS", raising=False)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 93, 0, 0))
    before = os.dup(1)
    try:
        os.dup2(terminal, 1)
        columns = terminal_columns()
    finally:
        os.dup2(before, 1)
        os.close(before)
    assert columns == 93
