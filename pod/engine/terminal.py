"""The caller's side of an attached container: keyboard to monitor, output to the screen, until one of them ends.

Nothing is copied but bytes: the monitor (`pod run`, `pod attach`) or the terminal of a joined process (`pod exec -t`)
does the rest.
"""

from __future__ import annotations

import os

from pod.base import exits
from pod.base.errors import PodError
from pod.base.records import Record
from pod.linux import signals, sockets, terminal
from pod.linux.loop import READ, WRITE, Loop
from pod.spec import monitor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_READ_BYTES = 32 * 1024
_CLOSED_SECONDS = (
    0.5  # within which a container whose output nobody reads any more often ends by itself
)
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


class OutputClosed(PodError):
    """Nobody reads our standard output or error any more, and the container does not end."""


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
        self._outputs = list(outputs)
        self._on_signal = on_signal
        self._loop = Loop()
        self._outcome: Outcome | None = None
        self._is_closed = False  # our output
        self._stdin_is_pollable = True
        # What the monitor does not take yet. Input is only read when there is nothing: a container that does not read
        # must not make us, or the monitor, hold all of it.
        self._unsent: list[tuple[bytes, Any]] = []

    def run(self) -> Outcome:
        """Serve until the container ends or the user detaches.

        Raises Lost when the monitor dies, OutputClosed when nobody reads what the container writes.
        """
        watched = [signals.SIGWINCH] if self._is_terminal else []
        if self._on_signal is not None:
            watched += _PROXIED
        wakeup = signals.Wakeup(watched)
        signals.unblock(signals.ENDING)
        self._loop.watch(wakeup.fileno(), lambda _: self._take_signals(wakeup))
        self._channel.set_blocking(False)
        self._loop.watch(self._channel.fileno(), self._channel_ready)
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
            self._channel.set_blocking(True)
        if self._outcome is not None:
            if self._is_closed and not self._outcome.exit_status:
                return Outcome(exits.PIPE_CLOSED)  # some of the output was lost
            return self._outcome
        if self._is_closed:
            raise OutputClosed("nobody reads the container's output any more")
        raise Lost

    def _watch_stdin(self) -> None:
        """Read input when there is some, and when the monitor takes it."""
        if not self._read_stdin or self._unsent:
            return
        try:
            self._loop.watch(0, lambda _: self._forward_input())
        except PermissionError:  # epoll(7) refuses regular files, which are always ready
            self._stdin_is_pollable = False
            self._loop.set_timer("stdin", 0, self._forward_input)

    def _leave_stdin(self) -> None:
        if self._stdin_is_pollable:
            self._loop.forget(0)

    def _forward_input(self) -> None:
        """Pass one piece of input on."""
        try:
            data = os.read(0, _READ_BYTES)
        except BlockingIOError:  # somebody else who has it open was quicker
            return
        except OSError:
            data = b""
        passed, detach = self._keys.feed(data)
        if detach:
            self._outcome = Outcome(-1, detached=True)
            self._loop.stop()
        if not data:
            self._read_stdin = False
            self._leave_stdin()
        elif not self._stdin_is_pollable:
            self._loop.set_timer("stdin", 0, self._forward_input)
        if passed:
            self._send(sockets.STDIN, passed)
        if not data:
            self._send(sockets.MESSAGE, (monitor.INPUT_ENDS,))

    def _send(self, kind: bytes, value: Any) -> None:
        """Send, or keep it for when the monitor takes it; input waits meanwhile."""
        self._unsent.append((kind, value))
        if len(self._unsent) == 1:
            self._send_unsent()

    def _send_unsent(self) -> None:
        try:
            while self._unsent:
                kind, value = self._unsent[0]
                if kind == sockets.MESSAGE:
                    self._channel.send(*value)
                else:
                    self._channel.send_data(kind, value)
                self._unsent.pop(0)
        except BlockingIOError:
            self._leave_stdin()
            self._loop.cancel_timer("stdin")
            self._loop.watch(self._channel.fileno(), self._channel_ready, READ | WRITE)
        except OSError:  # the monitor is gone, which the other direction notices
            self._unsent.clear()
            self._read_stdin = False
            self._leave_stdin()
            self._loop.cancel_timer("stdin")

    def _channel_ready(self, events: int) -> None:
        if events & WRITE and self._unsent:
            self._send_unsent()
            if not self._unsent:
                self._loop.watch(self._channel.fileno(), self._channel_ready)
                self._watch_stdin()
        if events & READ:
            self._receive()

    def _receive(self) -> None:
        try:
            kind, value, _ = self._channel.receive()
        except BlockingIOError:
            return
        if kind in {sockets.STDOUT, sockets.STDERR}:
            self._show(1 if kind == sockets.STDOUT else 2, value)
        elif kind == sockets.MESSAGE and value[0] == monitor.EXITED:
            self._outcome = Outcome(value[1])
            self._loop.stop()
        elif not kind:
            self._is_closed = False
            self._loop.stop()

    def _show(self, fd: int, data: bytes) -> None:
        if not self._outputs[fd - 1]:
            return
        try:
            write_out(fd, data)
        except BrokenPipeError:
            # Go on without: the signals that we pass on, and the exit status, are still wanted if it ends soon.
            self._outputs[fd - 1] = False
            self._is_closed = True
            self._loop.set_timer("closed", _CLOSED_SECONDS, self._loop.stop)

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
                self._send(sockets.MESSAGE, (monitor.RESIZE, rows, columns))


def write_out(fd: int, data: bytes) -> None:
    """Write all of it to our standard output or error, also when somebody made that non-blocking."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(fd, view) :]
        except BlockingIOError:
            os.set_blocking(fd, True)


def own_window() -> tuple[int, int]:
    """Rows and columns of the caller's terminal; zeros when it has none."""
    for fd in (0, 1, 2):
        if os.isatty(fd):
            return terminal.window_size(fd)
    return 0, 0
