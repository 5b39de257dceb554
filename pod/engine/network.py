"""Which backend connects a container, and the ports it publishes."""

from __future__ import annotations

import errno
import os

from pod.base import ids, paths
from pod.base.errors import PodError, Unsupported
from pod.engine.namefiles import needs_user_network
from pod.linux import interfaces, processes
from pod.spec.ports import PortMapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.engine.context import Engine
    from pod.spec.container import Networking
    from pod.state.containers import Container

_BACKENDS = ("pasta", "slirp4netns")


class NoNetworkHelper(PodError):
    """No program here can connect a container."""

    def __init__(self, reasons: list[str], *, is_installed: bool) -> None:
        install = "sudo apt install passt (or dnf install passt)"
        repair = "sudo chmod 0666 /dev/net/tun" if is_installed else install
        super().__init__(
            f"the container cannot be connected to the network: {'; '.join(reasons)}",
            hint=f"{repair}, or run with --network none or --network host",
        )


class PortTaken(PodError):
    """A port of the host that is to be published is in use."""


def settings_for(engine: Engine, container: Container, *, again: bool = False) -> dict[str, Any]:
    """What netns.attach gets. Raises NoNetworkHelper, PortTaken, PortNotAllowed before anything is started.

    With `again` the ports may be the container's own already.
    """
    networking = container.config.networking
    mode = networking.network.mode
    settings: dict[str, Any] = {
        "backend": "none",
        "program": "",
        "ports": [],
        "options": list(networking.network.options),
        "ipv6": True,
        "run_directory": engine.paths.run(container.id),
    }
    if not needs_user_network(container):
        return settings | {
            "backend": {"host": "host", "container": "joined", "ns": "joined"}.get(mode, "none")
        }
    if mode == "network":
        from pod.engine import network_places  # few containers are on one

        for port in () if again else networking.ports:
            _check_port(engine, container, port)
        return (
            settings
            | network_places.settings_for(engine, container)
            | {"ports": _plain(networking)}
        )
    name, program = choose_backend(engine, mode)
    for port in networking.ports:
        if name == "slirp4netns" and ":" in port.host_ip:
            raise Unsupported(
                f"publishing on {port.host_ip} with slirp4netns",
                "it publishes on IPv4 addresses only",
                hint="use --network pasta (sudo apt install passt, or dnf install passt)",
            )
        if not again:
            _check_port(engine, container, port)
    settings["options"] = [*configured_options(engine, name), *settings["options"]]
    return settings | {
        "backend": name,
        "program": program,
        "ports": _plain(networking),
    }


def is_apart(engine: Engine, networking: Networking) -> bool:
    """Whether a container that ends with its command gets a network of its own though "auto" is configured.

    It does if it publishes nothing and nobody is there whom it could talk to: its own network is there sooner.
    """
    if engine.settings.containers.netns != "auto":
        return False
    lives_for_itself = not (networking.network.mode or networking.ports or networking.publish_all)
    return lives_for_itself and not os.path.exists(
        f"{engine.paths.runroot}/networks/{paths.HOLDER_SOCKET}"
    )


def _plain(networking: Networking) -> list[dict[str, Any]]:
    """Published ports as netns takes them."""
    return [
        {
            "host_ip": port.host_ip,
            "host_port": port.host_port,
            "container_port": port.container_port,
            "count": port.count,
            "protocol": port.protocol,
            "group": port.group,
        }
        for port in networking.ports
    ]


def choose_backend(engine: Engine, mode: str) -> tuple[str, str]:
    """The backend that was asked for, or the first that works here; its name and program."""
    given = given_program(engine)
    first = backend_of(given) if given else usual_backend(engine)
    wanted = (mode,) if mode in _BACKENDS else tuple(dict.fromkeys([first, *_BACKENDS]))
    return _first_usable(engine, given, wanted)


def choose_outside(engine: Engine) -> tuple[str, str]:
    """What connects the networks of the holder with the world; its name and program.

    Without a choice in the configuration it is slirp4netns, which takes a tenth of pasta's memory and starts sooner.
    """
    given = given_program(engine)
    configured = engine.settings.network.default_rootless_network_cmd
    first = backend_of(given) if given else configured or "slirp4netns"
    return _first_usable(engine, given, tuple(dict.fromkeys([first, *_BACKENDS])))


def configured_options(engine: Engine, name: str) -> list[str]:
    """The words that the configuration has for a backend's program."""
    if name == "pasta":
        return list(engine.settings.network.pasta_options)
    return list(engine.settings.engine.network_cmd_options)


def _first_usable(engine: Engine, given: str, wanted: tuple[str, ...]) -> tuple[str, str]:
    """The first of these backends that works here; `given` is a program of the caller. Raises NoNetworkHelper."""
    reasons = []
    is_installed = False
    for name in wanted:
        program = given if given and backend_of(given) == name else ""
        program = program or find_backend(engine, name)
        reason = __import__(f"netns.backends.{name}", fromlist=["probe"]).probe(program)
        if not reason:
            return name, program
        reasons.append(reason)
        is_installed = is_installed or processes.find_program(name) is not None
    raise NoNetworkHelper(list(dict.fromkeys(reasons)), is_installed=is_installed)


def usual_backend(engine: Engine) -> str:
    """The backend that the configuration names.

    For root it is slirp4netns: pasta gives its privileges up, and then may not enter the network namespace of a
    container that has no user namespace.
    """
    configured = engine.settings.network.default_rootless_network_cmd
    return "slirp4netns" if os.geteuid() == 0 else configured or "pasta"


def find_backend(engine: Engine, name: str) -> str:
    """The path of a backend's program, in helper_binaries_dir or PATH; "" when it is not installed."""
    return processes.find_program(name, *engine.settings.engine.helper_binaries_dir) or ""


def given_program(engine: Engine) -> str:
    """The program of --network-cmd-path or of containers.conf; "" for none. Raises PodError."""
    path = engine.network_command or engine.settings.engine.network_cmd_path
    if path and not os.access(path, os.X_OK):
        raise PodError(f"the network program '{path}' cannot be executed")
    return path


def backend_of(path: str) -> str:
    """Which backend a program is, by its name; podman knows only slirp4netns here."""
    return "pasta" if os.path.basename(path).startswith(("pasta", "passt")) else "slirp4netns"


def with_host_ports(ports: tuple[PortMapping, ...]) -> tuple[PortMapping, ...]:
    """The mappings with a free port of the host wherever none was chosen."""
    chosen: list[PortMapping] = []
    for port in ports:
        if port.host_port:
            chosen.append(port)
            continue
        for offset in range(port.count):
            free = interfaces.free_port(port.host_ip, port.protocol)
            while any(
                free == other.host_port and other.protocol == port.protocol for other in chosen
            ):
                free = interfaces.free_port(port.host_ip, port.protocol)
            chosen.append(
                port.replace(container_port=port.container_port + offset, host_port=free, count=1)
            )
    return tuple(chosen)


def _check_port(engine: Engine, container: Container, port: PortMapping) -> None:
    """Say now, with names, what the helper would only say as a number."""
    for number in range(port.host_port, port.host_port + port.count):
        error = interfaces.can_listen(port.host_ip, number, port.protocol)
        if error is None:
            continue
        where = f"{port.host_ip or '0.0.0.0'}:{number}/{port.protocol}"
        if error.errno == errno.EADDRINUSE:
            if port.group and _is_shared(engine, container, port):
                continue
            owner = _owner(engine, container, number, port.protocol)
            raise PortTaken(
                f"port {where} of the host cannot be published: {owner} has it",
                hint=f"choose another: -p {number + 1 if number < 65535 else 8080}:{port.container_port}",
            )
        if error.errno == errno.EACCES:
            first = first_allowed_port()
            other = number + 8000 if number + 8000 >= first else first
            raise PortTaken(
                f"port {where} of the host cannot be published: ports below {first} are for root",
                hint=f"use -p {other}:{port.container_port}, --publish-fallback, or allow it: "
                f"sudo sysctl net.ipv4.ip_unprivileged_port_start={number}",
            )
        if error.errno == errno.EADDRNOTAVAIL:
            raise PortTaken(
                f"port {where} cannot be published: this machine does not have the address '{port.host_ip}'",
                hint="ip address",
            )
        raise PortTaken(
            f"port {where} of the host cannot be published: {error.strerror}"
        ) from error


def first_allowed_port() -> int:
    """The lowest port that the kernel lets everybody have."""
    try:
        with open("/proc/sys/net/ipv4/ip_unprivileged_port_start", encoding="ascii") as file:
            return int(file.read())
    except OSError:
        return 1024


def _owner(engine: Engine, container: Container, number: int, protocol: str) -> str:
    """Who has a port: one of our containers, or a process of the caller, or somebody."""
    from pod.engine import finish
    from pod.state import containers

    for other in containers.all_of(engine.database):
        if other.id == container.id or other.status != "active":
            continue
        if _publishes(other, number, protocol) and finish.refresh(engine, other)[1] is not None:
            return f"container '{other.name}' ({ids.short(other.id)})"
    found = _listening_process(number, protocol)
    return f"process {found[0]} ({found[1]})" if found else "another process"


def _is_shared(engine: Engine, container: Container, port: PortMapping) -> bool:
    """Whether another container of the group of this port has it, or is about to give it up."""
    from pod.state import containers

    return any(
        other.id != container.id and other.status == "active" and port.group == it.group
        and (it.host_ip, it.host_port, it.protocol) == (port.host_ip, port.host_port, port.protocol)
        for other in containers.all_of(engine.database)
        for it in other.config.networking.ports
    )  # fmt: skip


def _publishes(container: Container, number: int, protocol: str) -> bool:
    return any(
        port.protocol == protocol and port.host_port <= number < port.host_port + port.count
        for port in container.config.networking.ports
    )


def _listening_process(number: int, protocol: str) -> tuple[int, str] | None:
    """The caller's process that has a port, from /proc (proc(5), net/tcp)."""
    import os

    inodes = set()
    for table in (protocol, f"{protocol}6"):
        try:
            with open(f"/proc/net/{table}", encoding="ascii") as file:
                for line in list(file)[1:]:
                    fields = line.split()
                    if int(fields[1].rpartition(":")[2], 16) == number and fields[3] in {
                        "0A",
                        "07",
                    }:
                        inodes.add(f"socket:[{fields[9]}]")
        except OSError:
            continue
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{fd}") in inodes:
                    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
                        return int(pid), file.read().strip()
        except OSError:
            continue
    return None
