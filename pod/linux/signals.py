"""Signals by name and number, and their dispositions. See signal(7).

The `signal` module wraps its C half, `_signal`, in enumerations, whose import costs 3 ms; the C half is used here and
in no other file.
"""

from __future__ import annotations

import _signal
import os

from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import NoReturn

NUMBERS: dict[str, int] = {
    name: int(getattr(_signal, name))
    for name in dir(_signal)
    if name.startswith("SIG") and not name.startswith(("SIG_", "SIGCLD", "SIGPOLL"))
}
SIGALRM = NUMBERS["SIGALRM"]
SIGCHLD = NUMBERS["SIGCHLD"]
SIGCONT = NUMBERS["SIGCONT"]
SIGSTOP = NUMBERS["SIGSTOP"]
SIGHUP = NUMBERS["SIGHUP"]
SIGINT = NUMBERS["SIGINT"]
SIGKILL = NUMBERS["SIGKILL"]
SIGPIPE = NUMBERS["SIGPIPE"]
SIGQUIT = NUMBERS["SIGQUIT"]
SIGTERM = NUMBERS["SIGTERM"]
SIGWINCH = NUMBERS["SIGWINCH"]
ENDING = (
    SIGINT,
    SIGTERM,
    SIGHUP,
    SIGQUIT,
)  # what a person or a closing terminal ends a program with
_HIGHEST = NUMBERS["SIGRTMAX"]
# Synonyms, and what Python names from 3.11 on; numbers as on all architectures that pod knows, signal(7).
_OTHER_NAMES = {"CLD": SIGCHLD, "POLL": NUMBERS["SIGIO"], "STKFLT": 16}


class UnknownSignal(PodError):
    """Neither a number nor a name of a signal."""

    def __init__(self, text: str, option: str = "") -> None:
        super().__init__(
            f"signal '{text}'{option and f' of {option}'} does not exist",
            hint="use a name such as TERM or SIGTERM, or a number (kill -l)",
        )


def parse(text: str, option: str = "") -> int:
    """The number of "TERM", "SIGTERM", "RTMIN+3" or "15"; upper or lower case. 0, the probe, is not a signal here."""
    word = text.strip().upper().removeprefix("SIG")
    base, offset = word, ""
    for sign in "+-":
        if sign in word:
            base, _, offset = word.partition(sign)
            break
    if word.isascii() and word.isdigit():
        number = int(word) if len(word) <= 2 else 0
        lowest, highest = 1, _HIGHEST
    else:
        number = lowest = highest = NUMBERS.get(f"SIG{base}") or _OTHER_NAMES.get(base, 0)
    if base != word:
        number = _shifted(number, sign, offset)
        lowest, highest = NUMBERS["SIGRTMIN"], _HIGHEST
    if not number or not lowest <= number <= highest:
        raise UnknownSignal(text, option)
    return number


def _shifted(number: int, sign: str, offset: str) -> int:
    """RTMIN+N or RTMAX-N; 0 for everything else."""
    if (number, sign) not in {(NUMBERS["SIGRTMIN"], "+"), (_HIGHEST, "-")}:
        return 0
    if not (offset.isascii() and offset.isdigit() and len(offset) <= 2):
        return 0
    return number + int(offset) if sign == "+" else number - int(offset)


def name_of(number: int) -> str:
    """ "SIGTERM" for 15; a real-time signal without a name of its own gives its number."""
    for name, value in NUMBERS.items():
        if value == number:
            return name
    return str(number)


def restore_defaults() -> None:
    """Default disposition for every signal, nothing blocked: what a new program expects to find.

    Python ignores SIGPIPE and SIGXFSZ, and nohup(1) ignores SIGHUP; an ignored signal stays so over execve.
    """
    for number in range(1, _HIGHEST + 1):
        try:
            if _signal.getsignal(number) is not _signal.SIG_DFL:
                _signal.signal(number, _signal.SIG_DFL)
        except (OSError, ValueError):
            pass  # SIGKILL, SIGSTOP, and those the C library keeps for itself
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())


def ignore(numbers: Iterable[int]) -> None:
    for number in numbers:
        _signal.signal(number, _signal.SIG_IGN)


def block(numbers: Iterable[int]) -> None:
    """Keep these signals pending until `wait` takes them."""
    _signal.pthread_sigmask(_signal.SIG_BLOCK, tuple(numbers))


def unblock(numbers: Iterable[int]) -> None:
    """Undo `block`; what came meanwhile is delivered now."""
    _signal.pthread_sigmask(_signal.SIG_UNBLOCK, tuple(numbers))


def wait(numbers: Iterable[int]) -> int:
    """Sleep until one of these blocked signals is pending, and take it."""
    return int(_signal.sigwait(tuple(numbers)))


def end_by(number: int) -> NoReturn:
    """End this process as a signal does that nobody handles."""
    _signal.signal(number, _signal.SIG_DFL)
    unblock((number,))
    os.kill(os.getpid(), number)
    raise AssertionError("not reached")


class Wakeup:
    """Signals as readable bytes: a loop that waits for descriptors waits for this one too. The holder closes it."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self._read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self._write_fd, False)
        self._numbers = tuple(numbers)
        _signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        for number in self._numbers:
            _signal.signal(number, _do_nothing)

    def fileno(self) -> int:
        return self._read_fd

    def take(self) -> bytes:
        """The numbers of the signals that came since the last call, one byte each."""
        try:
            return os.read(self._read_fd, 4096)
        except BlockingIOError:
            return b""

    def is_pending(self) -> bool:
        """Whether a signal has come that `take` has not told yet."""
        from select import select

        return bool(select([self._read_fd], [], [], 0)[0])

    def close(self) -> None:
        _signal.set_wakeup_fd(-1)
        for number in self._numbers:
            _signal.signal(number, _signal.SIG_DFL)
        os.close(self._read_fd)
        os.close(self._write_fd)


def _do_nothing(number: int, frame: object) -> None:
    """The handler only exists so that the wake-up descriptor is written."""


class Alarm:
    """Calls `handler(number, frame)` once after `seconds`, or for SIGTERM before; for the time of the context.

    What the handler raises comes out of whatever the process does at that moment, also of a system call that waits.
    """

    def __init__(self, seconds: float, handler: Callable[[int, object], None]) -> None:
        self._seconds = seconds
        self._handler = handler

    def __enter__(self) -> None:
        _signal.signal(SIGALRM, self._handler)
        _signal.signal(SIGTERM, self._handler)
        _signal.setitimer(_signal.ITIMER_REAL, self._seconds)

    def __exit__(self, *_: object) -> None:
        _signal.setitimer(_signal.ITIMER_REAL, 0)
        _signal.signal(SIGALRM, _signal.SIG_DFL)
        _signal.signal(SIGTERM, _signal.SIG_DFL)


def send_through_pidfd(pidfd: int, number: int) -> None:
    """pidfd_send_signal(2)."""
    _signal.pidfd_send_signal(pidfd, number)
