"""The messages between a monitor and the process that becomes a container, in their order.

Each is a tuple whose first value is the name. A message that is not the expected one, or the end of the connection
before `start`, is an error with a name: nothing is skipped and nothing is guessed.

    monitor                                  init
    --------------------------------         ---------------------------------------------------------
                                      <-     UNSHARED          it is in its new user namespace
                                      <-     NETWORK           it has its network namespace; only if it makes one
    MAPPED                            ->                       the id maps are written
    BUNDLE, bundle                    ->                       what to build (runtime/create.py says what is in it);
                                                               None with a channel: no container, but the holder of
                                                               networks (netns/holder), which goes on over that
                                      <-     PID, pid,         process 1 of the container, as the monitor sees it,
                                             servers, placed   what serves its root file system (fuse.py), and
                                                               whether process 1 is in its cgroup already
    PLACED                            ->                       it is
                                      <-     HOOKS             the root is mounted; only where the bundle has hooks
    HOOKED, state                     ->                       those on the host have run; the state for the others
                                      <-     READY + terminal  everything is in place; the master end of its terminal
    LISTEN + socket                   ->                       only `create` of the command line: it ends now, and
                                                               `start` connects there and says the rest
    START, state                      ->                       the network is up: become the container's command
                                      <-     end of file       execve succeeded
    at any time                       <-     ERROR, kind, value
"""

from __future__ import annotations

from pod.base.errors import PodError
from pod.linux import processes, sockets

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

UNSHARED = "unshared"
NETWORK = "network"
MAPPED = "mapped"
BUNDLE = "bundle"
PID = "pid"
PLACED = "placed"
HOOKS = "hooks"
HOOKED = "hooked"
READY = "ready"
LISTEN = "listen"
START = "start"
ERROR = "error"


class Disconnected(PodError):
    """The other side is gone before its turn."""

    def __init__(self, expected: str) -> None:
        super().__init__(f"the start of the container broke off before '{expected}'")


def send(channel: sockets.Channel, name: str, *values: Any, fds: Iterable[int] = ()) -> None:
    """Send to init. When it is gone, raises what it has reported before, or Disconnected: a broken pipe is not ours."""
    try:
        channel.send(name, *values, fds=fds)
    except (BrokenPipeError, ConnectionResetError):
        expect(channel, name)
        raise


def expect(channel: sockets.Channel, name: str) -> tuple[tuple[Any, ...], list[int]]:
    """Receive exactly the message `name`: its values and descriptors. Raises what an ERROR message carries."""
    kind, message, fds = channel.receive()
    if not kind:
        raise Disconnected(name)
    if message[0] == ERROR:
        raise processes.rebuild_error(message[1], message[2])
    if message[0] != name:
        raise PodError(f"the start of the container expected '{name}' and got '{message[0]}'")
    return message[1:], fds


def expect_start(channel: sockets.Channel, *, may_listen: bool) -> str:
    """Wait for START: the state for hooks. With `may_listen`, LISTEN comes before, and the channel becomes another."""
    if may_listen:
        _, fds = expect(channel, LISTEN)
        listener = sockets.Listener.from_fd(fds[0])
        listener.set_blocking(True)
        channel.become(listener.accept())
        listener.close()
    (state,), _ = expect(channel, START)
    return str(state)


def wait_for_exec(channel: sockets.Channel) -> None:
    """Wait until execve has closed init's end. Raises what an ERROR message carries."""
    kind, message, _ = channel.receive()
    if kind:
        raise processes.rebuild_error(message[1], message[2])
