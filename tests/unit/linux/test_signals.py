from __future__ import annotations

import os
import select
import signal

import pytest

from pod.linux import processes, signals


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("TERM", 15),
        ("SIGTERM", 15),
        ("sigterm", 15),
        ("Kill", 9),
        (" hup ", 1),
        ("15", 15),
        ("1", 1),
        ("64", 64),
        ("RTMIN", 34),
        ("SIGRTMIN+3", 37),
        ("rtmin+30", 64),
        ("RTMAX", 64),
        ("RTMAX-1", 63),
        ("SIGRTMAX-30", 34),
        ("CHLD", 17),
        ("CLD", 17),
        ("POLL", 29),
        ("IO", 29),
        ("IOT", 6),
        ("STKFLT", 16),
    ],
)
def test_signals_are_read(text: str, number: int) -> None:
    assert signals.parse(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "0",
        "65",
        "-9",
        "+9",
        "9.0",
        "TERMINATE",
        "SIG",
        "SIGSIGTERM",
        "TERM+1",
        "RTMIN+31",
        "RTMIN-1",
        "RTMAX+1",
        "RTMAX-31",
        "RTMIN+",
        "RTMIN+x",
        "RTMIN+-3",
        "RTMIN++3",
        "RTMIN+٣",
        "SIG_DFL",
        "٣",
        "9" * 5000,
    ],
)
def test_other_words_are_no_signals(text: str) -> None:
    with pytest.raises(signals.UnknownSignal) as caught:
        signals.parse(text)
    assert "kill -l" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("number", "name"),
    [(15, "SIGTERM"), (6, "SIGABRT"), (17, "SIGCHLD"), (29, "SIGIO"), (34, "SIGRTMIN"), (40, "40")],
)
def test_signals_have_one_name(number: int, name: str) -> None:
    assert signals.name_of(number) == name


def test_every_name_is_the_number_that_it_names() -> None:
    for name, number in signals.NUMBERS.items():
        assert signals.parse(name) == number == int(getattr(signal, name))


def test_a_new_program_finds_defaults() -> None:
    def run() -> list[int]:
        for number in (signal.SIGHUP, signal.SIGPIPE, signal.SIGUSR1, signal.SIGRTMIN + 1):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGUSR2, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        signals.restore_defaults()
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
        return [n for n in range(1, 65) if signal.getsignal(n) not in (signal.SIG_DFL, None)]

    assert processes.fork(run, what="look at signals").result() == []


def test_signals_become_readable_bytes() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    wakeup = signals.Wakeup([signal.SIGUSR1, signal.SIGUSR2])
    assert wakeup.take() == b""
    os.kill(os.getpid(), signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR2)
    assert select.select([wakeup], [], [], 5)[0]
    assert sorted(wakeup.take()) == [signal.SIGUSR1, signal.SIGUSR2]
    wakeup.close()
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
    signal.signal(signal.SIGUSR1, before)


def test_a_flood_of_signals_blocks_nobody() -> None:
    wakeup = signals.Wakeup([signal.SIGUSR1])
    for _ in range(70_000):  # more than a pipe holds
        signal.raise_signal(signal.SIGUSR1)
    assert set(wakeup.take()) == {signal.SIGUSR1}
    wakeup.close()


def test_blocked_signals_wait_to_be_taken() -> None:
    def run() -> int:
        signals.block([signal.SIGUSR1, signal.SIGTERM])
        os.kill(os.getpid(), signal.SIGTERM)
        return signals.wait([signal.SIGUSR1, signal.SIGTERM])

    assert processes.fork(run, what="wait").result() == signal.SIGTERM


def test_it_is_known_whether_a_signal_has_come() -> None:
    wakeup = signals.Wakeup([signal.SIGUSR1])
    try:
        assert not wakeup.is_pending()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert wakeup.is_pending()
        assert wakeup.take() == bytes([signal.SIGUSR1])
        assert not wakeup.is_pending()
    finally:
        wakeup.close()
