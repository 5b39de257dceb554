"""One service as the configuration of a container: what `pod run` would be told for it, by the same grammars.

Every key of a service that a container is made from has its row in `_KEYS` or is read by one of the functions below it;
`support.py` says for people which keys those are. What a grammar refuses is said with the place in the file.
"""

from __future__ import annotations

from pod.base.errors import PodError
from pod.compose import identity, limits, mounts, networking
from pod.compose.reading import Reading, is_true
from pod.compose.tree import text_of
from pod.spec import namespace_option
from pod.spec.container import ContainerConfig
from pod.spec.namespaces import Namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from pod.compose.project import Project
    from pod.spec.health import HealthConfig

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
    _check_mode(reading)
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
    changes["networking"] = networking.of_service(reading, base, names, number)
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
        from pod.spec.kernel_options import check_sysctls

        reading.of(
            "sysctls",
            lambda value: check_sysctls(
                config.sysctls,
                has_own_network=config.networking.network.mode not in {"host", "container", "ns"},
                has_own_ipc=config.ipc.mode in {"", "private", "shareable", "none"},
            ),
        )
    return config


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
    from pod.spec.security_option import parse_capabilities

    return parse_capabilities(value, "capability")


def _security(value: Any) -> Any:
    from pod.spec.security_option import parse_security_options

    return parse_security_options(value)


def parse_ulimits_of(value: Mapping[str, Any]) -> Any:
    """Limits of processes: name -> number, or soft and hard."""
    from pod.spec.kernel_options import parse_ulimits

    texts = []
    for name, limit in value.items():
        if isinstance(limit, dict):
            texts.append(f"{name}={text_of(limit['soft'])}:{text_of(limit['hard'])}")
        else:
            texts.append(f"{name}={text_of(limit)}")
    return parse_ulimits(texts)


def _sysctls(value: Mapping[str, Any]) -> dict[str, str]:
    from pod.spec.kernel_options import parse_sysctl

    return dict(parse_sysctl(f"{name}={text}") for name, text in value.items())


def _oom_score(value: Any) -> int:
    from pod.spec.resource_options import parse_oom_score_adj

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
    from pod.spec.userns_option import parse_userns

    return parse_userns(value, "user namespace")


def _cgroup(value: str) -> Namespace:
    return namespace_option.parse_cgroupns(value)


def _platform(value: str) -> str:
    from pod.image.platform import parse_platform

    parse_platform(value)
    return value


def _umask(value: Any) -> int:
    from pod.spec.security_option import parse_umask

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
        "ipc": namespace_option.parse_ipc, "pid": namespace_option.parse_pid, "uts": namespace_option.parse_uts,
    }[key]  # fmt: skip
    return parse(value)


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
    from pod.spec.log_option import parse_log_driver, parse_log_options

    driver = value.get("driver")
    texts = [f"{key}={text}" for key, text in (value.get("options") or {}).items()]
    return parse_log_options(
        base.log.driver if driver is None else parse_log_driver(driver), texts, base.log
    )


def _check_mode(reading: Reading) -> None:
    mode = (reading.service.get("deploy") or {}).get("mode") or "replicated"
    if mode in {"replicated-job", "global-job"}:
        raise reading.refused("deploy", "jobs are for a swarm", "pod compose run", "mode")
    if mode not in {"replicated", "global"}:
        raise reading.wrong("deploy", f"'{mode}' is none of replicated, global", "mode")


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
    if condition == "none":
        return RestartPolicy()
    times = {
        f"{key}_ns": reading.at(("deploy", "restart_policy", key), _duration, policy[key])
        for key in ("delay", "window")
        if policy.get(key) is not None
    }
    attempts = reading.at(
        ("deploy", "restart_policy", "max_attempts"), _number, policy.get("max_attempts", 0)
    )
    return RestartPolicy("always" if condition == "any" else condition, attempts, **times)


def _duration(value: Any) -> int:
    from pod.base.units import parse_duration_ns

    text = text_of(value)
    return 0 if text == "0" else parse_duration_ns(text)


def _number(value: Any) -> int:
    from pod.base.units import parse_integer

    return parse_integer(text_of(value), "max_attempts", 0, 10**9)
