"""Settings from containers.conf and storage.conf, read in podman's places and order; and TOML for its sister modules.

`load_settings` is on the path of every command, so the parsed result is kept (configuration_cache.py): as long as no
file has changed, a call costs some stat(2) and one small read. What only a miss needs is elsewhere: the keys with
their types and grammars in configuration_schema.py and configuration_storage.py. `configuration_places.py` knows the
paths, `configuration_registries.py` reads registries.conf, policy.json and mounts.conf.

Source: containers.conf(5), containers-storage.conf(5).
"""

from __future__ import annotations

import os
import sys

from pod.base import log
from pod.base.errors import PodError
from pod.base.records import Record
from pod.engine import configuration_cache
from pod.spec import defaults

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, ClassVar

    from pod.engine.configuration_places import Places, Source

_CACHE_NAME = "settings"


class ConfigurationError(PodError):
    """A file of the configuration that cannot be used; `line` is 0 where it is not known."""

    def __init__(self, path: str, why: str, *, line: int = 0, key: str = "") -> None:
        where = f"'{path}', line {line}" if line else f"'{path}'"
        what = f"key '{key}' " if key else ""
        super().__init__(f"{where}: {what}{why}")


class ContainerDefaults(Record):
    """[containers]: what a container gets unless the command line says otherwise. Fields are named after the keys.

    Lists are as on the command line, one value an item, and have been checked by the grammar of their option.
    """

    annotations: tuple[str, ...] = ()
    apparmor_profile: str = ""
    base_hosts_file: str = ""
    cgroup_conf: tuple[str, ...] = ()
    cgroupns: str = "private"
    cgroups: str = "enabled"
    default_capabilities: tuple[str, ...] = defaults.CAPABILITIES
    default_sysctls: tuple[str, ...] = tuple(f"{k}={v}" for k, v in defaults.SYSCTLS.items())
    default_ulimits: tuple[str, ...] = defaults.ULIMITS
    devices: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    dns_searches: tuple[str, ...] = ()
    dns_servers: tuple[str, ...] = ()
    env: tuple[str, ...] = (f"PATH={defaults.PATH}",)
    env_host: bool = False
    host_containers_internal_ip: str = ""
    http_proxy: bool = True
    init: bool = False
    init_path: str = ""
    ipcns: str = "shareable"
    keyring: bool = True
    log_driver: str = "k8s-file"
    log_size_max: int = -1  # bytes; negative for no limit
    log_tag: str = ""
    mounts: tuple[str, ...] = ()
    netns: str = "auto"
    no_hosts: bool = False
    oom_score_adj: int | None = None
    pidns: str = "private"
    pids_limit: int = defaults.PIDS_LIMIT
    privileged: bool = False
    publish_fallback: bool = False
    read_only: bool = False
    require_limits: bool = False
    seccomp_profile: str = ""
    shm_size: int = defaults.SHM_SIZE  # bytes
    tz: str = ""
    umask: int = defaults.UMASK
    userns: str = "host"
    utsns: str = "private"
    volumes: tuple[str, ...] = ()


class EngineSettings(Record):
    """[engine]."""

    cdi_spec_dirs: tuple[str, ...] = ("/etc/cdi", "/var/run/cdi")
    cgroup_manager: str = "systemd"
    compression_format: str = "gzip"
    compression_level: int | None = None
    detach_keys: str = defaults.DETACH_KEYS
    env: tuple[str, ...] = ()  # for pod itself
    events_logger: str = "file"  # "journald" means the same here: a file of pod's own
    events_logfile_max_size: int = 1_000_000  # bytes; 0 for no limit
    helper_binaries_dir: tuple[str, ...] = (
        "/usr/local/libexec/podman",
        "/usr/local/lib/podman",
        "/usr/libexec/podman",
        "/usr/lib/podman",
    )
    hooks_dir: tuple[str, ...] = ()
    image_copy_tmp_dir: str = "/var/tmp"
    image_default_transport: str = "docker://"
    image_parallel_copies: int = 0  # 0 for pod's own choice
    image_volume_mode: str = "bind"
    network_cmd_options: tuple[str, ...] = ()
    network_cmd_path: str = ""
    no_pivot_root: bool = False
    pod_exit_policy: str = "continue"
    pull_policy: str = "missing"
    retry: int = 3
    retry_delay: str = ""
    runtime: str = ""  # "" for the built-in one
    runtimes: tuple[tuple[str, tuple[str, ...]], ...] = ()  # name -> paths to try
    stop_timeout: int = defaults.STOP_TIMEOUT_SECONDS
    volume_path: str = ""

    def runtime_paths(self, name: str) -> tuple[str, ...]:
        """Where the OCI runtime `name` may be; () when no file says so."""
        return dict(self.runtimes).get(name, ())


class NetworkSettings(Record):
    """[network]."""

    default_network: str = "podman"
    default_rootless_network_cmd: str = ""  # pasta for one container, slirp4netns for networks
    default_subnet: str = "10.88.0.0/16"
    default_subnet_pools: tuple[tuple[str, int], ...] = (
        ("10.89.0.0/16", 24),
        ("10.90.0.0/15", 24),
        ("10.92.0.0/14", 24),
        ("10.96.0.0/11", 24),
        ("10.128.0.0/9", 24),
    )  # (range, prefix length of each network)
    dns_bind_port: int = 53
    pasta_options: tuple[str, ...] = ()


class SecretSettings(Record):
    """[secrets]: what `secret create` does without --driver and --driver-opts."""

    driver: str = "file"
    opts: tuple[tuple[str, str], ...] = ()


class StorageSettings(Record):
    """[storage], with the rules for ordinary users applied. "" and () leave the choice to pod."""

    driver: str = ""
    driver_priority: tuple[str, ...] = ()
    graphroot: str = ""
    runroot: str = ""
    additionalimagestores: tuple[str, ...] = ()
    mount_program: str = ""
    mountopt: str = ""
    ignore_chown_errors: bool = False
    enable_partial_images: bool = True

    def root_directory(self) -> str:
        """What `--root` would be; "" for the usual place.

        It is a directory "pod" in the graphroot: podman keeps other things there, and the two must not meet.
        """
        return f"{expand_path(self.graphroot)}/pod" if self.graphroot else ""

    def run_directory(self) -> str:
        """What `--runroot` would be; "" for the usual place. As root_directory."""
        return f"{expand_path(self.runroot)}/pod" if self.runroot else ""


class Settings(Record):
    """Everything in containers.conf and storage.conf that pod uses."""

    containers: ContainerDefaults = ContainerDefaults()
    engine: EngineSettings = EngineSettings()
    network: NetworkSettings = NetworkSettings()
    secrets: SecretSettings = SecretSettings()
    storage: StorageSettings = StorageSettings()

    nested: ClassVar = {
        "containers": ContainerDefaults,
        "engine": EngineSettings,
        "network": NetworkSettings,
        "secrets": SecretSettings,
        "storage": StorageSettings,
    }


def load_settings(places: Places) -> Settings:
    """The settings that hold for the caller. Raises ConfigurationError.

    A key that is unknown, or known and without effect in pod, is told once at debug level, when its file is read.
    """
    base = [*places.settings_sources(), *places.storage_sources()]
    key = [places.facts(), [source.path for source in base]]
    kept = configuration_cache.read(places.cache, _CACHE_NAME, key)
    if kept is not None:
        try:
            settings: Settings = Settings.from_json(kept)
            return settings
        except (TypeError, AttributeError) as error:
            log.debug(f"the cached settings are of no use: {error}")
    from pod.engine import configuration_schema, configuration_storage  # heavy

    signatures = configuration_cache.sign(base)
    settings = configuration_schema.read_settings(places)
    settings = settings.replace(storage=configuration_storage.read_storage(places))
    configuration_cache.write(places.cache, _CACHE_NAME, key, signatures, settings.to_json())
    return settings


def read_toml(source: Source) -> tuple[dict[str, Any], str] | None:
    """The document in a TOML file, and its text; None when it is not there and need not be.

    Raises ConfigurationError.
    """
    try:
        with open(source.path, "rb") as file:
            data = file.read()
    except (FileNotFoundError, NotADirectoryError) as error:
        if source.required:
            raise ConfigurationError(source.path, f"does not exist ({source.required})") from error
        return None
    except OSError as error:
        raise ConfigurationError(source.path, f"cannot be read: {error.strerror}") from error
    # By name: which of the two there is depends on the interpreter, and the type checker has only one.
    toml = __import__("tomllib" if sys.version_info >= (3, 11) else "tomli")  # heavy
    try:
        text = data.decode("utf-8")
        return toml.loads(text), text
    except (UnicodeDecodeError, toml.TOMLDecodeError) as error:
        raise ConfigurationError(source.path, f"is not valid TOML: {error}") from error
    except RecursionError as error:
        raise ConfigurationError(
            source.path, "is not valid TOML: it is nested too deeply"
        ) from error


def line_of(text: str, table: str, key: str, *, first: int = 1) -> int:
    """The line on which `key` of the TOML table `table` stands, counted from 1; 0 when it cannot be told.

    The parser keeps no positions, so this reads headers and the beginnings of lines. A key before any header, or with
    dots, is looked for by its last part. Lines before `first` do not count: for tables that come several times.
    """
    current = ""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        is_header = line.startswith("[")
        if is_header:
            current = line.strip("[] \t").partition("]")[0].replace(" ", "").replace('"', "")
        if number < first:
            continue
        if is_header:
            if current == (f"{table}.{key}" if table else key):
                return number
        elif table.startswith(current):
            name = line.partition("=")[0].strip(" \t\"'")
            if name.rpartition(".")[2] == key:
                return number
    return 0


def expand_path(path: str) -> str:
    """A path of storage.conf, in which $HOME, $UID and other variables may stand."""
    if "$" not in path:
        return path
    from pod.spec.environment import expand  # heavy

    return expand(path, {"UID": str(os.getuid()), **os.environ})
