"""`pod network create`: make a network for containers."""

from __future__ import annotations

from pod.base.errors import InvalidValue, Unsupported, UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.spec.networks import Subnet

_OTHER_DRIVERS = {
    "macvlan": "only root can put containers on an interface of the host",
    "ipvlan": "only root can put containers on an interface of the host",
    "overlay": "pod runs on this machine only",
    "host": "use --network host",
    "none": "use --network none",
}


def create_network(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import networks

    driver = arguments.text("driver") or "bridge"
    if driver != "bridge":
        raise Unsupported(
            f"the network driver '{driver}' of --driver",
            _OTHER_DRIVERS.get(driver, "pod has the driver 'bridge'"),
        )
    if arguments.given("ipv4") and not arguments.flag("ipv4"):
        raise Unsupported(
            "--ipv4=false", "a network has IPv4 unless told otherwise", hint="--subnet fd00::/64"
        )
    options = _driver_options(arguments)
    created = networks.create(
        engine,
        arguments.words[0] if arguments.words else "",
        subnets=_subnets(arguments),
        ipv6=arguments.flag("ipv6"),
        internal=arguments.flag("internal"),
        isolate=options.get("isolate", False),
        mtu=options.get("mtu", 0),
        dns=not arguments.flag("disable_dns"),
        dns_servers=_servers(arguments),
        interface=_interface(arguments),
        labels=_labels(arguments),
        options=options["given"],
        ignore=arguments.flag("ignore"),
    )
    print(created.name)


def _subnets(arguments: Arguments) -> list[Subnet]:
    """Each --subnet with the --gateway and --ip-range of the same position, as podman pairs them."""
    from pod.spec.networks import parse_subnet

    subnets = arguments.texts("subnet")
    gateways, ranges = arguments.texts("gateway"), arguments.texts("ip_range")
    for name, given in (("--gateway", gateways), ("--ip-range", ranges)):
        if len(given) > len(subnets):
            raise UsageError(
                f"each {name} belongs to a --subnet, which was given {len(subnets)} times"
            )
    return _with_reserved(
        arguments,
        [
            parse_subnet(
                "--subnet",
                text,
                gateways[number] if number < len(gateways) else "",
                ranges[number] if number < len(ranges) else "",
            )
            for number, text in enumerate(subnets)
        ],
    )


def _with_reserved(arguments: Arguments, found: list[Subnet]) -> list[Subnet]:
    """Each --aux-address, NAME=ADDRESS, kept free on the subnet that it is of; the names are for people."""
    from pod.spec.networks import with_reserved

    for text in arguments.texts("aux_address"):
        address = text.rpartition("=")[2]
        if not found:
            raise UsageError("each --aux-address belongs to a --subnet, of which none was given")
        # Of several families: the last complaint is as good as any.
        for number, subnet in enumerate(found):
            try:
                found[number] = with_reserved("--aux-address", subnet, [address])
            except InvalidValue as error:
                if number == len(found) - 1:
                    raise InvalidValue("--aux-address", text, error.grammar) from None
            else:
                break
    return found


def _servers(arguments: Arguments) -> list[str]:
    texts = arguments.texts("dns")
    if not texts:
        return []
    from pod.spec import hosts

    servers = [hosts.parse_server("--dns", text) for text in texts]
    if arguments.flag("disable_dns"):
        raise UsageError("--dns and --disable-dns exclude each other")
    return servers


def _interface(arguments: Arguments) -> str:
    name = arguments.text("interface_name") or ""
    if not name:
        return ""
    from pod.spec.namespace_option import check_interface

    return check_interface("--interface-name", name, name)


def _labels(arguments: Arguments) -> dict[str, str]:
    texts = arguments.texts("label")
    if not texts:
        return {}
    from pod.spec.environment import parse_labels

    return parse_labels(texts)


def _driver_options(arguments: Arguments) -> dict[str, Any]:
    texts = arguments.texts("opt")
    if not texts:
        return {"given": {}}
    from pod.spec.networks import parse_driver_options

    return parse_driver_options(texts)


_DOCKERS = tuple(
    Option((f"--{name}",), "flag" if is_flag else "text", refused=why)
    for name, is_flag, why in (
        ("attachable", True, "pod runs on this machine only"),
        ("config-from", False, "pod runs on this machine only"),
        ("config-only", True, "pod runs on this machine only"),
        ("ingress", True, "pod runs on this machine only"),
        ("ipam-opt", False, "pod gives out the addresses itself"),
        ("scope", False, "pod runs on this machine only"),
    )
)

COMMAND = Command(
    create_network,
    "[OPTIONS] [NAME]",
    description=(
        "Creates a network and prints its name. Containers on it reach each other by name and address, and the world "
        "outside unless it is internal. Without --subnet, one is chosen that neither another network nor this machine "
        "uses."
    ),
    options=(
        *_DOCKERS,
        Option(
            ("--aux-address",),
            "list",
            "An address of the subnet that no container gets",
            metavar="[NAME=]ADDRESS",
        ),
        Option(("--disable-dns",), "flag", "Answer no questions about the names of containers"),
        Option(("--dns",), "comma", "Ask this name server about other names", metavar="ADDRESS"),
        Option(("-d", "--driver"), "text", "Driver of the network: bridge", metavar="DRIVER"),
        Option(("--gateway",), "list", "Address of this machine on the subnet", metavar="ADDRESS"),
        Option(("--ignore",), "flag", "Take it for success when the network exists already"),
        Option(("--interface-name",), "text", "Name of the bridge", metavar="NAME"),
        Option(("--internal",), "flag", "Let containers reach nothing but each other"),
        Option(
            ("--ip-range",),
            "list",
            "Give containers addresses of this part of the subnet",
            metavar="CIDR|FIRST-LAST",
        ),
        Option(
            ("--ipam-driver",),
            "text",
            refused="pod gives out the addresses itself",
        ),
        Option(
            ("--ipv4",), "flag", "Does nothing: without --subnet there is always IPv4", hidden=True
        ),
        Option(("--ipv6",), "flag", "Have IPv6, besides IPv4 when no subnet is given"),
        Option(("--label",), "list", "Label of the network", metavar="KEY=VALUE"),
        Option(("-o", "--opt"), "list", "Option: mtu=BYTES, isolate=true", metavar="KEY=VALUE"),
        Option(("--route",), "list", refused="the way out of a network is its gateway"),
        Option(
            ("--subnet",),
            "list",
            "Addresses of the network; may be given again, one with IPv6",
            metavar="CIDR",
        ),
    ),
    maximum=1,
    examples=(
        "pod network create backend",
        "pod network create --subnet 10.50.0.0/24 --gateway 10.50.0.254 shop",
        "pod network create --internal --label tier=db db",
    ),
)
