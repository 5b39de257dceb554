from __future__ import annotations

import os
import pty
import select
import sys
import termios
from collections.abc import Generator

import pytest

from pod.linux import terminal


@pytest.fixture
def pair() -> Generator[tuple[int, int]]:
    ends = pty.openpty()
    yield ends
    for fd in ends:
        os.close(fd)


@pytest.mark.parametrize("size", [(24, 80), (1, 1), (1000, 65535)])
def test_the_window_size_comes_back(pair: tuple[int, int], size: tuple[int, int]) -> None:
    terminal.set_window_size(pair[0], *size)
    assert terminal.window_size(pair[1]) == size == tuple(os.get_terminal_size(pair[1]))[::-1]


def test_a_new_terminal_knows_no_size(pair: tuple[int, int]) -> None:
    assert terminal.window_size(pair[1]) == (0, 0)


def test_raw_mode_passes_every_key_and_is_taken_back(pair: tuple[int, int]) -> None:
    master, slave = pair
    before = termios.tcgetattr(slave)
    with terminal.RawMode(slave):
        os.write(master, b"\x03\x1a\r\x04")
        assert select.select([slave], [], [], 5)[0]
        assert os.read(slave, 10) == b"\x03\x1a\r\x04"
        os.write(slave, b"\n")
        assert os.read(master, 10) == b"\n"  # no echo before it, no carriage return in it
    assert termios.tcgetattr(slave) == before


def test_raw_mode_is_taken_back_after_an_error(pair: tuple[int, int]) -> None:
    before = termios.tcgetattr(pair[1])
    with pytest.raises(KeyError), terminal.RawMode(pair[1]):
        raise KeyError
    assert termios.tcgetattr(pair[1]) == before


@pytest.mark.skipif(
    sys.version_info < (3, 13), reason="allowed: termios has the names from 3.13 on"
)
def test_the_numbers_are_those_of_termios() -> None:
    assert terminal._TIOCSPTLCK == termios.TIOCSPTLCK  # type: ignore[attr-defined]
    assert terminal._TIOCGPTN == termios.TIOCGPTN  # type: ignore[attr-defined]
    assert terminal._TIOCGPTPEER == termios.TIOCGPTPEER  # type: ignore[attr-defined]
