"""The files that a container finds under its own names: hosts, resolv.conf, hostname, .containerenv.

They are written anew at every start, into the container's directory, and bound into its root file system.
"""

from __future__ import annotations

import os

from netns import names
from netns.backends import addresses
from pod.base import files
from pod.base.errors import PodError
from pod.base.version import VERSION
from pod.linux import interfaces
from pod.spec.bundle import has_own_network, is_own

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig
    from pod.state.containers import Container

_USER_MODE = {
    "",
    "private",
    "bridge",
    "pasta",
    "slirp4netns",
    "network",
}  # networks with an address and a resolver of their own


def write(
    engine: Engine, container: Container, hostname: str, *, keep: bool = False
) -> dict[str, str]:
    """Write the files; path in the container -> path on the host.

    With `keep`, those that are there stay as they are: a running container has them, and may have changed them.
    """
    return write_in(engine.paths.container(container.id), engine, container, hostname, keep=keep)


def write_in(
    directory: str, engine: Engine, container: Container, hostname: str, *, keep: bool = False
) -> dict[str, str]:
    """As `write`, in another directory than the container's."""
    config = container.config
    contents = {"/run/.containerenv": _container_environment(container)}
    if config.networking.manage_hostname:
        contents["/etc/hostname"] = f"{hostname}\n"
    if config.networking.manage_hosts:
        contents["/etc/hosts"] = _hosts(engine, container, hostname)
    if config.networking.dns != ("none",):
        contents["/etc/resolv.conf"] = _resolv_conf(engine, container)
    if config.networking.network.mode == "container":
        for path in ("/etc/hosts", "/etc/resolv.conf"):
            contents.pop(path, None)
    written = {}
    for path, text in contents.items():
        target = f"{directory}/{os.path.basename(path).lstrip('.')}"
        if not (keep and os.path.exists(target)):
            _write(target, text)
        written[path] = target
    if config.networking.network.mode == "container":
        owner = engine.paths.container(_owner_of_network(engine, config))
        for name in ("hosts", "resolv.conf"):
            if os.path.exists(f"{owner}/{name}"):
                written[f"/etc/{name}"] = f"{owner}/{name}"
        if config.pod and "/etc/hosts" in written:
            from pod.engine import pod_names

            pod_names.add(written["/etc/hosts"], container.name)
            pod_names.tell_networks(engine, container)
    if config.timezone:
        written["/etc/localtime"] = zone_file(config.timezone)
    return written


def _owner_of_network(engine: Engine, config: ContainerConfig) -> str:
    """The id of the container whose network this one shares: that one may share it itself, as those of a pod do."""
    from pod.engine import lookup

    while True:
        owner = config.networking.network.joined
        config = lookup.container(engine, owner).config
        if config.networking.network.mode != "container":
            return owner


def texts(engine: Engine, container: Container) -> dict[str, str]:
    """What /etc/hosts and /etc/resolv.conf of a running container were written with, by file; {} for one that is not.

    A container whose networks are others from now on has other ones: see `follow`.
    """
    networking = container.config.networking
    found: dict[str, str] = {}
    if container.status != "active" or networking.network.mode == "container":
        return found
    if networking.manage_hosts:
        hostname = hostname_of(container.config, container.id)
        found["hosts"] = _hosts(engine, container, hostname)
    if networking.dns != ("none",):
        found["resolv.conf"] = _resolv_conf(engine, container)
    return found


def follow(engine: Engine, container: Container, before: dict[str, str]) -> None:
    """Write the files of a running container anew, those that are still as they were `before` a change of networks."""
    if not before:
        return
    directory = engine.paths.container(container.id)
    for name, text in texts(engine, container).items():
        try:
            is_ours = files.read_text(f"{directory}/{name}") == before.get(name)
        except FileNotFoundError:
            continue
        if is_ours:
            _write(f"{directory}/{name}", text)


def zone_file(timezone: str) -> str:
    """The file of a time zone; "local" is the host's."""
    return "/etc/localtime" if timezone == "local" else f"/usr/share/zoneinfo/{timezone}"


def check_timezone(timezone: str) -> None:
    """Raise PodError unless the host knows the time zone; "" is none."""
    if not timezone:
        return
    if (
        timezone.startswith("/")
        or ".." in timezone.split("/")
        or not os.path.isfile(zone_file(timezone))
    ):
        raise PodError(
            f"there is no time zone '{timezone}' in /usr/share/zoneinfo",
            hint="give a name such as Europe/Berlin, or local for the host's own",
        )


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        os.fchmod(fd, 0o644)
        files.write_all(fd, text.encode("utf-8", "surrogateescape"))
    finally:
        os.close(fd)


def _hosts(engine: Engine, container: Container, hostname: str) -> str:
    networking = container.config.networking
    mode = networking.network.mode
    added = [tuple(entry.partition(":")[::2]) for entry in networking.hosts]
    configured = engine.settings.containers.host_containers_internal_ip
    host_address = configured or interfaces.outgoing_address() or ""
    if configured == "none":
        host_address = ""
    resolved = []
    for name, given in added:
        address = host_address if given == "host-gateway" else given
        if address:
            resolved += [(one, address) for one in name.split(";")]
    if networking.links:
        from pod.engine import links

        resolved += links.entries(engine, container.config)
    own: list[tuple[str, list[str]]] = []
    itself = [hostname, container.name]
    if container.config.domainname:
        itself.insert(
            0, f"{hostname}.{container.config.domainname}"
        )  # the first one is the whole name, hosts(5)
    if mode in _USER_MODE:
        if host_address:
            own.append((host_address, list(names.HOST_NAMES)))
        own.append((_addresses(engine, container)[0] or "127.0.1.1", itself))
    elif mode == "host":
        own.append(("127.0.0.1", list(names.HOST_NAMES)))
    else:
        own.append(("127.0.1.1", itself))
    if container.config.is_infra:
        from pod.engine import pod_names

        own += [("127.0.0.1", [name]) for name in pod_names.in_network_of(engine, container)]
    return names.hosts_file(_base_hosts(engine, container), own=own, added=resolved)


def _addresses(engine: Engine, container: Container) -> tuple[str, str]:
    """The container's first address on its networks, and its resolver."""
    network = container.config.networking.network
    if network.mode == "network":
        from pod.engine import network_places  # few containers are on one

        return network_places.address_and_resolver(engine, container)
    if network.mode == "pasta" and network.options:
        return (
            _pasta_value(network.options, "-a", "--address") or addresses.CONTAINER,
            _pasta_value(network.options, "--dns-forward") or addresses.RESOLVER,
        )
    cidrs = network.values("cidr") if network.mode == "slirp4netns" else []
    return addresses.in_network(cidrs[-1]) if cidrs else (addresses.CONTAINER, addresses.RESOLVER)


def _pasta_value(words: tuple[str, ...], *names: str) -> str:
    """What pasta's own options say first about one of them, for IPv4: "-a ADDRESS" or "--address=ADDRESS"."""
    for number, word in enumerate(words):
        name, equals, value = word.partition("=")
        if name in names:
            value = value if equals else "".join(words[number + 1 : number + 2])
            if ":" not in value:
                return value
    return ""


def _base_hosts(engine: Engine, container: Container) -> str:
    choice = container.config.networking.hosts_file or engine.settings.containers.base_hosts_file
    if choice == "none":
        return "127.0.0.1\tlocalhost\n::1\tlocalhost\n"
    if choice == "image":
        for layer in engine.rootfs.layers(engine.paths.container(container.id)):
            path = f"{layer}/etc/hosts"
            if os.path.isfile(path) and not os.path.islink(path):
                return files.read_text(path)
        return "127.0.0.1\tlocalhost\n::1\tlocalhost\n"
    try:
        return files.read_text(choice or "/etc/hosts")
    except FileNotFoundError as error:
        if choice:
            asked = container.config.networking.hosts_file
            which = "--hosts-file" if asked else "base_hosts_file in containers.conf"
            raise PodError(f"the file '{choice}' of {which} does not exist") from error
        return "127.0.0.1\tlocalhost\n::1\tlocalhost\n"


def _resolv_conf(engine: Engine, container: Container) -> str:
    networking, settings = container.config.networking, engine.settings.containers
    servers = networking.dns or settings.dns_servers
    forwarder = _addresses(engine, container)[1] if networking.network.mode in _USER_MODE else ""
    domain = ""
    if networking.network.mode == "network" and forwarder != addresses.RESOLVER:
        servers = ()  # the network answers, and asks those about what it does not know
        domain = addresses.DOMAIN
    try:
        host = files.read_text("/etc/resolv.conf")
    except FileNotFoundError:
        host = ""
    return names.resolv_conf(
        host,
        servers=servers,
        search=networking.dns_search or settings.dns_searches,
        options=networking.dns_options or settings.dns_options,
        forwarder=forwarder,
        domain=domain,
    )


def _container_environment(container: Container) -> str:
    """podman-run(1): /run/.containerenv tells programs that they are in a container, and in which."""
    config = container.config
    lines = {
        "engine": f"pod-{VERSION}",
        "name": container.name,
        "id": container.id,
        "image": config.image,
        "imageid": config.image_id.rpartition(":")[2],
    }
    text = "".join(f'{name}="{value}"\n' for name, value in lines.items())
    return text + f"rootless={int(os.geteuid() != 0)}\n"


def hostname_of(config: ContainerConfig, container_id: str) -> str:
    """What the container calls itself."""
    if config.uts.mode == "container" and config.hostname:
        return config.hostname  # that of its pod
    if not is_own(config.uts):
        return os.uname().nodename
    return config.hostname or container_id[:12]


def needs_user_network(container: Container) -> bool:
    """Whether a helper has to connect the container to the outside."""
    return (
        has_own_network(container.config) and container.config.networking.network.mode in _USER_MODE
    )
