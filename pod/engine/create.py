"""Create a container: complete its configuration, make its files, insert its row. Files first, row last."""

from __future__ import annotations

import os
import time

from pod.base import faults, files, ids, locks, log, paths
from pod.base.errors import InvalidValue, PodError, UsageError
from pod.base.undo import Undo
from pod.engine import facts as host_facts
from pod.engine import finish, lookup, network, userns
from pod.engine import volumes as engine_volumes
from pod.engine.namefiles import check_timezone, hostname_of
from pod.linux.boot import boot_id
from pod.spec import merge
from pod.spec.bundle import ROOT, is_own, overlay_directory
from pod.spec.defaults import SYSTEMD_STOP_SIGNAL, wants_systemd
from pod.spec.kernel_options import check_sysctls
from pod.spec.ports import merge_ports, publish_all
from pod.state import containers, events

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pod.engine.context import Engine
    from pod.linux.idmap import IdMap
    from pod.spec.container import ContainerConfig
    from pod.spec.oci import ExecutionConfig
    from pod.state.containers import Container
    from pod.state.pods import Pod
    from storage.images import ImageRecord

_MAX_NAME_TRIES = 20


def create(
    engine: Engine,
    config: ContainerConfig,
    image: ImageRecord | None,
    *,
    name: str = "",
    replace: bool = False,
    active: bool = False,
    passing: bool = False,
    begin: Callable[[Container], Callable[[], None]] | None = None,
    pod: Pod | None = None,
) -> tuple[Container, locks.FileLock]:
    """Create a container from `image`, or from `config.rootfs`; its row, and its lock, which the caller releases.

    The infra container of a `pod` brings the row of that along, and has an empty root without an image.
    With `active` the row says that a monitor is being started, for a caller that does so under the lock that it gets.
    What can be begun of that before there is a row, `begin` does, and gives back what undoes it.
    A `passing` one ends with a command in the foreground, so that nobody will look for it (network_places.py).
    Everything is checked before the first side effect, and undone when something fails.
    """
    if name:
        check_name(name)
        if replace:
            _remove_named(engine, name)
    paths.make_private(engine.paths.locks)
    config = complete(engine, config, image, passing=passing and not name)
    # What it needs may have to be started first, and would take the monitor that waits.
    if active and config.networking.can_join and not config.needs:
        from pod.engine import network_places

        network_places.foretell(engine, config)
    if config.userns.mode == "auto":
        from pod.engine import auto_ranges

        with auto_ranges.Chosen(engine):
            config = userns.settle(engine, config, image)
            return _create(engine, config, image, name=name, active=active, begin=begin, pod=pod)
    return _create(engine, config, image, name=name, active=active, begin=begin, pod=pod)


def _create(
    engine: Engine,
    config: ContainerConfig,
    image: ImageRecord | None,
    *,
    name: str,
    active: bool,
    begin: Callable[[Container], Callable[[], None]] | None,
    pod: Pod | None,
) -> tuple[Container, locks.FileLock]:
    container_id = ids.new_id() if pod is None else pod.config.infra
    directory = engine.paths.container(container_id)
    with Undo() as undo:
        for needed in (engine.paths.containers, engine.paths.locks):
            paths.make_private(needed)
        lock = locks.FileLock(engine.paths.container_lock(container_id))
        lock.acquire()
        undo.add(lock.remove)
        faults.step("create: locked")
        container = containers.Container(
            id=container_id,
            name=name,
            status="active" if active else "created",
            created_ns=time.time_ns(),
            started_ns=0,
            finished_ns=0,
            exit_status=0,
            boot_id=boot_id() if active else "",
            image_id=image.id if image else "",
            config=config,
            outcome={},
        )
        if begin is not None:
            undo.add(begin(container))
        os.mkdir(directory, 0o700)
        undo.add(lambda: engine.store.staging.discard(directory))
        os.mkdir(f"{directory}/{ROOT}", 0o700)
        faults.step("create: directory")
        if config.secrets:
            from pod.engine import secrets

            secrets.copy_to_container(engine, config, directory)
        if any(os.path.exists(source.path) for source in engine.places.mounts_sources()):
            from pod.engine import default_mounts

            config = default_mounts.copy_to_container(engine.places, config, directory)
        maps = host_facts.special_maps(engine, config)
        if config.systemd == "always" and host_facts.is_caller_absent(maps):
            log.warning(
                "systemd can make no groups in the container's cgroup, which is yours, and you are nobody in there; "
                "with --userns=keep-id it can"
            )
        if not config.rootfs:
            diff_ids = image.diff_ids if image else ()
            may_serve = not config.runtime
            engine.rootfs.create(directory, diff_ids, maps=maps, may_serve=may_serve)
        faults.step("create: root file system")
        config = engine_volumes.prepare(engine, config, directory, undo, maps)
        faults.step("create: volumes")
        config = _with_own_variables(config, container_id)
        _make_overlay_directories(config, directory, maps)
        if not config.auto_remove:
            files.sync_files_in(directory)  # before its row, which a power cut does not take away
        engine_volumes.keep_made(directory)
        container = _insert(engine, container.replace(config=config), pod)
        faults.step("create: row")
    engine.events.append(events.of_container(container, "create"))
    return container, lock


def _say_what_is_cut(config: ContainerConfig) -> None:
    """Warn of what was asked for and an ordinary user cannot give."""
    if config.ulimits:
        from pod.spec.resources import effective_ulimits

        _, notes = effective_ulimits(config.ulimits, (), host_facts.own_limits())
        for note in notes:
            log.warning(note)
    score = config.oom_score_adj
    if score is not None and os.geteuid() != 0:
        own = int(files.read_text("/proc/self/oom_score_adj"))
        if score < own:
            log.warning(
                f"--oom-score-adj {score} is below your own, which only root can do: it is {own}"
            )


def check_name(name: str) -> None:
    """Raise InvalidValue unless a container can have this name (podman-run(1), --name)."""
    if not ids.is_name(name):
        raise InvalidValue(
            "container name",
            name,
            "letters, digits, '_', '.' and '-', beginning with a letter or digit",
        )


def complete(
    engine: Engine,
    config: ContainerConfig,
    image: ImageRecord | None,
    *,
    passing: bool = False,
) -> ContainerConfig:
    """The configuration with the image's and the engine's defaults, names resolved to ids, and free ports chosen."""
    execution: ExecutionConfig = {}
    if image is not None:
        found: Any = image.config().get("config")
        if found:
            execution = found
    has_stop_signal = bool(config.stop_signal or execution.get("StopSignal"))
    asked = config.health
    config = merge.with_image_defaults(config, execution, default_environment(engine))
    if asked is not None and config.health is None:
        log.warning(
            "options --health-... have no effect: neither the image nor --health-cmd says what to check"
        )
    _say_what_is_cut(config)
    if config.notify == "healthy" and config.health is None:
        raise UsageError(
            "--sdnotify=healthy needs a health check, and neither the image nor --health-cmd says what to check",
            hint="--health-cmd COMMAND",
        )
    config = _with_systemd(config, has_stop_signal=has_stop_signal)
    if config.userns.mode == "user":
        config = userns.settle(engine, config, image)
    if config.userns.mode == "keep-id" and not config.user:
        config = config.replace(user=kept_user(config))  # podman-run(1), --userns
    elif config.pod and not config.user:
        from pod.engine import pod_join

        config = config.replace(user=pod_join.kept_user(engine, config))
    if image is not None:
        config = config.replace(image_id=image.id, layers=tuple(image.diff_ids))
    if not config.arguments:
        raise PodError(
            f"image '{config.image}' has no command of its own",
            hint=f"say what to run: pod run {config.image} COMMAND",
        )
    config = config.replace(
        runtime=config.runtime or engine.given_runtime or engine.settings.engine.runtime
    )
    check_timezone(config.timezone)
    _check_apparmor(config)
    networking = config.networking
    if passing and network.is_apart(engine, networking):
        networking = networking.replace(network=networking.network.replace(mode="private"))
    elif networking.network.mode in {"", "bridge"}:
        from pod.engine import network_places

        networking = network_places.choose_default(engine, config)
    if networking.network.mode == "host" and not config.hostname:
        config = config.replace(hostname=os.uname().nodename)  # podman-run(1), --hostname
    ports = merge_ports(networking.ports)
    if networking.publish_all:
        ports = publish_all(networking.expose, ports)
    if networking.links:
        from pod.engine import links

        networking = links.look_up(engine, networking)
    if networking.publish_fallback and ports:
        from pod.engine import fallback_ports

        ports = fallback_ports.choose(engine, ports)
    config = config.replace(
        networking=networking.replace(ports=network.with_host_ports(ports)),
    )
    check_sysctls(
        config.sysctls,
        has_own_network=networking.network.mode not in {"host", "container", "ns"},
        has_own_ipc=is_own(config.ipc),
    )
    config = engine_volumes.take_from_others(engine, config)
    if config.secrets:
        from pod.engine import secrets

        config = secrets.look_up(engine, config)
    return _with_ids(engine, config)


def _with_systemd(config: ContainerConfig, *, has_stop_signal: bool) -> ContainerConfig:
    """The configuration with what --systemd means for it decided (podman-run(1), --systemd)."""
    if not wants_systemd(config.systemd, config.arguments):
        return config.replace(systemd="false")
    signal = config.stop_signal if has_stop_signal else SYSTEMD_STOP_SIGNAL
    return config.replace(systemd="always", stop_signal=signal)


def _check_apparmor(config: ContainerConfig) -> None:
    profile = config.security.apparmor
    if profile in {"", "unconfined"} or config.privileged:
        return
    from pod.engine.info_host import has_apparmor

    if not has_apparmor():
        raise PodError(
            f"AppArmor profile '{profile}' cannot be used: this machine has no AppArmor",
            hint="leave it out, or use --security-opt apparmor=unconfined",
        )


def kept_user(config: ContainerConfig) -> str:
    """Who the caller is in a container with --userns=keep-id."""
    uid, gid = config.userns.uid, config.userns.gid
    return f"{os.geteuid() if uid is None else uid}:{os.getegid() if gid is None else gid}"


def default_environment(engine: Engine) -> dict[str, str]:
    """Variables that every container gets."""
    variables = dict(entry.partition("=")[::2] for entry in engine.settings.containers.env)
    variables.setdefault("container", "oci")
    return variables


def _with_own_variables(config: ContainerConfig, container_id: str) -> ContainerConfig:
    """The configuration with variables that depend on the id, unless they were set or unset by the user."""
    own = {"HOSTNAME": hostname_of(config, container_id)}
    if config.systemd == "always":
        own["container_uuid"] = container_id[:32]
    taken = {entry.partition("=")[0] for entry in config.environment}
    taken |= set(config.unset_environment)
    added = [f"{name}={value}" for name, value in own.items() if name not in taken]
    return config.replace(environment=(*config.environment, *added))


def _with_ids(engine: Engine, config: ContainerConfig) -> ContainerConfig:
    """Names of containers whose namespaces are joined become ids, and those containers are needed from now on."""
    requires = tuple(lookup.container(engine, name).id for name in config.requires)
    needs = [*config.needs, *requires]
    changes: dict[str, Any] = {"requires": requires}
    for field in ("pid", "ipc", "uts", "cgroupns", "userns"):
        namespace = getattr(config, field)
        if namespace.mode == "container":
            owner = lookup.container(engine, namespace.joined)
            needs.append(owner.id)
            changes[field] = namespace.replace(joined=owner.id)
    joined_network = config.networking.network
    if joined_network.mode == "container":
        owner = lookup.container(engine, joined_network.joined)
        needs.append(owner.id)
        changes["networking"] = config.networking.replace(
            network=joined_network.replace(joined=owner.id)
        )
    return config.replace(**changes, needs=tuple(dict.fromkeys(needs)))


def _make_overlay_directories(
    config: ContainerConfig, directory: str, maps: tuple[IdMap, IdMap] | None
) -> None:
    """Upper and work directories for mounts whose changes belong to the container."""
    made = []
    for number, mount in enumerate(config.mounts):
        if mount.overlay or mount.kind == "image":
            top = overlay_directory(directory, number)
            os.mkdir(top, 0o700)
            for name in ("upper", "work", "empty"):
                os.mkdir(f"{top}/{name}", 0o755)
                made.append(f"{top}/{name}")
    if made and maps is not None and host_facts.is_caller_absent(maps):
        from storage import mapped

        mapped.give_to_root(made, maps)


def _insert(engine: Engine, container: Container, pod: Pod | None) -> Container:
    """Insert the row; with a name of our choice when there is none, until one is free."""
    if container.name:
        try:
            containers.insert(engine.database, container, pod)
        except containers.NameTaken:
            # One with --rm whose monitor was killed, or that ran when the machine was switched off, is gone then.
            settle_named(engine, container.name)
            containers.insert(engine.database, container, pod)
        return container
    for _ in range(_MAX_NAME_TRIES):
        named = container.replace(name=ids.random_name())
        try:
            containers.insert(engine.database, named)
        except containers.NameTaken:
            continue
        return named
    named = container.replace(name=f"{ids.random_name()}_{container.id[:6]}")
    containers.insert(engine.database, named)
    return named


def settle_named(engine: Engine, name: str) -> None:
    """Look whether the container that has the name is still there: one whose monitor was killed may be gone then."""
    try:
        finish.refresh(engine, containers.find(engine.database, name))
    except PodError as error:
        log.debug(f"container '{name}': {error}")


def _remove_named(engine: Engine, name: str) -> None:
    from pod.engine import remove

    try:
        existing = containers.find(engine.database, name)
    except containers.NoSuchContainer:
        return
    if existing.name == name:
        remove.remove(engine, existing, force=True, with_volumes=True)
