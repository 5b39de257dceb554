"""`pod container clone`: a new container with the configuration of another, without the files of that."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.base.records import Record
from pod.engine import create, finish, images, lookup, remove, start
from pod.engine.namefiles import hostname_of
from pod.spec.ports import PortMapping
from pod.spec.userns import UserNamespace
from pod.state import containers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.engine.context import Engine
    from pod.engine.images import PullOptions
    from pod.spec.container import ContainerConfig, Networking
    from pod.spec.namespaces import Network
    from pod.spec.oci import ExecutionConfig
    from pod.spec.resources import Resources
    from pod.state.containers import Container
    from storage.images import ImageRecord

_SUFFIX = "-clone"


class CloneOptions(Record):
    """What is different in the clone, and what happens besides."""

    name: str = ""  # "" for that of the other, with "-clone" behind it
    image: str = ""  # "" for the same
    resources: Resources | None = None  # None for the same
    destroy: bool = False  # remove the other afterwards
    force: bool = False  # also when it runs
    run: bool = False
    pod: str = ""  # name or id of the pod to make it in; "" for that of the other, if it is in one


def clone(engine: Engine, other: Container, options: CloneOptions, pull: PullOptions) -> Container:
    """Make a container like `other`; with `run`, it is started. What cannot be undone comes last."""
    if options.destroy and not options.force:
        _, active = finish.refresh(engine, other)
        if active is not None and active.condition != "held":
            raise remove.StillRunning(other, active.condition)
    before = _image_of(engine, other)
    image = images.ensure(engine, options.image, pull) if options.image else before
    if image is None and not other.config.rootfs:
        raise PodError(
            f"the image of container '{other.name}' is not here any more",
            hint=f"name one: pod container clone {other.name} NAME IMAGE",
        )
    config = as_typed(other, _execution(before))
    if options.image and image is not None:
        config = config.replace(image=images.name_of(image, options.image), rootfs="")
    if options.resources is not None:
        config = config.replace(resources=options.resources)
    if options.pod:
        config = _in_pod(engine, config, options.pod)
    name = options.name or free_name(engine, other.name)
    made, lock = create.create(engine, config, image, name=name)
    lock.release()
    if options.destroy:
        remove.remove(engine, other, force=options.force)
    if options.run:
        channel = start.start(engine, made)
        if channel is not None:
            channel.close()
    return made


def _in_pod(engine: Engine, config: ContainerConfig, text: str) -> ContainerConfig:
    """The configuration as that of a container in the pod `text`, which decides of what is shared in it."""
    from pod.engine import pod_join
    from pod.state import pods

    pod = pods.find(engine.database, text)
    changes: dict[str, Any] = {"requires": (), "hostname": "", "userns": UserNamespace()}
    networking = config.networking
    if pod_join.shares_network(pod, set()) and (networking.ports or networking.hosts):
        raise PodError(
            f"a container that publishes ports or adds hosts cannot be in the network of pod '{pod.name}'",
            hint="both are said when the pod is made: pod pod create --publish ...",
        )
    return pod_join.join(engine, config.replace(**changes), pod, {"restart"})


def as_typed(container: Container, image: ExecutionConfig) -> ContainerConfig:
    """The configuration without what the creation has added: from the image, by the id, for the container alone.

    `image` are the defaults of the image it was made from; {} when that is gone, whereupon all of them stay.
    """
    config = container.config
    changes: dict[str, Any] = {
        "environment": _own_environment(container, image),
        "merged_environment": (),  # it is in the environment by now
        "volumes": (),
        "anonymous_volumes": (),
        "needs": (),
        "cid_file": "",
        "pid_file": "",
        "monitor_pid_file": "",
        "log": config.log.replace(path=""),
        "mounts": tuple(
            mount.replace(source="") if mount.source in config.anonymous_volumes else mount
            for mount in config.mounts
            if not mount.origin.startswith("the image's volume ") and mount.origin != "mounts.conf"
        ),
        "labels": _without(config.labels, image.get("Labels") or {}),
    }
    entrypoint = tuple(image.get("Entrypoint") or ())
    if image and config.entrypoint == entrypoint:
        changes["entrypoint"] = None
        if config.command == tuple(image.get("Cmd") or ()):
            changes["command"] = ()
    for field, key in (
        ("working_directory", "WorkingDir"),
        ("user", "User"),
        ("stop_signal", "StopSignal"),
    ):
        if image.get(key) == getattr(config, field):
            changes[field] = ""
    if config.userns.mode == "auto":
        changes["userns"] = config.userns.replace(start=0)
    networking = _without_free_ports(config) if config.networking.publish_all else config.networking
    changes["networking"] = _without_own_addresses(networking)
    return config.replace(**changes)


def _own_environment(container: Container, image: ExecutionConfig) -> tuple[str, ...]:
    added = {*(image.get("Env") or ()), f"HOSTNAME={hostname_of(container.config, container.id)}"}
    added.add(f"container_uuid={container.id[:32]}")
    return tuple(entry for entry in container.config.environment if entry not in added)


def _without(labels: Any, defaults: Any) -> dict[str, str]:
    return {name: value for name, value in labels.items() if defaults.get(name) != value}


def _without_free_ports(config: ContainerConfig) -> Networking:
    """--publish-all chooses ports again."""
    exposed = {
        (port, it.protocol)
        for it in config.networking.expose
        for port in range(it.container_port, it.container_port + it.count)
    }

    def is_chosen(port: PortMapping) -> bool:
        return port.count == 1 and (port.container_port, port.protocol) in exposed

    ports = tuple(port for port in config.networking.ports if not is_chosen(port))
    return config.networking.replace(ports=ports)


def _without_own_addresses(networking: Networking) -> Networking:
    """The other keeps its addresses on networks; the clone gets some of its own."""

    def cleared(network: Network) -> Network:
        own = ("ip=", "ip6=", "mac=")
        return network.replace(
            options=tuple(it for it in network.options if not it.startswith(own))
        )

    if not networking.user_defined:
        return networking
    first, *more = map(cleared, networking.user_defined)
    return networking.replace(network=first, more_networks=tuple(more))


def execution_of(engine: Engine, container: Container) -> ExecutionConfig:
    """The defaults of the image that a container was made from; {} when that is gone, or was none."""
    return _execution(_image_of(engine, container))


def _image_of(engine: Engine, container: Container) -> ImageRecord | None:
    if not container.image_id:
        return None
    try:
        return images.find(engine, container.image_id)
    except PodError:
        return None


def _execution(image: ImageRecord | None) -> ExecutionConfig:
    if image is None:
        return {}
    found: Any = image.config().get("config") or {}
    execution: ExecutionConfig = found
    return execution


def free_name(engine: Engine, name: str) -> str:
    """ "web-clone", then "web-clone1", "web-clone2", ..."""
    stem, mark, number = name.rpartition(_SUFFIX)
    base = f"{stem}{_SUFFIX}" if mark and (not number or number.isdigit()) else f"{name}{_SUFFIX}"
    count, candidate = 0, base
    while True:
        try:
            lookup.container(engine, candidate)
        except containers.NoSuchContainer:
            return candidate
        count += 1
        candidate = f"{base}{count}"
