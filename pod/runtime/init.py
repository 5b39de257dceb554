"""The child half of a start: from fork to execve, read from top to bottom.

The order is the content: each step stands where it does because of what the kernel allows before and after it. The
other half is `create.py`; the messages are in `protocol.py`; what a step does in detail is in `rootfs.py`,
`devices.py`, `security.py` and `user.py`, all of which are imported before the first step.
"""

from __future__ import annotations

import errno
import fcntl
import os

from pod.base import exits, faults, log
from pod.linux import (
    capabilities,
    fresh,
    idmap,
    mounts,
    namespaces,
    processes,
    sealed,
    signals,
    sockets,
    syscalls,
    terminal,
)
from pod.runtime import devices, execute, fuse, ownership, protocol, reaper, rootfs, security, user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

_UNKNOWN_ID = 65534  # of users that the namespace does not map: /proc/sys/kernel/overflowuid

SAME_USER_NAMESPACE = -1  # instead of a descriptor


def begin(
    channel: sockets.Channel,
    user_namespace_fd: int | None,
    *,
    new_network: bool,
    nested: bool = False,
) -> NoReturn:
    """As `init`, from a sealed copy of the interpreter where its own file could be changed by the container's root."""
    try:
        if sealed.is_needed():
            fds = [channel.fileno(), *([] if user_namespace_fd is None else [user_namespace_fd])]
            for fd in fds:
                if fd != SAME_USER_NAMESPACE:
                    os.set_inheritable(fd, True)
            words = (int(new_network), int(nested), *fds)
            sealed.execute(fresh.command("pod.runtime.init", "resume", *words))
    except BaseException as error:  # noqa: BLE001  the process ends here
        _report(channel, error)
    init(channel, user_namespace_fd, new_network=new_network, nested=nested)


def resume(
    new_network: int, nested: int, channel_fd: int, user_namespace_fd: int | None = None
) -> NoReturn:
    """Go on in a fresh interpreter, on inherited descriptors; never returns."""
    if user_namespace_fd not in {None, SAME_USER_NAMESPACE}:
        os.set_inheritable(user_namespace_fd, False)
    init(
        sockets.from_fd(channel_fd),
        user_namespace_fd,
        new_network=bool(new_network),
        nested=bool(nested),
    )


def init(
    channel: sockets.Channel,
    user_namespace_fd: int | None,
    *,
    new_network: bool,
    nested: bool,
) -> NoReturn:
    """Become process 1 of a container; never returns. `user_namespace_fd` joins a user namespace instead of a new one.

    With SAME_USER_NAMESPACE in its place, the container is in that of the caller; with `nested` one inside
    the one it joins.

    `new_network` makes the network namespace, the dearest of all, before it is known what to build. Process 1 is a
    child of this process, which stays until the network is up, so that its helper finds the namespaces.
    The caller has just forked, has one thread, and has closed every descriptor that is not needed here.
    """
    try:
        _init(channel, user_namespace_fd, new_network=new_network, nested=nested)
    except BaseException as error:  # noqa: BLE001  the process ends here
        _report(channel, error)


def _report(channel: sockets.Channel, error: BaseException) -> NoReturn:
    try:
        channel.send(protocol.ERROR, *processes.describe_error(error))
    except OSError:
        pass  # nobody is left to be told
    processes.leave(exits.FAILED)


def _init(
    channel: sockets.Channel,
    user_namespace_fd: int | None,
    *,
    new_network: bool,
    nested: bool,
) -> NoReturn:
    # 1. The user namespace comes first: it owns every other namespace made below.
    if user_namespace_fd not in {None, SAME_USER_NAMESPACE}:
        syscalls.setns(user_namespace_fd, namespaces.CLONE_NEWUSER)
    if user_namespace_fd is None or nested:
        syscalls.unshare(namespaces.CLONE_NEWUSER)
    channel.send(protocol.UNSHARED)
    if new_network:
        faults.step("init: before its network")
        syscalls.unshare(namespaces.CLONE_NEWNET)  # while newuidmap runs
        channel.send(protocol.NETWORK)
    protocol.expect(channel, protocol.MAPPED)

    faults.step("init: mapped")
    # 2. What to build. It comes so late because the user namespace is often prepared before it is known.
    (bundle,), fds = protocol.expect(channel, protocol.BUNDLE)
    if bundle is None:
        from netns.holder import main as holder

        channel.close()
        holder.go_on(fds[0])
    config: dict[str, Any] = bundle["config"]
    linux: dict[str, Any] = config["linux"]
    process: dict[str, Any] = config["process"]
    named_fds = dict(zip(bundle["fd_names"], fds, strict=True))
    keep_fds = {number: named_fds[f"keep:{number}"] for number in bundle.get("keep_fds", ())}
    # Needed by few; loaded now, because later nothing can be.
    has_hooks = bool(config.get("hooks"))
    if has_hooks:
        from pod.runtime import hooks
    asks_for_scheduling = asks_for_more(config)
    if asks_for_scheduling:
        from pod.runtime import scheduling

    # 3. What is written to our own /proc files, while we may: a fork inherits both.
    security.adjust_oom_score(process.get("oomScoreAdj"))
    security.set_profile(process.get("apparmorProfile"))

    # 4. Other processes' namespaces, then our own new ones. The cgroup namespace waits for our place in the tree.
    wanted = {entry["type"]: entry.get("path") for entry in linux["namespaces"]}
    is_seen = shares_pids(config)
    if is_seen:
        # From here on other processes can see us, so they must not be able to trace us or open /proc/PID/exe.
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    server: fuse.Server | fuse.Apart | None
    if bundle["rootfs"].get("apart"):
        server = fuse.Apart(named_fds["server"], named_fds["server-words"])
    else:
        server = fuse.start(bundle["rootfs"], closed_sources=bundle["closed_sources"])
    for kind, path in wanted.items():
        if path is not None and kind not in {"user", "cgroup"}:
            syscalls.setns(named_fds[f"namespace:{kind}"], namespaces.FLAGS[kind])
    made = {"user", "cgroup", *(["network"] if new_network else [])}
    syscalls.unshare(
        sum(
            namespaces.FLAGS[kind]
            for kind, path in wanted.items()
            if path is None and kind not in made
        )
    )

    if "mounts" in named_fds:
        rootfs.take_shared(named_fds["mounts"], config["mounts"])

    if asks_for_scheduling:
        scheduling.set_time_offsets(linux.get("timeOffsets") or {})  # holds from the next child on

    # 5. What only the caller may open. Root of the namespace is another user for the host, where the id maps say so.
    if bundle["closed_sources"]:
        rootfs.hold_sources(bundle["rootfs"], config)
    seccomp_program = security.read_program(bundle["seccomp"])

    # 6. A new PID namespace begins with the next child, which the caller may put into its cgroup. Its parent stays
    #    until the network is up; then the monitor, a subreaper, inherits it. Both become root of the user namespace.
    is_root, becomes_root = os.pipe()
    pid, is_placed = _fork(named_fds.get("cgroup"))
    # Supplementary groups stay until it is known with which ones the container runs.
    idmap.become_root(keep_groups=True)
    if not is_seen:
        # The change of user has cleared it, and the monitor and the network helper still open our /proc files.
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
    os.close(becomes_root)
    if pid:
        os.read(is_root, 1)  # nothing: until then the files of process 1 cannot be opened
        os.close(is_root)
        servers = [(server.pid, server.started)] if isinstance(server, fuse.Server) else []
        _hold_namespaces(channel, pid, servers, is_placed)

    os.close(is_root)

    # 7. The cgroup that we are in at this unshare becomes the root we see inside, so we must be placed by now.
    protocol.expect(channel, protocol.PLACED)
    if "cgroup" in wanted:
        if wanted["cgroup"] is not None:
            syscalls.setns(named_fds["namespace:cgroup"], namespaces.CLONE_NEWCGROUP)
        else:
            syscalls.unshare(namespaces.CLONE_NEWCGROUP)

    # 8. A session of our own, a keyring of our own, and neither signal dispositions nor the umask of whoever started
    #    pod: directories that are made for mounts and for the command to start in are as everywhere else.
    os.setsid()
    os.umask(0o022)
    if bundle.get("keyring", True):
        security.new_keyring(bundle["id"])
    signals.restore_defaults()

    # 9. Names and sysctls belong to namespaces, so they are set before the paths to set them become read-only.
    if "uts" in wanted and wanted["uts"] is None:
        if config.get("hostname"):
            syscalls.sethostname(config["hostname"])
        if config.get("domainname"):
            syscalls.setdomainname(config["domainname"])
    if "network" in wanted and wanted["network"] is None:
        devices.bring_up_loopback()

    faults.step("init: placed")

    # 10. Mounts. Ours follow the host's (slave), so that a mount made there later reaches a bind that asked for it.
    mounts.set_propagation("/", linux.get("rootfsPropagation") or "rslave")
    root_fd = rootfs.mount_root(bundle["rootfs"], config["root"]["path"], server)
    rootfs.mount_all(root_fd, config["mounts"], linux.get("mountLabel", ""))
    devices.create(root_fd, linux.get("devices", []))
    devices.create_links(root_fd)

    if has_hooks:
        channel.send(protocol.HOOKS)
        (state,), _ = protocol.expect(channel, protocol.HOOKED)
        hooks.run_all(config, "createContainer", state)

    # 11. What a later step needs from the host's /proc. Directories of the host that are open end here: the container
    #     could name them as /proc/self/fd/N, for its working directory for instance.
    last_capability = capabilities.last_known()
    streams = tuple(named_fds[name] for name in ("stdin", "stdout", "stderr"))
    processes.close_descriptors({0, 1, 2, channel.fileno(), root_fd, *streams, *keep_fds.values()})

    # 12. The container's root becomes ours. From here no module can be imported: it would be one of the container's.
    mounts.pivot_into(mounts.fd_path(root_fd))
    os.close(root_fd)
    security.forget_imports()

    # 13. Settings in /proc, then hide and protect what must not be seen or changed.
    security.write_sysctls(linux.get("sysctl", {}))
    rootfs.mask(linux.get("maskedPaths", []))
    rootfs.protect(linux.get("readonlyPaths", []))

    # 14. Who we will be: names are looked up in the container's own files. Then nothing of the root changes any more.
    accounts = user.Accounts()
    accounts.add_caller(bundle["caller"])
    accounts.add_users(bundle.get("host_users", ()))
    identity = accounts.resolve(bundle["user"], bundle["groups"], process["user"])
    accounts.add_passwd_entry(identity, bundle["passwd_entry"])
    accounts.add_group_entry(identity, bundle.get("group_entry", ""))
    accounts.show()
    environment = user.with_home(process.get("env", []), identity)
    if given := bundle.get("given_away"):
        places = [entry["destination"] for entry in config["mounts"]]
        ownership.give(given, identity.uid, identity.gid, places)
    if bundle["make_cwd"]:
        rootfs.make_working_directory(process["cwd"], identity)
    if config["root"].get("readonly"):
        mounts.restrict("/", syscalls.MS_RDONLY)
    waits_apart = bundle.get("waits_apart", False)
    # A program that is to be process 1 for the command would say in its own way that there is no such command.
    if checked := bundle.get("behind_init") or (waits_apart and process["args"]):
        execute.check(checked, environment, process["cwd"])

    faults.step("init: mounted")

    # 15. The terminal exists in the container's own devpts; its other end goes to the monitor.
    master_fd = None
    if process.get("terminal"):
        master_fd, slave = terminal.open_pair()
        devices.attach_terminal(slave, identity.uid, process.get("consoleSize"))
    else:
        for number, fd in enumerate(streams):
            os.dup2(fd, number)
        if identity.uid != 0:
            devices.give_streams(identity.uid)
    channel.send(protocol.READY, fds=() if master_fd is None else (master_fd,))
    if master_fd is not None:
        os.close(master_fd)

    # 16. Wait for the network; `pod init` stops here and `pod start` goes on.
    state = protocol.expect_start(channel, may_listen=waits_apart)
    faults.step("init: started")

    # 17. Nobody outside needs our /proc files any more.
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    security.set_limits(process.get("rlimits", []))
    rootfs.enter_directory(process["cwd"])
    os.umask(process["user"].get("umask", 0o022))

    if asks_for_scheduling:
        scheduling.apply(process, linux)

    # 18. Become who the container says, with no more privileges than it says.
    security.give_up_privileges(
        process, identity, seccomp_program, last_capability, bundle.get("seccomp_flags", 0)
    )

    if has_hooks:
        hooks.run_all(config, "startContainer", state)

    # 19. A built-in process 1, when asked for and no program for it was found on the host: no more than the command.
    if bundle["reaper"]:
        reaper.become_parent_of_command(channel)

    if bundle.get("dies_with_parent"):
        # After the change of user, which clears it. Our parent is the process that follows us: the other one has ended.
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signals.SIGKILL)

    # 20. Every descriptor but the three streams and those passed on purpose closes in execve, the channel too.
    security.close_on_exec(3)
    if keep_fds:
        _place(keep_fds, channel)
    execute.command(process["args"], environment, process["cwd"])


def _fork(cgroup_fd: int | None) -> tuple[int, bool]:
    """Fork process 1, in its cgroup already where the kernel can do that; what fork gives, and whether it is there.

    Whom the user namespace does not know has rights in it alone, which may not be enough for the cgroup: the caller has
    more, who moves process 1 then.
    """
    if cgroup_fd is not None and os.geteuid() != _UNKNOWN_ID:
        try:
            return processes.fork_into_cgroup(cgroup_fd), True
        except OSError as error:
            # After any other error no process can be made in the PID namespace: its first one has come and gone.
            if error.errno not in {errno.ENOSYS, errno.EPERM}:
                raise
            log.debug(f"the container is moved to its cgroup later: {error.strerror}")
    return processes.fork_raw(), False


def asks_for_more(config: dict[str, Any]) -> bool:
    """Whether the configuration has anything that scheduling.py does."""
    process, linux = config["process"], config["linux"]
    return bool(
        process.get("ioPriority")
        or process.get("scheduler")
        or linux.get("personality")
        or linux.get("timeOffsets")
    )


def _place(keep_fds: dict[int, int], channel: sockets.Channel) -> None:
    """Give the descriptors that the command gets their numbers, the keys, and leave none else open in execve."""
    highest = max(keep_fds)
    channel.move_above(highest)
    moved = {
        number: fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, highest + 1)
        for number, fd in keep_fds.items()
    }
    for number, fd in moved.items():
        os.dup2(fd, number)


def shares_pids(config: dict[str, Any]) -> bool:
    """Whether a container's processes live among those of others, in no PID namespace of their own."""
    return not any(
        entry["type"] == "pid" and not entry.get("path") for entry in config["linux"]["namespaces"]
    )


def _hold_namespaces(
    channel: sockets.Channel, child: int, servers: list[tuple[int, int]], is_placed: bool
) -> NoReturn:
    """Stay as the process through which the network helper reaches the namespaces of the container.

    We are not in the PID namespace that it shares, where others could look into us. Until the monitor kills us or ends.
    """
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signals.SIGKILL)
    # Before the monitor knows that there is a container, and has the helper look for its namespaces here.
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
    channel.send(protocol.PID, child, servers, is_placed)
    faults.step("init: forked")
    # Also those of the program that serves the root file system, whose end must be seen where it is mounted.
    processes.close_descriptors(())
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    os._exit(0)
