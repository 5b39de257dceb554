"""The parent half of a start: fork, map ids, follow the child, report its errors. The other half is `init.py`.

A `Nest` is a process in a new user namespace whose ids are mapped: most containers need the same one, so a monitor may
begin it before it knows which container it will hold. `create` turns it into a container that waits at its last step;
`start` lets it go.

What `create` gets, the *bundle*, is plain data:

    id              of the container
    config          the OCI runtime configuration (config.json)
    rootfs          what to mount as root: {"kind": "overlay", "lowers", "upper", "work", "options"} or
                    {"kind": "directory", "path"}, {"kind": "tmpfs"}
    user            user as typed ("name", "1000:33", ""), looked up in the container; "" leaves config.process.user
    groups          names or numbers of --group-add
    passwd_entry    line to add to /etc/passwd for an unknown uid; "" for the usual one, None for none
    group_entry     line to add to /etc/group for that user's unknown group; "" or left out for none
    host_users      lines to add to /etc/passwd; may be left out
    caller          who the caller is in the container, to be added to its files of users: "name", "uid", "gid",
                    "group", "home"; None when it is not to be there
    given_away      places of mounts that are given to the user (option U); may be left out
    make_cwd        make the working directory when the image lacks it
    reaper          be process 1 ourselves (`--init` without a program for it)
    mounts_of       mount namespace with the mounts that are shared (`pod_shared`); "" for none
    closed_sources  whether the container's root is nobody to whom the caller's directories are open
    seccomp         path of the compiled filter, or None
    seccomp_flags   of seccomp(2); may be left out
    keep_fds        numbers of the descriptors, besides the streams, that the command gets; may be left out
    waits_apart     whether `leave_waiting` comes after the creation; then a command that is missing fails it already.
                    May be left out
    dies_with_parent  whether the end of the process that called `start` ends the command, too. May be left out
    cgroup          directory of the container's cgroup, made here; "" for none
    scope           what gives the monitor a place for that first; {} for nothing. Not for the runtime
    cgroup_files    limits to write there
    required_limits files of those without which it must not start; may be left out
"""

from __future__ import annotations

import os

from pod.base.errors import PodError
from pod.base.records import Record
from pod.linux import cgroups, idmap, processes, sockets
from pod.runtime import init, protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from pod.linux.idmap import IdMap


class Nest:
    """A forked init in its mapped user, and perhaps network, namespace that waits to be told what to build.

    Whoever has it passes it to `create` or calls `abandon`.
    """

    def __init__(
        self,
        pid: int,
        channel: sockets.Channel,
        maps: tuple[IdMap, IdMap] | None,
        *,
        has_network: bool,
        is_nested: bool = False,
    ) -> None:
        self.pid = pid
        self.channel = channel
        self.maps = maps
        self.has_network = has_network
        self.is_nested = is_nested  # in another user namespace than the caller's
        self.is_spent = False  # it became something else than a container

    def become_holder(self, channel: sockets.Channel) -> int:
        """Have the waiting process hold networks (netns/holder) and go on over `channel`; its number, to be reaped."""
        protocol.send(self.channel, protocol.BUNDLE, None, fds=(channel.fileno(),))
        self.channel.close()
        self.is_spent = True
        return self.pid

    def abandon(self) -> None:
        """End the waiting process: it reads the end of the channel and leaves."""
        self.channel.close()
        os.waitpid(self.pid, 0)


class Container(Record):
    """A container that exists and waits: process 1, the channel to it, the master of its terminal (-1 for none)."""

    pid: int
    started: int
    channel: sockets.Channel
    terminal_fd: int
    refused_limits: dict[str, str]
    servers: list[
        tuple[int, int]
    ]  # processes, with their start times, that serve its root file system
    helper: processes.Child | None = None  # of an external runtime
    holder_pid: int = (
        0  # until `start`, the nest, by which its namespaces can be reached; 0 for process 1 itself
    )


def begin(
    maps: tuple[IdMap, IdMap],
    *,
    new_network: bool,
    meanwhile: Callable[[], None] | None = None,
) -> Nest:
    """Fork init and give it a new user namespace with these maps, and if asked a network namespace of that.

    `meanwhile` is called while others work.

    As the real root, when the maps are its own, no user namespace is made. It would only take from root: overlay and
    others keep for the machine's root what they do.
    """
    return _fork_init(maps, None, new_network=new_network, meanwhile=meanwhile)


def join_user_namespace(path: str, *, new_network: bool) -> Nest:
    """Fork init into the user namespace of another container, the owner of the namespaces that will be shared."""
    return _fork_init(None, path, new_network=new_network)


def begin_nested(
    path: str,
    map_ids: Callable[[int, IdMap, IdMap], None],
    maps: tuple[IdMap, IdMap],
    *,
    new_network: bool,
) -> Nest:
    """Fork init into a new user namespace inside the one at `path`; `map_ids` gives that of a process its maps."""
    return _fork_init(maps, path, new_network=new_network, map_nested=map_ids)


def begin_here(*, new_network: bool) -> Nest:
    """Fork init for a container in the user namespace of the caller, who is root there."""
    return _fork_init(None, None, new_network=new_network, stays=True)


def _fork_init(
    maps: tuple[IdMap, IdMap] | None,
    user_namespace: str | None,
    *,
    new_network: bool,
    meanwhile: Callable[[], None] | None = None,
    stays: bool = False,
    map_nested: Callable[[int, IdMap, IdMap], None] | None = None,
) -> Nest:
    ours, theirs = sockets.pair()
    fd = None if user_namespace is None else os.open(user_namespace, os.O_RDONLY | os.O_CLOEXEC)
    is_nested = map_nested is not None
    stays = stays or (maps is not None and not is_nested and idmap.is_own_map(*maps))
    pid = processes.fork_raw()
    if pid == 0:
        ours.close()
        processes.close_descriptors({0, 1, 2, theirs.fileno(), *(() if fd is None else (fd,))})
        fd = init.SAME_USER_NAMESPACE if stays else fd
        init.begin(theirs, fd, new_network=new_network, nested=map_nested is not None)
    theirs.close()
    if fd is not None:
        os.close(fd)
    nest = Nest(pid, ours, maps, has_network=new_network, is_nested=is_nested)
    try:
        protocol.expect(ours, protocol.UNSHARED)
        if maps is not None and not stays:
            if map_nested is not None:
                map_nested(pid, *maps)
            else:
                idmap.map_ids(pid, *maps, meanwhile)
        if new_network:
            # Until then it is in that of the caller, which a helper would take for the container's.
            protocol.expect(ours, protocol.NETWORK)
        protocol.send(ours, protocol.MAPPED)
    except BaseException:
        nest.abandon()
        raise
    return nest


def wants_new_network(bundle: dict[str, Any]) -> bool:
    """Whether the container gets a network namespace of its own."""
    return {"type": "network"} in bundle["config"]["linux"]["namespaces"]


def create(
    nest: Nest,
    bundle: dict[str, Any],
    streams: tuple[int, int, int],
    kept: Sequence[int] = (),
) -> Container:
    """Build the container and stop before its command. `streams` are its standard input, output and error.

    `kept` are the descriptors that become those of the bundle's keep_fds.

    On failure nothing is left of the nest and its cgroup, and the child's own error is raised.
    """
    channel = nest.channel
    cgroup = bundle["cgroup"]
    pid = 0
    opened: list[int] = []
    apart: list[tuple[int, int]] = []
    try:
        refused = make_cgroup(bundle) if cgroup else {}
        names = ["stdin", "stdout", "stderr"]
        for entry in bundle["config"]["linux"]["namespaces"]:
            if entry.get("path") and entry["type"] != "user":
                names.append(f"namespace:{entry['type']}")
                opened.append(_open_namespace(entry["type"], entry["path"]))
        if cgroup:
            names.append("cgroup")
            opened.append(os.open(cgroup, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        if bundle.get("mounts_of"):
            names.append("mounts")
            opened.append(_open_namespace("mount", bundle["mounts_of"]))
        if bundle["rootfs"].get("apart"):
            from pod.runtime import fuse  # rarely needed

            server, fds = fuse.serve_apart(bundle["rootfs"])
            apart.append((server, processes.start_time(server) or 0))
            names += ["server", "server-words"]
            opened += fds
        names += [f"keep:{number}" for number in bundle.get("keep_fds", ())]
        described = {**bundle, "fd_names": names}
        protocol.send(channel, protocol.BUNDLE, described, fds=(*streams, *opened, *kept))
        (pid, servers, is_placed), _ = protocol.expect(channel, protocol.PID)
        started = processes.start_time(pid)
        if started is None:
            raise protocol.Disconnected(protocol.PLACED)
        if cgroup and not is_placed:
            cgroups.enter(cgroup, pid)
        protocol.send(channel, protocol.PLACED)
    except BaseException:
        _end(nest, pid)
        for server, _ in apart:
            processes.kill_and_reap(server)
        if cgroup:
            cgroups.remove_with_processes(cgroup)
        raise
    finally:
        for fd in opened:
            os.close(fd)
    return Container(pid, started, channel, -1, refused, [*servers, *apart], holder_pid=nest.pid)


def wait_until_ready(container: Container, run_hooks: Callable[[], str] | None = None) -> Container:
    """Wait until everything is in place in the container; the same container, with its terminal if it has one.

    `run_hooks`, for a bundle with hooks, runs those of the host's side before the change of root; it returns the state
    of the container, as JSON, for those that run in the container.
    """
    try:
        if run_hooks is not None:
            protocol.expect(container.channel, protocol.HOOKS)
            protocol.send(container.channel, protocol.HOOKED, run_hooks())
        _, fds = protocol.expect(container.channel, protocol.READY)
    except BaseException:
        kill(container)
        raise
    return container.replace(terminal_fd=fds[0]) if fds else container


def without_holder(container: Container) -> Container:
    """The container as a child of ours, once nobody needs the process any more by which its namespaces were reached."""
    _end_holder(container)
    return container.replace(holder_pid=0)


def start(container: Container, state: str = "") -> None:
    """Let the command run. Raises what kept it from running, with exit status 126 or 127 where that is the reason.

    `state` is what hooks of the kind startContainer read.
    """
    _end_holder(container)
    try:
        let_run(container.channel, state)
    except BaseException:
        kill(container)
        raise


def let_run(channel: sockets.Channel, state: str) -> None:
    """The last exchange with init, on whichever channel it waits. Raises as `start` does."""
    try:
        protocol.send(channel, protocol.START, state)
        protocol.wait_for_exec(channel)
    finally:
        channel.close()


def leave_waiting(container: Container, listener: sockets.Listener) -> None:
    """Let the container wait for a `start` of another process, which connects to `listener`."""
    _end_holder(container)
    protocol.send(container.channel, protocol.LISTEN, fds=(listener.fileno(),))
    container.channel.close()


def kill(container: Container) -> None:
    """End a container that has not become its command, and reap it."""
    _end_holder(container)
    processes.kill_and_reap(container.pid)
    processes.end_servers(container.servers)


def _end_holder(container: Container) -> None:
    """The container becomes our own child by that."""
    if container.holder_pid:
        processes.kill_and_reap(container.holder_pid)


def make_cgroup(bundle: dict[str, Any]) -> dict[str, str]:
    """The container's cgroup with its limits; what could not be set, by file name. Raises LimitsNotApplied."""
    path, files = bundle["cgroup"], bundle["cgroup_files"]
    wanted = {name.partition(".")[0] for name in files} | {"memory", "pids", "cpu"}
    refused: dict[str, str] = {}
    group = bundle.get("group") or {}
    while True:
        if group:
            of_group = cgroups.create_group(group["path"], wanted, group["files"])
            if group["tells"]:
                refused = {f"{name} (of the pod)": why for name, why in of_group.items()}
        try:
            cgroups.create(path, wanted)
            break
        except FileNotFoundError:
            if not group:
                raise  # else the last of its other containers has just ended, and taken it along
    refused |= cgroups.set_values(path, files)
    for name in bundle.get("required_limits", ()):
        if name in refused:
            from pod.spec.resources import LimitsNotApplied

            cgroups.remove(path)
            raise LimitsNotApplied(bundle["id"][:12], name, refused[name])
    return refused


def _open_namespace(kind: str, path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise PodError(
            f"the {kind} namespace '{path}' cannot be joined: {error.strerror}",
            hint="is the container that owns it still running?",
        ) from error


def _end(nest: Nest, pid: int) -> None:
    nest.channel.close()
    processes.kill_and_reap(nest.pid)
    if pid:
        processes.kill_and_reap(pid)
