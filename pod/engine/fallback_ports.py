"""`--publish-fallback`: other ports of the host for those that the kernel keeps for root.

80 becomes 8080, 443 becomes 8443: 8000 more, or if somebody has that, the next one that is free.
"""

from __future__ import annotations

import errno

from pod.base import log
from pod.engine.network import first_allowed_port
from pod.linux import interfaces
from pod.state import containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pod.engine.context import Engine
    from pod.spec.ports import PortMapping

_FURTHER = 8000
_HIGHEST = 65535


def choose(engine: Engine, ports: Sequence[PortMapping]) -> tuple[PortMapping, ...]:
    """The mappings with another port wherever the kernel refuses one; each is said in a line.

    Where none is free, the mapping stays, and the start says what is wrong with it.
    """
    given = [port for port in ports if not _is_refused(port)]
    if len(given) == len(ports):
        return tuple(ports)
    for other in containers.all_of(engine.database):
        given += other.config.networking.ports
    chosen = []
    for port in ports:
        instead = _instead_of(port, given) if _is_refused(port) else port
        if instead is not port:
            given.append(instead)
            log.warning(
                f"{_named('port', port.host_port, port.count)} of the host may not be used: "
                f"{_named('port', instead.host_port, port.count)} {'leads' if port.count == 1 else 'lead'} to "
                f"{_named('port', port.container_port, port.count)} of the container instead"
            )
        chosen.append(instead)
    return tuple(chosen)


def _is_refused(port: PortMapping) -> bool:
    """Whether the kernel keeps one of these ports for root."""
    if not port.host_port or port.host_port >= first_allowed_port():
        return False
    errors = (interfaces.can_listen(port.host_ip, it, port.protocol) for it in _numbers(port))
    return any(error is not None and error.errno == errno.EACCES for error in errors)


def _instead_of(port: PortMapping, others: Sequence[PortMapping]) -> PortMapping:
    taken = {it for other in others if other.protocol == port.protocol for it in _numbers(other)}
    for number in range(max(port.host_port + _FURTHER, first_allowed_port()), _HIGHEST):
        found = port.replace(host_port=number)
        if number + port.count - 1 > _HIGHEST:
            break
        if all(
            it not in taken and interfaces.can_listen(port.host_ip, it, port.protocol) is None
            for it in _numbers(found)
        ):
            return found
    return port


def _numbers(port: PortMapping) -> range:
    return range(port.host_port, port.host_port + port.count)


def _named(word: str, first: int, count: int) -> str:
    return f"{word} {first}" if count == 1 else f"{word}s {first}-{first + count - 1}"
