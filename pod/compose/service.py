"""One service as the configuration of a container: what `pod run` would be told for it, by the same grammars.

Every key of a service that a container is made from has its row in `_KEYS` or is read by one of the functions below it;
`support.py` says for people which keys those are. What a grammar refuses is said with the place in the file.
"""

from __future__ import annotations

import re

from pod.base.errors import PodError
from pod.compose import identity, limits, mounts
from pod.compose.errors import FileError, Refused
from pod.compose.tree import text_of
from pod.spec import namespaces
from pod.spec.container import ContainerConfig
from pod.spec.namespaces import Namespace, Network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from pod.compose.project import Project
    from pod.spec.health import HealthConfig
    from pod.spec.ports import PortMapping

    Names = Callable[[str], str]
    """The name of the container of a service, for namespaces that are shared."""


def config_of(
    project: Project,
    name: str,
    number: int,
    base: ContainerConfig,
    *,
    names: Names,
    config_hash: str,
    one_off: bool = False,
) -> ContainerConfig:
    """The configuration of container `number` of a service. `base` is what configuration files say of all containers.

    Raises FileError for a value that cannot be.
    """
    service = project.service(name)
    reading = Reading(project, name, service)
    if str((service.get("deploy") or {}).get("mode", "")).endswith("-job"):
        raise reading.refused("deploy", "jobs are for a swarm", "pod compose run", "mode")
    changes: dict[str, Any] = {
        "image": identity.image_name(project, name),
        "environment": tuple(f"{k}={v}" for k, v in identity.environment(project, name).items()),
        "labels": {
            **_labels(reading),
            **identity.labels_of_container(project, name, number, config_hash, one_off=one_off),
        },
    }
    for key, (field, read) in _KEYS.items():
        if service.get(key) is not None:
            changes[field] = reading.of(key, read)
    for key in ("ipc", "pid", "uts"):
        if service.get(key) is not None:
            changes[key] = reading.at((key,), _namespace, key, service[key], names)
    changes["networking"] = _networking(reading, base, names, number)
    changes["mounts"] = (*base.mounts, *mounts.of_service(reading))
    changes["volumes_from"] = mounts.volumes_from(reading, names)
    changes["secrets"] = mounts.secrets_of(reading)
    if service.get("healthcheck") is not None:
        changes["health"] = reading.of("healthcheck", _health)
    if service.get("logging") is not None:
        changes["log"] = reading.of("logging", lambda value: _log(value, base))
    if (restart := _restart(reading)) is not None:
        changes["restart"] = restart
    changes["resources"] = limits.resources(reading, base.resources)
    changes["devices"] = (*base.devices, *limits.devices(reading))
    config = base.replace(**changes)
    if config.sysctls:
        from pod.spec.resources import check_sysctls

        reading.of(
            "sysctls",
            lambda value: check_sysctls(
                config.sysctls,
                has_own_network=config.networking.network.mode not in {"host", "container", "ns"},
                has_own_ipc=config.ipc.mode in {"", "private", "shareable", "none"},
            ),
        )
    return config


_OPTION = re.compile(r"^--[a-z0-9-]+ ")


class Reading:
    """A service with what messages about it need."""

    def __init__(self, project: Project, name: str, service: Any) -> None:
        self.project = project
        self.name = name
        self.service = service

    def of(self, key: str, read: Callable[[Any], Any]) -> Any:
        """What `read` makes of the value of a key; its complaint with the place."""
        return self.at((key,), read, self.service[key])

    def at(self, path: tuple[Any, ...], read: Callable[..., Any], *arguments: Any) -> Any:
        """What `read` makes of the arguments; what it raises is about the key that `path` leads to from the service."""
        try:
            return read(*arguments)
        except FileError:
            raise
        except PodError as error:
            # The grammars are those of options, and nobody has typed one here.
            message = _OPTION.sub("", error.message)
            raise FileError(
                self.place(path[0]), ("services", self.name, *path), message, error.hint
            ) from error

    def refused(self, key: str, why: str, instead: str = "", *inner: Any) -> Refused:
        return Refused(self.place(key), ("services", self.name, key, *inner), why, instead)

    def wrong(self, key: str, sentence: str, *inner: Any) -> FileError:
        return FileError(self.place(key), ("services", self.name, key, *inner), sentence)

    def place(self, key: str) -> Any:
        return self.service.place_of(key)


def is_true(value: Any) -> bool:
    """A truth value, which variables may have filled in as text."""
    from pod.base.units import parse_boolean

    return value if isinstance(value, bool) else parse_boolean(str(value), "truth value")


def _labels(reading: Reading) -> dict[str, str]:
    from pod.spec import environment

    found: dict[str, str] = {}
    for path in reading.service.get("label_file") or ():
        found |= reading.at(("label_file",), _label_file, environment, path)
    return found | dict(reading.service.get("labels") or {})


def _label_file(environment: Any, path: str) -> dict[str, str]:
    from pod.compose.places import read, shown

    found: dict[str, str] = environment.parse_label_file(read(path).decode(), shown(path))
    return found


def _hostname(value: str) -> str:
    from pod.spec.hosts import parse_hostname

    return parse_hostname(value, "host name")


def _user(value: Any) -> str:
    from pod.spec.users import parse_user

    parse_user(text_of(value))
    return text_of(value)


def _groups(value: Any) -> tuple[str, ...]:
    from pod.spec.users import parse_group_add

    return parse_group_add([text_of(one) for one in value])


def _working_directory(value: str) -> str:
    if not value.startswith("/"):
        raise PodError(f"'{value}' is not an absolute path")
    return value


def _capabilities(value: Any) -> tuple[str, ...]:
    from pod.spec.security import parse_capabilities

    return parse_capabilities(value, "capability")


def _security(value: Any) -> Any:
    from pod.spec.security import parse_security_options

    return parse_security_options(value)


def parse_ulimits_of(value: Mapping[str, Any]) -> Any:
    """Limits of processes: name -> number, or soft and hard."""
    from pod.spec.resources import parse_ulimits

    texts = []
    for name, limit in value.items():
        if isinstance(limit, dict):
            texts.append(f"{name}={text_of(limit['soft'])}:{text_of(limit['hard'])}")
        else:
            texts.append(f"{name}={text_of(limit)}")
    return parse_ulimits(texts)


def _sysctls(value: Mapping[str, Any]) -> dict[str, str]:
    from pod.spec.resources import parse_sysctl

    return dict(parse_sysctl(f"{name}={text}") for name, text in value.items())


def _oom_score(value: Any) -> int:
    from pod.spec.resources import parse_oom_score_adj

    return parse_oom_score_adj(text_of(value))


def _size(value: Any) -> int:
    from pod.base.units import parse_size

    return parse_size(text_of(value))


def _stop_signal(value: str) -> str:
    from pod.linux.signals import parse

    parse(value, "stop_signal")
    return value


def _grace(value: Any) -> int:
    """Whole seconds, at least as long as was asked for."""
    from pod.base.units import parse_duration_ns

    return -(-parse_duration_ns(text_of(value)) // 1_000_000_000)


def _user_namespace(value: str) -> Any:
    from pod.spec.userns import parse_userns

    return parse_userns(value, "user namespace")


def _cgroup(value: str) -> Namespace:
    return namespaces.parse_cgroupns(value)


def _platform(value: str) -> str:
    from pod.image.platform import parse_platform

    parse_platform(value)
    return value


def _umask(value: Any) -> int:
    from pod.spec.security import parse_umask

    return parse_umask(text_of(value))


_KEYS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    # key of the file: (field of ContainerConfig, how it is read)
    "annotations": ("annotations", dict),
    "cap_add": ("add_capabilities", _capabilities),
    "cap_drop": ("drop_capabilities", _capabilities),
    "cgroup": ("cgroupns", _cgroup),
    "cgroup_parent": ("cgroup_parent", str),
    "command": ("command", lambda value: tuple(text_of(word) for word in value)),
    "domainname": ("domainname", _hostname),
    "entrypoint": ("entrypoint", lambda value: tuple(text_of(word) for word in value)),
    "group_add": ("groups", _groups),
    "hostname": ("hostname", _hostname),
    "init": ("init", is_true),
    "oom_score_adj": ("oom_score_adj", _oom_score),
    "platform": ("platform", _platform),
    "privileged": ("privileged", is_true),
    "read_only": ("read_only", is_true),
    "runtime": ("runtime", str),
    "security_opt": ("security", _security),
    "shm_size": ("shm_size", _size),
    "stdin_open": ("interactive", is_true),
    "stop_grace_period": ("stop_timeout", _grace),
    "stop_signal": ("stop_signal", _stop_signal),
    "sysctls": ("sysctls", _sysctls),
    "tty": ("terminal", is_true),
    "ulimits": ("ulimits", parse_ulimits_of),
    "umask": ("umask", _umask),
    "user": ("user", _user),
    "userns_mode": ("userns", _user_namespace),
    "working_dir": ("working_directory", _working_directory),
}


def _namespace(key: str, value: str, names: Names) -> Namespace:
    if value.startswith("service:"):
        return Namespace("container", names(value.partition(":")[2]))
    parse = {
        "ipc": namespaces.parse_ipc, "pid": namespaces.parse_pid, "uts": namespaces.parse_uts,
    }[key]  # fmt: skip
    return parse(value)


def _networking(reading: Reading, base: ContainerConfig, names: Names, number: int) -> Any:
    from pod.spec import hosts

    service = reading.service
    changes: dict[str, Any] = {}
    mode = service.get("network_mode")
    if mode:
        changes["network"] = reading.of("network_mode", lambda value: _mode(value, names))
    else:
        first, *more = _networks(reading)
        changes |= {"network": first, "more_networks": tuple(more)}
    if service.get("ports"):
        changes["ports"] = _ports(reading, number)
    if service.get("expose"):
        from pod.spec.ports import parse_expose

        changes["expose"] = reading.of("expose", lambda value: tuple(map(parse_expose, value)))
    for key, field, parse in (
        ("dns", "dns", hosts.parse_dns),
        ("dns_search", "dns_search", hosts.parse_dns_search),
        ("dns_opt", "dns_options", str),
    ):
        if service.get(key):
            changes[field] = tuple(reading.at((key,), parse, text) for text in service[key])
    if service.get("extra_hosts"):
        changes["hosts"] = reading.of(
            "extra_hosts",
            lambda value: tuple(
                hosts.parse_added_host(f"{host}:{address}")
                for host, addresses in value.items()
                for address in addresses
            ),
        )
    links = [_link(entry, names) for entry in service.get("links") or ()]
    for entry in service.get("external_links") or ():
        target, _, alias = entry.partition(":")
        links.append(f"{target}:{alias or target}")
    if links:
        changes["links"] = tuple(reading.at(("links",), hosts.parse_link, link) for link in links)
    networking = base.networking.replace(**changes)
    if networking.network.mode in {"host", "none", "container", "ns"} and networking.ports:
        raise reading.wrong(
            "ports", f"nothing can be published with network_mode: {mode}, which has no network of its own"
        )  # fmt: skip
    return networking


def _mode(value: str, names: Names) -> Network:
    if value.startswith("service:"):
        return Network("container", names(value.partition(":")[2]))
    return namespaces.parse_network(value)


def _link(entry: str, names: Names) -> str:
    service, _, alias = entry.partition(":")
    return f"{names(service)}:{alias or service}"


def _networks(reading: Reading) -> list[Network]:
    """The networks in the order in which they are connected: the default gateway is on the first."""
    project, service = reading.project, reading.service
    found = identity.networks_of(project, reading.name)

    def order(key: str) -> tuple[float, float, str]:
        how = found[key] or {}
        return (-float(how.get("gw_priority", 0)), -float(how.get("priority", 0)), key)

    result = []
    for key in sorted(found, key=order):
        how = found[key] or {}
        options = []
        if is_true(how.get("use_service_name_alias", True)):
            options.append(f"alias={reading.name}")
        options += [f"alias={alias}" for alias in how.get("aliases") or ()]
        places = {
            "ipv4_address": "ip", "ipv6_address": "ip6", "mac_address": "mac", "interface_name": "interface_name",
        }  # fmt: skip
        how = {"mac_address": service.get("mac_address"), **how}
        for word, option in places.items():
            if how.get(word):
                options.append(
                    reading.at(("networks", key), namespaces.check_place, word, option, how[word])
                )
        name = (
            project.name_of("networks", key)
            if key in project.networks
            else f"{project.name}_default"
        )
        text = f"{name}:{','.join(options)}" if options else name
        result.append(reading.at(("networks", key), namespaces.parse_network, text))
    return result


def _ports(reading: Reading, number: int) -> tuple[PortMapping, ...]:
    from pod.spec.ports import PortMapping, check_ipv4, check_ipv6

    found = []
    for index, port in enumerate(reading.service["ports"]):
        address = port.get("host_ip", "")
        published = port.get("published", "")
        group = (
            f"{reading.project.name}/{reading.name}" if published and "-" not in published else ""
        )
        if reading.service.get("network_mode"):
            if group and number > 1:
                raise _one_only(reading, index, port, number)
            group = ""
        if port["protocol"] == "sctp":
            raise reading.refused("ports", "ports are tcp or udp", "", index)
        if ":" in address:
            reading.at(("ports", index), check_ipv6, "host_ip", address, address)
        elif address:
            reading.at(("ports", index), check_ipv4, "host_ip", address, address)
        found.append(
            PortMapping(
                int(port["target"]),
                _published(published, address, port["protocol"], number),
                address,
                1,
                port["protocol"],
                group,
            )
        )
    return tuple(found)


def _one_only(reading: Reading, index: int, port: Any, number: int) -> FileError:
    published = port["published"]
    return FileError(
        reading.place("ports"),
        ("services", reading.name, "ports", index),
        f"port {published} of this machine can lead to one container with a network_mode, not to {number}",
        hint=f'networks, on which they share it; or a range, of which each takes one: "{published}-'
        f'{int(published) + 9}:{port["target"]}"',
    )


def _published(text: str, address: str, protocol: str, number: int) -> int:
    """A port of the host; of a range the first that is free from the place of this container on."""
    if not text:
        return 0
    low, _, high = text.partition("-")
    if not high:
        return int(low)
    import socket

    ports = list(range(int(low), int(high) + 1))
    start = (number - 1) % len(ports)
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    for port in ports[start:] + ports[:start]:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, kind) as probe:
            try:
                probe.bind((address or "0.0.0.0", port))
            except OSError:
                continue
        return port
    return ports[start]  # the start says that it is taken


def _health(value: Mapping[str, Any]) -> HealthConfig:
    from pod.spec import health_option as grammar
    from pod.spec.health import NONE, HealthConfig

    if is_true(value.get("disable", False)) or tuple(value.get("test", ()))[:1] == (NONE,):
        return HealthConfig(test=(NONE,))
    changes: dict[str, Any] = {}
    if value.get("test"):
        changes["test"] = tuple(text_of(word) for word in value["test"])
    for key, field, parse in (
        ("interval", "interval_ns", grammar.parse_interval),
        ("timeout", "timeout_ns", grammar.parse_timeout),
        ("start_period", "start_period_ns", grammar.parse_timeout),
        ("start_interval", "start_interval_ns", grammar.parse_timeout),
    ):
        if value.get(key) is not None:
            text = text_of(value[key])
            changes[field] = (
                0 if text in {"0", "0s"} and key == "start_period" else parse(text, key)
            )
    if value.get("retries") is not None:
        changes["retries"] = grammar.parse_count(text_of(value["retries"]), "retries", lowest=1)
    return HealthConfig(**changes)


def _log(value: Mapping[str, Any], base: ContainerConfig) -> Any:
    from pod.spec.logging import parse_log_driver, parse_log_options

    driver = value.get("driver")
    texts = [f"{key}={text}" for key, text in (value.get("options") or {}).items()]
    return parse_log_options(
        base.log.driver if driver is None else parse_log_driver(driver), texts, base.log
    )


def _restart(reading: Reading) -> Any:
    """`restart`, or what `deploy.restart_policy` says in its place."""
    from pod.spec.restart import RestartPolicy, parse_restart

    service = reading.service
    if service.get("restart") is not None:
        return reading.of("restart", parse_restart)
    policy = (service.get("deploy") or {}).get("restart_policy")
    if not policy:
        return None
    condition = policy.get("condition", "any")
    if condition not in {"any", "on-failure", "none"}:
        raise reading.wrong(
            "deploy",
            f"'{condition}' is none of any, on-failure, none",
            "restart_policy",
            "condition",
        )
    attempts = int(policy.get("max_attempts", 0))
    if condition == "none":
        return RestartPolicy()
    return (
        RestartPolicy("on-failure", attempts)
        if condition == "on-failure"
        else RestartPolicy("always")
    )
