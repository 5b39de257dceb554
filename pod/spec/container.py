"""`ContainerConfig`: what the user asked for, complete and valid, as it is stored with the container.

Everything that `run` and `create` understand is one of these fields, and everything that a start does follows from them
and from the facts of the host (spec/bundle.py). Defaults of the image are merged in when the container is created, so
that it does not change when the image's name later means another image.
"""

from __future__ import annotations

from pod.spec.devices import Device
from pod.spec.resources import Resources, Ulimit
from pod.spec.restart import RestartPolicy
from pod.spec.security import SecurityOptions

from pod.base.records import Record
from pod.spec.mounts import Mount
from pod.spec.ports import PortMapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar


class LogConfig(Record):
    """Where output goes (podman-run(1), --log-driver, --log-opt)."""

    driver: str = "k8s-file"
    path: str = ""  # "" for the file in the container's own directory
    max_size: int = 0  # bytes; 0 for no limit
    max_files: int = 1
    tag: str = ""


class NetworkConfig(Record):
    """How the container is connected (podman-run(1), --network and the options about names)."""

    mode: str = ""  # "" for the configured default, "none", "host", "pasta", "slirp4netns", "container", "ns"
    options: tuple[str, ...] = ()  # of pasta or slirp4netns
    joined: str = ""  # id of the container, or path of the namespace, for "container" and "ns"
    ports: tuple[PortMapping, ...] = ()
    expose: tuple[PortMapping, ...] = ()
    publish_all: bool = False
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()  # "NAME:ADDRESS"
    hosts_file: str = ""  # base file: a path, "image", "none", or "" for the host's
    manage_hosts: bool = True
    manage_hostname: bool = True

    nested: ClassVar = {"ports": PortMapping, "expose": PortMapping}


class ContainerConfig(Record):
    """One container. Ids are full, paths absolute, names checked."""

    # What runs
    image: str = ""  # the name it was created from
    image_id: str = ""
    rootfs: str = ""  # a directory of the host instead of an image (--rootfs)
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()  # "NAME=VALUE", in order
    working_directory: str = "/"
    user: str = ""
    groups: tuple[str, ...] = ()
    umask: int = 0o022
    terminal: bool = False
    interactive: bool = False
    attach: tuple[str, ...] = ()  # of --attach: "stdin", "stdout", "stderr"
    init: bool = False
    init_path: str = ""
    passwd: bool = True
    passwd_entry: str = ""
    timezone: str = ""

    # What it is called
    hostname: str = ""
    domainname: str = ""
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}

    # What it sees
    layers: tuple[str, ...] = ()  # diff ids of the image, lowest first
    mounts: tuple[Mount, ...] = ()
    volumes: tuple[str, ...] = ()  # names of the volumes among them
    anonymous_volumes: tuple[str, ...] = ()
    read_only: bool = False
    read_only_tmpfs: bool = True
    shm_size: int = 65536000  # bytes; podman-run(1), --shm-size
    devices: tuple[Device, ...] = ()
    network: NetworkConfig = NetworkConfig()
    pid: str = ""  # "" or "private", "host", "container:ID", "ns:PATH"; so for the following three
    ipc: str = ""
    uts: str = ""
    cgroupns: str = ""
    userns: str = ""
    uid_maps: tuple[tuple[int, int, int], ...] = ()  # effective; () for the usual map
    gid_maps: tuple[tuple[int, int, int], ...] = ()

    # What it may do
    privileged: bool = False
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    security: SecurityOptions = SecurityOptions()
    ulimits: tuple[Ulimit, ...] = ()
    sysctls: Mapping[str, str] = {}
    oom_score_adj: int | None = None
    resources: Resources = Resources()
    cgroup_parent: str = ""

    # How it lives and ends
    log: LogConfig = LogConfig()
    restart: RestartPolicy = RestartPolicy()
    stop_signal: str = "SIGTERM"
    stop_timeout: int = 10  # seconds
    timeout: int = 0  # seconds; 0 for no limit
    auto_remove: bool = False
    remove_image: bool = False
    pid_file: str = ""
    monitor_pid_file: str = ""
    cid_file: str = ""
    runtime: str = ""  # "" for the built-in one
    preserve_fds: int = 0
    needs: tuple[str, ...] = ()  # ids of containers whose namespaces or volumes it uses

    # Where it comes from
    create_command: tuple[str, ...] = ()
    platform: str = ""

    nested: ClassVar = {
        "devices": Device,
        "log": LogConfig,
        "mounts": Mount,
        "network": NetworkConfig,
        "resources": Resources,
        "restart": RestartPolicy,
        "security": SecurityOptions,
        "ulimits": Ulimit,
    }

    @property
    def arguments(self) -> tuple[str, ...]:
        """What is executed: the entry point and the command as one list."""
        return self.entrypoint + self.command
