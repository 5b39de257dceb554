"""Published ports: connections to a socket of the host go on to a container, with the client's own address.

The listening sockets were opened in the host's network namespace and passed to the holder. What arrives there is
connected, from inside the holder's network namespace, by a socket that is bound to the client's address though no
interface has it (IP_TRANSPARENT, ip(7)); answers find the way back by a mark that nft gives to packets of such sockets
(the kernel's networking/tproxy.rst). A client on the loopback interface appears as the gateway, since packets with
such an address may not travel. Bytes are moved by splice(2) and never seen here.
"""

from __future__ import annotations

import errno
import fcntl
import os

from pod.base import log
from pod.linux import inet as socket
from pod.linux import loop as loops

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable, Iterator
    from typing import Any

    from pod.linux.loop import Loop

    Ways = Iterator[tuple["Target", _socket.socket, tuple[str, int]]]
    """Where a client can go, a socket that speaks for it, and the address to connect that to; one after another."""

_IP_TRANSPARENT = 19  # linux/in.h
_IPV6_TRANSPARENT = 75  # linux/in6.h
_PIPE_BYTES = 1 << 20
_UDP_SECONDS = 180.0  # as long as the kernel's own tables remember a stream (nf_conntrack_udp_timeout_stream is 120)
_MAX_CLIENTS = 4096  # of one UDP port
_PACKETS_AT_ONCE = 64
_MAX_PACKET = 1 << 16
_REFUSED_SECONDS = 0.005
_AGAIN = (errno.EAGAIN, errno.EWOULDBLOCK, errno.EINPROGRESS)


class Target:
    """Where a port leads: the container's addresses by family, its port, and what stands for loopback clients."""

    def __init__(self, addresses: dict[int, str], port: int, gateways: dict[int, str]) -> None:
        self.addresses = addresses
        self.port = port
        self.gateways = gateways
        self.connections: set[Connection] = set()

    def leave(self) -> None:
        """The container has gone. Its clients would not be told of it where its cable goes first."""
        for connection in list(self.connections):
            connection.lose_server()

    def outgoing(self, client: str, kind: int) -> tuple[socket.socket, tuple[str, int]]:
        """A socket that speaks for `client`, and the address to connect it to. Raises OSError."""
        client, family = _plain(client)
        if family not in self.addresses:
            family = socket.AF_INET if family == socket.AF_INET6 else socket.AF_INET6
            client = ""
        if not client or _is_loopback(client):
            client = self.gateways[family]
        sock = socket.socket(family, kind | socket.SOCK_NONBLOCK)
        try:
            if family == socket.AF_INET:
                sock.setsockopt(socket.SOL_IP, _IP_TRANSPARENT, 1)
            else:
                sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_TRANSPARENT, 1)
            sock.bind((client, 0))
        except BaseException:
            sock.close()
            raise
        return sock, (self.addresses[family], self.port)

    def ways(self, client: str, kind: int) -> Ways:
        """Where a client can go, the first that should be tried first; whoever takes one closes its socket."""
        try:
            yield (self, *self.outgoing(client, kind))
        except (OSError, KeyError) as error:
            log.debug(f"what comes from {client} cannot go on: {error}")


class Turns:
    """The targets of a port that several containers share: each client goes to the next, or to one that takes it."""

    def __init__(self) -> None:
        self._targets: list[Target] = []

    def add(self, target: Target) -> None:
        self._targets.append(target)

    def remove(self, target: Target) -> None:
        """No more clients for this one; fine when there are none already."""
        if target in self._targets:
            self._targets.remove(target)

    def spare(self, target: Target) -> bool:
        """No more clients for this one; False, and it stays, where there is no other who takes them."""
        if not any(it is not target for it in self._targets):
            return False
        self.remove(target)
        return True

    def ways(self, client: str, kind: int) -> Ways:
        """As those of a target, each of which is tried once, also one that comes meanwhile."""
        tried: list[Target] = []
        while left := [target for target in self._targets if target not in tried]:
            if not tried:
                self._targets.append(self._targets.pop(0))
            tried.append(left[0])
            yield from left[0].ways(client, kind)


class TcpPort:
    """A listening socket, which it owns, and the connections that came through it."""

    def __init__(self, loop: Loop, listener: socket.socket, target: Target | Turns) -> None:
        self._loop = loop
        self._listener = listener
        self._target = target
        self._connections: set[Connection] = set()
        self._name = f"refused {listener.fileno()}"
        listener.setblocking(False)
        self._listen()

    def _listen(self) -> None:
        self._loop.watch(self._listener.fileno(), self._accept)

    def _refused(self) -> None:
        """Leave the next clients in the kernel's queue for a moment, since they may be many who try all the time."""
        if self._listener.fileno() >= 0:
            self._loop.forget(self._listener.fileno())
            self._loop.set_timer(self._name, _REFUSED_SECONDS, self._listen)

    def close(self) -> None:
        """No more connections; those that are there end."""
        self._loop.cancel_timer(self._name)
        self._loop.forget(self._listener.fileno())
        self._listener.close()
        for connection in list(self._connections):
            connection.finish()

    def _accept(self, _: int) -> None:
        try:
            client, address = self._listener.accept()
        except OSError:
            return  # it has gone again, or we have too many descriptors open
        ways = self._target.ways(address[0], socket.SOCK_STREAM)
        connection = Connection(self._loop, client, ways, self._connections.discard, self._refused)
        self._connections.add(connection)
        connection.begin()


class UdpPort:
    """A bound socket, which it owns, and one socket for each client that has been heard of lately."""

    def __init__(self, loop: Loop, listener: socket.socket, target: Target | Turns) -> None:
        self._loop = loop
        self._listener = listener
        self._target = target
        self._clients: dict[tuple[Any, ...], _UdpClient] = {}
        listener.setblocking(False)
        loop.watch(listener.fileno(), self._receive)

    def close(self) -> None:
        self._loop.forget(self._listener.fileno())
        self._listener.close()
        for client in list(self._clients.values()):
            client.close()

    def _receive(self, _: int) -> None:
        for _turn in range(_PACKETS_AT_ONCE):
            try:
                data, address = self._listener.recvfrom(_MAX_PACKET)
            except OSError:
                return  # nothing more, or an earlier answer could not be delivered
            client = self._clients.get(address) or self._new_client(address)
            if client is not None:
                client.send(data)

    def _new_client(self, address: tuple[Any, ...]) -> _UdpClient | None:
        if len(self._clients) >= _MAX_CLIENTS:
            next(iter(self._clients.values())).close()
        for _, sock, where in self._target.ways(address[0], socket.SOCK_DGRAM):
            try:
                sock.connect(where)
            except OSError as error:
                log.debug(f"a packet from {address[0]} cannot go on: {error}")
                sock.close()
                continue
            client = _UdpClient(self, sock, address)
            self._clients[address] = client
            return client
        return None


class _UdpClient:
    """What a client sends goes to the container, what the container answers to the client."""

    def __init__(self, port: UdpPort, sock: _socket.socket, address: tuple[Any, ...]) -> None:
        self._port = port
        self._socket = sock
        self._address = address
        self._name = f"udp {sock.fileno()}"
        port._loop.watch(sock.fileno(), self._receive)
        self._seen()

    def send(self, data: bytes) -> None:
        self._seen()
        try:
            self._socket.send(data)
        except OSError:
            return  # nobody listens there now, or the queue is full; packets may be lost

    def _receive(self, _: int) -> None:
        self._seen()
        for _turn in range(_PACKETS_AT_ONCE):
            try:
                self._port._listener.sendto(self._socket.recv(_MAX_PACKET), self._address)
            except OSError:
                return

    def _seen(self) -> None:
        self._port._loop.set_timer(self._name, _UDP_SECONDS, self.close)

    def close(self) -> None:
        if self._socket.fileno() < 0:
            return
        self._port._loop.cancel_timer(self._name)
        self._port._loop.forget(self._socket.fileno())
        self._socket.close()
        self._port._clients.pop(self._address, None)


class _Flow:
    """One direction: from a socket through a pipe to another socket."""

    def __init__(self, source: _socket.socket, sink: _socket.socket) -> None:
        self.source = source
        self.sink = sink
        self.read_fd, self.write_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            fcntl.fcntl(self.write_fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        except PermissionError:
            pass  # the user's pipes are at their limit, pipe(7)
        self.waiting = 0  # bytes in the pipe
        self.at_end = False  # the source has no more
        self.is_last = False  # the source is about to have no more, and does not say so itself
        self.has_ended = False  # and the sink was told so

    def move(self) -> None:
        """All that can be moved without waiting. Raises OSError when a side has gone."""
        while not self.has_ended:
            moved = 0
            if not self.at_end and not self.waiting:
                moved = _splice(self.source.fileno(), self.write_fd)
                if moved == 0 or (moved < 0 and self.is_last):
                    self.at_end = True
                self.waiting += max(moved, 0)
            if self.waiting:
                sent = _splice(self.read_fd, self.sink.fileno(), self.waiting)
                if sent < 0:
                    return
                self.waiting -= sent
            elif self.at_end:
                self.has_ended = True
                self.sink.shutdown(socket.SHUT_WR)
            elif moved < 0:
                return

    def close(self) -> None:
        os.close(self.read_fd)
        os.close(self.write_fd)


def _splice(source: int, sink: int, count: int = _PIPE_BYTES) -> int:
    """Bytes moved; 0 at the end, -1 when it would have to wait."""
    try:
        return os.splice(source, sink, count, flags=_SPLICE_FLAGS)
    except OSError as error:
        if error.errno in _AGAIN:
            return -1
        raise


_SPLICE_FLAGS = 1 | 2  # SPLICE_F_MOVE, SPLICE_F_NONBLOCK


class Connection:
    """A client and a container, with a flow in each direction."""

    def __init__(
        self,
        loop: Loop,
        client: _socket.socket,
        ways: Ways,
        forget: Callable[[Connection], None],
        refused: Callable[[], None] | None = None,
    ) -> None:
        self._loop = loop
        self._client = client
        self._ways = ways
        self._server: _socket.socket | None = None
        self._target: Target | None = None
        self._forget = forget
        self._refused = refused
        self._flows: tuple[_Flow, ...] = ()
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def begin(self) -> None:
        """Connect the server's side, the first way that can be gone, and move bytes as soon as it is there."""
        for target, server, where in self._ways:
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if server.connect_ex(where) in (0, *_AGAIN):
                self._server, self._target = server, target
                target.connections.add(self)
                self._loop.watch(server.fileno(), self._on_event, loops.WRITE)
                return
            server.close()
        if self._refused is not None:
            self._refused()
        self.close()

    def _on_event(self, _: int) -> None:
        try:
            if not self._flows and not self._is_connected():
                self.begin()
                return
            for flow in self._flows:
                flow.move()
        except OSError:
            self.close()
            return
        if all(flow.has_ended for flow in self._flows):
            self.close()
        else:
            self._watch()

    def _is_connected(self) -> bool:
        """Whether the server's side has been connected; when it was refused, its socket is given up."""
        server = self._server
        assert server is not None
        if server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._give_up_server()
            return False
        self._flows = (_Flow(self._client, server), _Flow(server, self._client))
        return True

    def _give_up_server(self) -> None:
        server, target = self._server, self._target
        if server is not None and target is not None:
            self._loop.forget(server.fileno())
            server.close()
            target.connections.discard(self)
        self._server = self._target = None

    def lose_server(self) -> None:
        """The container has gone: on to another if it was not reached; what it had said still gets to the client."""
        if self._flows:
            to_server, to_client = self._flows
            to_server.has_ended = to_client.is_last = True
            self._on_event(-1)
        else:
            self._give_up_server()
            self.begin()

    def finish(self) -> None:
        """End both sides; what the container had said reaches the client, if it takes that without delay."""
        if self._flows:
            self.lose_server()
        self.close()

    def _watch(self) -> None:
        """Wait for what each flow lacks: bytes at its source, or room at its sink."""
        wanted = {flow.source.fileno(): 0 for flow in self._flows}
        for flow in self._flows:
            if flow.has_ended:
                continue
            if flow.waiting:
                wanted[flow.sink.fileno()] |= loops.WRITE
            elif not flow.at_end:
                wanted[flow.source.fileno()] |= loops.READ
        for fd, events in wanted.items():
            if events:
                self._loop.watch(fd, self._on_event, events)
            else:
                self._loop.forget(fd)

    def close(self) -> None:
        """End both sides; a side that was told of no end sees a reset."""
        if self._client.fileno() < 0:
            return
        self._give_up_server()
        self._loop.forget(self._client.fileno())
        self._client.close()
        for flow in self._flows:
            flow.close()
        self._forget(self)


def _plain(address: str) -> tuple[str, int]:
    """An address without zone, and an IPv4 one that came through a socket for both as such; its family."""
    address = address.partition("%")[0]
    if address.startswith("::ffff:") and "." in address:
        address = address[7:]
    return address, socket.AF_INET6 if ":" in address else socket.AF_INET


def _is_loopback(address: str) -> bool:
    return address == "::1" or address.startswith("127.")
