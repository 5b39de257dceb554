"""Options of `run` and `create` about the network: how the container is connected, its ports, hosts and resolvers."""

from __future__ import annotations

import os

from pod.base import log
from pod.base.errors import UsageError
from pod.cli.declare import Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.spec.container import Networking
    from pod.spec.namespaces import Network

OPTIONS = (
    Option(
        ("--add-host",),
        "comma",
        "Add a line to /etc/hosts; the address host-gateway is the host",
        metavar="NAME:ADDRESS",
    ),
    Option(("--dns",), "comma", "Use this name server", metavar="ADDRESS"),
    Option(
        ("--dns-option",),
        "comma",
        "Add an option to resolv.conf",
        metavar="OPTION",
        aliases=("--dns-opt",),
    ),
    Option(("--dns-search",), "comma", "Add a search domain; . for none", metavar="DOMAIN"),
    Option(
        ("--expose",),
        "comma",
        "Tell that the container serves a port, for -P",
        metavar="PORT[-PORT][/PROTOCOL]",
    ),
    Option(
        ("--hosts-file",),
        "text",
        "File that the container's /etc/hosts begins with: a path, image or none",
        metavar="FILE",
        completes="file",
    ),
    Option(
        ("--network",),
        "list",
        "How the container is connected: the name of a network, pasta, slirp4netns, none, host, "
        "container:NAME or ns:PATH",
        metavar="MODE[:OPTIONS]",
        aliases=("--net",),
    ),
    Option(
        ("--link",),
        "comma",
        "Find another container of the same network by this name, too",
        metavar="CONTAINER[:ALIAS]",
        completes="container",
    ),
    Option(("--ip",), "text", "Address on the network", metavar="ADDRESS", empty_is_none=True),
    Option(
        ("--ip6",), "text", "Address of IPv6 on the network", metavar="ADDRESS", empty_is_none=True
    ),
    Option(
        ("--mac-address",),
        "text",
        "Hardware address on the network",
        metavar="ADDRESS",
        empty_is_none=True,
    ),
    Option(
        ("--network-alias",),
        "list",
        "Another name by which containers of the network find this one",
        metavar="NAME",
        aliases=("--net-alias",),
    ),
    Option(("--no-hostname",), "flag", "Leave /etc/hostname as the image has it"),
    Option(("--no-hosts",), "flag", "Leave /etc/hosts as the image has it"),
    Option(
        ("-p", "--publish"),
        "list",
        "Publish a port of the container on the host",
        metavar="[[IP:][HOST_PORT]:]PORT[/PROTOCOL]",
    ),
    Option(
        ("--publish-fallback",),
        "flag",
        "Publish 8080 instead of 80, and so on, where the kernel keeps a port for root",
    ),
    Option(("-P", "--publish-all"), "flag", "Publish all exposed ports on free ports of the host"),
)

_NAMES = ("add_host", "dns", "dns_option", "dns_search", "hosts_file", "link")


def networking_of(arguments: Arguments, base: Networking) -> Networking:
    """How the container is connected; `base` has what the configuration files say."""
    changes: dict[str, Any] = {}
    if arguments.given("network"):
        changes |= _networks(arguments)
    if any(arguments.given(name) for name in _PLACE):
        changes["network"] = _with_place(arguments, changes.get("network"))
    if arguments.given("publish"):
        from pod.spec.ports import parse_port

        changes["ports"] = tuple(
            port for text in arguments.texts("publish") for port in parse_port(text)
        )
    if arguments.given("expose"):
        from pod.spec.ports import parse_expose

        changes["expose"] = tuple(parse_expose(text) for text in arguments.texts("expose"))
    if arguments.given("publish_fallback"):
        changes["publish_fallback"] = arguments.flag("publish_fallback")
    if arguments.flag("publish_all"):
        changes["publish_all"] = True
    if any(arguments.given(name) for name in _NAMES):
        changes |= _name_changes(arguments)
    if arguments.given("no_hosts"):
        changes["manage_hosts"] = not arguments.flag("no_hosts")
    if arguments.flag("no_hostname"):
        changes["manage_hostname"] = False
    if not changes:
        return base
    networking = base.replace(**changes)
    _check(arguments, networking)
    return _without_useless_ports(networking)


def _networks(arguments: Arguments) -> dict[str, Any]:
    from pod.spec.namespace_option import parse_networks

    first, *more = parse_networks(arguments.texts("network"))
    return {"network": first, "more_networks": tuple(more)}


_PLACE = {"ip": "ip", "ip6": "ip6", "mac_address": "mac", "network_alias": "alias"}


def _given(arguments: Arguments, name: str) -> list[str]:
    if name == "network_alias":
        return arguments.texts(name)
    return [arguments.text(name) or ""] if arguments.given(name) else []


def _with_place(arguments: Arguments, network: Network | None) -> Network:
    """The one user-defined network with what --ip, --ip6, --mac-address and --network-alias say about it."""
    from pod.spec.namespace_option import check_place

    options = [
        check_place(f"--{name.replace('_', '-')}", key, text)
        for name, key in _PLACE.items()
        for text in _given(arguments, name)
    ]
    first = next(name for name in _PLACE if arguments.given(name))
    option = f"--{first.replace('_', '-')}"
    if network is None or network.mode not in {"network", "bridge"}:
        raise UsageError(
            f"{option} needs a network made by 'pod network create'",
            hint=f"pod network create mine, and --network mine {option} ...",
        )
    if len(arguments.texts("network")) > 1:
        raise UsageError(
            f"{option} says not which of several networks it is for",
            hint=f"--network {network.joined or network.mode}:{_PLACE[first]}=...",
        )
    return network.replace(options=(*network.options, *options))


def _name_changes(arguments: Arguments) -> dict[str, Any]:
    from pod.spec import hosts

    changes: dict[str, Any] = {}
    if arguments.given("add_host"):
        changes["hosts"] = tuple(hosts.parse_added_host(it) for it in arguments.texts("add_host"))
    if arguments.given("dns"):
        changes["dns"] = tuple(hosts.parse_dns(it) for it in arguments.texts("dns"))
        if "none" in changes["dns"] and len(changes["dns"]) > 1:
            raise UsageError("--dns=none excludes every other --dns")
    if arguments.given("dns_search"):
        changes["dns_search"] = tuple(
            hosts.parse_dns_search(it) for it in arguments.texts("dns_search")
        )
    if arguments.given("dns_option"):
        changes["dns_options"] = tuple(arguments.texts("dns_option"))
    if arguments.given("link"):
        changes["links"] = tuple(hosts.parse_link(it) for it in arguments.texts("link"))
    if arguments.given("hosts_file"):
        changes["hosts_file"] = _hosts_file(arguments.text("hosts_file") or "")
    return changes


def _hosts_file(text: str) -> str:
    if text in {"", "image", "none"}:
        return text
    if not os.path.exists(text):
        raise UsageError(
            f"the file '{text}' of --hosts-file does not exist", hint="a file, image, or none"
        )
    return os.path.abspath(text)


def _check(arguments: Arguments, networking: Networking) -> None:
    for name in ("add_host", "hosts_file", "link"):
        if arguments.given(name) and not networking.manage_hosts:
            raise UsageError(f"--no-hosts excludes --{name.replace('_', '-')}")
    mode = networking.network.mode
    for name in ("dns", "dns_option", "dns_search"):
        if arguments.given(name) and (mode == "container" or (mode == "none" and name == "dns")):
            raise UsageError(f"--{name.replace('_', '-')} excludes --network={networking.network}")
    if mode == "container":
        for name in ("add_host", "hosts_file", "link"):
            if arguments.given(name):
                raise UsageError(
                    f"--{name.replace('_', '-')} excludes --network={networking.network}, "
                    "whose /etc/hosts the container shares"
                )


def _without_useless_ports(networking: Networking) -> Networking:
    """Nothing is published where the container has no network of its own; it is said, as podman and docker do."""
    mode = networking.network.mode
    wants_ports = networking.ports or networking.publish_all
    if wants_ports and mode in {"host", "none", "container", "ns"}:
        if (
            networking.ports or networking.expose
        ):  # with -P alone there is perhaps nothing to publish
            log.warning(f"ports are not published with --network={networking.network}")
        return networking.replace(ports=(), publish_all=False)
    return networking
