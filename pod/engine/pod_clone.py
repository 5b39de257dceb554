"""`pod pod clone`: a new pod with the configuration of another, and with clones of its containers."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.base.records import Record
from pod.engine import clone, create, images, pod_create, pod_members, pod_remove, pod_start
from pod.spec.pods import FIELDS
from pod.state import containers, pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.engine.context import Engine
    from pod.engine.images import PullOptions
    from pod.spec.container import ContainerConfig
    from pod.spec.pods import PodConfig
    from pod.state.containers import Container
    from pod.state.pods import Pod


class CloneOptions(Record):
    """What is different in the clone, and what happens besides."""

    name: str = ""  # "" for that of the other, with "-clone" behind it
    infra_name: str = ""
    destroy: bool = False  # remove the other afterwards, stopping what runs in it
    start: bool = False


def infra_as_typed(engine: Engine, other: Pod) -> ContainerConfig | None:
    """The configuration of a pod's infra container, as it was asked for."""
    infra = pod_members.infra_of(engine, other)
    if infra is None:
        return None
    config = clone.as_typed(infra, clone.execution_of(engine, infra))
    hostname = "" if config.hostname == other.name else config.hostname
    return config.replace(hostname=hostname, create_command=())


def clone_pod(
    engine: Engine,
    other: Pod,
    config: PodConfig,
    infra: ContainerConfig | None,
    options: CloneOptions,
    pull: PullOptions,
) -> tuple[Pod, list[PodError]]:
    """Make a pod like `other`, with `config` and `infra` in the place of its own; and what went wrong at its start.

    When a container cannot be cloned, nothing is left of the pod. What cannot be undone comes last.
    """
    pod = pod_create.create_pod(
        engine,
        config.replace(infra=""),
        infra,
        name=options.name or _free_name(engine, other.name),
        infra_name=options.infra_name,
        pull=pull,
    )
    try:
        for container in pod_members.of(engine, other):
            if not container.config.is_infra:
                _clone_into(engine, pod, other, container, pull)
    except BaseException:
        pod_remove.remove(engine, pod, force=True)
        raise
    if options.destroy:
        pod_remove.remove(engine, other, force=True)
    errors: list[PodError] = []
    if options.start:
        try:
            errors += pod_start.start_pod(engine, pod)
        except PodError as error:
            errors.append(error)
    return pod, errors


def _clone_into(
    engine: Engine, pod: Pod, other: Pod, container: Container, pull: PullOptions
) -> None:
    config = clone.as_typed(container, clone.execution_of(engine, container))
    infra = pod_members.infra_of(engine, pod)
    changes: dict[str, Any] = {"pod": pod.id}
    if infra is not None:
        for field in FIELDS.values():
            namespace = getattr(config, field)
            if namespace.joined == other.config.infra:
                changes[field] = namespace.replace(joined=infra.id)
                if field == "uts":
                    changes["hostname"] = infra.config.hostname
        network = config.networking.network
        if network.joined == other.config.infra:
            changes["networking"] = config.networking.replace(
                network=network.replace(joined=infra.id)
            )
        changes["requires"] = tuple(
            infra.id if one == other.config.infra else one for one in config.requires
        )
    image = None
    if container.image_id:
        image = images.ensure(engine, container.image_id, pull)
    _, lock = create.create(
        engine, config.replace(**changes), image, name=clone.free_name(engine, container.name)
    )
    lock.release()


def _free_name(engine: Engine, name: str) -> str:
    """ "shop-clone", then "shop-clone1", "shop-clone2", ..."""
    taken = {*pods.names(engine.database).values()}
    taken |= {it.name for it in containers.all_of(engine.database)}
    count, candidate = 0, f"{name}-clone"
    while candidate in taken:
        count += 1
        candidate = f"{name}-clone{count}"
    return candidate
