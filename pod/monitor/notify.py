"""sd_notify(3) for a service whose main process the monitor is.

Loaded where NOTIFY_SOCKET was in the environment of the command, and only then. Under "container" the container has a
socket of its own, because the manager's is only open to processes that it knows; what it says there is passed on, but
for what a container cannot know or must not decide: the process id of the service, who may speak, descriptors to keep.

The manager may also end the service by a signal for its main process, when the unit has no command that stops it, or
that has failed: then the container gets what `pod stop` would send it.

The monitor's order has under "notify": mode (spec/service.py), socket (of the manager, or ""), stop_signal,
stop_timeout.
"""

from __future__ import annotations

import os

from pod.base import log
from pod.linux import processes, signals, sockets
from pod.spec import health, service
from pod.spec import monitor as protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.monitor.main import Watch

_PASSED = (
    b"READY=1",
    b"RELOADING=1",
    b"STOPPING=1",
    b"MONOTONIC_USEC=",
    b"STATUS=",
    b"ERRNO=",
    b"BUSERROR=",
    b"EXTEND_TIMEOUT_USEC=",
    b"WATCHDOG=",
    b"WATCHDOG_USEC=",
)
_TIMER = "notify"
_KILL_TIMER = "end"
_AGAIN_SECONDS = 0.1


class Notifier:
    """The connection with the manager, as long as the monitor lives."""

    def __init__(
        self, watch: Watch, settings: dict[str, Any], proxy: sockets.Datagrams | None
    ) -> None:
        self._watch = watch
        self._settings = settings
        self._proxy = proxy
        self._unsent: list[bytes] = []
        self.is_ending = False

    def watch(self) -> None:
        """Pass on what the container says from now on, and has said before."""
        if self._proxy is not None:
            self._watch.loop.watch(self._proxy.fileno(), lambda _: self._pass_on())
        if self._unsent:
            self._send()

    def take_health(self, status: str) -> None:
        """The health of the container has become this."""
        if status == health.HEALTHY and self._settings["mode"] == service.HEALTHY:
            self._tell(b"READY=1")

    def end(self) -> None:
        """End the container as `pod stop` does."""
        if self.is_ending:
            return
        self.is_ending = True
        self._signal(signals.parse(self._settings["stop_signal"] or "SIGTERM"))
        if self._settings["stop_timeout"] >= 0:
            self._watch.loop.set_timer(
                _KILL_TIMER,
                self._settings["stop_timeout"],
                lambda: self._signal(signals.SIGKILL),
            )

    def _signal(self, number: int) -> None:
        started = self._watch.started
        processes.send_signal(started["pid"], started["pid_started"], number)

    def add_to(self, order: dict[str, Any]) -> None:
        """Have the container of this order find its socket."""
        if self._proxy is not None:
            from pod.runtime import notify

            notify.offer(order["bundle"]["config"], _directory(self._watch))

    def descriptors(self) -> list[int]:
        return [] if self._proxy is None else [self._proxy.fileno()]

    def save(self) -> dict[str, Any]:
        """What `load` needs in the interpreter that goes on."""
        return {"settings": self._settings, "fds": self.descriptors(), "unsent": self._unsent}

    def load(self, unsent: list[bytes]) -> None:
        self._unsent = unsent

    def drain(self) -> None:
        """Pass on what the container has said and nobody has looked at yet."""
        try:
            while self._proxy is not None:
                self._pass_on(wait=False)
        except BlockingIOError:
            return

    def _pass_on(self, *, wait: bool = True) -> None:
        assert self._proxy is not None
        said = self._proxy.receive(wait=wait).split(b"\n")
        kept = [line for line in said if line.startswith(_PASSED)]
        if kept:
            self._tell(b"\n".join(kept))

    def _tell(self, message: bytes) -> None:
        if not self._settings["socket"]:
            return
        if message.startswith(b"READY=1"):
            message = b"MAINPID=%d\n%s" % (os.getpid(), message)
        self._unsent.append(message)
        if len(self._unsent) == 1:
            self._send()

    def _send(self) -> None:
        """Send what is to be sent, later when the manager is too slow; meanwhile the container waits."""
        loop = self._watch.loop
        while self._unsent:
            try:
                sockets.send_datagram(self._settings["socket"], self._unsent[0], blocking=False)
            except BlockingIOError:
                if self._proxy is not None:
                    loop.forget(self._proxy.fileno())
                loop.set_timer(_TIMER, _AGAIN_SECONDS, self.watch)
                return
            except OSError as error:
                log.warning(f"'{self._settings['socket']}' was not told: {error}")
            del self._unsent[0]


def new(watch: Watch) -> Notifier:
    """What the order asks for; the container of the order will find its socket."""
    settings = watch.order["notify"]
    proxy = None
    if settings["mode"] == service.CONTAINER:
        from pod.runtime import notify

        directory = _directory(watch)
        os.mkdir(directory)
        os.chmod(directory, 0o755)  # for any user in the container
        proxy = sockets.Datagrams(directory, notify.NAME)
    notifier = Notifier(watch, settings, proxy)
    notifier.add_to(watch.order)
    return notifier


def load(watch: Watch, saved: dict[str, Any]) -> Notifier:
    """The connection that another interpreter has had."""
    proxy = None
    if saved["fds"]:
        proxy = sockets.Datagrams.from_fd(saved["fds"][0], _directory(watch))
    notifier = Notifier(watch, saved["settings"], proxy)
    notifier.load(saved["unsent"])
    return notifier


def _directory(watch: Watch) -> str:
    return f"{watch.order['run_directory']}/{protocol.NOTIFY}"
