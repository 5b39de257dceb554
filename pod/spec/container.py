"""`ContainerConfig`: what the user asked for, complete and valid, as it is stored with the container.

Everything that `run` and `create` understand is one of these fields, and everything that a start does follows from them
and from the facts of the host (spec/bundle.py). Defaults of the image are merged in when the container is created, so
that it does not change when the image's name later means another image.
"""

from __future__ import annotations

from pod.base.records import Record
from pod.spec.logging import LogConfig
from pod.spec.namespaces import Namespace, Network
from pod.spec.ports import PortMapping
from pod.spec.resources import Resources, Ulimit
from pod.spec.restart import RestartPolicy
from pod.spec.security import SecurityOptions
from pod.spec.userns import UserNamespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import ClassVar

    from pod.spec.devices import Device
    from pod.spec.health import HealthConfig
    from pod.spec.mounts import Mount, VolumesFrom


class Networking(Record):
    """How the container is connected (podman-run(1), --network, -p and the options about names)."""

    network: Network = Network()
    more_networks: tuple[Network, ...] = ()  # after the first, which is user-defined as well then
    ports: tuple[PortMapping, ...] = ()
    expose: tuple[PortMapping, ...] = ()
    publish_all: bool = False
    publish_fallback: bool = False  # take other ports for those that the kernel keeps for root
    dns: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_options: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()  # "NAME:ADDRESS"
    links: tuple[str, ...] = ()  # "ID:ALIAS" of containers on the same network (--link)
    hosts_file: str = ""  # base file: a path, "image", "none", or "" for the configured one
    manage_hosts: bool = True
    manage_hostname: bool = True

    nested: ClassVar = {
        "network": Network,
        "more_networks": Network,
        "ports": PortMapping,
        "expose": PortMapping,
    }

    @property
    def user_defined(self) -> tuple[Network, ...]:
        """The networks made by `pod network create` that the container is on, in order."""
        return (self.network, *self.more_networks) if self.network.joined and self.can_join else ()

    @property
    def can_join(self) -> bool:
        """Whether it can be connected to networks, which it may have left all of."""
        return self.network.mode == "network"


DEFAULT_SECRET_MODE = 0o444


class SecretUse(Record):
    """One --secret. `target` is a path in the container, or for the kind "env" the name of the variable.

    `id` is "" until the secret has been looked up; `encryption` is what its container's copy needs to be read.
    """

    name: str
    id: str = ""
    kind: str = "mount"
    target: str = ""
    uid: int = 0
    gid: int = 0
    mode: int = DEFAULT_SECRET_MODE
    encryption: str = ""
    passphrase_file: str = ""


class ContainerConfig(Record):
    """One container. Ids are full, paths absolute, names checked."""

    # What runs
    image: str = ""  # the name it was created from
    image_id: str = ""
    rootfs: str = ""  # a directory of the host instead of an image (--rootfs)
    entrypoint: tuple[str, ...] | None = None  # None, until the image's is known
    command: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()  # "NAME=VALUE", in order
    merged_environment: tuple[str, ...] = ()  # --env-merge
    unset_environment: tuple[str, ...] = ()
    unset_all_environment: bool = False
    working_directory: str = ""
    user: str = ""
    groups: tuple[str, ...] = ()
    umask: int = 0o022
    terminal: bool = False
    interactive: bool = False
    attach: tuple[str, ...] = ()  # of --attach: "stdin", "stdout", "stderr"
    init: bool = False
    init_path: str = ""
    systemd: str = "true"  # --systemd; once created: "always" or "false"
    passwd_entry: str | None = ""  # line for an unknown user; "" for the usual one, None for none
    group_entry: str = ""  # line for that user's group; "" for none
    host_users: tuple[str, ...] = ()  # lines of the host's passwd(5) to add (--hostuser)
    timezone: str = ""

    # What it is called
    hostname: str = ""
    domainname: str = ""
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}

    # What it sees
    layers: tuple[str, ...] = ()  # diff ids of the image, lowest first
    mounts: tuple[Mount, ...] = ()
    volumes_from: tuple[VolumesFrom, ...] = ()
    image_volumes: str = (
        "anonymous"  # what becomes of the image's VOLUMEs: "anonymous", "tmpfs", "ignore"
    )
    volumes: tuple[str, ...] = ()  # names of the volumes among the mounts
    anonymous_volumes: tuple[str, ...] = ()
    secrets: tuple[SecretUse, ...] = ()
    read_only: bool = False
    read_only_tmpfs: bool = True
    shm_size: int = 65536000  # bytes; podman-run(1), --shm-size
    systemd_shm_size: int = 0  # bytes, of each file system in memory for systemd; 0 for no limit
    roots: tuple[
        str, ...
    ] = ()  # directories that programs inside change their root to (--chrootdirs)
    devices: tuple[Device, ...] = ()
    networking: Networking = Networking()
    pid: Namespace = Namespace()
    ipc: Namespace = Namespace()
    uts: Namespace = Namespace()
    cgroupns: Namespace = Namespace()
    userns: UserNamespace = UserNamespace()

    # What it may do
    privileged: bool = False
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    security: SecurityOptions = SecurityOptions()
    ulimits: tuple[Ulimit, ...] = ()
    sysctls: Mapping[str, str] = {}
    oom_score_adj: int | None = None
    personality: str = ""  # the execution domain, "LINUX" or "LINUX32"
    resources: Resources = Resources()
    cgroup_parent: str = ""
    cgroups: str = "enabled"  # "disabled" for a container that has no cgroup of its own
    require_limits: bool = False  # do not start when a limit that was asked for cannot be had

    # How it lives and ends
    health: HealthConfig | None = None
    log: LogConfig = LogConfig()
    restart: RestartPolicy = RestartPolicy()
    stop_signal: str = ""
    stop_timeout: int = 10  # seconds; -1 for ever
    timeout: int = 0  # seconds; 0 for no limit
    auto_remove: bool = False
    remove_image: bool = False
    pid_file: str = ""
    monitor_pid_file: str = ""
    cid_file: str = ""
    runtime: str = ""  # "" for the built-in one
    requires: tuple[str, ...] = ()  # ids of containers to start first (--requires)
    notify: str = "container"  # who tells a service manager that it is ready (--sdnotify)
    needs: tuple[str, ...] = ()  # ids of containers whose namespaces or volumes it uses

    # The pod that it is in
    pod: str = ""  # its id
    is_infra: bool = False  # it holds the pod's namespaces
    init_kind: str = ""  # "once" or "always" for one that runs before the others do (--init-ctr)

    # Where it comes from
    create_command: tuple[str, ...] = ()
    create_directory: str = ""  # where it was typed, which relative paths in it belong to
    platform: str = ""

    nested: ClassVar = {
        "cgroupns": Namespace,
        "devices": "pod.spec.devices.Device",
        "health": "pod.spec.health.HealthConfig",
        "ipc": Namespace,
        "log": LogConfig,
        "mounts": "pod.spec.mounts.Mount",
        "networking": Networking,
        "pid": Namespace,
        "resources": Resources,
        "restart": RestartPolicy,
        "secrets": SecretUse,
        "security": SecurityOptions,
        "ulimits": Ulimit,
        "userns": UserNamespace,
        "uts": Namespace,
        "volumes_from": "pod.spec.mounts.VolumesFrom",
    }

    @property
    def arguments(self) -> tuple[str, ...]:
        """What is executed: the entry point and the command as one list."""
        return (self.entrypoint or ()) + self.command

    @property
    def joined(self) -> tuple[str, ...]:
        """The containers, by id once it is created, whose namespaces it joins."""
        network = self.networking.network
        wanted = (self.pid, self.ipc, self.uts, self.cgroupns, self.userns, network)
        return tuple(dict.fromkeys(it.joined for it in wanted if it.mode == "container"))
