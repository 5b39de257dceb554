"""`pod network ls`: list networks."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.spec.networks import Subnet


_HEADINGS = {"ID": "NETWORK ID", "Name": "NAME", "Driver": "DRIVER"}


def list_networks(arguments: Arguments, engine: Engine) -> None:
    from pod.cli.human import go_time
    from pod.cli.output import Listing, show
    from pod.engine.inspect_network import summary
    from pod.engine.network_list import Filters, all_networks

    form = arguments.text("format")
    if arguments.flag("quiet") and form:
        raise UsageError("--quiet and --format exclude each other")
    filters = Filters(engine, arguments.texts("filter")) if arguments.given("filter") else None
    found = all_networks(engine, filters)
    if arguments.flag("quiet"):
        print("".join(f"{network.name}\n" for network in found), end="")
        return
    rows = [
        {
            "Subnets": [_subnet(subnet) for subnet in network.subnets],
            "IPAMOptions": {"driver": "host-local"},
            "NetworkDNSServers": list(network.dns_servers),
            "Options": dict(network.options),
            "Routes": [],
            "ID": network.id if arguments.flag("no_trunc") else network.id[:12],
            "Name": network.name,
            "Driver": network.driver,
            "Label": lambda key, labels=network.labels: labels.get(key, ""),
            "Labels": ",".join(f"{key}={value}" for key, value in network.labels.items()),
            "IPv6": network.ipv6,
            "IPv6Enabled": network.ipv6,
            "Internal": network.internal,
            "DNSEnabled": network.dns,
            "NetworkInterface": network.interface,
            "Scope": "local",
            "CreatedAt": go_time(network.created_ns),
            "Created": go_time(network.created_ns),
        }
        for network in found
    ]
    show(
        Listing(("ID", "Name", "Driver"), _HEADINGS),
        rows,
        form,
        noheading=arguments.flag("noheading"),
        documents=lambda: [summary(network) for network in found],
    )


def _subnet(subnet: Subnet) -> dict[str, Any]:
    return {
        "Subnet": subnet.subnet,
        "Gateway": subnet.gateway,
        "LeaseRange": {"StartIP": subnet.first, "EndIP": subnet.last} if subnet.first else None,
    }


COMMAND = Command(
    list_networks,
    "[OPTIONS]",
    description="Lists the networks made by `pod network create`, by name.",
    options=(
        Option(
            ("-f", "--filter"),
            "list",
            "Choose by what networks are, such as dangling=true",
            metavar="KEY=VALUE",
        ),
        Option(("--format",), "text", "Show them as JSON, or by a Go template", metavar="FORMAT"),
        Option(("--no-trunc",), "flag", "Show ids in full"),
        Option(("-n", "--noheading"), "flag", "Show no headings"),
        Option(("-q", "--quiet"), "flag", "Show only names"),
    ),
    examples=("pod network ls", "pod network ls --filter label=app=web -q"),
)
