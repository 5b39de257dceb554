"""create, start and run: from a bundle to a process that runs. See the OCI runtime specification, "Lifecycle"."""

from __future__ import annotations

import json
import os
import time

from pod.base import files, log
from pod.base.errors import PodError
from pod.linux import cgroups, idmap, seccomp, sockets, syscalls
from pod.runtime import create, hooks
from pod.runtime.command import bundles, readiness, states, terminals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.runtime.command.states import Saved, States


class Wishes:
    """What the command line asks besides the bundle."""

    def __init__(
        self,
        *,
        bundle: str,
        console_socket: str = "",
        pid_file: str = "",
        preserve_fds: int = 0,
        keyring: bool = True,
        no_pivot: bool = False,
        config_file: str = "",
        manager: str = "cgroupfs",
    ) -> None:
        self.bundle = os.path.abspath(bundle or ".")
        self.console_socket = console_socket
        self.pid_file = pid_file
        self.preserve_fds = preserve_fds
        self.keyring = keyring
        self.no_pivot = no_pivot
        self.config_file = config_file
        self.manager = manager


class Made:
    """A container that was created: its state, and the master of its terminal when nobody else has it (else -1)."""

    def __init__(self, saved: Saved, terminal_fd: int) -> None:
        self.saved = saved
        self.terminal_fd = terminal_fd


def make(store: States, name: str, wishes: Wishes, *, keeps_terminal: bool = False) -> Made:
    """Create the container: process 1 waits for `start`. On failure nothing of it is left.

    With `keeps_terminal` a terminal without a console socket is for the caller to use.
    """
    if wishes.no_pivot:
        raise PodError(
            "--no-pivot is not supported: without pivot_root(2) a container could leave its root"
        )
    states.check_id(name)
    config = bundles.read_config(wishes.bundle, wishes.config_file)
    terminal = config["process"].get("terminal", False)
    if terminal and not wishes.console_socket and not keeps_terminal:
        raise PodError("the container wants a terminal: give --console-socket PATH")
    maps = bundles.maps_of(config)
    if maps is None and os.geteuid() != 0 and not _user_namespace(config):
        raise PodError(
            "the configuration makes no user namespace, which only root can do without",
            hint="pod-runtime spec --rootless writes one that does",
        )
    keep_fds = _descriptors(wishes.preserve_fds, config)
    path = config["linux"].get("cgroupsPath", "")
    if wishes.manager == "systemd":
        scope, cgroup = bundles.scope_of(path, name), ""
    else:
        scope, cgroup = None, bundles.cgroup_of(path, name, manager=wishes.manager)
    # What is left of a failed start is then our child, and can be ended.
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    directory = store.make(name)
    try:
        if scope is not None:
            from pod.linux import scopes  # heavy

            cgroup = scopes.enter_new(scope)
        return _make(store, name, wishes, config, maps, keep_fds, cgroup, directory)
    except BaseException:
        store.remove(name)
        raise


def _make(
    store: States,
    name: str,
    wishes: Wishes,
    config: dict[str, Any],
    maps: Any,
    keep_fds: list[int],
    cgroup: str,
    directory: str,
) -> Made:
    notify = os.environ.get("NOTIFY_SOCKET", "")
    if notify:
        readiness.prepare(config, f"{directory}/{states.NOTIFY}")
    bundle = bundles.runtime_bundle(
        name,
        config,
        directory=directory,
        cgroup=cgroup,
        keyring=wishes.keyring,
        keep_fds=keep_fds,
    )
    saved = states.Saved(
        id=name,
        bundle=wishes.bundle,
        rootfs=config["root"]["path"],
        created=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        owner=_user_name(),
        cgroup=cgroup,
        keyring=wishes.keyring,
        notify=notify,
        annotations=config.get("annotations", {}),
    )
    store.save(saved)
    files.write_json(f"{directory}/{states.CONFIG}", config, sync=False)
    bundle["seccomp"] = _compile_filter(config, f"{directory}/{states.SECCOMP}")
    if cgroup:
        _make_parents(cgroup)
    elif bundle["cgroup_files"]:
        log.warning(f"limits of container '{name}' are not applied: no cgroup is delegated to you")
    if os.geteuid() != 0 and bundles.restricts_devices(config["linux"].get("resources", {})):
        log.warning(
            f"'linux.resources.devices' of container '{name}' has no effect: only root can restrict devices; a "
            "container sees those that it is given, and may do with them what you may"
        )
    new_network = create.wants_new_network(bundle)
    user_namespace = _user_namespace(config)
    if user_namespace:
        nest = create.join_user_namespace(user_namespace, new_network=new_network)
    elif maps is None:
        nest = create.begin_here(new_network=new_network)
    else:
        nest = create.begin(maps, new_network=new_network)
    listener = sockets.Listener(directory, states.START)
    try:
        container = create.create(nest, bundle, (0, 1, 2), keep_fds)
        saved = saved.replace(pid=container.pid, started=container.started)
        store.save(saved)
        _finish(store, saved, config, wishes, container, listener)
    except BaseException:
        if cgroup:
            cgroups.remove_with_processes(cgroup)
        raise
    finally:
        listener.close()
    return Made(saved, container.terminal_fd)


def _finish(
    store: States,
    saved: Saved,
    config: dict[str, Any],
    wishes: Wishes,
    container: create.Container,
    listener: sockets.Listener,
) -> None:
    """From the namespaces to a process that waits; the container is ended when that fails."""
    for name, why in container.refused_limits.items():
        message = f"limit '{name}' cannot be applied: {why}"
        if idmap.is_initial():
            create.kill(container)
            raise PodError(message)
        # What is not delegated to an ordinary user is left out, as crun does; engines ask for limits by themselves.
        log.warning(message)

    def run_hooks() -> str:
        state = json.dumps(store.document(saved, "creating"))
        hooks.run_all(config, "prestart", state)
        hooks.run_all(config, "createRuntime", state)
        return state

    ready = create.wait_until_ready(container, run_hooks if config.get("hooks") else None)
    try:
        if ready.terminal_fd >= 0 and wishes.console_socket:
            terminals.pass_on(ready.terminal_fd, wishes.console_socket)
        if wishes.pid_file:
            files.write_atomic(wishes.pid_file, str(saved.pid).encode(), mode=0o644, sync=False)
        create.leave_waiting(ready, listener)
    except BaseException:
        create.kill(ready)
        raise


def start(store: States, name: str) -> None:
    """Let the command of a created container run."""
    saved = store.load(name)
    status = store.status(saved)
    if status != "created":
        raise PodError(f"container '{name}' cannot be started: it is {status}")
    config = store.config(name)
    directory = store.directory(name)
    proxy = readiness.Proxy(saved, f"{directory}/{states.NOTIFY}") if saved.notify else None
    try:
        try:
            channel = sockets.connect(directory, states.START)
            os.unlink(f"{directory}/{states.START}")
        except OSError as error:
            raise PodError(f"container '{name}' cannot be started: it was already") from error
        create.let_run(channel, json.dumps(store.document(saved, "created")))
        hooks.run_all(config, "poststart", json.dumps(store.document(saved, "running")))
        if proxy is not None:
            proxy.pass_on()
    finally:
        if proxy is not None:
            proxy.close()


def _user_namespace(config: dict[str, Any]) -> str:
    """The path of the user namespace to join; "" for none."""
    for entry in config["linux"]["namespaces"]:
        if entry["type"] == "user":
            return str(entry.get("path", ""))
    return ""


def _descriptors(count: int, config: dict[str, Any]) -> list[int]:
    """The descriptors from 3 on that the command gets, those of sd_listen_fds(3) among them."""
    handed = os.environ.get("LISTEN_FDS", "")
    if handed.isdecimal() and int(handed):
        count += int(handed)
        config["process"]["env"] += [f"LISTEN_FDS={handed}", "LISTEN_PID=1"]
        if names := os.environ.get("LISTEN_FDNAMES"):
            config["process"]["env"].append(f"LISTEN_FDNAMES={names}")
    return terminals.open_descriptors(count)


def _compile_filter(config: dict[str, Any], path: str) -> str | None:
    profile = config["linux"].get("seccomp")
    if profile is None:
        return None
    bounding = set((config["process"].get("capabilities") or {}).get("bounding") or ())
    program = seccomp.compile_profile(profile, bounding, "config.json")
    files.write_atomic(path, program, sync=False)
    return path


def _make_parents(cgroup: str) -> None:
    """The groups above that of the container; they stay, since others may use them."""
    parent = os.path.dirname(cgroup)
    try:
        os.makedirs(parent, exist_ok=True)
    except OSError as error:
        raise PodError(f"cgroup '{parent}' cannot be made: {error.strerror}") from error


def _user_name() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def wait(made: Made, *, detach: bool) -> int:
    """The exit status of a container that `run` has started, passing signals and its terminal on; 0 with `detach`."""
    if detach:
        return 0
    if made.terminal_fd >= 0:
        return terminals.show(made.terminal_fd, made.saved.pid)
    return terminals.wait(made.saved.pid)
