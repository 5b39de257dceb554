"""`pod network expose`: http://NAME.pod.localhost for every container that publishes a port, on one port of the host.

Names below localhost are the machine itself (RFC 6761), so that no name server has to know them. A connection is read
up to the end of its first request's head, without taking anything out of it, and goes then to the port that the
container publishes, untouched: the name in the head is all that is looked at, and each name has its own connections.
"""

from __future__ import annotations

import os
import socket

from netns.holder.forward import Connection, Target
from pod.base.errors import PodError
from pod.engine import finish
from pod.engine.port import PublishedPort, published
from pod.linux import signals
from pod.linux.loop import Loop
from pod.state import containers, pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pod.engine.context import Engine

DOMAIN = "pod.localhost"
_USUAL_PORTS = (80, 8080, 8000, 3000, 5000)  # of web servers in containers, best first
_MAX_HEAD = 16384
_HEAD_SECONDS = 10.0
_MOST_CLIENTS = 1024
_EVERY_ADDRESS = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}


class CannotListen(PodError):
    """The port of the forwarder itself cannot be had."""


def serve(engine: Engine, port: int, tell: Callable[[str], None]) -> None:
    """Forward until a signal ends it. `tell` gets the address, once connections are taken. Raises CannotListen."""
    loop = Loop()
    wakeup = signals.Wakeup([signals.SIGINT, signals.SIGTERM, signals.SIGHUP])
    listeners = _listeners(port)
    try:
        loop.watch(wakeup.fileno(), lambda _: loop.stop())
        clients: set[_Client] = set()
        for listener in listeners:
            loop.watch(
                listener.fileno(),
                lambda _, it=listener: _accept(engine, loop, it, clients),  # type: ignore[misc]
            )
        tell(f"http://NAME.{DOMAIN}:{listeners[0].getsockname()[1]}")
        loop.run()
    finally:
        for listener in listeners:
            listener.close()
        wakeup.close()
        loop.close()


def exposed(engine: Engine) -> dict[str, list[PublishedPort]]:
    """The TCP ports that running containers publish, by the names of containers and pods in lower case."""
    found: dict[str, list[PublishedPort]] = {}
    active = [it for it in containers.all_of(engine.database) if it.status == "active"]
    pod_names = {it.id: it.name for it in pods.all_of(engine.database)}
    for container in active:
        ports = [it for it in published(container) if it.protocol == "tcp"]
        if not ports or finish.refresh(engine, container)[1] is None:
            continue
        names = [container.name]
        if container.config.is_infra:  # what its pod publishes is served by any of the others
            members = [it.name for it in active if it.config.pod == container.config.pod]
            names = [pod_names.get(container.config.pod, ""), *members]
        for name in filter(None, names):
            found[name.lower()] = ports
    return found


def choose(ports: list[PublishedPort], wanted: int = 0) -> PublishedPort | None:
    """The port of the container that `wanted` says, or else that a web server probably has."""
    if wanted:
        return next((it for it in ports if it.container_port == wanted), None)
    for usual in _USUAL_PORTS:
        for port in ports:
            if port.container_port == usual:
                return port
    return ports[0]


def target(host: str, known: dict[str, list[PublishedPort]]) -> PublishedPort | None:
    """Where a request for `host` goes: NAME.pod.localhost, or PORT.NAME.pod.localhost for another port of it."""
    name = host.lower().rstrip(".").removesuffix(f".{DOMAIN}")
    if name in known:
        return choose(known[name])
    number, _, rest = name.partition(".")
    if number.isascii() and number.isdigit() and len(number) <= 5 and rest in known:
        return choose(known[rest], int(number))
    return None


def host_of(head: bytes) -> str:
    """The name that a request is for, without port; "" when its head has none. RFC 9112, 3.2."""
    for line in head.split(b"\n")[1:]:
        key, colon, value = line.partition(b":")
        if colon and key.strip().lower() == b"host":
            text = value.strip().decode("latin-1")
            return text if text.startswith("[") else text.partition(":")[0]
    return ""


def _listeners(port: int) -> list[socket.socket]:
    """Sockets of the loopback addresses, for the same port; of IPv6 where the machine has it."""
    found: list[socket.socket] = []
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            listener = socket.create_server(
                (address, found[0].getsockname()[1] if found else port), family=family
            )
        except OSError as error:
            if found:
                break  # IPv4 is enough; who has the other one serves those who prefer it
            raise CannotListen(
                f"port {address}:{port} cannot be listened on: {os.strerror(error.errno or 0)}",
                hint="choose another: pod network expose --port 8081",
            ) from error
        listener.setblocking(False)
        found.append(listener)
    return found


def _accept(engine: Engine, loop: Loop, listener: socket.socket, clients: set[_Client]) -> None:
    try:
        sock, _ = listener.accept()
    except OSError:
        return
    if len(clients) >= _MOST_CLIENTS:
        sock.close()
        return
    clients.add(_Client(engine, loop, sock, clients))


class _Client:
    """A connection of which the head of the first request is awaited."""

    def __init__(
        self, engine: Engine, loop: Loop, sock: socket.socket, clients: set[_Client]
    ) -> None:
        self._engine = engine
        self._loop = loop
        self._socket = sock
        self._clients = clients
        self._seen = 0
        self._timer = f"head {sock.fileno()}"
        sock.setblocking(False)
        loop.watch(sock.fileno(), self._look)
        loop.set_timer(self._timer, _HEAD_SECONDS, self._close)

    def _look(self, _: int) -> None:
        try:
            head = self._socket.recv(_MAX_HEAD, socket.MSG_PEEK)
        except BlockingIOError:
            return
        except OSError:
            self._close()
            return
        text = head.replace(b"\r\n", b"\n")
        if b"\n\n" in text:
            self._go_on(host_of(text.partition(b"\n\n")[0]))
        elif len(head) <= self._seen or len(head) == _MAX_HEAD:
            self._close()  # it has ended, or goes on for ever
        else:
            # Ready again when there is more than that (socket(7)); or at the end.
            self._seen = len(head)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, self._seen + 1)

    def _go_on(self, host: str) -> None:
        known = exposed(self._engine)
        port = target(host, known)
        if port is None:
            self._refuse("404 Not Found", _unknown(host, known))
            return
        where = (_EVERY_ADDRESS.get(port.host_ip, port.host_ip), port.host_port)
        family = socket.AF_INET6 if ":" in where[0] else socket.AF_INET
        server = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
        self._let_go()
        ways = iter([(Target({}, port.host_port, {}), server, where)])
        Connection(self._loop, self._socket, ways, lambda _: None).begin()

    def _refuse(self, status: str, text: str) -> None:
        body = text.encode()
        head = (
            f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        try:
            self._socket.recv(_MAX_HEAD)  # what is not read when it is closed resets the connection
            self._socket.send(head.encode() + body)
        except OSError:
            pass  # the client has gone
        self._close()

    def _let_go(self) -> None:
        self._loop.cancel_timer(self._timer)
        self._loop.forget(self._socket.fileno())
        self._clients.discard(self)

    def _close(self) -> None:
        self._let_go()
        self._socket.close()


def _unknown(host: str, known: dict[str, list[PublishedPort]]) -> str:
    lines = [f"no running container or pod that publishes a port is meant by '{host}'"]
    lines += [f"{name}.{DOMAIN}" for name in sorted(known)]
    return "\n".join(lines) + "\n"
