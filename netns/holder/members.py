"""Which containers are connected to what: their cables, published ports and names.

It is in memory alone: each container is connected by its monitor, and when its process 1 ends, whatever the reason,
what belongs to it goes.
"""

from __future__ import annotations

import errno
import os

from netns.holder import answers, bridges, dns, forward, rules
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

    Shared = tuple[forward.TcpPort | forward.UdpPort, forward.Turns, set["SharedPort"]]

_MAX_KNOWN = 1024  # answers to "who asks here?" that are remembered
_KEEP_SECONDS = 2.0  # that long a network stays for the next container on it
_LOAD_SECONDS = 0.2


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
        self.ports: list[forward.TcpPort | forward.UdpPort | SharedPort] = []
        self.has_left = False  # only its cables are still there
        self.addresses: dict[int, str] = {}  # by family: where its published ports lead
        self.gateways: dict[int, str] = {}  # and who clients on loopback interfaces appear as


class SharedPort:
    """A container's part in a port that the containers of one group share; the last of them closes it."""

    def __init__(self, known: dict[Any, Shared], key: Any, target: forward.Target) -> None:
        self._known = known
        self._key = key
        self._target = target
        _, turns, sharing = known[key]
        turns.add(target)
        sharing.add(self)

    def spare(self) -> int:
        """New clients go to the others, if there are others; how many it has still to be done with."""
        _, turns, _ = self._known[self._key]
        return len(self._target.connections) if turns.spare(self._target) else 0

    def leave(self) -> None:
        """The container has ended; its clients go on to the others, if it has not answered them yet."""
        self._known[self._key][1].remove(self._target)
        self._target.leave()

    def close(self) -> None:
        self.leave()
        port, _, sharing = self._known[self._key]
        sharing.remove(self)
        if not sharing:
            del self._known[self._key]
            port.close()


class Members:
    """The connected containers and their networks. `on_less` is called when one has gone.

    What changes them is steps of work.py, one at a time. `is_out` says whether the outside helper is there, and none
    is starting.
    """

    def __init__(
        self, loop: Loop, work: Queue, on_less: Callable[[], None], is_out: Callable[[], bool]
    ) -> None:
        self._loop = loop
        self._work = work
        self._on_less = on_less
        self._is_out = is_out
        self._networks: dict[str, Network] = {}
        self._rules = rules.Table()
        self._names: dict[str, list[dns.Server]] = {}  # by network
        self._containers: dict[str, Container] = {}
        self._cables = 0
        self._known: dict[tuple[str, str], answers.Known | None] = {}  # by network and client
        self._shared: dict[Any, Shared] = {}  # by what `_key_of` makes of a port

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
        """Connect a container until the process of the first of `fds`, a pidfd, ends; the others are its ports.

        Raises OSError (EADDRINUSE) for a port that it can only share, when nobody of its group has it.
        """
        self._check_shared(ports)
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
        for port in container.ports:
            if isinstance(port, SharedPort):
                port.leave()
        self._let_go(container)

    def spare(self, container_id: str) -> int:
        """New clients of ports that it shares go to others; how many it has still."""
        ports = self._containers[container_id].ports if container_id in self._containers else ()
        return sum(port.spare() for port in ports if isinstance(port, SharedPort))

    def let_go(self, container_id: str) -> None:
        """Disconnect a container, if it is connected: its ports at once, its cables as soon as may be."""
        if container_id in self._containers:
            self._let_go(self._containers[container_id])

    def _let_go(self, container: Container) -> None:
        def later() -> Steps:
            if self._containers.get(container.id) is container:
                yield from self.detach(container.id)

        if self._work:
            self._withdraw(container)
            self._work.add(later(), _tell)  # it may be the one that is being connected
        elif self._containers.get(container.id) is container:
            self._work.add(self._close(container), _tell)

    def _withdraw(self, container: Container) -> None:
        """Its names and ports go at once, also where its cables have to wait for other work."""
        ports, container.ports = container.ports, []
        for port in ports:
            port.close()
        container.has_left = True
        self._known.clear()

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
        yield from self.make(network)
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
        at_once = len(self._containers) < 2 and self._is_out()
        yield from bridges.connect(
            container.cables[name], container.network_fd, network, place, at_once=at_once
        )

    def make(self, network: Network) -> Steps:
        """Have a network, for those who come; it goes again when nobody does."""
        known = self._networks.get(network["name"])
        is_used = known is not None and network["name"] in self._used()
        same = {**(known or {}), "dns_servers": network["dns_servers"]} == network
        if known is not None and (is_used or same):
            known["dns_servers"] = network["dns_servers"]
            return
        yield from self._remove_unused()  # what is new may overlap with what is not there any more
        try:
            yield from self._add(network)
        except BaseException:
            self._networks.pop(network["name"], None)
            raise

    def _add(self, network: Network) -> Steps:
        name = network["name"]
        self._networks[name] = network
        self._remove_unused_later()
        # Nobody is on the bridge before there are rules for it.
        bridges.load_rules(self._rules, self._networks.values())
        yield from bridges.add(network, at_once=len(self._containers) < 2)
        if network["dns"]:
            self._names[name] = []
            for gateway in network["gateways"]:
                address = gateway.partition("/")[0]
                server = dns.Server(
                    self._loop, address, lambda client: self._known_to(name, client)
                )
                self._names[name].append(server)
            self._loop.set_timer("load", _LOAD_SECONDS, self._load)

    def _load(self) -> None:
        """Before the first question, unless those who could ask have ended meanwhile."""
        if self._containers:
            answers.load()

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
            if name in it.places and not it.has_left
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
            self._remove_unused_later()

    def _lead_out(self, container: Container) -> Steps:
        """The network by which it reached the world has gone; the next one that leads there takes its place."""
        for name, place in container.places.items():
            if not self._networks[name]["internal"]:
                place["default"] = True
                yield from bridges.lead_out(container.network_fd, self._networks[name], place)
                return

    def _publish(self, container: Container, ports: list[dict[str, Any]], fds: list[int]) -> None:
        """`ports` say where the sockets `fds` lead: {"port", "protocol"}; one each.

        What has a "group", and what its sockets are bound to as "at", is shared with others of that group. It has a
        socket if it is the first of them, as "listens" says.
        """
        self._check_shared(ports)
        left = list(fds)
        for port in ports:
            target = forward.Target(container.addresses, port["port"], container.gateways)
            if not port.get("group"):
                container.ports.append(self._listen(port, left.pop(0), target))
                continue
            key = _key_of(port)
            if port["listens"]:
                turns = forward.Turns()
                self._shared[key] = (self._listen(port, left.pop(0), turns), turns, set())
            container.ports.append(SharedPort(self._shared, key, target))

    def _listen(
        self, port: dict[str, Any], fd: int, target: forward.Target | forward.Turns
    ) -> forward.TcpPort | forward.UdpPort:
        kind = forward.TcpPort if port["protocol"] == "tcp" else forward.UdpPort
        return kind(self._loop, socket.socket(fileno=os.dup(fd)), target)

    def _check_shared(self, ports: list[dict[str, Any]]) -> None:
        for port in ports:
            if port.get("group") and not port["listens"] and _key_of(port) not in self._shared:
                raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

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
        if container_id in self._containers:
            yield from self._close(self._containers[container_id])

    def _close(self, container: Container) -> Steps:
        """Disconnect a connected container: names and ports at once, as soon as it is begun."""
        del self._containers[container.id]
        self._known.clear()
        self._loop.forget(container.process_fd)
        os.close(container.process_fd)
        os.close(container.network_fd)
        for port in container.ports:
            port.close()
        self._remove_unused_later()
        try:
            for cable in container.cables.values():
                yield from bridges.disconnect(cable)
        finally:
            self._on_less()

    def detach_all(self) -> Steps:
        """Disconnect everything."""
        for container_id in list(self._containers):
            yield from self.detach(container_id)

    def _used(self) -> set[str]:
        return {name for container in self._containers.values() for name in container.cables}

    def _remove_unused_later(self) -> None:
        """When the next container has had time to come. The end of the holder takes everything along."""
        self._loop.set_timer(
            "unused", _KEEP_SECONDS, lambda: self._work.add(self._remove_unused(), _tell)
        )

    def _remove_unused(self) -> Steps:
        used = self._used()
        unused = [self._networks.pop(name) for name in list(self._networks) if name not in used]
        if not unused:
            return
        for network in unused:
            for server in self._names.pop(network["name"], []):
                server.close()
        try:
            yield from bridges.remove([it["bridge"] for it in unused])
        except PodError as error:
            log.debug(f"a network was not whole: {error}")
        finally:
            bridges.load_rules(self._rules, self._networks.values())

    def status(self) -> dict[str, Any]:
        return {
            "networks": list(self._networks),
            "containers": {
                it.id: {"names": it.names, "places": it.places} for it in self._containers.values()
            },
        }


def _key_of(port: dict[str, Any]) -> Any:
    return (port["group"], *port["at"], port["protocol"])


def _addresses(place: Place) -> list[str]:
    return [one.partition("/")[0] for one in place["addresses"]]


def _tell(error: BaseException | None) -> None:
    if error is not None:
        log.debug(f"a container was not disconnected: {error}")
