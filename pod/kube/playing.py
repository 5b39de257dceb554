"""`kube play` and `kube down`: make, start, stop and remove what documents describe."""

from __future__ import annotations

import os

from pod.base.errors import PodError
from pod.base.records import Record
from pod.base.undo import Undo
from pod.engine import create as container_create
from pod.engine import (
    networks,
    pod_create,
    pod_join,
    pod_remove,
    pod_start,
    secrets,
    userns,
    volumes,
    wait,
)
from pod.engine import run as container_run
from pod.kube.fields import KubeError
from pod.state import containers
from pod.state import pods as pod_rows
from pod.state import volumes as volume_rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pod.engine.context import Engine
    from pod.engine.images import PullOptions
    from pod.kube.plan import Plan, PlannedSecret, PlannedVolume
    from pod.kube.pods import PlannedPod
    from pod.kube.volumes import PodVolume
    from pod.state.containers import Container
    from pod.state.pods import Pod
    from pod.state.secrets import Secret

DEFAULT_NETWORK = "podman-default-kube-network"
"""Where pods are unless --network says something else, so that they find each other by name; podman's name for it."""


_PLAYED = {"io.podman.kube.play": "true"}
"""The label of secrets that come from documents: others of the same name are somebody's own."""


class Played(Record):
    """One pod that was made, its containers without the infra container, and what could not be started."""

    pod: Pod
    containers: tuple[Container, ...]
    errors: tuple[PodError, ...] = ()


class Result(Record):
    pods: tuple[Played, ...]
    volumes: tuple[str, ...]
    secrets: tuple[str, ...]


def play(
    engine: Engine,
    plan: Plan,
    pull: PullOptions,
    *,
    start: bool = True,
    replace: bool = False,
    build: Callable[[str], bool] | None = None,
) -> Result:
    """Make all of a plan, then start the pods. When something cannot be made, what was made before goes again.

    `build` is called with the name of each image before it is looked for, and tells whether it has been built.

    Raises KubeError and what creating raises.
    """
    names = [planned.name for planned in plan.pods]
    if replace:
        remove_pods(engine, names)
    _check_new(engine, names)
    _check_secrets(engine, [secret.name for secret in plan.secrets])
    for planned in plan.pods:
        for volume in planned.volumes:
            _check_source(planned, volume)
    with Undo() as undo:
        made_volumes = [_claim(engine, claim, undo) for claim in plan.volumes]
        made_secrets = [_secret(engine, secret, undo) for secret in plan.secrets]
        made = [_make(engine, planned, pull, undo, build) for planned in plan.pods]
    if start:
        made = [played.replace(errors=_start(engine, played.pod)) for played in made]
    return Result(tuple(made), tuple(made_volumes), tuple(made_secrets))


def _check_new(engine: Engine, names: Sequence[str]) -> None:
    for name in names:
        if pod_rows.has_name(engine.database, name):
            raise PodError(
                f"there is a pod '{name}' already",
                hint="pod kube play --replace, or pod kube down before it",
            )


def _check_secrets(engine: Engine, names: Sequence[str]) -> None:
    for secret in secrets.store(engine).all():
        if secret.name in names and not _is_played(secret):
            raise PodError(
                f"there is a secret '{secret.name}' already, which no document has made",
                hint=f"call the other one otherwise, or: pod secret rm {secret.name}",
            )


def _secret(engine: Engine, planned: PlannedSecret, undo: Undo) -> str:
    """Store a secret, in the place of that of an earlier play; its id."""
    is_new = all(one.name != planned.name for one in secrets.store(engine).all())
    labels = {**planned.labels, **_PLAYED}
    made = secrets.create(engine, planned.name, planned.document, labels=labels, replace=True)
    if is_new:
        undo.add(lambda: secrets.remove(engine, made))
    return made.id


def _is_played(secret: Secret) -> bool:
    return _PLAYED.items() <= dict(secret.labels).items()


def _claim(engine: Engine, claim: PlannedVolume, undo: Undo) -> str:
    if volume_rows.get(engine.database, claim.name) is None:
        volumes.create(
            engine, claim.name, labels=claim.labels, options=claim.options, owner=(claim.uid, claim.gid), ignore=True
        )  # fmt: skip
        undo.add(lambda: volumes.remove(engine, claim.name))
    return claim.name


def _check_source(planned: PlannedPod, volume: PodVolume) -> None:
    """A bind mount's source must be what its type says; some are made."""
    if volume.kind != "bind":
        return
    path = volume.source
    try:
        if volume.creates == "directory":
            os.makedirs(path, 0o755, exist_ok=True)
        elif volume.creates == "file":
            with open(path, "ab"):
                pass
    except OSError as error:
        raise KubeError(
            f"{planned.where}: '{path}' of volume '{volume.name}' cannot be made: {error.strerror}"
        ) from error
    if not os.path.exists(path):
        raise KubeError(
            f"{planned.where}: there is no '{path}', which is volume '{volume.name}' of pod '{planned.name}'",
            hint="type: DirectoryOrCreate makes it",
        )
    if volume.expects and not _is(volume.expects, path):
        raise KubeError(
            f"{planned.where}: '{path}' of volume '{volume.name}' is no {volume.expects}"
        )


def _is(kind: str, path: str) -> bool:
    import stat

    mode = os.stat(path).st_mode
    tests = {
        "directory": stat.S_ISDIR, "file": stat.S_ISREG, "socket": stat.S_ISSOCK,
        "character device": stat.S_ISCHR, "block device": stat.S_ISBLK,
    }  # fmt: skip
    return tests[kind](mode)


def _make(
    engine: Engine,
    planned: PlannedPod,
    pull: PullOptions,
    undo: Undo,
    build: Callable[[str], bool] | None,
) -> Played:
    """The pod with its volumes and containers."""
    for volume in planned.volumes:
        if volume.owned:
            _fill(engine, volume, undo)
    infra = planned.infra
    if infra.networking.network.joined == DEFAULT_NETWORK:
        networks.create(engine, DEFAULT_NETWORK, ignore=True)
    pod = pod_create.create_pod(engine, planned.config, infra, name=planned.name)
    undo.add(lambda: pod_remove.remove(engine, pod, force=True, timeout_seconds=0))
    made = []
    for one in planned.containers:
        config = pod_join.join(engine, one.config, pod, set())
        is_built = build is not None and build(config.image)
        policy = "missing" if is_built else one.pull
        container = container_run.create_only(
            engine, config, pull.replace(policy=policy), name=one.name
        )
        made.append(container)
        if one.non_root and userns.user_of(engine, container.config).uid == 0:
            raise KubeError(
                f"container '{one.name}' would run as root, which runAsNonRoot forbids",
                hint="give it runAsUser, or an image with a USER",
            )
    return Played(pod, tuple(made))


def _fill(engine: Engine, volume: PodVolume, undo: Undo) -> None:
    """Make a volume that belongs to the pod, as its infra container's. One that was left over is made anew."""
    if volume_rows.get(engine.database, volume.source) is not None:
        volumes.remove(engine, volume.source)
    row = volumes.create(engine, volume.source, anonymous=True)
    undo.add(lambda: _forget(engine, volume.source))
    top = engine.store.volumes.path(volume.source)
    if not volume.files:
        os.chmod(top, 0o777)  # as a kubelet does, for whatever user the containers have
    for file in volume.files:
        path = f"{top}/{file.path}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(fd, "wb") as out:
            out.write(file.content)
            os.fchmod(fd, file.mode)
    volume_rows.update(engine.database, row.replace(needs_copy_up=False))


def _forget(engine: Engine, name: str) -> None:
    """A volume that its pod may have taken along already."""
    try:
        volumes.remove(engine, name)
    except volume_rows.NoSuchVolume:
        pass


def _start(engine: Engine, pod: Pod) -> tuple[PodError, ...]:
    try:
        return tuple(pod_start.start_pod(engine, pod))
    except PodError as error:
        return (error,)


PROPAGATIONS = ("any", "all", "none")


def wait_and_remove(engine: Engine, plan: Plan, result: Result, propagation: str) -> int:
    """Wait until all containers of the pods have ended, or the caller is interrupted; then remove the pods.

    The first exit status that is not 0, where `propagation` is "any", or "all" and all have failed; else 0. After a
    signal 130 or 143.
    """
    import signal

    class Interrupted(Exception):
        pass

    def interrupt(number: int, _: object) -> None:
        raise Interrupted(number)

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    statuses: list[int] = []
    signalled = 0
    try:
        for played in result.pods:
            for container in played.containers:
                rows = containers.by_ids(engine.database, [container.id])
                if rows:
                    statuses.append(wait.wait(engine, rows[0]))
    except Interrupted as interrupted:
        signalled = 128 + int(interrupted.args[0])
    for number, handler in before.items():
        signal.signal(number, handler)
    remove_pods(engine, [planned.name for planned in plan.pods])
    failed = [status for status in statuses if status]
    if signalled or not failed or propagation == "none":
        return signalled
    return failed[0] if propagation == "any" or len(failed) == len(statuses) else 0


def remove_pods(engine: Engine, names: Sequence[str]) -> list[Pod]:
    """Stop and remove the pods of these names; those that there were."""
    found = []
    for name in names:
        container_create.check_name(name)
        try:
            pod = pod_rows.find(engine.database, name)
        except pod_rows.NoSuchPod:
            continue
        if pod.name == name:
            pod_remove.remove(engine, pod, force=True)
            found.append(pod)
    return found


def remove_volumes(engine: Engine, names: Sequence[str]) -> list[str]:
    """Remove the named volumes of documents; those that there were. Raises VolumeInUse."""
    found = [name for name in names if volume_rows.get(engine.database, name) is not None]
    for name in found:
        volumes.remove(engine, name)
    return found


def remove_secrets(engine: Engine, names: Sequence[str]) -> list[str]:
    """Remove secrets that `kube play` has stored; those that there were."""
    store = secrets.store(engine)
    found = [one for one in store.all() if one.name in set(names) and _is_played(one)]
    for one in found:
        secrets.remove(engine, one)
    return [one.name for one in found]
