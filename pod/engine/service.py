"""What a service manager that has started this command gives it, and is told: sd_notify(3), sd_listen_fds(3).

It is told at once who the main process of the service will be, the monitor: from then on messages of that one count,
where those of other processes do not (NotifyAccess=main in systemd.service(5)).
"""

from __future__ import annotations

import os

from pod.base import log
from pod.base.errors import PodError
from pod.linux import sockets, unit_group
from pod.spec import service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Thread
    from typing import Any

    from pod.spec.container import ContainerConfig

_EXTENSION_SECONDS = 30
_FIRST_FD = 3
_MOST_FDS = 200  # that fit into one message with others, unix(7)


def unit() -> str:
    """The unit of systemd whose command this is; "" for none."""
    return os.environ.get(unit_group.UNIT, "")


def complete(order: dict[str, Any], config: ContainerConfig, mode: str) -> None:
    """Put what the manager has given us into the monitor's order. `mode`, if given, goes before the container's."""
    if config.is_infra:
        return
    path = os.environ.get("NOTIFY_SOCKET", "")
    mode = mode or config.notify
    if mode == service.IGNORED:
        path = ""
    if path or unit_group.UNIT in os.environ:
        # One without a socket (Type=forking) is told nothing, but the monitor is its main process as well.
        order["notify"] = {
            "mode": mode if path else service.IGNORED,
            "socket": path,
            "stop_signal": config.stop_signal,
            "stop_timeout": config.stop_timeout,
        }
    count = _count_of_sockets()
    if count:
        bundle = order["bundle"]
        passed = range(_FIRST_FD, _FIRST_FD + count)
        bundle["keep_fds"] = tuple(dict.fromkeys([*passed, *bundle["keep_fds"]]))
        variables = [f"LISTEN_FDS={count}", "LISTEN_PID=1"]
        if names := os.environ.get("LISTEN_FDNAMES"):
            variables.append(f"LISTEN_FDNAMES={names}")
        environment = bundle["config"]["process"]["env"]
        bundle["config"]["process"]["env"] = [
            *(it for it in environment if not it.startswith("LISTEN_")),
            *variables,
        ]


def _count_of_sockets() -> int:
    """How many descriptors from 3 on are meant for us."""
    text = os.environ.get("LISTEN_FDS", "")
    if not text or os.environ.get("LISTEN_PID") != str(os.getpid()):
        return 0
    if not (text.isascii() and text.isdigit() and int(text) <= _MOST_FDS):
        raise PodError(f"LISTEN_FDS={text} in the environment is no number up to {_MOST_FDS}")
    for fd in range(_FIRST_FD, _FIRST_FD + int(text)):
        try:
            is_passed = os.get_inheritable(fd)
        except OSError:
            is_passed = False
        if not is_passed:
            raise PodError(f"descriptor {fd} is not open, though LISTEN_FDS={text} says so")
    return int(text)


class Waiting:
    """Asks the manager for more time, as long as the context lasts, where there is one: for a pull."""

    def __enter__(self) -> None:
        self._thread: Thread | None = None
        path = os.environ.get("NOTIFY_SOCKET", "")
        if path:
            from threading import Event, Thread

            self._end = Event()
            self._thread = Thread(target=self._ask, args=(path,), daemon=True)
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._end.set()
            self._thread.join()  # a monitor may be forked next

    def _ask(self, path: str) -> None:
        while True:
            _tell(path, f"EXTEND_TIMEOUT_USEC={_EXTENSION_SECONDS * 1_000_000}")
            if self._end.wait(_EXTENSION_SECONDS / 2):
                return


def tell_main_process(notify: dict[str, str], find_process: Callable[[], int] | None) -> None:
    """Say that the process of this number is to be watched instead of us."""
    if notify["socket"] and find_process is not None:
        _tell(notify["socket"], f"MAINPID={find_process()}")


def tell_started(notify: dict[str, str], find_process: Callable[[], int] | None) -> None:
    """Say that the container runs, where that is what is waited for."""
    if notify["mode"] == service.MONITOR and find_process is not None:
        _tell(notify["socket"], f"MAINPID={find_process()}\nREADY=1")


def tell_ready(path: str) -> None:
    """Say that the service has started, where this command itself is its main process.

    `path` is NOTIFY_SOCKET from before containers were made that are told nothing of it: then it is gone.
    """
    _tell(path, "READY=1")


def _tell(path: str, message: str) -> None:
    if not path:
        return
    try:
        sockets.send_datagram(path, message.encode())
    except OSError as error:
        log.warning(f"NOTIFY_SOCKET '{path}' was not told {message!r}: {error.strerror or error}")
