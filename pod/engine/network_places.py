"""What the holder of the networks (netns/holder) is told about a container: its networks, addresses and names."""

from __future__ import annotations

import os
import time

from netns.backends import addresses
from netns.holder import group
from pod.base import files, log, paths
from pod.base.errors import PodError, Unsupported, UsageError
from pod.engine import lookup
from pod.linux import cgroups, idmap, interfaces
from pod.spec import namespace_option, networks
from pod.state import containers
from pod.state import networks as rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig, Networking
    from pod.spec.networks import NetworkConfig
    from pod.state.containers import Container

_POLL_SECONDS = 0.02
_PROBED = "networks.probed"  # in the run directory: why the kernel cannot hold networks, or nothing


def settings_for(engine: Engine, container: Container) -> dict[str, Any]:
    """What netns.attach needs besides the usual for a container on networks; see netns/backends/networks.py."""
    if os.geteuid() == 0:
        raise Unsupported("a user-defined network", "pod has them for ordinary users only")
    if container.config.runtime not in {"", "pod"}:
        raise Unsupported(
            f"--runtime {container.config.runtime} with a user-defined network",
            "only pod's own runtime makes such containers",
        )
    config = container.config
    if other := _shares_elsewhere(engine, config):
        raise PodError(
            f"container '{container.name}' cannot be on network '{config.networking.network.joined}': it shares "
            f"namespaces with '{other}', which is on no network made by 'pod network create'",
            hint="connect both, or share no namespaces",
        )
    known, places = places_of(engine, container)
    servers = container.config.networking.dns or engine.settings.containers.dns_servers
    return {
        "backend": "networks",
        "id": container.id,
        "names": names_of(engine, container),
        "servers": [it for it in servers if it != "none"],
        "networks": [plain(network) for network in known],
        "places": places,
        "holder": _holder_once(engine),
    }


def foretell(engine: Engine, config: ContainerConfig) -> None:
    """Tell the monitor that waits for its order, once, what it can begin with while the container is made.

    No more than that: what is wrong is found, and said, when the container is started.
    """
    if not engine.has_monitor or engine.holder is not None or why_none(engine, config):
        return
    from pod.engine import facts

    joined = [it.joined for it in config.networking.user_defined]
    try:
        known = [plain(rows.find(engine.database, name)) for name in joined]
        settings = {"backend": "networks", "holder": holder_settings(engine), "networks": known}
        maps = facts.special_maps(engine, config) or idmap.default_maps()
    except (PodError, OSError) as error:
        log.debug(f"the networks are not prepared: {error}")
        return
    engine.tell_of_holder(settings, maps)


def _holder_once(engine: Engine) -> dict[str, Any]:
    told, engine.holder = engine.holder, None
    return told or holder_settings(engine)


def _shares_elsewhere(engine: Engine, config: ContainerConfig) -> str:
    """The container, if any, whose namespaces are to be shared and are not nested in the holder's; its name."""
    for namespace in (config.userns, config.ipc, config.pid, config.uts, config.cgroupns):
        owner = namespace.joined if namespace.mode == "container" else ""
        while owner:
            other = lookup.container(engine, owner)
            network = other.config.networking.network
            owner = network.joined if network.mode == "container" else ""
            if not owner and network.mode != "network":
                return other.name
    return ""


def choose_default(engine: Engine, config: ContainerConfig) -> Networking:
    """How a container is connected, "bridge" and the configured default put in other words.

    "bridge", and "auto" of the configuration for all but those of network.is_apart, becomes the default network, by
    name. Where that cannot be had, and is all that was asked for, the container gets a network of its own, which
    reaches the world and publishes ports as well.
    """
    networking = config.networking
    first = networking.network
    if not first.mode:
        configured = engine.settings.containers.netns
        if configured == "auto":
            # The default network has IPv4 alone, and pasta gives what the machine has.
            is_apart = interfaces.reaches_ipv6_alone() or why_kernel_cannot(engine)
            configured = "private" if is_apart else "bridge"
        first = namespace_option.parse_network(configured)
    chosen = [first, *networking.more_networks]
    if not any(it.mode == "bridge" for it in chosen):
        return networking.replace(network=first)
    reason = why_none(engine, config)
    if reason:
        log.debug(f"no bridge: {reason}")
        if len(chosen) == 1 and not first.options:
            return networking.replace(network=first.replace(mode="private"))
    name = engine.settings.network.default_network
    chosen = [
        it.replace(mode="network", joined=name) if it.mode == "bridge" else it for it in chosen
    ]
    if [it.joined for it in chosen].count(name) > 1:
        raise UsageError(f"network '{name}' was given twice: it is what 'bridge' stands for")
    if name == networks.DEFAULT_NAME:
        _use_configured_subnet(engine)
    return networking.replace(network=chosen[0], more_networks=tuple(chosen[1:]))


def why_kernel_cannot(engine: Engine) -> str:
    """What the kernel lacks for networks of an ordinary user; "" for nothing. Tried once, until the next boot."""
    path = f"{engine.paths.runroot}/{_PROBED}"
    try:
        return files.read_bytes(path).decode("utf-8", "replace")
    except FileNotFoundError:
        pass
    from netns.holder import probe

    reason = probe.why_not()
    if reason:
        log.info(
            f"containers get networks of their own, since the kernel makes no bridges for users: {reason}"
        )
    paths.make_private(engine.paths.runroot)
    files.write_atomic(path, reason.encode(), sync=False)
    return reason


def _use_configured_subnet(engine: Engine) -> None:
    """Let the default network have the subnet of the configuration, as soon as nobody is on it."""
    wanted = engine.settings.network.default_subnet
    now = rows.find(engine.database, networks.DEFAULT_NAME).subnets[0].subnet
    if wanted == now:
        return
    subnet = networks.parse_subnet("default_subnet", wanted)

    def change(network: NetworkConfig) -> NetworkConfig:
        if rows.users(engine.database, network.name):
            log.warning(f"containers are on network '{network.name}', so it keeps subnet {now}")
            return network
        others = [it for it in rows.all_of(engine.database) if it.name != network.name]
        taken = [(f"network '{it.name}'", one.subnet) for it in others for one in it.subnets]
        networks.check_overlaps([subnet], taken)
        return network.replace(subnets=(subnet,))

    if subnet.subnet != now:
        rows.change(engine.database, networks.DEFAULT_NAME, change)


def why_none(engine: Engine, config: ContainerConfig) -> str:
    """Why the container cannot be on a network of the holder; "" when it can."""
    if os.geteuid() == 0:
        return "networks are for ordinary users"
    if config.runtime not in {"", "pod"}:
        return f"the OCI runtime '{config.runtime}' does not make such containers"
    if config.userns.mode in {"container", "ns"}:
        return "the container's user namespace is another's"
    if other := _shares_elsewhere(engine, config):
        return f"it shares namespaces with '{other}', which is on none"
    return ""


def holder_settings(engine: Engine) -> dict[str, Any]:
    """What netns/holder/client.py needs to find the holder or start one."""
    from pod.engine import network

    path = directory(engine)
    paths.make_private(engine.paths.runroot)
    paths.make_private(path)
    name, program = network.choose_outside(engine)
    cgroup = group.path_in(cgroups.delegated_root(), path)
    return {
        "directory": path,
        "cgroup": cgroup,
        "scope": {} if cgroup else _scope(engine, path),
        "maps": idmap.default_maps(),
        "backend": name,
        "program": program,
        "options": network.configured_options(engine, name),
        "container_pid": _left_by_a_holder(engine, path),
    }


def _left_by_a_holder(engine: Engine, directory: str) -> int:
    """A process of a container that runs on networks though nobody holds them: theirs was killed. 0 for none."""
    found = [it for it in containers.active(engine.database) if it.config.networking.can_join]
    if not found:
        return 0  # as for most who will start a holder
    from netns.holder import client
    from pod.engine import finish

    channel = client.connect(directory)
    if channel is not None:
        channel.close()
        return 0
    for container in found:
        run = finish.read_run(engine, container)
        if run.is_alive and run.pid:
            return run.pid
    return 0


def _scope(engine: Engine, directory: str) -> dict[str, str]:
    """The scope to ask systemd for; {} where it is not to be asked."""
    from pod.linux import scopes

    bus = scopes.user_bus() if engine.cgroup_manager == "systemd" else ""
    if not bus:
        return {}
    return {
        "unit": f"pod-{os.path.basename(group.path_in('/', directory))}.scope",
        "slice": "user.slice",
        "bus": bus,
        "description": "networks of containers",
    }


def places_of(
    engine: Engine, container: Container
) -> tuple[list[NetworkConfig], list[dict[str, Any]]]:
    """The networks a container is on, and its place on each."""
    known, places = [], []
    leases = rows.leases_of(engine.database, container.id)
    has_way_out = False
    for number, joined in enumerate(container.config.networking.user_defined):
        network = rows.find(engine.database, joined.joined)
        leased = leases.get(network.name) or rows.lease(
            engine.database,
            container.id,
            network.name,
            [*joined.values("ip"), *joined.values("ip6")],
        )
        is_default = not network.internal and not has_way_out
        has_way_out = has_way_out or is_default
        known.append(network)
        places.append(
            {
                "network": network.name,
                "interface": next(iter(joined.values("interface_name")), f"eth{number}"),
                "addresses": [networks.with_prefix(it, network) for it in leased],
                "mac": next(iter(joined.values("mac")), "") or _mac_of(network, leased[0]),
                "aliases": joined.values("alias"),
                "default": is_default,
                "again": False,
            }
        )
    return known, places


def _mac_of(network: NetworkConfig, address: str) -> str:
    """A hardware address that goes with an address, locally administered (IEEE 802, bits of the first byte).

    With one of the container, whoever had talked to the address before would send to a container that is gone, for
    half a minute, until its neighbour table is renewed.
    """
    number = bytes.fromhex(network.id[:2]) + networks.packed(address)[-4:]
    return ":".join(f"{byte:02x}" for byte in b"\x92" + number)


def address_and_resolver(engine: Engine, container: Container) -> tuple[str, str]:
    """A container's first address, "" for none, and who answers its questions about names: the first gateway that does.

    On networks without names it is the outside helper, which asks the host's resolver.
    """
    known, places = places_of(engine, container)
    if not places:
        return "", addresses.RESOLVER
    address: str = places[0]["addresses"][0].partition("/")[0]
    for network in known:
        if network.dns:
            return address, network.subnets[0].gateway
    return address, addresses.RESOLVER


def names_of(engine: Engine, container: Container) -> list[str]:
    """The names by which a container is found on every network; an infra container by those of its pod as well."""
    names = [container.name, container.id[:12], container.config.hostname]
    if container.config.is_infra:
        from pod.engine import pod_names

        names = [*pod_names.on_networks(engine, container), *names]
    return list(dict.fromkeys(filter(None, names)))


def plain(network: NetworkConfig) -> dict[str, Any]:
    """A network as netns/holder/bridges.py wants it."""
    return {
        "name": network.name,
        "bridge": network.interface,
        "gateways": [networks.with_prefix(subnet.gateway, network) for subnet in network.subnets],
        "subnets": [subnet.subnet for subnet in network.subnets],
        "mtu": network.mtu,
        "internal": network.internal,
        "isolate": network.isolate,
        "dns": network.dns,
        "dns_servers": list(network.dns_servers),
    }


def directory(engine: Engine) -> str:
    return f"{engine.paths.runroot}/networks"


def ask(engine: Engine, *request: Any) -> tuple[Any, ...]:
    """The answer to one request to the holder that runs. Raises NetworkError when there is none."""
    from netns.holder import client

    channel = client.connect(directory(engine))
    if channel is None:
        raise client.lost()
    try:
        return client.ask(channel, *request)
    finally:
        channel.close()


def spare(engine: Engine, container: Container, most_seconds: float) -> None:
    """Before a stop: new clients of ports that it shares go to others, and it gets a while for those that it has."""
    from netns.errors import NetworkError
    from netns.holder import protocol

    if not any(port.group for port in container.config.networking.ports):
        return
    deadline = time.monotonic() + most_seconds
    try:
        while ask(engine, protocol.SPARE, container.id)[0] and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    except NetworkError as error:
        log.debug(f"the clients of '{container.name}' cannot be kept from it: {error.message}")
