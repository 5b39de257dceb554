"""The keys of containers.conf: their types, their grammars, and merging what several files say.

Loaded only when a file has changed. A value that has the grammar of an option is checked by that option's parser, so
that an error names the file and line now, and not later an option that nobody typed.
"""

from __future__ import annotations

from pod.base import log, units
from pod.base.errors import InvalidValue, PodError, UsageError
from pod.engine.configuration import (
    ConfigurationError,
    ContainerDefaults,
    EngineSettings,
    NetworkSettings,
    SecretSettings,
    Settings,
    line_of,
    read_toml,
)
from pod.engine.configuration_places import files_of
from pod.spec import (
    devices,
    environment,
    kernel_options,
    log_option,
    mount_option,
    mounts,
    namespace_option,
    networks,
    resource_options,
    security_option,
)
from pod.spec.security import ALL
from pod.spec.userns_option import parse_userns

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pod.engine.configuration_places import Places

    # The check of a key gets its value, or each item of a list, and how to call it; and gives what to keep.
    Check = Callable[[Any, str], Any]
    Declared = tuple[str, Check]

TYPES: dict[str, tuple[type, str]] = {
    "text": (str, "must be a string"),
    "number": (int, "must be a whole number"),
    "truth": (bool, "must be true or false"),
    "list": (list, "must be a list of strings"),
    "table": (dict, "must be a table"),
    "tables": (list, "must be a list of tables"),
}


def keep(value: Any, _what: str) -> Any:
    return value


def one_of(*allowed: str) -> Check:
    def check(value: Any, what: str) -> Any:
        if value not in allowed:
            raise UsageError(f"must be one of {', '.join(filter(None, allowed))}")
        return value

    return check


def _between(lowest: int, highest: int = 1 << 53) -> Check:
    def check(value: Any, what: str) -> Any:
        if not lowest <= value <= highest:
            raise UsageError(f"must be between {lowest} and {highest}")
        return value

    return check


def _by(parse: Callable[[str], Any]) -> Check:
    """Check by the parser of an option, and keep the text."""

    def check(value: Any, what: str) -> Any:
        parse(value)
        return value

    return check


def _capability(value: Any, what: str) -> Any:
    names = security_option.parse_capabilities([value], what)
    if names == (ALL,):
        raise UsageError("lists capabilities one by one")
    return names[0]


def _pool(value: Any, what: str) -> Any:
    if not isinstance(value, dict):
        raise UsageError(TYPES["tables"][1])
    base, size = value.get("base"), value.get("size")
    if not isinstance(base, str) or type(size) is not int or len(value) != 2 or not 0 < size < 31:
        raise UsageError('must be a list of tables {"base" = "RANGE", "size" = PREFIX_LENGTH}')
    subnet = networks.parse_subnet("default_subnet_pools", base).subnet
    if networks.is_ipv6(subnet) or int(subnet.rpartition("/")[2]) > size:
        raise UsageError(f"must have ranges of IPv4 that have room for subnets: '{base}' has not")
    return base, size


def _secret_options(value: Any, what: str) -> Any:
    if not all(isinstance(item, str) for item in value.values()):
        raise UsageError("must have a string for each name")
    # The others are podman's, about where its drivers keep things.
    return tuple(it for it in value.items() if it[0] in {"encrypt", "passphrase-file"})


def _runtimes(value: Any, what: str) -> Any:
    for paths in value.values():
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
            raise UsageError("must have a list of paths for each name")
    return tuple((name, tuple(paths)) for name, paths in value.items())


KEYS: dict[str, dict[str, Declared]] = {
    "containers": {
        "annotations": ("list", _by(lambda text: environment.parse_annotations([text]))),
        "apparmor_profile": ("text", keep),
        "base_hosts_file": ("text", keep),
        "cgroup_conf": (
            "list",
            _by(lambda text: resource_options.parse_resources(cgroup_conf=[text])),
        ),
        "cgroupns": ("text", _by(namespace_option.parse_cgroupns)),
        "cgroups": ("text", lambda value, _: resource_options.parse_cgroups(value)),
        "default_capabilities": ("list", _capability),
        "default_sysctls": ("list", _by(kernel_options.parse_sysctl)),
        "default_ulimits": ("list", _by(kernel_options.parse_ulimit)),
        "devices": ("list", _by(devices.parse_device)),
        "dns_options": ("list", keep),
        "dns_searches": ("list", keep),
        "dns_servers": ("list", keep),
        "env": ("list", _by(lambda text: environment.parse_env([text], {}))),
        "env_host": ("truth", keep),
        "host_containers_internal_ip": ("text", keep),
        "http_proxy": ("truth", keep),
        "init": ("truth", keep),
        "init_path": ("text", keep),
        "ipcns": ("text", _by(namespace_option.parse_ipc)),
        "keyring": ("truth", keep),
        "log_driver": ("text", lambda value, _: log_option.parse_log_driver(value)),
        "log_size_max": ("number", keep),
        "log_tag": ("text", keep),
        "mounts": ("list", _by(mount_option.parse_mount)),
        "netns": ("text", _by(namespace_option.parse_network)),
        "no_hosts": ("truth", keep),
        "oom_score_adj": ("number", _between(-1000, 1000)),
        "pidns": ("text", _by(namespace_option.parse_pid)),
        "pids_limit": ("number", _between(-1)),
        "privileged": ("truth", keep),
        "publish_fallback": ("truth", keep),
        "read_only": ("truth", keep),
        "require_limits": ("truth", keep),
        "seccomp_profile": ("text", keep),
        # podman counts this one in thousands: its "65536k" is 65,536,000 bytes
        "shm_size": ("text", lambda value, what: units.parse_size(value, what, base=1000)),
        "tz": ("text", keep),
        "umask": ("text", lambda value, _: security_option.parse_umask(value)),
        "userns": ("text", _by(parse_userns)),
        "utsns": ("text", _by(namespace_option.parse_uts)),
        "volumes": ("list", _by(mounts.parse_volume)),
    },
    "engine": {
        "cdi_spec_dirs": ("list", keep),
        "cgroup_manager": ("text", one_of("systemd", "cgroupfs")),
        "compression_format": ("text", one_of("gzip", "zstd", "zstd:chunked")),
        "compression_level": ("number", _between(1, 22)),
        "detach_keys": ("text", keep),
        "env": ("list", _by(lambda text: environment.parse_env([text], {}))),
        "events_logfile_max_size": (
            "text",
            lambda value, what: units.parse_size(value, what, base=1000),
        ),
        "events_logger": ("text", one_of("file", "journald", "none")),
        "helper_binaries_dir": ("list", keep),
        "hooks_dir": ("list", keep),
        "image_copy_tmp_dir": ("text", keep),
        "image_default_transport": ("text", keep),
        "image_parallel_copies": ("number", _between(0, 100)),
        "image_volume_mode": ("text", lambda value, _: mounts.parse_image_volume_mode(value)),
        "network_cmd_options": (
            "list",
            _by(lambda text: namespace_option.parse_network(f"slirp4netns:{text}")),
        ),
        "network_cmd_path": ("text", keep),
        "no_pivot_root": ("truth", keep),
        "pod_exit_policy": ("text", one_of("continue", "stop")),
        "pull_policy": ("text", one_of("always", "missing", "never", "newer")),
        "retry": ("number", _between(0, 1000)),
        "retry_delay": ("text", _by(lambda text: text and units.parse_duration_ns(text))),
        "runtime": ("text", keep),
        "runtimes": ("table", _runtimes),
        "stop_timeout": ("number", _between(0)),
        "volume_path": ("text", keep),
    },
    "network": {
        "default_network": ("text", keep),
        "default_rootless_network_cmd": ("text", one_of("", "pasta", "slirp4netns")),
        "default_subnet": ("text", _by(lambda text: networks.parse_subnet("default_subnet", text))),
        "default_subnet_pools": ("tables", _pool),
        "dns_bind_port": ("number", _between(0, 65535)),
        "pasta_options": ("list", keep),
    },
    "secrets": {
        "driver": ("text", one_of("file", "pass", "shell")),
        "opts": ("table", _secret_options),
    },
}
# Keys that podman has and that change nothing here: other programs' business, or another way of working.
WITHOUT_EFFECT: dict[str, frozenset[str]] = {
    "containers": frozenset(
        "container_name_as_hostname interface_name label label_users log_path "
        "prepare_volume_on_create userns_size".split()
    ),
    "engine": frozenset(
        "active_service add_compression chown_copied_files compat_api_enforce_docker_hub "
        "compose_providers compose_warning_logs conmon_env_vars conmon_path database_backend "
        "enable_port_reservation events_container_create_inspect_data "
        "events_logfile_path exit_command_delay healthcheck_events image_build_format "
        "image_default_format infra_command infra_image kube_generate_type lock_type "
        "multi_image_archive namespace num_locks platform_to_oci_runtime "
        "podmansh_timeout remote runtime_supports_json runtime_supports_kvm "
        "runtime_supports_nocgroups service_destinations service_timeout static_dir tmp_dir "
        "volume_plugin_timeout volume_plugins".split()
    ),
    "network": frozenset(
        "cni_plugin_dirs default_host_ips firewall_driver netavark_plugin_dirs network_backend "
        "network_config_dir".split()
    ),
}
# Keys that are checked, and that a later version uses.
_NOT_YET: dict[str, frozenset[str]] = {
    "containers": frozenset(),
    "secrets": frozenset(),
    "engine": frozenset(
        "compression_format compression_level image_copy_tmp_dir image_parallel_copies".split()
    ),
    "network": frozenset(("dns_bind_port",)),
}
_TABLES_WITHOUT_EFFECT = frozenset("farms machine podmansh".split())


class Merge:
    """The values of several files, one after the other."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, Any]] = {}
        self.appending: set[tuple[str, str]] = set()

    def take(
        self, path: str, text: str, table: str, key: str, value: Any, declared: Declared
    ) -> None:
        """Check one value and let it replace, or extend, the one before. Raises ConfigurationError."""
        kind, check = declared
        expected, sentence = TYPES[kind]
        # bool is an int to Python, and not to TOML
        is_right = isinstance(value, expected) and not (
            kind == "number" and isinstance(value, bool)
        )
        try:
            if not is_right:
                raise UsageError(sentence)
            if kind == "list":
                items = self._items((table, key), value)
                checked: Any = tuple(check(item, f"item of '{key}'") for item in items)
            elif kind == "tables":
                checked = tuple(check(item, f"item of '{key}'") for item in value)
            else:
                checked = check(value, f"'{key}'")
        except PodError as error:
            message = error.message
            if isinstance(error, InvalidValue):
                # Its message begins with the option, which nobody has typed.
                message = f"'{error.value}' is not valid: {error.grammar}"
            line = line_of(text, table, key)
            raise ConfigurationError(path, message, line=line, key=f"{table}.{key}") from error
        values = self.values.setdefault(table, {})
        if (table, key) in self.appending:
            checked = values.get(key, ()) + checked
        values[key] = checked

    def _items(self, place: tuple[str, str], value: list[Any]) -> list[str]:
        """The strings of a list without {append=BOOL} at its end, which holds for later files too."""
        items = list(value)
        if items and isinstance(items[-1], dict):
            attributes = items.pop()
            if set(attributes) != {"append"} or not isinstance(attributes["append"], bool):
                raise UsageError("can only have {append=true} besides its strings")
            if attributes["append"]:
                self.appending.add(place)
            else:
                self.appending.discard(place)
        if not all(isinstance(item, str) for item in items):
            raise UsageError(TYPES["list"][1])
        return items


def read_settings(places: Places) -> Settings:
    """Read every containers.conf and put together what they say. Raises ConfigurationError."""
    merge = Merge()
    for source in places.settings_sources():
        for file in files_of(source):
            if found := read_toml(file):
                _take_containers_conf(merge, file.path, *found)
    values = merge.values
    return Settings(
        containers=ContainerDefaults(**values.get("containers", {})),
        engine=EngineSettings(**values.get("engine", {})),
        network=NetworkSettings(**values.get("network", {})),
        secrets=SecretSettings(**values.get("secrets", {})),
    )


def _take_containers_conf(merge: Merge, path: str, document: dict[str, Any], text: str) -> None:
    for table, content in document.items():
        if table not in KEYS:
            why = "has no effect in pod" if table in _TABLES_WITHOUT_EFFECT else "is unknown"
            tell(path, line_of(text, "", table), table, why)
            continue
        if not isinstance(content, dict):
            raise ConfigurationError(
                path, "must be a table", line=line_of(text, "", table), key=table
            )
        for key, value in content.items():
            if declared := KEYS[table].get(key):
                merge.take(path, text, table, key, value, declared)
                if key in _NOT_YET[table]:
                    _tell_key(path, text, table, key)
            else:
                _tell_key(path, text, table, key)


def _tell_key(path: str, text: str, table: str, key: str) -> None:
    if key in _NOT_YET[table]:
        why = "has no effect in this version of pod"
    else:
        why = "has no effect in pod" if key in WITHOUT_EFFECT.get(table, ()) else "is unknown"
    tell(path, line_of(text, table, key), f"{table}.{key}", why)


def tell(path: str, line: int, name: str, why: str) -> None:
    """Say once, at debug level, what a key does not do."""
    where = f", line {line}" if line else ""
    log.debug(f"'{path}'{where}: key '{name}' {why}")
