"""Start a container: tell a monitor what to do and wait for its first report."""

from __future__ import annotations

import os

from pod.base import faults, files, locks, log, paths
from pod.base.errors import PodError
from pod.engine import facts as host_facts
from pod.engine import finish, namefiles, userns
from pod.linux import cgroups, fresh, processes, signals, sockets
from pod.spec import bundle, monitor
from pod.spec.security import effective_capabilities
from pod.state import containers, events, reconcile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pod.engine.context import Engine
    from pod.linux.idmap import IdMap
    from pod.spec.bundle import Facts
    from pod.spec.container import ContainerConfig
    from pod.spec.oci import RuntimeConfig
    from pod.state.containers import Container

_SERVICE_VARIABLES = {"NOTIFY_SOCKET", "LISTEN_FDS", "PODMAN_SYSTEMD_UNIT"}
_ALL_NAMESPACES_BUT_USER = ("mount", "pid", "network", "ipc", "uts", "cgroup")


class MonitorFailed(PodError):
    """The monitor ended before it could report."""

    def __init__(self, container: Container) -> None:
        super().__init__(
            f"the monitor of container '{container.name}' ended before the container had started",
            hint="run the command again with --log-level=debug",
        )


def launch(
    engine: Engine,
    container: Container,
    *,
    attach: bool,
    window: tuple[int, int] = (0, 0),
    keep_fds: tuple[int, ...] = (),
    held: bool = False,
    as_service: bool = True,
    notify: str = "",
) -> sockets.Channel:
    """Start the container; the caller holds its lock and owns the channel that is returned.

    `keep_fds` are descriptors of ours that the command gets under their numbers. With `as_service` a service manager
    that has started us is told of this container, which gets the sockets that it has passed; `notify` is who tells it,
    as for --sdnotify, where that is not as the container was made.
    With `attach` the channel carries the container's output from its beginning. With `held` the container waits before
    its command, which `let_go` starts. With the log driver "passthrough" our own streams become the container's. On
    failure the row is as before and the error is raised.
    """
    network = engine.begun_network
    if network is None:
        _make_run_directory(engine, container)
    try:
        faults.step("launch: run directory")
        if network is None:
            if container.config.networking.can_join:
                from pod.engine import network_places

                network_places.foretell(engine, container.config)
            network = network_settings(engine, container)
            if _can_begin(engine, container.config):
                engine.begin_network(network)
        order = make_order(engine, container, network, attach=attach, window=window)
        order["held"] = held
        order["bundle"]["keep_fds"] = keep_fds
        if as_service and is_for_service():
            from pod.engine import service  # where systemd or the like has started us

            service.complete(order, container.config, notify)
        # Until the monitor writes its own: what there is to clean up when it is killed before that.
        state = {"cgroup": order["bundle"]["cgroup"]}
        path = f"{engine.paths.run(container.id)}/{monitor.STATE_FILE}"
        files.write_json(path, state, sync=False)
        channel = _start_monitor(engine, container, order)
    except BaseException as error:
        engine.cancel_network()
        told = _explained(engine, container, error)
        give_up(engine, container, told)
        if told is not error:
            raise told from error
        raise
    return channel


def give_up(engine: Engine, container: Container, error: BaseException) -> None:
    """Have a container whose row says "active", which was not started because of `error`, be as one that never was."""
    outcome = {"error": str(error)} if isinstance(error, PodError) else {}
    containers.set_created(engine.database, container.id, outcome)
    finish.remove_run_directory(engine, container.id)


def _explained(engine: Engine, container: Container, error: BaseException) -> BaseException:
    """The error, unless one of the containers whose namespaces it joins has ended, of which it says nothing."""
    if container.config.joined:
        from pod.engine import lookup

        if lookup.may_be_of_an_end(error):
            return lookup.ended_owner(engine, container) or error
    return error


def begin(engine: Engine, container: Container) -> Callable[[], None]:
    """Have a waiting monitor connect a container that is about to get its row, and its `launch`; gives what undoes it.

    The caller holds its lock, so that nobody takes its run directory for that of a killed command. What cannot be had
    is not said here, but when the container is there to be looked at.
    """

    def undo() -> None:
        cancel(engine, container)

    if _can_begin(engine, container.config):
        try:
            network = network_settings(engine, container)
        except PodError:
            return undo
        _make_run_directory(engine, container)
        engine.begin_network(network)
    return undo


def cancel(engine: Engine, container: Container) -> None:
    """Undo what `begin` has done; nothing after `launch`, and twice does no harm."""
    if engine.begun_network is not None:
        engine.cancel_network()
        finish.remove_run_directory(engine, container.id)


def _make_run_directory(engine: Engine, container: Container) -> None:
    paths.make_private(engine.paths.run_containers)
    run_directory = engine.paths.run(container.id)
    try:
        os.mkdir(run_directory, 0o700)
    except FileExistsError:
        finish.remove_run_directory(engine, container.id)  # what a crash left
        os.mkdir(run_directory, 0o700)


def is_for_service() -> bool:
    """Whether systemd, or the like, has started us, and wants to know of the container or has sockets for it."""
    return not _SERVICE_VARIABLES.isdisjoint(os.environ)


def take_back(engine: Engine, container: Container) -> None:
    """End what `launch` has prepared with `held`, before it was let go; the caller holds the container's lock.

    Its command has not begun, so nobody can tell the next start from the first.
    """
    _end_monitor(engine.paths.run(container.id))
    finish.remove_run_directory(engine, container.id)


def let_go(
    engine: Engine, container: Container, *, attach: bool, window: tuple[int, int]
) -> sockets.Channel:
    """Start the command of a container that waits for it; as `launch` in everything else."""
    from pod.engine.client import connect

    run_directory = engine.paths.run(container.id)
    try:
        channel = connect(run_directory)
        if channel is None:
            raise MonitorFailed(container)
        try:
            if window != (0, 0):
                channel.send(monitor.RESIZE, *window)
            channel.send(monitor.LET_GO, attach)
            _check_report(channel.receive(), container)
            if attach:
                signals.block(signals.ENDING)
        except BaseException:
            channel.close()
            _end_monitor(run_directory)
            raise
    except BaseException as error:
        give_up(engine, container, error)
        raise
    return channel


def _start_monitor(engine: Engine, container: Container, order: dict[str, Any]) -> sockets.Channel:
    """Give the order to a monitor and wait until the container runs; if that fails, nothing is left of either."""
    channel = engine.take_monitor() or _spawn_monitor()
    has_failed = False
    try:
        if order["notify"]:
            from pod.engine import service

            service.tell_main_process(order["notify"], channel.find_process)
        _send_order(channel, container, order)
        faults.step("launch: ordered")
        report = channel.receive()
        has_failed = _is_error(report)
        if has_failed and order["notify"]:
            # Again: the monitor ends, and we say why.
            service.tell_main_process(order["notify"], os.getpid)
        _check_report(report, container)
        if order["attach"]:
            signals.block(signals.ENDING)  # until terminal.Attachment passes them on
        if not order["restart"]:  # else the monitor has done it, which tells of restarts as well
            count = 1 if order["held"] else 3 if order["attach"] else 2
            statuses = events.START_STATUSES[:count]
            engine.events.append(*[events.of_container(container, it) for it in statuses])
        if order["notify"]:
            service.tell_started(order["notify"], channel.find_process)
        faults.step("launch: reported")
    except BaseException:
        channel.close()
        if not has_failed:
            # It was killed, or we are being interrupted while it works, or has just succeeded.
            _end_monitor(order["run_directory"])
        raise
    return channel


def _send_order(channel: sockets.Channel, container: Container, order: dict[str, Any]) -> None:
    try:
        streams = (0, 1, 2) if order["passthrough"] else ()
        channel.send(order, fds=(*streams, *order["bundle"]["keep_fds"]))
    except (BrokenPipeError, ConnectionResetError) as error:
        raise MonitorFailed(container) from error


def _end_monitor(run_directory: str) -> None:
    """End the monitor, if it is still there, and what it has started."""
    path = f"{run_directory}/{monitor.LOCK_FILE}"
    if locks.is_held(path):
        pid = int(files.read_text(path) or 0)
        started = processes.start_time(pid) if pid else None
        if started is not None and locks.is_held(path):
            processes.send_signal(pid, started, signals.SIGKILL)
    with locks.FileLock(path):  # its sockets close before its lock does
        state = reconcile.read_state(run_directory)
        finish.clean_up_after_lost_monitor(run_directory, state)


def _is_error(report: tuple[bytes, Any, list[int]]) -> bool:
    kind, message, _ = report
    return bool(kind) and message[0] == monitor.ERROR


def _check_report(report: tuple[bytes, Any, list[int]], container: Container) -> None:
    kind, message, _ = report
    if not kind:
        raise MonitorFailed(container)
    if message[0] == monitor.ERROR:
        raise processes.rebuild_error(message[1], message[2])
    for name, why in message[3].items():
        if name != "pids.max" or container.config.resources.pids_limit > 0:
            log.warning(f"limit {name} of container '{container.name}' is not applied: {why}")


def _spawn_monitor() -> sockets.Channel:
    """A monitor in a fresh interpreter, for programs that cannot be forked and for the second of several containers."""
    ours, theirs = sockets.pair()
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    try:
        process = processes.spawn(
            fresh.command("pod.monitor.prefork", "resume", theirs.fileno()),
            streams=(null, null, null),
            keep=(theirs.fileno(),),
            directory="/",
            environment=dict(os.environ),
            new_session=True,
        )
    finally:
        os.close(null)
        theirs.close()
    ours.find_process = lambda: process
    return ours


def make_order(
    engine: Engine,
    container: Container,
    network: dict[str, Any],
    *,
    attach: bool,
    window: tuple[int, int],
    starts: bool = True,
) -> dict[str, Any]:
    """What the monitor is told; pod/monitor/main.py describes it. Unless it `starts` now, it is for a later start.

    `network` is what netns.attach gets (`network_settings`).
    """
    config = container.config
    hostname = namefiles.hostname_of(config, container.id)
    generated = namefiles.write(engine, container, hostname, keep=not starts)
    facts, placement = host_facts.collect(engine, container, generated, window, starts=starts)
    document = bundle.runtime_config(config, facts)
    if config.secrets:
        from pod.engine import secrets

        maps_ = host_facts.special_maps(engine, config)
        secrets.give(engine, container.id, config, document, maps_)
    _add_from_host(engine, container, document)
    directory = engine.paths.container(container.id)
    runtime = runtime_command(engine, config.runtime)
    maps: tuple[IdMap, IdMap] | None = (facts.uid_maps, facts.gid_maps)
    maps_inside = maps
    if "user" in facts.joined:
        maps, maps_inside = None, host_facts.special_maps(engine, config)
    return {
        "id": container.id,
        "row": {
            "root": engine.paths.root,
            "name": container.name,
            "created_ns": container.created_ns,
        },
        "bundle": {
            "id": container.id,
            "config": document,
            "rootfs": root_mount(engine, container),
            "user": config.user or "0",
            "groups": list(config.groups),
            "passwd_entry": config.passwd_entry,
            "group_entry": config.group_entry,
            "host_users": list(config.host_users),
            "caller": userns.caller_entry(config),
            "given_away": [mount.target for mount in config.mounts if mount.chown],
            "make_cwd": True,
            "closed_sources": host_facts.is_caller_absent(maps_inside),
            "keyring": engine.settings.containers.keyring,
            "mounts_of": mounts_of(config, facts),
            "no_pivot": engine.settings.engine.no_pivot_root,
            "reaper": config.init and not facts.init_program,
            "behind_init": config.arguments if facts.init_program and not config.is_infra else (),
            "seccomp": None if runtime else seccomp_program(engine, config, facts),
            "seccomp_profile": seccomp_document(engine, config, facts) if runtime else None,
            "cgroup": placement.path,
            "scope": dict(placement.scope),
            "cgroup_files": placement.files,
            "group": placement.group,
            "required_limits": placement.asked if config.require_limits else (),
        },
        "maps": maps,
        "user_namespace": facts.joined.get("user"),
        "run_directory": engine.paths.run(container.id),
        "runtime": runtime,
        "log": {
            **config.log.to_json(),
            "driver": config.log.driver,
            "path": config.log.path or f"{directory}/ctr.log",
            "id": container.id,
            "name": container.name,
            "image": config.image,
        },
        "network": network,
        "restart": config.restart.to_json(),
        "open_input": config.interactive,
        "input_once": not config.terminal,
        "terminal": config.terminal,
        "passthrough": config.log.driver == "passthrough",
        "attach": attach,
        "held": False,
        "timeout": config.timeout,
        "pid_files": {"monitor": config.monitor_pid_file, "container": config.pid_file},
        "engine": engine.as_arguments(),
        "events": events.for_order(engine.events, container),
        "notify": None,
        "health": _health_order(engine, container, facts, placement.path),
    }


def _can_begin(engine: Engine, config: ContainerConfig) -> bool:
    """Whether a monitor waits whose namespaces will be the container's, and be connected by a helper of its own."""
    return (
        engine.has_monitor
        and config.networking.network.mode not in {"network", "none", "host", "container", "ns"}
        and config.userns.mode in {"", "host", "private"}
        and config.pid.mode in {"", "private"}
        and not config.runtime
        and not config.requires  # they would take the monitor
        and not any(
            it.mode in {"container", "ns"} for it in (config.ipc, config.uts, config.cgroupns)
        )
        and (config.cgroups == "disabled" or cgroups.delegated_root() is not None)
    )


def mounts_of(config: ContainerConfig, facts: Facts) -> str:
    """The mount namespace of the container whose /dev/shm is shared; "" for none."""
    if "ipc" not in facts.joined or config.ipc.mode != "container":
        return ""
    return f"{os.path.dirname(facts.joined['ipc'])}/mnt"


def _health_order(
    engine: Engine, container: Container, facts: Facts, cgroup: str
) -> dict[str, Any] | None:
    if container.config.health is None:
        return None
    from pod.engine import healthcheck  # few containers have one

    return healthcheck.order(engine, container, facts, cgroup)


def _add_from_host(engine: Engine, container: Container, document: RuntimeConfig) -> None:
    """What files of the host put into a configuration: CDI devices and hooks."""
    config, settings = container.config, engine.settings.engine
    names = [device.source for device in config.devices if device.cdi]
    if names:
        from pod.engine import cdi

        cdi.apply(document, cdi.edits_of(names, engine.cdi_spec_dirs or settings.cdi_spec_dirs))  # type: ignore[arg-type]  # by names
    if hooks_dirs := engine.hooks_dirs or settings.hooks_dir:
        from pod.engine import hooks

        has_binds = any(mount.kind == "bind" for mount in config.mounts)
        hooks.add(document, hooks_dirs, has_binds=has_binds)  # type: ignore[arg-type]  # by names


def root_mount(engine: Engine, container: Container) -> dict[str, Any]:
    """What the runtime mounts as the container's root."""
    if container.config.rootfs:
        return {"kind": "directory", "path": container.config.rootfs}
    if container.config.is_infra and not container.image_id:
        return {"kind": "tmpfs"}  # a place for its program and the system's mounts
    from storage import root_mount as mounting

    directory = engine.paths.container(container.id)
    description = mounting.plain(engine.paths.root, directory) or engine.rootfs.describe(directory)
    options = list(description.options)
    if description.kind == "overlay" and container.config.auto_remove:
        # What is thrown away afterwards need not be synced when it is unmounted (overlayfs.rst, "Volatile mount").
        options.append("volatile")
    return {**description.to_json(), "kind": description.kind, "options": options}


def runtime_command(engine: Engine, name: str) -> list[str]:
    """The path and global options of the OCI runtime `name`; [] for the built-in one, "" or "pod"."""
    if name in {"", "pod"}:
        return []
    paths_ = [name] if "/" in name else list(engine.settings.engine.runtime_paths(name))
    found = next((path for path in paths_ if os.access(path, os.X_OK)), None)
    if found is None and "/" not in name:
        found = processes.find_program(name)
    if found is None:
        raise PodError(
            f"OCI runtime '{name}' is not installed",
            hint="leave --runtime out for the built-in one, or install crun or runc",
        )
    return [found, *(f"--{flag}" for flag in engine.runtime_flags)]


def seccomp_program(engine: Engine, config: ContainerConfig, facts: Facts) -> str | None:
    """The path of the compiled filter; None for unconfined."""
    path = _profile_path(engine, config)
    if path is None:
        return None
    from pod.linux import seccomp

    return seccomp.compiled(path, _bounding(config, facts), f"{engine.paths.cache}/seccomp")


def seccomp_document(
    engine: Engine, config: ContainerConfig, facts: Facts
) -> dict[str, Any] | None:
    """The filter for a runtime that compiles it itself; None for unconfined."""
    path = _profile_path(engine, config)
    if path is None:
        return None
    from pod.linux import seccomp

    return seccomp.as_oci(files.read_json(path), set(_bounding(config, facts)), path)


def _profile_path(engine: Engine, config: ContainerConfig) -> str | None:
    choice = config.security.seccomp or engine.settings.containers.seccomp_profile
    if choice == "unconfined" or config.privileged:
        return None
    path = choice or default_profile()
    if not os.path.isfile(path):
        raise PodError(
            f"seccomp profile '{path}' does not exist", hint="see --security-opt seccomp=FILE"
        )
    return path


def _bounding(config: ContainerConfig, facts: Facts) -> tuple[str, ...]:
    return effective_capabilities(
        facts.default_capabilities,
        config.add_capabilities,
        config.drop_capabilities,
        privileged=config.privileged,
        is_root=True,
        available=facts.available_capabilities,
    ).bounding


def default_profile() -> str:
    """The distribution's profile where there is one, else ours."""
    for path in ("/etc/containers/seccomp.json", "/usr/share/containers/seccomp.json"):
        if os.path.exists(path):
            return path
    from pod.engine.configuration_places import shipped_directory

    return f"{shipped_directory()}/seccomp.json"


def network_settings(
    engine: Engine, container: Container, *, again: bool = False
) -> dict[str, Any]:
    """What netns.attach gets. With `again` the container may run, and have its ports."""
    from pod.engine import network

    return network.settings_for(engine, container, again=again)
