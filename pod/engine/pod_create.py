"""`pod pod create`: a pod, with an infra container that holds its namespaces and needs no image."""

from __future__ import annotations

import os
import time

from pod.base import files, ids, paths
from pod.base.errors import PodError, UsageError
from pod.engine import create
from pod.linux import processes
from pod.spec.container import ContainerConfig
from pod.spec.logging import LogConfig
from pod.state import events, pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.engine.context import Engine
    from pod.engine.images import PullOptions
    from pod.spec.pods import PodConfig
    from pod.state.pods import Pod

_TRIES = 20
_CATATONIT, _PAUSE = "/catatonit", "/pause"  # in the infra container


def create_pod(
    engine: Engine,
    config: PodConfig,
    infra: ContainerConfig | None,
    *,
    name: str = "",
    infra_name: str = "",
    pull: PullOptions | None = None,
    replace: bool = False,
) -> Pod:
    """Create a pod; with `infra`, what its infra container has of namespaces, network, mounts, devices.

    An `infra` with an image runs that; `pull` says how it is got. Raises PodNameTaken.
    """
    if name:
        create.check_name(name)
        if replace:
            _remove_named(engine, name)
    for _ in range(_TRIES):
        chosen = name or ids.random_name()
        pod = pods.Pod(ids.new_id(), chosen, time.time_ns(), config)
        try:
            if infra is None:
                pods.insert(engine.database, pod)
            else:
                pod = _with_infra(engine, pod, infra, infra_name, pull)
        except pods.PodNameTaken:
            if name:
                raise
            continue
        engine.events.append(events.of_pod(pod, "create"))
        return pod
    raise PodError("no free name was found for the pod", hint="pod pod create --name NAME")


def _with_infra(
    engine: Engine, pod: Pod, infra: ContainerConfig, name: str, pull: PullOptions | None
) -> Pod:
    """Create the pod together with its infra container: both rows come at once."""
    image = None
    if infra.image:
        from pod.engine import images  # most infra containers have none

        assert pull is not None
        image = images.ensure(engine, infra.image, pull)
        infra = infra.replace(image=images.name_of(image, infra.image))
    else:
        is_own = os.path.basename(pause_program(engine)) != "catatonit"
        infra = infra.replace(
            entrypoint=(_PAUSE,) if is_own else (_CATATONIT, "-P"),
            read_only=True,
            read_only_tmpfs=False,
            log=LogConfig("none"),
            drop_capabilities=("ALL",),
            passwd_entry=None,
        )
    infra = infra.replace(
        pod=pod.id,
        is_infra=True,
        hostname=infra.hostname or pod.name,
        systemd="false",
        init=False,
        health=None,
    )
    pod = pod.replace(config=pod.config.replace(infra=ids.new_id()))
    _, lock = create.create(
        engine, infra, image, name=name or f"{ids.short(pod.id)}-infra", pod=pod
    )
    lock.release()
    return pod


def pause_program(engine: Engine) -> str:
    """The program of infra containers: catatonit where it is installed, else one that pod makes. Raises PodError."""
    found = engine.settings.containers.init_path or processes.find_program(
        "catatonit", *engine.settings.engine.helper_binaries_dir
    )
    if found:
        return found
    path = f"{engine.paths.cache}/pause-{os.uname().machine}"
    if not os.path.exists(path):
        from pod.runtime import pause

        program = pause.program(os.uname().machine)
        if not program:
            raise PodError(
                f"an infra container needs catatonit on this machine ({os.uname().machine})",
                hint="sudo apt install catatonit, or pod pod create --infra=false",
            )
        paths.make_private(engine.paths.cache)
        files.write_atomic(path, program, mode=0o755)
    return path


def check_needs_infra(infra: ContainerConfig, base: ContainerConfig) -> None:
    """Raise UsageError where something was asked for that only an infra container has."""
    for option, field in (
        ("--publish and the network's options", "networking"),
        ("--hostname", "hostname"),
        ("--volume", "mounts"),
        ("--volumes-from", "volumes_from"),
        ("--device", "devices"),
        ("--pid", "pid"),
        ("--uts", "uts"),
        ("--userns", "userns"),
        ("--sysctl", "sysctls"),
        ("--security-opt", "security"),
        ("--shm-size", "shm_size"),
    ):
        if getattr(infra, field) != getattr(base, field):
            raise UsageError(f"{option}: for that a pod needs an infra container")


def _remove_named(engine: Engine, name: str) -> None:
    from pod.engine import pod_remove

    try:
        existing = pods.find(engine.database, name)
    except pods.NoSuchPod:
        return
    if existing.name == name:
        pod_remove.remove(engine, existing, force=True)
