"""Which containers are connected to what: their cables, published ports and names.

It is in memory alone: each container is connected by its monitor, and when its process 1 ends, whatever the reason,
what belongs to it goes.
"""

from __future__ import annotations

import os
import socket

from netns.holder import bridges, dns, forward
from pod.base.errors import PodError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from netns.holder.bridges import Network, Place
    from pod.linux.loop import Loop


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


class Members:
    """The connected containers and their networks. `on_less` is called when one has gone."""

    def __init__(self, loop: Loop, on_less: Callable[[], None]) -> None:
        self._loop = loop
        self._on_less = on_less
        self._networks: dict[str, Network] = {}
        self._names: dict[str, list[dns.Server]] = {}  # by network
        self._containers: dict[str, Container] = {}
        self._cables = 0

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
    ) -> None:
        if container_id in self._containers:
            self.detach(container_id)
        container = Container(pid, container_id, names, servers, os.dup(fds[0]))
        self._containers[container_id] = container
        self._loop.watch(container.process_fd, lambda _: self.detach(container_id))
        known = len(self._networks)
        try:
            for network, place in zip(networks, places, strict=True):
                self._join(container, network, place)
            if len(self._networks) != known:
                bridges.write_rules(self._networks.values())
            self._publish(container, ports, fds[1:])
        except BaseException:
            self.detach(container_id)
            raise

    def join(self, container_id: str, network: Network, place: Place) -> None:
        """One more network for a container. Raises KeyError for one that is not connected."""
        self._join(self._containers[container_id], network, place)
        bridges.write_rules(self._networks.values())

    def rename(self, container_id: str, names: list[str]) -> None:
        """Other names for a container, if it is connected."""
        if container_id in self._containers:
            self._containers[container_id].names = list(names)

    def set_servers(self, network: str, servers: list[str]) -> None:
        """Other name servers for a network, if anybody is on it."""
        if network in self._networks:
            self._networks[network]["dns_servers"] = list(servers)

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

    def leave(self, container_id: str, name: str) -> None:
        """One network less. Raises KeyError for a container that is not connected."""
        container = self._containers[container_id]
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

    def detach(self, container_id: str) -> None:
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
        self._on_less()

    def detach_all(self) -> None:
        for container_id in list(self._containers):
            self.detach(container_id)

    def _remove_unused(self) -> None:
        used = {name for container in self._containers.values() for name in container.cables}
        unused = [name for name in self._networks if name not in used]
        for name in unused:
            for server in self._names.pop(name, []):
                server.close()
            bridges.remove(self._networks.pop(name)["bridge"])
        if unused:
            bridges.write_rules(self._networks.values())

    def status(self) -> dict[str, Any]:
        return {
            "networks": list(self._networks),
            "containers": {
                it.id: {"names": it.names, "places": it.places} for it in self._containers.values()
            },
        }


def _addresses(place: Place) -> list[str]:
    return [one.partition("/")[0] for one in place["addresses"]]
