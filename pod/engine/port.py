"""`pod port`: which port of the host leads to which port of a container."""

from __future__ import annotations

from pod.base.errors import PodError, UsageError
from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.state.containers import Container

_PROTOCOLS = frozenset(("tcp", "udp"))


class PublishedPort(Record):
    """One port of the container and one of the host."""

    container_port: int
    protocol: str
    host_ip: str
    host_port: int

    @property
    def host(self) -> str:
        """Where it is on the host: "0.0.0.0:8080", "[::1]:8080"."""
        address = f"[{self.host_ip}]" if ":" in self.host_ip else self.host_ip or "0.0.0.0"
        return f"{address}:{self.host_port}"

    def __str__(self) -> str:
        return f"{self.container_port}/{self.protocol} -> {self.host}"


class NotPublished(PodError):
    """The container has no such port, or does not publish it."""

    def __init__(self, container: Container, text: str) -> None:
        super().__init__(
            f"container '{container.name}' does not publish port {text}",
            hint=f"pod port {container.name}",
        )


def published(container: Container, wanted: str = "") -> list[PublishedPort]:
    """The published ports, in their order; of `wanted`, "80" (which is tcp) or "80/udp", only. Raises NotPublished."""
    number, protocol = _parse(wanted) if wanted else (0, "")
    found = [
        PublishedPort(
            port.container_port + offset, port.protocol, port.host_ip, port.host_port + offset
        )
        for port in container.config.networking.ports
        for offset in range(port.count)
        if not wanted or (port.container_port + offset == number and port.protocol == protocol)
    ]
    if wanted and not found:
        raise NotPublished(container, wanted)
    return sorted(found, key=lambda port: (port.container_port, port.protocol))


def _parse(text: str) -> tuple[int, str]:
    number, slash, protocol = text.partition("/")
    if not slash:
        protocol = "tcp"
    if not (number.isascii() and number.isdigit()) or protocol.lower() not in _PROTOCOLS:
        raise UsageError(f"'{text}' is not a port such as 80 or 80/udp")
    return int(number), protocol.lower()
