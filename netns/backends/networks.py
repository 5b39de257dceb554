"""Networks of the caller's own: a container gets a place on each, from the holder (netns/holder), and names there.

Besides what every backend gets, the settings have:

    holder          {"directory", "maps", "program", "options"}, see netns/holder/client.py
    id, names       the container's, and the names by which it is found on every network
    servers         name servers to ask for it about other names; [] for the network's or the host's
    networks        what netns/holder/bridges.py calls a network
    places          the container's place on each of them

The container's user namespace has to be nested in that of the holder, so the connection to it, `Places`, comes before
the container; `namespace` and `map_ids` are for the making of the container.
"""

from __future__ import annotations

import errno
import os
import time

from netns.errors import NetworkError
from netns.holder import client, protocol
from pod.linux import idmap, sockets
from pod.linux import inet as socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from netns.holder.starting import Prepared, Starting
    from pod.linux.idmap import IdMap

_SHARE_TRIES = 60
_POLL_SECONDS = 0.05


def begin(settings: dict[str, Any], pid: int) -> Places:
    """Connect the container whose network namespace `pid` has, until the process "lives" of the settings ends."""
    places: Places = settings.get("opened") or Places(settings)
    places.connect(pid, settings.get("lives") or pid)
    return places


class Places:
    """A connection to the holder, by which a container gets its places on networks.

    Where the holder has to be started, that goes on until it is first asked for something, and its way to the world
    until `wait` returns.
    """

    def __init__(self, settings: dict[str, Any], prepared: Prepared | None = None) -> None:
        """`settings` need no more than the holder and the networks, until `settle`."""
        self._settings = settings
        started = client.begin(settings["holder"], settings["networks"], prepared)
        self._opened: sockets.Channel | None = None
        self._starting: Starting | None = None
        if isinstance(started, sockets.Channel):
            self._opened = started
        else:
            self._starting = started

    def settle(self, settings: dict[str, Any]) -> None:
        """What was begun with the holder and the networks alone is for this container."""
        self._settings = settings

    @property
    def namespace(self) -> str:
        """The path of the holder's user namespace, good until this is asked for something, or closed."""
        if self._opened is None and self._starting is not None and self._starting.namespace_fd >= 0:
            return f"/proc/self/fd/{self._starting.namespace_fd}"
        return f"/proc/{self._channel.peer()}/ns/user"

    @property
    def _channel(self) -> sockets.Channel:
        """The connection, as soon as the holder listens. Raises what keeps it from that."""
        if self._opened is None:
            starting, self._starting = self._starting, None
            if starting is None:
                raise client.lost()
            self._opened = starting.listen()
            self._starting = starting
        return self._opened

    def map_ids(self, pid: int, uids: IdMap, gids: IdMap) -> None:
        """Give the user namespace of `pid`, which is nested in the holder's, its maps from ids of the host."""
        outer_uids, outer_gids = self._settings["holder"]["maps"]
        nested = [
            idmap.as_text(idmap.inside(wanted, outer))
            for wanted, outer in ((uids, outer_uids), (gids, outer_gids))
        ]
        client.ask(self._channel, protocol.MAP, pid, *nested)

    def connect(self, pid: int, lives: int) -> None:
        """Ask for cables and ports, until the process `lives` ends. Raises NetworkError."""
        process_fd = os.pidfd_open(lives)
        try:
            self._connect(pid, process_fd)
        finally:
            os.close(process_fd)

    def _connect(self, pid: int, process_fd: int) -> None:
        """Attach it; where a port can only be shared, with somebody who may just be coming or going."""
        tries = _SHARE_TRIES  # not a time: a replica that cannot be started again stays down, and a machine may be busy
        while True:
            tries -= 1
            try:
                self._attach(pid, process_fd)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                if not tries:
                    shared = [port for port in self._settings["ports"] if port.get("group")]
                    raise _cannot_publish(
                        shared[0]["host_ip"], shared[0]["host_port"], shared[0]["protocol"], error
                    ) from error
                time.sleep(_POLL_SECONDS)
            else:
                return

    def _attach(self, pid: int, process_fd: int) -> None:
        ports, listeners = _listen(self._settings["ports"])
        try:
            client.ask(
                self._channel,
                protocol.ATTACH,
                pid,
                self._settings["id"],
                self._settings["names"],
                self._settings["servers"],
                self._settings["networks"],
                self._settings["places"],
                ports,
                fds=(process_fd, *(listener.fileno() for listener in listeners)),
            )
        finally:
            for listener in listeners:
                listener.close()

    def release(self) -> None:
        """Give up what the container has, before it is connected anew."""
        client.ask(self._channel, protocol.DETACH, self._settings["id"])

    def close(self) -> None:
        """End the connection; what the container has stays."""
        try:
            self.wait()
        finally:
            if self._opened is not None:
                self._opened.close()

    def wait(self) -> None:
        """Wait until the world is reached; the container is in place since `connect` returned. Raises NetworkError."""
        starting = self._starting
        if starting is not None:
            channel = self._channel
            self._starting = None
            starting.finish(channel)

    def reach_out(self, until_fd: int) -> None:
        """Have the world reached now, and let others come, unless `until_fd` can be read first."""
        starting = self._starting
        if starting is not None and self._channel and starting.is_out(until_fd):
            self.wait()

    def plan(self) -> dict[str, Any]:
        self._channel.close()
        return {
            "processes": [],
            "fds": [],
            "files": [],
            "holder": (self._settings["holder"]["directory"], self._settings["id"]),
        }

    def detach(self) -> None:
        if self._opened is None and self._starting is not None:
            self._starting.abandon()
            self._starting = None
        try:
            self.close()
        except NetworkError:
            pass  # the caller has an error of his own
        if "id" in self._settings:
            client.detach(self._settings["holder"]["directory"], self._settings["id"])


def _listen(
    ports: list[dict[str, Any]],
) -> tuple[list[dict[str, Any]], list[socket.socket]]:
    """Sockets of the host for published ports, and where each leads, as ATTACH takes them."""
    listeners: list[socket.socket] = []
    targets = []
    try:
        for port in ports:
            for offset in range(port["count"]):
                at = (port["host_ip"], port["host_port"] + offset)
                target = {"port": port["container_port"] + offset, "protocol": port["protocol"]}
                if port.get("group"):
                    target |= {"group": port["group"], "at": at, "listens": True}
                targets.append(target)
                try:
                    listeners.append(_listener(*at, port["protocol"]))
                except OSError as error:
                    if error.errno != errno.EADDRINUSE or not port.get("group"):
                        raise _cannot_publish(*at, port["protocol"], error) from error
                    target["listens"] = False
    except BaseException:
        for listener in listeners:
            listener.close()
        raise
    return targets, listeners


def _listener(address: str, port: int, protocol_name: str) -> socket.socket:
    """A socket on one address, or on all of both families where the machine has IPv6."""
    kind = socket.SOCK_STREAM if protocol_name == "tcp" else socket.SOCK_DGRAM
    family = socket.AF_INET if address and ":" not in address else socket.AF_INET6
    if not address and not socket.has_dualstack_ipv6():
        family = socket.AF_INET
    sock = socket.socket(family, kind)
    try:
        if kind == socket.SOCK_STREAM:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1 if address else 0)
        sock.bind((address, port))
        if kind == socket.SOCK_STREAM:
            sock.listen(1024)
    except OSError:
        sock.close()
        raise
    return sock


def _cannot_publish(address: str, port: int, protocol_name: str, error: OSError) -> NetworkError:
    return NetworkError(
        f"port {address or '0.0.0.0'}:{port}/{protocol_name} of the host cannot be published: {error.strerror}"
    )
