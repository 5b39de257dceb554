"""The holder: the process that owns a user's networks, from the first container on one to the last.

It is root of a user namespace with the caller's usual id maps, in which the user namespaces of the connected containers
are nested, and it has the network namespace with the bridges. What it knows is in its memory alone: each container
is connected by its monitor, and when its process 1 ends, whatever the reason, what belongs to it goes.
"""

from __future__ import annotations

import os
import socket

from netns.holder import bridges, dns, forward, protocol
from pod.base import faults, locks
from pod.base.errors import PodError
from pod.linux import namespaces, processes, signals, sockets, syscalls
from pod.linux.loop import Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from netns.holder.bridges import Network, Place

_LINGER_SECONDS = faults.seconds("LINGER", 1.0)  # restarts should not have to wait for a new one


def begin(channel_fd: int, earlier_fd: int = -1) -> NoReturn:
    """Be the holder whose starter has the other end of the channel; never returns.

    `earlier_fd` is the user namespace of a holder that was killed, in which containers go on.
    """
    channel = sockets.from_fd(channel_fd)
    try:
        holder = _prepare(channel, earlier_fd)
    except BaseException as error:  # noqa: BLE001  told to the starter; the process ends here
        try:
            channel.send(protocol.ERROR, *processes.describe_error(error))
        except OSError:
            pass  # nobody is left to be told
        processes.leave(1)
    channel.close()
    try:
        holder.run()
    finally:
        processes.leave(0)


def _prepare(channel: sockets.Channel, earlier_fd: int) -> Holder:
    processes.close_descriptors({0, 1, 2, channel.fileno(), max(earlier_fd, 0)})
    syscalls.set_command_line("pod networks")
    signals.ignore([signals.SIGINT, signals.SIGTERM, signals.SIGHUP, signals.SIGQUIT])
    if earlier_fd >= 0:
        syscalls.setns(earlier_fd, namespaces.CLONE_NEWUSER)
        os.close(earlier_fd)
        channel.send(protocol.UNSHARED)
    else:
        syscalls.unshare(namespaces.CLONE_NEWUSER)
        channel.send(protocol.UNSHARED)
        _expect(channel, protocol.MAPPED)
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)  # pasta and containers come by our /proc files
    syscalls.unshare(namespaces.CLONE_NEWNET)
    channel.send(protocol.NAMED)
    bridges.prepare()  # while the outside helper starts
    directory, outside = _expect(channel, protocol.OUTSIDE)
    holder = Holder(directory, outside)
    channel.send(protocol.LISTENING)
    return holder


def _expect(channel: sockets.Channel, name: str) -> list[Any]:
    kind, message, _ = channel.receive()
    if not kind or message[0] != name:
        processes.leave(1)  # the starter was killed
    return list(message[1:])


class Container:
    """A connected container: its cables by network, its published ports, the name servers it asked for."""

    def __init__(
        self, pid: int, container_id: str, names: list[str], servers: list[str], process_fd: int
    ) -> None:
        self.process_fd = process_fd
        self.network_fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.id = container_id
        self.names = names
        self.cables: dict[str, str] = {}
        self.places: dict[str, Place] = {}
        self.servers = servers
        self.ports: list[forward.TcpPort | forward.UdpPort] = []


class Holder:
    """What is connected to what; serves requests until nothing is."""

    def __init__(self, directory: str, outside: tuple[int, int]) -> None:
        self._directory = directory
        self._outside = outside
        self._loop = Loop()
        self._networks: dict[str, Network] = {}
        self._names: dict[str, list[dns.Server]] = {}  # by network
        self._containers: dict[str, Container] = {}
        self._clients: dict[int, sockets.Channel] = {}
        self._cables = 0
        self._remove_socket()
        self._listener = sockets.Listener(directory, protocol.SOCKET)
        self._loop.watch(self._listener.fileno(), self._accept)
        self._loop.set_timer("leave", _LINGER_SECONDS * 10, self._leave_if_idle)

    def run(self) -> None:
        """Serve until nobody needs it; then nothing of it is left."""
        self._loop.run()

    # Connections

    def _accept(self, _: int) -> None:
        try:
            client = self._listener.accept()
        except OSError:
            return
        self._clients[client.fileno()] = client
        self._loop.watch(client.fileno(), lambda _, it=client: self._serve(it))  # type: ignore[misc]

    def _serve(self, client: sockets.Channel) -> None:
        kind, message, fds = client.receive()
        if not kind:
            self._forget(client)
            return
        try:
            answer = self._answer(client, message, fds)
        except (PodError, OSError, ValueError, KeyError) as error:
            reply: tuple[Any, ...] = (protocol.ERROR, *processes.describe_error(error))
        else:
            reply = (protocol.DONE, *answer)
        finally:
            for fd in fds:
                os.close(fd)
        try:
            client.send(*reply)
        except OSError:
            self._forget(client)

    def _forget(self, client: sockets.Channel) -> None:
        number = client.fileno()
        self._loop.forget(number)
        self._clients.pop(number, None)
        client.close()
        self._loop.set_timer("leave", _LINGER_SECONDS, self._leave_if_idle)

    def _answer(
        self, client: sockets.Channel, message: tuple[Any, ...], fds: list[int]
    ) -> tuple[Any, ...]:
        name, *values = message
        if name == protocol.MAP:
            _write_maps(*values)
        elif name == protocol.ATTACH:
            self._attach(fds, *values)
        elif name == protocol.DETACH:
            self._detach(values[0])
        elif name == protocol.JOIN:
            self._join(self._containers[values[0]], *values[1:])
            bridges.write_rules(self._networks.values())
        elif name == protocol.LEAVE:
            self._leave_network(self._containers[values[0]], values[1])
        elif name == protocol.RENAME:
            if values[0] in self._containers:
                self._containers[values[0]].names = list(values[1])
        elif name == protocol.UPDATE:
            if values[0] in self._networks:
                self._networks[values[0]]["dns_servers"] = list(values[1])
        elif name == protocol.END:
            for container_id in list(self._containers):
                self._detach(container_id)
            self._end()
        elif name == protocol.STATUS:
            return (self._status(),)
        else:
            raise ValueError(f"unknown request '{name}'")
        return ()

    # Containers

    def _attach(
        self,
        fds: list[int],
        pid: int,
        container_id: str,
        names: list[str],
        servers: list[str],
        networks: list[Network],
        places: list[Place],
        ports: list[dict[str, Any]],
    ) -> None:
        if container_id in self._containers:
            self._detach(container_id)
        container = Container(pid, container_id, names, servers, os.dup(fds[0]))
        self._containers[container_id] = container
        self._loop.watch(container.process_fd, lambda _: self._detach(container_id))
        known = len(self._networks)
        try:
            for network, place in zip(networks, places, strict=True):
                self._join(container, network, place)
            if len(self._networks) != known:
                bridges.write_rules(self._networks.values())
            self._publish(container, ports, fds[1:])
        except BaseException:
            self._detach(container_id)
            raise

    def _join(self, container: Container, network: Network, place: Place) -> None:
        if network["name"] not in self._networks:
            self._add_network(network)
        if not place["interface"]:
            taken = {it["interface"] for it in container.places.values()}
            free = (f"eth{number}" for number in range(len(taken) + 1))
            place["interface"] = next(name for name in free if name not in taken)
        self._cables += 1
        cable = f"v{self._cables}"
        bridges.connect(cable, container.network_fd, network, place)
        container.cables[network["name"]] = cable
        container.places[network["name"]] = place

    def _add_network(self, network: Network) -> None:
        bridges.add(network)
        name = network["name"]
        self._networks[name] = network
        if network["dns"]:
            self._names[name] = [
                dns.Server(
                    self._loop,
                    gateway.partition("/")[0],
                    lambda client: self._known_to(name, client),
                )
                for gateway in network["gateways"]
            ]
            self._loop.set_timer("load", 0.0, dns.load)

    def _known_to(self, network: str, client: str) -> dns.Known | None:
        """What the container at an address of a network can find; None when there is no such container."""
        asking = next(
            (
                it
                for it in self._containers.values()
                if network in it.places and client in _addresses(it.places[network])
            ),
            None,
        )
        if asking is None:
            return None
        shared = [name for name in asking.places if self._networks[name]["dns"]]
        members = [
            dns.Member([*it.names, *it.places[name]["aliases"]], _addresses(it.places[name]))
            for it in self._containers.values()
            for name in shared
            if name in it.places
        ]
        servers = asking.servers or [
            server for name in shared for server in self._networks[name]["dns_servers"]
        ]
        internal = all(self._networks[name]["internal"] for name in asking.places)
        return dns.Known(members, shared, servers, internal=internal)

    def _leave_network(self, container: Container, name: str) -> None:
        cable = container.cables.pop(name)
        container.places.pop(name)
        bridges.disconnect(cable)
        self._remove_unused()

    def _publish(self, container: Container, ports: list[dict[str, Any]], fds: list[int]) -> None:
        """`ports` say where the sockets `fds` lead: {"port", "protocol"}; one each."""
        addresses: dict[int, str] = {}
        gateways: dict[int, str] = {}
        for name, place in container.places.items():
            for one in place["addresses"]:
                family = socket.AF_INET6 if ":" in one else socket.AF_INET
                addresses.setdefault(family, one.partition("/")[0])
            for one in self._networks[name]["gateways"]:
                family = socket.AF_INET6 if ":" in one else socket.AF_INET
                gateways.setdefault(family, one.partition("/")[0])
        for port, fd in zip(ports, fds, strict=True):
            kind = forward.TcpPort if port["protocol"] == "tcp" else forward.UdpPort
            target = forward.Target(addresses, port["port"], gateways)
            container.ports.append(kind(self._loop, socket.socket(fileno=os.dup(fd)), target))

    def _detach(self, container_id: str) -> None:
        container = self._containers.pop(container_id, None)
        if container is None:
            return
        self._loop.forget(container.process_fd)
        os.close(container.process_fd)
        os.close(container.network_fd)
        for port in container.ports:
            port.close()
        for cable in container.cables.values():
            try:
                bridges.disconnect(cable)
            except PodError:
                continue  # it went with the container's network namespace
        self._remove_unused()
        self._loop.set_timer("leave", _LINGER_SECONDS, self._leave_if_idle)

    def _remove_unused(self) -> None:
        used = {name for container in self._containers.values() for name in container.cables}
        unused = [name for name in self._networks if name not in used]
        for name in unused:
            for server in self._names.pop(name, []):
                server.close()
            bridges.remove(self._networks.pop(name)["bridge"])
        if unused:
            bridges.write_rules(self._networks.values())

    def _status(self) -> dict[str, Any]:
        return {
            "networks": list(self._networks),
            "containers": {
                it.id: {"names": it.names, "places": it.places} for it in self._containers.values()
            },
        }

    # The end

    def _leave_if_idle(self) -> None:
        """Leave when nobody is connected, unless a starter is at work, who would then find nobody."""
        if self._clients or self._containers:
            return
        lock = locks.FileLock(f"{self._directory}/{protocol.LOCK}")
        try:
            lock.acquire(wait=False)
        except locks.Busy:
            self._loop.set_timer("leave", _LINGER_SECONDS, self._leave_if_idle)
            return
        self._loop.turn(0)  # somebody may have connected just before
        if self._clients or self._containers:
            lock.release()
            return
        self._end()
        lock.remove()

    def _end(self) -> None:
        """End the outside helper, and serve nobody any more; somebody has the lock."""
        self._remove_socket()
        self._loop.forget(self._listener.fileno())
        self._listener.close()
        processes.send_signal(*self._outside, signals.SIGKILL)
        processes.wait_until_gone(*self._outside)
        _unlink(f"{self._directory}/{protocol.OUTSIDE_PID}")
        self._loop.stop()

    def _remove_socket(self) -> None:
        _unlink(f"{self._directory}/{protocol.SOCKET}")


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def _addresses(place: Place) -> list[str]:
    return [one.partition("/")[0] for one in place["addresses"]]


def _write_maps(pid: int, uids: str, gids: str) -> None:
    """The id maps of a user namespace inside ours; we are the root of the one above it (user_namespaces(7))."""
    for kind, text in (("uid", uids), ("gid", gids)):
        fd = os.open(f"/proc/{pid}/{kind}_map", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
