"""The caller's side of an attached container: keyboard to monitor, output to the screen, until one of them ends.

Nothing is copied but bytes: the monitor (`pod run`, `pod attach`) or the terminal of a joined process (`pod exec -t`)
does the rest.
"""

from __future__ import annotations

import os

from pod.base.errors import PodError
from pod.base.records import Record
from pod.linux import signals, sockets, terminal
from pod.linux.loop import Loop
from pod.spec import monitor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_READ_BYTES = 32 * 1024
_PROXIED = [  # podman-run(1), --sig-proxy: everything that can be caught and means something to the container
    number
    for name, number in signals.NUMBERS.items()
    if name
    not in {
        "SIGKILL",
        "SIGSTOP",
        "SIGCHLD",
        "SIGPIPE",
        "SIGURG",
        "SIGWINCH",
        "SIGSEGV",
        "SIGBUS",
        "SIGFPE",
        "SIGILL",
    }
    and not name.startswith("SIGRT")
]


class Lost(PodError):
    """The monitor went away without saying how the container ended."""

    def __init__(self) -> None:
        super().__init__(
            "the container's monitor has died; its output can no longer be seen", hint="pod ps -a"
        )


class Outcome(Record):
    """Why an attachment ended: the container's exit status, or -1 when the user detached."""

    exit_status: int
    detached: bool = False


class DetachKeys:
    """Finds the sequence of keys that leaves a container running, in input as it is typed."""

    def __init__(self, sequence: bytes) -> None:
        self._sequence = sequence
        self._held = b""

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """What may be passed on of the held and the new input, and whether the sequence is complete."""
        if not self._sequence:
            return data, False
        self._held += data
        found = self._held.find(self._sequence)
        if found >= 0:
            return self._held[:found], True
        # Keep an end that could become the sequence; everything before it is passed on.
        for length in range(min(len(self._sequence) - 1, len(self._held)), 0, -1):
            if self._sequence.startswith(self._held[-length:]):
                passed, self._held = self._held[:-length], self._held[-length:]
                return passed, False
        passed, self._held = self._held, b""
        return passed, False


def parse_detach_keys(text: str) -> bytes:
    """ "ctrl-p,ctrl-q" as bytes: single characters, or ctrl- and one of a-z, @, [, \\, ], ^, _. "" for none."""
    if not text:
        return b""
    keys = bytearray()
    for word in text.split(","):
        if len(word) == 1 and word.isascii():
            keys += word.encode()
        elif word.lower().startswith("ctrl-") and len(word) == 6:
            code = ord(word[5].upper()) - 64
            if not 0 <= code < 32:
                raise _bad_keys(text)
            keys.append(code)
        else:
            raise _bad_keys(text)
    return bytes(keys)


def _bad_keys(text: str) -> PodError:
    return PodError(
        f"'{text}' is not a sequence of keys for --detach-keys",
        hint="write for example ctrl-p,ctrl-q: single characters or ctrl- and a letter, separated by commas",
    )


class Attachment:
    """One connection to a monitor, from the caller's terminal or pipes.

    `read_stdin` forwards standard input; `raw` says that the container has a terminal, so that the caller's, if it is
    one, passes every key on. `on_signal(number)` is called for each signal to pass on, unless it is None.
    """

    def __init__(
        self,
        channel: sockets.Channel,
        *,
        read_stdin: bool,
        raw: bool,
        detach_keys: bytes,
        outputs: tuple[bool, bool] = (True, True),
        on_signal: Callable[[int], None] | None,
    ) -> None:
        self._channel = channel
        self._read_stdin = read_stdin
        self._is_terminal = raw and os.isatty(0)
        self._keys = DetachKeys(detach_keys if raw else b"")
        self._outputs = outputs
        self._on_signal = on_signal
        self._loop = Loop()
        self._outcome: Outcome | None = None
        self._stdin_is_pollable = True

    def run(self) -> Outcome:
        """Serve until the container ends or the user detaches. Raises Lost when the monitor dies."""
        watched = [signals.SIGWINCH] if self._is_terminal else []
        if self._on_signal is not None:
            watched += _PROXIED
        wakeup = signals.Wakeup(watched)
        self._loop.watch(wakeup.fileno(), lambda _: self._take_signals(wakeup))
        self._loop.watch(self._channel.fileno(), lambda _: self._receive())
        if self._read_stdin:
            self._watch_stdin()
        self._send_size()
        try:
            if self._is_terminal and self._read_stdin:
                with terminal.RawMode(0):
                    self._loop.run()
            else:
                self._loop.run()
        finally:
            wakeup.close()
            self._loop.close()
        if self._outcome is None:
            raise Lost
        return self._outcome

    def _watch_stdin(self) -> None:
        try:
            self._loop.watch(0, self._input_ready)
        except PermissionError:  # epoll(7) refuses regular files, which are always ready
            self._stdin_is_pollable = False
            self._loop.set_timer("stdin", 0, self._forward_file)

    def _input_ready(self, events: int) -> None:
        self._forward_input()

    def _forward_file(self) -> None:
        if self._forward_input():
            self._loop.set_timer("stdin", 0, self._forward_file)

    def _forward_input(self) -> bool:
        """Pass one piece of input on; False at its end."""
        try:
            data = os.read(0, _READ_BYTES)
        except OSError:
            data = b""
        passed, detach = self._keys.feed(data)
        try:
            if passed:
                self._channel.send_data(sockets.STDIN, passed)
            if not data:
                self._channel.send(monitor.INPUT_ENDS)
        except OSError:
            data = b""  # the monitor is gone, which the other direction notices
        if detach:
            self._outcome = Outcome(-1, detached=True)
            self._loop.stop()
        if not data and self._stdin_is_pollable:
            self._loop.forget(0)
        return bool(data)

    def _receive(self) -> None:
        kind, value, _ = self._channel.receive()
        if kind in {sockets.STDOUT, sockets.STDERR}:
            fd = 1 if kind == sockets.STDOUT else 2
            if self._outputs[fd - 1]:
                write_out(fd, value)
        elif kind == sockets.MESSAGE and value[0] == monitor.EXITED:
            self._outcome = Outcome(value[1])
            self._loop.stop()
        elif not kind:
            self._loop.stop()

    def _take_signals(self, wakeup: signals.Wakeup) -> None:
        for number in wakeup.take():
            if number == signals.SIGWINCH:
                self._send_size()
            elif self._on_signal is not None:
                self._on_signal(number)

    def _send_size(self) -> None:
        if self._is_terminal:
            rows, columns = terminal.window_size(0)
            if rows and columns:
                self._channel.send(monitor.RESIZE, rows, columns)


def write_out(fd: int, data: bytes) -> None:
    """Write all of it to our standard output or error, also when somebody made that non-blocking."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            os.set_blocking(fd, True)


def send_message(channel: sockets.Channel, *message: Any) -> bool:
    """Send a message to a monitor; False when it is gone."""
    try:
        channel.send(*message)
    except OSError:
        return False
    return True


def own_window() -> tuple[int, int]:
    """Rows and columns of the caller's terminal; zeros when it has none."""
    for fd in (0, 1, 2):
        if os.isatty(fd):
            return terminal.window_size(fd)
    return 0, 0
