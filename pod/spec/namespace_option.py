"""The grammars of --network, --pid, --ipc, --uts and --cgroupns.

Names of containers and networks are not looked up here. Source: podman-run(1), those options.
"""

from __future__ import annotations

from pod.base.errors import InvalidValue, Unsupported, UsageError
from pod.base.ids import is_name
from pod.base.units import parse_boolean, parse_integer
from pod.spec.namespaces import Namespace, Network
from pod.spec.ports import check_ipv4, check_ipv6

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_HEX = frozenset("0123456789abcdefABCDEF")
_LONGEST_INTERFACE = 15  # IFNAMSIZ without its NUL, netdevice(7)


class NetworksExclude(UsageError):
    """Two --network options that cannot hold together."""

    def __init__(self, first: Network, second: Network) -> None:
        super().__init__(
            f"network '{first}' cannot be combined with '{second}'",
            hint="only networks made by 'pod network create' can be given more than once",
        )


def parse_pid(text: str) -> Namespace:
    """`--pid`: private, host, container:NAME or ns:PATH; "" is the configured default."""
    return _parse("--pid", text, ("private", "host"))


def parse_ipc(text: str) -> Namespace:
    """`--ipc`: shareable, private, none (without /dev/shm), host, container:NAME or ns:PATH."""
    return _parse("--ipc", text, ("shareable", "private", "none", "host"))


def parse_uts(text: str) -> Namespace:
    """`--uts`: private, host, container:NAME or ns:PATH."""
    return _parse("--uts", text, ("private", "host"))


def parse_cgroupns(text: str) -> Namespace:
    """`--cgroupns`: private, host, container:NAME or ns:PATH."""
    return _parse("--cgroupns", text, ("private", "host"))


def split_joined(option: str, text: str) -> Namespace | None:
    """'container:NAME' and 'ns:PATH', which every namespace option takes; None for anything else."""
    mode, _, joined = text.partition(":")
    if mode not in {"container", "ns"}:
        return None
    if not joined or "\0" in joined:
        raise InvalidValue(option, text, "a container's name or a path follows the colon")
    if mode == "ns" and not joined.startswith("/"):
        raise InvalidValue(option, text, "the path of a namespace is absolute")
    return Namespace(mode, joined)


def _parse(option: str, text: str, modes: tuple[str, ...]) -> Namespace:
    if text in {"", *modes}:
        return Namespace(text)
    joined = split_joined(option, text)
    if joined is None:
        raise InvalidValue(option, text, f"one of {', '.join(modes)}, container:NAME, ns:PATH")
    return joined


def parse_network(text: str) -> Network:
    """One `--network MODE[:OPTIONS]`; what is no mode is the name of a network. Docker's 'name=NET,ip=...' too."""
    option = "--network"
    if text.startswith("name="):
        return _docker_network(option, text)
    if joined := split_joined(option, text):
        return Network(joined.mode, joined.joined)
    mode, colon, rest = text.partition(":")
    if mode in {"", "default", "none", "host", "private"}:
        if colon:
            raise InvalidValue(option, text, f"the mode '{mode}' takes no options")
        return Network("" if mode == "default" else mode)
    words = rest.split(",") if colon else []
    if mode == "pasta":
        return Network(mode, options=tuple(word for word in words if word))
    if mode == "slirp4netns":
        return Network(mode, options=tuple(_checked(option, text, word, _SLIRP) for word in words))
    if mode == "bridge":
        return Network(mode, options=tuple(_checked(option, text, word, _BRIDGE) for word in words))
    if not is_name(mode):
        raise InvalidValue(
            option,
            text,
            "none, host, private, bridge, pasta, slirp4netns, container:NAME, ns:PATH, or the name of a network",
        )
    return Network("network", mode, tuple(_checked(option, text, word, _BRIDGE) for word in words))


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """All `--network` options together. Only bridge and named networks can be several; each once.

    The oldest spelling of several, 'one,two', has no options.
    """
    networks: list[Network] = []
    for text in texts:
        is_list = "," in text and ":" not in text and "=" not in text
        networks += [parse_network(part) for part in (text.split(",") if is_list else [text])]
    for position, network in enumerate(networks[1:], 1):
        for other in networks[:position]:
            if {network.mode, other.mode} - {"network", "bridge"} or _same(network, other):
                raise NetworksExclude(other, network)
    return tuple(networks) or (Network(),)


def check_place(option: str, key: str, text: str) -> str:
    """The value of an option of its own as the option of a network that means the same. Raises InvalidValue."""
    return f"{key}={_BRIDGE[key](option, text, text)}"


def check_mac(option: str, text: str, address: str) -> str:
    """The MAC address `address` in lower case with colons; not a multicast one."""
    parts = address.replace("-", ":").split(":")
    if len(parts) != 6 or any(len(part) != 2 or not _HEX.issuperset(part) for part in parts):
        raise InvalidValue(
            option, text, f"'{address}' is not a MAC address such as 92:d0:c6:0a:29:33"
        )
    if int(parts[0], 16) & 1:
        raise InvalidValue(option, text, f"'{address}' is a multicast address")
    return ":".join(parts).lower()


def _same(one: Network, other: Network) -> bool:
    return (one.mode, one.joined) == (other.mode, other.joined)


def _docker_network(option: str, text: str) -> Network:
    name = ""
    options = []
    for word in text.split(","):
        key, _, value = word.partition("=")
        if key in {"driver-opt", "gw-priority", "link-local-ip"}:
            raise Unsupported(f"{option} key '{key}'", "no network of pod has it")
        if key == "name":
            name = value
        else:
            options.append(_checked(option, text, word.replace("mac-address=", "mac="), _BRIDGE))
    if name == "bridge":
        return Network(name, options=tuple(options))
    if not is_name(name):
        raise InvalidValue(option, text, f"'{name}' cannot be the name of a network")
    return Network("network", name, tuple(options))


def _checked(
    option: str, text: str, word: str, known: dict[str, Callable[[str, str, str], str]]
) -> str:
    """'KEY=VALUE' with the value in its usual spelling."""
    key, equals, value = word.partition("=")
    check = known.get(key)
    if check is None or not equals or not value:
        raise InvalidValue(option, text, f"'{word}' is none of its options: {', '.join(known)}")
    return f"{key}={check(option, text, value)}"


def _ipv4(option: str, text: str, value: str) -> str:
    check_ipv4(option, text, value)
    return value


def _address(option: str, text: str, value: str) -> str:
    return check_ipv6(option, text, value) if ":" in value else _ipv4(option, text, value)


def _name(option: str, text: str, value: str) -> str:
    if not is_name(value):
        raise InvalidValue(option, text, f"'{value}' is not a name of letters, digits and _ . -")
    return value


def check_interface(option: str, text: str, value: str) -> str:
    """The name of a network interface. Raises InvalidValue."""
    if len(value) > _LONGEST_INTERFACE or value in {".", ".."} or set("/: \t\n\0") & set(value):
        raise InvalidValue(
            option,
            text,
            f"'{value}' is not an interface name of up to {_LONGEST_INTERFACE} characters",
        )
    return value


def _interface_or_ipv4(option: str, text: str, value: str) -> str:
    return (
        _ipv4(option, text, value) if value[0].isdigit() else check_interface(option, text, value)
    )


def _interface_or_ipv6(option: str, text: str, value: str) -> str:
    return check_ipv6(option, text, value) if ":" in value else check_interface(option, text, value)


def _truth(option: str, text: str, value: str) -> str:
    return "true" if parse_boolean(value, option) else "false"


def _mtu(option: str, text: str, value: str) -> str:
    return str(parse_integer(value, f"{option} mtu", 68, 65521))


def _cidr4(option: str, text: str, value: str) -> str:
    address, slash, bits = value.partition("/")
    if not slash:
        raise InvalidValue(option, text, "a CIDR range is written 10.0.2.0/24")
    check_ipv4(option, text, address)
    return f"{address}/{parse_integer(bits, f'{option} cidr', 1, 32)}"


def _port_handler(option: str, text: str, value: str) -> str:
    if value == "rootlesskit":
        raise Unsupported(
            f"{option} port_handler={value}", "slirp4netns itself publishes the ports"
        )
    if value != "slirp4netns":
        raise InvalidValue(option, text, "port_handler is slirp4netns")
    return value


_BRIDGE: dict[str, Callable[[str, str, str], str]] = {
    "alias": _name,
    "ip": _address,
    "ip6": check_ipv6,
    "mac": check_mac,
    "interface_name": check_interface,
    "host_interface_name": check_interface,
}
_SLIRP: dict[str, Callable[[str, str, str], str]] = {
    "allow_host_loopback": _truth,
    "mtu": _mtu,
    "cidr": _cidr4,
    "enable_ipv6": _truth,
    "outbound_addr": _interface_or_ipv4,
    "outbound_addr6": _interface_or_ipv6,
    "port_handler": _port_handler,
}
