"""Which containers are connected to what: their cables, published ports and names.

It is in memory alone: each container is connected by its monitor, and when its process 1 ends, whatever the reason,
what belongs to it goes.
"""

from __future__ import annotations

import os

from netns.holder import answers, bridges, dns, forward
from pod.base import log
from pod.base.errors import PodError
from pod.linux import inet as socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from netns.holder.bridges import Network, Place
    from netns.holder.work import Queue, Steps
    from pod.linux.loop import Loop

_MAX_KNOWN = 1024  # answers to "who asks here?" that are remembered


class Container:
    """A connected container: its cables by network, its published ports, the name servers it asked for."""

    def __init__(
        self, pid: int, container_id: str, names: list[str], servers: list[str], process_fd: int
    ) -> None:
        self.network_fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self.process_fd = os.dup(process_fd)
        self.id = container_id
        self.names = names
        self.cables: dict[str, str] = {}
        self.places: dict[str, Place] = {}
        self.servers = servers
        self.ports: list[forward.TcpPort | forward.UdpPort] = []
        self.addresses: dict[int, str] = {}  # by family: where its published ports lead
        self.gateways: dict[int, str] = {}  # and who clients on loopback interfaces appear as


class Members:
    """The connected containers and their networks. `on_less` is called when one has gone.

    What changes them is steps of work.py, one at a time.
    """

    def __init__(self, loop: Loop, work: Queue, on_less: Callable[[], None]) -> None:
        self._loop = loop
        self._work = work
        self._on_less = on_less
        self._networks: dict[str, Network] = {}
        self._names: dict[str, list[dns.Server]] = {}  # by network
        self._containers: dict[str, Container] = {}
        self._cables = 0
        self._known: dict[tuple[str, str], answers.Known | None] = {}  # by network and client

    def __bool__(self) -> bool:
        return bool(self._containers)

    def attach(
        self,
        fds: list[int],
        pid: int,
        container_id: str,
        names: list[str],
        servers: list[str],
        networks: list[Network],
        places: list[Place],
        ports: list[dict[str, Any]],
    ) -> Steps:
        """Connect a container until the process of the first of `fds`, a pidfd, ends; the others are its ports."""
        if container_id in self._containers:
            yield from self.detach(container_id)
        container = Container(pid, container_id, names, servers, fds[0])
        self._containers[container_id] = container
        self._loop.watch(container.process_fd, lambda _: self._ended(container))
        try:
            for network, place in zip(networks, places, strict=True):
                yield from self._join(container, network, place)
            self._publish(container, ports, fds[1:])
        except BaseException:
            yield from self.detach(container_id)
            raise

    def _ended(self, container: Container) -> None:
        """Process 1 has ended; another one of the same container may be coming already."""
        self._loop.forget(container.process_fd)

        def let_go() -> Steps:
            if self._containers.get(container.id) is container:
                yield from self.detach(container.id)

        self._work.add(let_go(), _tell)

    def join(self, container_id: str, network: Network, place: Place) -> Steps:
        """One more network for a container. Raises KeyError for one that is not connected."""
        container = self._containers[container_id]
        has_way_out = any(it["default"] for it in container.places.values())
        place["default"] = not has_way_out and not network["internal"]
        try:
            yield from self._join(container, network, place)
        except BaseException:
            yield from self.leave(container_id, network["name"])
            raise

    def rename(self, container_id: str, names: list[str]) -> None:
        """Other names for a container, if it is connected."""
        if container_id in self._containers:
            self._containers[container_id].names = list(names)
            self._known.clear()

    def set_servers(self, network: str, servers: list[str]) -> None:
        """Other name servers for a network, if anybody is on it."""
        if network in self._networks:
            self._networks[network]["dns_servers"] = list(servers)
            self._known.clear()

    def _join(self, container: Container, network: Network, place: Place) -> Steps:
        name = network["name"]
        if name not in self._networks:
            yield from self._add_network(network)
        if not place["interface"]:
            taken = {it["interface"] for it in container.places.values()}
            free = (f"eth{number}" for number in range(len(taken) + 1))
            place["interface"] = next(name for name in free if name not in taken)
        self._cables += 1
        container.cables[name] = f"v{self._cables}"
        # Known from now on: no program of the container can ask before it has its address.
        container.places[name] = place
        self._known.clear()
        self._locate(container)
        yield from bridges.connect(container.cables[name], container.network_fd, network, place)

    def _add_network(self, network: Network) -> Steps:
        name = network["name"]
        self._networks[name] = network
        # Rules name bridges that need not be there yet, so that none is without for a moment.
        yield from bridges.write_rules(self._networks.values())
        yield from bridges.add(network)
        if network["dns"]:
            self._names[name] = []
            for gateway in network["gateways"]:
                address = gateway.partition("/")[0]
                server = dns.Server(
                    self._loop, address, lambda client: self._known_to(name, client)
                )
                self._names[name].append(server)
            self._loop.set_timer("load", 0.0, answers.load)

    def _known_to(self, network: str, client: str) -> answers.Known | None:
        """What the container at an address of a network can find; None when there is no such container."""
        key = (network, client)
        if key not in self._known:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()  # addresses that nobody has
            self._known[key] = self._look_around(network, client)
        return self._known[key]

    def _look_around(self, network: str, client: str) -> answers.Known | None:
        for asking in self._containers.values():
            if network in asking.places and client in _addresses(asking.places[network]):
                break
        else:
            return None
        shared = [name for name in asking.places if self._networks[name]["dns"]]
        members = [
            answers.Member([*it.names, *it.places[name]["aliases"]], _addresses(it.places[name]))
            for name in shared
            for it in self._containers.values()
            if name in it.places
        ]
        servers = asking.servers or [
            server for name in shared for server in self._networks[name]["dns_servers"]
        ]
        return answers.Known(
            members,
            shared,
            servers,
            internal=all(self._networks[name]["internal"] for name in asking.places),
            subnets=[subnet for it in self._networks.values() for subnet in it["subnets"]],
        )

    def leave(self, container_id: str, name: str) -> Steps:
        """One network less. Raises KeyError for a container that is not connected, or not there."""
        container = self._containers[container_id]
        cable = container.cables.pop(name)
        left = container.places.pop(name)
        self._known.clear()
        self._locate(container)
        try:
            yield from bridges.disconnect(cable)
            if left["default"]:
                yield from self._lead_out(container)
        finally:
            yield from self._remove_unused()

    def _lead_out(self, container: Container) -> Steps:
        """The network by which it reached the world has gone; the next one that leads there takes its place."""
        for name, place in container.places.items():
            if not self._networks[name]["internal"]:
                place["default"] = True
                yield from bridges.lead_out(container.network_fd, self._networks[name], place)
                return

    def _publish(self, container: Container, ports: list[dict[str, Any]], fds: list[int]) -> None:
        """`ports` say where the sockets `fds` lead: {"port", "protocol"}; one each."""
        for port, fd in zip(ports, fds, strict=True):
            kind = forward.TcpPort if port["protocol"] == "tcp" else forward.UdpPort
            target = forward.Target(container.addresses, port["port"], container.gateways)
            container.ports.append(kind(self._loop, socket.socket(fileno=os.dup(fd)), target))

    def _locate(self, container: Container) -> None:
        """Have published ports lead to the first network, of each family, that the container is on now."""
        found: tuple[dict[int, str], dict[int, str]] = ({}, {})
        for name, place in container.places.items():
            for known, texts in zip(
                found, (place["addresses"], self._networks[name]["gateways"]), strict=True
            ):
                for one in texts:
                    family = socket.AF_INET6 if ":" in one else socket.AF_INET
                    known.setdefault(family, one.partition("/")[0])
        for kept, new in zip((container.addresses, container.gateways), found, strict=True):
            kept.clear()
            kept.update(new)

    def detach(self, container_id: str) -> Steps:
        """Disconnect a container, if it is connected."""
        container = self._containers.pop(container_id, None)
        if container is None:
            return
        self._known.clear()
        self._loop.forget(container.process_fd)
        os.close(container.process_fd)
        os.close(container.network_fd)
        for port in container.ports:
            port.close()
        for cable in container.cables.values():
            try:
                yield from bridges.disconnect(cable)
            except PodError:
                continue  # it went with the container's network namespace
        yield from self._remove_unused()
        self._on_less()

    def detach_all(self) -> Steps:
        """Disconnect everything."""
        for container_id in list(self._containers):
            yield from self.detach(container_id)

    def _remove_unused(self) -> Steps:
        used = {name for container in self._containers.values() for name in container.cables}
        unused = [self._networks.pop(name) for name in list(self._networks) if name not in used]
        for network in unused:
            for server in self._names.pop(network["name"], []):
                server.close()
        for network in unused:
            try:
                yield from bridges.remove(network["bridge"])
            except PodError as error:
                log.debug(f"network '{network['name']}' was not whole: {error}")
        if unused:
            yield from bridges.write_rules(self._networks.values())

    def status(self) -> dict[str, Any]:
        return {
            "networks": list(self._networks),
            "containers": {
                it.id: {"names": it.names, "places": it.places} for it in self._containers.values()
            },
        }


def _addresses(place: Place) -> list[str]:
    return [one.partition("/")[0] for one in place["addresses"]]


def _tell(error: BaseException | None) -> None:
    if error is not None:
        log.debug(f"a container was not disconnected: {error}")
