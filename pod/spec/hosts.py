"""Names and resolvers: the grammars of --hostname, --add-host, --dns and --dns-search.

Source: podman-run(1), those options; hostname(7) for how long a name may be; resolv.conf(5).
"""

from __future__ import annotations

from pod.base.errors import InvalidValue
from pod.spec.ports import check_ipv4, check_ipv6

_NAME_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._")
_LONGEST_HOSTNAME = 64  # bytes, sethostname(2)
_LONGEST_DOMAIN = 253
HOST_GATEWAY = "host-gateway"


def parse_hostname(text: str, option: str = "--hostname") -> str:
    """`--hostname`: letters, digits, '-', '.' and '_', up to the kernel's 64."""
    if not _is_name(text, _LONGEST_HOSTNAME):
        raise InvalidValue(
            option, text, f"up to {_LONGEST_HOSTNAME} letters, digits, '-', '.' and '_'"
        )
    return text


def parse_added_host(text: str) -> str:
    """`--add-host NAME[;NAME...]:ADDRESS`, or docker's NAME=ADDRESS, as NAMES:ADDRESS.

    The address is IPv4, IPv6 with or without brackets, or host-gateway, the host as the container sees it.
    """
    option = "--add-host"
    grammar = f"NAME[;NAME]:ADDRESS, the address being an IP address or {HOST_GATEWAY}"
    colon, equals = text.find(":"), text.find("=")
    mark = equals if equals >= 0 and (colon < 0 or equals < colon) else colon
    if mark < 0:
        raise InvalidValue(option, text, grammar)
    names, address = text[:mark], text[mark + 1 :]
    if not all(_is_name(name, _LONGEST_DOMAIN) for name in names.split(";")):
        raise InvalidValue(option, text, grammar)
    if address.startswith("[") and address.endswith("]"):
        address = address[1:-1]
    if address != HOST_GATEWAY:
        address = _address(option, text, address)
    return f"{names}:{address}"


def parse_link(text: str) -> str:
    """`--link CONTAINER[:ALIAS]`, as CONTAINER:ALIAS; without an alias it is the name itself."""
    name, _, alias = text.partition(":")
    alias = alias or name
    if not name or not _is_name(alias, _LONGEST_DOMAIN):
        raise InvalidValue("--link", text, "CONTAINER[:ALIAS], the alias being a host name")
    return f"{name}:{alias}"


def parse_dns(text: str) -> str:
    """`--dns`: the address of a name server, or none for a container that has no resolv.conf of pod's."""
    return text if text == "none" else _address("--dns", text, text)


def parse_server(option: str, text: str) -> str:
    """The address of a name server, for options that know no "none"."""
    return _address(option, text, text)


def check_address(text: str) -> None:
    """Raise InvalidValue unless it is an IP address."""
    _address("address", text, text)


def parse_dns_search(text: str) -> str:
    """`--dns-search`: a domain; "." alone for none at all."""
    if text == "." or _is_name(text.removesuffix("."), _LONGEST_DOMAIN):
        return text
    raise InvalidValue("--dns-search", text, "a domain such as example.com, or . for none")


def _is_name(text: str, longest: int) -> bool:
    return 0 < len(text) <= longest and _NAME_CHARACTERS.issuperset(text) and text[0] not in "-."


def _address(option: str, text: str, address: str) -> str:
    if ":" in address:
        return check_ipv6(option, text, address)
    check_ipv4(option, text, address)
    return address
