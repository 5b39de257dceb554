"""Ports of services: the short form becomes the long one, with ranges taken apart.

Source: the Compose specification, 05-services, "ports": [HOST:]CONTAINER[/PROTOCOL], HOST being [IP:](PORT | RANGE).
"""

from __future__ import annotations

import re

from pod.compose.tree import Table, text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.compose.normal import Value

_RANGE = re.compile(r"([0-9]+)(?:-([0-9]+))?\Z")
_FORM = "[[IP:]PUBLISHED:]CONTAINER[/PROTOCOL]"
_HIGHEST = 65535


def long_ports(value: Value) -> list[Table]:
    """The ports that one entry means: one mapping each, `target` a number, `published` a text. Raises FileError."""
    entry = value.value
    if isinstance(entry, Table):
        return _long(value, entry)
    text = text_of(entry)
    rest, _, protocol = text.partition("/")
    address, published, target = _split(value, text, rest)
    ports: dict[str, Any] = {"mode": "ingress", "protocol": _protocol(value, protocol or "tcp")}
    if address:
        ports["host_ip"] = address
    first, last = _range(value, text, target)
    if not published:
        return [_table(value, ports, number, "") for number in range(first, last + 1)]
    low, high = _range(value, text, published)
    if high - low == last - first:
        return [
            _table(value, ports, first + step, str(low + step)) for step in range(high - low + 1)
        ]
    if first == last:
        return [_table(value, ports, first, published)]  # one of the range, whichever is free
    raise value.error(f"'{text}': the two ranges have different lengths")


def _split(value: Value, text: str, rest: str) -> tuple[str, str, str]:
    """Address, published and target of a short form without its protocol."""
    if rest.startswith("["):
        address, bracket, behind = rest[1:].partition("]")
        if not bracket or not behind.startswith(":"):
            raise value.error(f"'{text}' is not {_FORM}")
        published, _, target = behind[1:].rpartition(":")
        return address, published, target
    parts = rest.split(":")
    if len(parts) == 3 or (len(parts) > 3 and parts[-1]):  # an IPv6 address without brackets
        return ":".join(parts[:-2]), parts[-2], parts[-1]
    if len(parts) > 3:
        raise value.error(f"'{text}' is not {_FORM}")
    return "", parts[0] if len(parts) == 2 else "", parts[-1]


def _range(value: Value, text: str, ports: str) -> tuple[int, int]:
    match = _RANGE.match(ports)
    if match is None:
        raise value.error(f"'{text}' is not {_FORM}: '{ports}' is not a port")
    first = int(match.group(1))
    last = int(match.group(2) or first)
    if not 0 < first <= last <= _HIGHEST:
        raise value.error(f"'{text}': ports are from 1 to {_HIGHEST}, the lower one first")
    return first, last


def _protocol(value: Value, name: str) -> str:
    if name.lower() not in {"tcp", "udp", "sctp"}:
        raise value.error(f"the protocol '{name}' is none of tcp, udp")
    return name.lower()


def _long(value: Value, entry: Table) -> list[Table]:
    table = Table(entry, place=entry.place)
    table.at.update(entry.at)
    if "target" not in table:
        raise value.error("the key 'target' is missing: the port in the container")
    target = text_of(table["target"])
    first, last = _range(value, target, target)
    if first != last:
        raise value.error(f"'{target}' is a range, which the short form has only")
    table["target"] = first
    if "published" in table:
        published = text_of(table["published"])
        if published and published != "0":
            _range(value, published, published)
            table["published"] = published
        else:
            del table["published"]
    table.setdefault("mode", "ingress")
    if table["mode"] not in {"ingress", "host"}:
        raise value.error(f"the mode '{table['mode']}' is none of ingress, host")
    table["protocol"] = _protocol(value, table.get("protocol", "tcp"))
    return [table]


def _table(value: Value, common: dict[str, Any], target: int, published: str) -> Table:
    table = Table(common, place=value.place)
    table["target"] = target
    if published:
        table["published"] = published
    return table
