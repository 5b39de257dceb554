"""Enter a running container with a new process (`pod exec`).

No monitor is needed: the command forks (joiner.py), the child joins all namespaces through a pidfd with one setns(2),
forks once more to be in the PID namespace, gives up what the container may not have, and becomes the command. Its
parent passes the exit status on. This is the child's half.
"""

from __future__ import annotations

import os

from pod.base import exits, log
from pod.linux import (
    capabilities,
    cgroups,
    fresh,
    idmap,
    namespaces,
    processes,
    sealed,
    signals,
    sockets,
    syscalls,
    terminal,
)
from pod.runtime import devices, execute, joiner, protocol, rootfs, security, user

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn


def begin(channel: sockets.Channel) -> NoReturn:
    """Be a joiner, see joiner.py, in a forked child; never returns."""
    try:
        if sealed.is_needed():
            os.set_inheritable(channel.fileno(), True)
            sealed.execute(fresh.command("pod.runtime.join", "resume", channel.fileno()))
    except BaseException as error:  # noqa: BLE001  the process ends here
        _report(channel, error)
        os._exit(exits.FAILED)
    run(channel)


def run(channel: sockets.Channel) -> NoReturn:
    """Receive what to do and do it; never returns."""
    try:
        cgroups.stay_ready_to_move(channel.fileno())
        cgroup, init_pid, keep_fds = _receive(channel, joiner.CONTAINER)[0]
        processes.close_descriptors({0, 1, 2, channel.fileno(), *keep_fds})
        if cgroup:
            _enter_cgroup(cgroup, init_pid)
        (order, flags), (pidfd, *streams) = _receive(channel, joiner.ORDER)
        _join(channel, pidfd, flags, order, (streams[0], streams[1], streams[2]))
    except BaseException as error:  # noqa: BLE001  the process ends here
        _report(channel, error)
    os._exit(exits.FAILED)


def _receive(channel: sockets.Channel, expected: str) -> tuple[list[Any], list[int]]:
    """The next message. Ends the process when the command has given up what it wanted to start."""
    kind, message, fds = channel.receive()
    if not kind:
        os._exit(exits.FAILED)
    assert message[0] == expected, f"expected '{expected}', not '{message[0]}'"
    return message[1:], fds


def _report(channel: sockets.Channel, error: BaseException) -> None:
    try:
        channel.send(protocol.ERROR, *processes.describe_error(error))
    except OSError:
        pass  # nobody is left to be told


def _join(
    channel: sockets.Channel,
    pidfd: int,
    flags: int,
    order: dict[str, Any],
    streams: tuple[int, int, int],
) -> None:
    process: dict[str, Any] = order["process"]

    # 1. While we are still ourselves: files of the host that are needed later.
    seccomp_program = security.read_program(order["seccomp"])
    last_capability = capabilities.last_known()
    security.adjust_oom_score(process.get("oomScoreAdj"))
    security.set_profile(process.get("apparmorProfile"))

    # 2. From the moment we are in its PID namespace the container can see us: it must not trace us or open our files.
    security.guard_before_joining()
    signals.restore_defaults()
    security.forget_imports()
    syscalls.setns(pidfd, flags)
    if flags & namespaces.CLONE_NEWUSER:
        idmap.become_root(keep_groups=True)  # until we know who we will be

    # 3. A PID namespace is entered by the next child. We stay outside as its parent and pass its status on.
    pid = processes.fork_raw()
    if pid:
        channel.send(protocol.PID, pid)
        channel.close()
        if order["detach"]:
            os._exit(0)
        _pass_status_on(pid)
    if order.get("adopts"):
        _stay_above()
    os.setsid()
    if order["keyring"]:
        security.new_keyring(order["id"])

    # 4. Who we will be, and the streams.
    identity = user.Accounts().resolve(order["user"], order["groups"], process["user"])
    environment = user.with_home(process["env"], identity)
    master_fd = None
    if process.get("terminal"):
        master_fd, slave = terminal.open_pair()
        devices.attach_terminal(slave, identity.uid, process.get("consoleSize"), console=False)
    else:
        for number, fd in enumerate(_out_of_the_way(streams)):
            os.dup2(fd, number)
        if identity.uid != 0:
            devices.give_streams(identity.uid)
    # Both of us write to one channel: what our parent has to say of us comes first.
    protocol.expect(channel, protocol.PLACED)
    channel.send(protocol.READY, fds=() if master_fd is None else (master_fd,))
    if master_fd is not None:
        os.close(master_fd)
    protocol.expect(channel, protocol.START)
    security.set_limits(process.get("rlimits", []))
    os.chdir("/")
    rootfs.enter_directory(process["cwd"])
    os.umask(process["user"].get("umask", 0o022))

    # 5. Become who the container says, with no more privileges than it says.
    security.give_up_privileges(process, identity, seccomp_program, last_capability)
    security.close_on_exec(3)
    for fd in order["keep_fds"]:
        os.set_inheritable(fd, True)
    execute.command(process["args"], environment, process["cwd"])


def _enter_cgroup(path: str, init_pid: int) -> None:
    """Join the container's cgroup, which takes write access to the lowest group above both (cgroups(7)).

    From another login session there may be none; then the process stays where it is, as its limits do.
    """
    try:
        cgroups.enter(cgroups.place_of(path, init_pid), 0)
    except (PermissionError, FileNotFoundError) as error:
        log.info(f"the process is not in the container's cgroup: {error.strerror}")


def _out_of_the_way(streams: tuple[int, int, int]) -> list[int]:
    """Copies above the standard numbers, so that no dup2 overwrites a stream that is still to be moved."""
    return [os.dup(fd) for fd in streams]


def _stay_above() -> None:
    """Fork: the child returns; its parent adopts what the child leaves, until the child ends, and ends as it did.

    The container sees the parent, but may not look into it, see `security.guard_before_joining`.
    """
    syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
    pid = processes.fork_raw()
    if pid == 0:
        return
    signals.ignore([signals.SIGINT, signals.SIGTERM, signals.SIGHUP, signals.SIGQUIT])
    processes.close_descriptors(())
    while True:
        ended, status = os.waitpid(-1, 0)
        if ended == pid:
            os._exit(exits.from_wait_status(status))


def _pass_status_on(pid: int) -> NoReturn:
    """Wait for the process and end as it did. Whoever signals us from outside signals the process itself instead."""
    signals.ignore(signals.ENDING)
    processes.close_descriptors(())
    _, status = os.waitpid(pid, 0)
    os._exit(exits.from_wait_status(status))


def resume(channel_fd: int) -> NoReturn:
    """Go on in a fresh interpreter, on an inherited channel; never returns."""
    run(sockets.from_fd(channel_fd))
