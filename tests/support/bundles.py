"""Run containers with the runtime alone: no image, no database, no command line.

A `Bench` turns a ContainerConfig into a bundle as the engine does, runs it on a root file system of busybox, built in
or with another OCI runtime, and tells what came out. Each run has a process of its own that plays the monitor.
"""

from __future__ import annotations

import os
import select
import tarfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from pod.base import exits
from pod.engine.facts import own_limits
from pod.linux import capabilities, cgroups, idmap, processes, syscalls
from pod.runtime import create, external, joiner
from pod.spec import bundle
from pod.spec.container import ContainerConfig
from tests.support.images import busybox_layer
from tests.support.waiting import until

ID = "c" * 64
NOBODY_COMES_SECONDS = 30


@dataclass(frozen=True)
class Outcome:
    """How a container ended. `out` and `err` are text; with a terminal everything is in `out`."""

    status: int
    out: str
    err: str = ""
    joined: list[Outcome] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        return self.out.split("\n")[:-1]


@dataclass(frozen=True)
class Exec:
    """A process to start in a running container; see runtime/join.py."""

    arguments: Sequence[str]
    user: str | None = None
    terminal: bool = False
    privileged: bool = False
    window: tuple[int, int] = (0, 0)
    directory: str = ""


class Bench:
    """`root` is a directory with a root file system, which no run changes; `work` is for what a run leaves."""

    def __init__(self, root: str, work: str) -> None:
        self.root = root
        self.work = work
        self.maps = idmap.default_maps()
        self._count = 0

    def run(
        self,
        *arguments: str,
        runtime: str = "",
        facts: dict[str, Any] | None = None,
        changes: dict[str, Any] | None = None,
        edit: Callable[[dict[str, Any]], None] | None = None,
        maps: tuple[Any, Any] | None = None,
        joins: Sequence[Exec] = (),
        meanwhile: Callable[[int], None] | None = None,
        typed: Sequence[tuple[str, str]] = (),
        prepare: Callable[[str], None] | None = None,
        streams: tuple[int, int, int] | None = None,
        **config: Any,
    ) -> Outcome:
        """Run `arguments` in a new container to the end. With `joins` it comes to a `sleep`, killed after them.

        `config` are fields of ContainerConfig, `facts` of Facts, `changes` of the bundle; `edit` may change the OCI
        document. `meanwhile` is called, in the process that plays the monitor, with the pid of the running container;
        `typed` is typed at its terminal, each when the words before it have appeared.
        `prepare` is called with the container's directory. Raises what kept the container from starting.
        """
        self._count += 1
        directory = os.path.join(self.work, str(self._count))
        for name in ("", "upper", "work", bundle.ROOT, "volumes", "run"):
            os.mkdir(os.path.join(directory, name))
        if prepare is not None:
            prepare(directory)
        run = _Run(
            streams,
            self,
            directory,
            arguments,
            maps or self.maps,
            config,
            facts or {},
            changes or {},
            edit,
        )
        program = processes.find_program(runtime) if runtime else None
        assert bool(program) == bool(runtime), f"{runtime} is not installed"
        plain = processes.fork(
            lambda: run.play_monitor([program] if program else [], joins, meanwhile, typed),
            keep=streams or (),
            what="run a container",
        ).result()
        status, out, err, joined = plain
        return Outcome(status, out, err, [Outcome(*one) for one in joined])


class _Run:
    """One container, from the side of its monitor."""

    def __init__(
        self,
        streams: tuple[int, int, int] | None,
        bench: Bench,
        directory: str,
        arguments: Sequence[str],
        maps: tuple[Any, Any],
        config: dict[str, Any],
        facts: dict[str, Any],
        changes: dict[str, Any],
        edit: Callable[[dict[str, Any]], None] | None,
    ) -> None:
        environment = ("PATH=/bin", *config.pop("environment", ()))
        self.config = ContainerConfig(
            command=tuple(arguments), environment=environment, **_without_network(config)
        )
        self.streams = streams
        self.directory = directory
        self.maps = maps
        self.facts = bundle.Facts(
            **{
                "container_id": ID,
                "directory": directory,
                "volumes": f"{directory}/volumes",
                "uid_maps": maps[0],
                "gid_maps": maps[1],
                "available_capabilities": capabilities.NAMES[: capabilities.last_known() + 1],
                "own_limits": own_limits(),
                "ipc_directories": tuple(filter(os.path.isdir, ("/dev/shm", "/dev/mqueue"))),
                **facts,
            }
        )
        document: dict[str, Any] = bundle.runtime_config(self.config, self.facts)  # type: ignore[assignment]
        if edit is not None:
            edit(document)
        self.bundle = {
            "id": ID,
            "config": document,
            "rootfs": {
                "kind": "overlay",
                "lowers": [bench.root],
                "upper": f"{directory}/upper",
                "work": f"{directory}/work",
                "options": ["userxattr", "volatile"],
            },
            "user": self.config.user or "0",
            "groups": list(self.config.groups),
            "passwd_entry": self.config.passwd_entry,
            "caller": None,
            "make_cwd": True,
            "reaper": self.config.init and not self.facts.init_program,
            "closed_sources": False,
            "seccomp": None,
            "seccomp_profile": None,
            "cgroup": self._cgroup(),
            "cgroup_files": {},
            **changes,
        }

    def play_monitor(
        self,
        runtime: list[str],
        joins: Sequence[Exec],
        meanwhile: Callable[[int], None] | None,
        typed: Sequence[tuple[str, str]],
    ) -> tuple[int, str, str, list[tuple[int, str, str]]]:
        syscalls.prctl(syscalls.PR_SET_CHILD_SUBREAPER, 1)
        try:
            return self._play_monitor(runtime, joins, meanwhile, typed)
        finally:
            if self.bundle["cgroup"]:
                cgroups.remove_with_processes(self.bundle["cgroup"])

    def _cgroup(self) -> str:
        root = cgroups.delegated_root()
        # Named after the directory, since several benches may share the groups of one user.
        work, number = os.path.split(self.directory)
        return "" if root is None else f"{root}/bench-{os.path.basename(work)}-{number}"

    def _play_monitor(
        self,
        runtime: list[str],
        joins: Sequence[Exec],
        meanwhile: Callable[[int], None] | None,
        typed: Sequence[tuple[str, str]],
    ) -> tuple[int, str, str, list[tuple[int, str, str]]]:
        ends, ours = _streams(self.config.terminal)
        if self.streams is not None:
            ends, ours = self.streams, []
        if runtime:
            container = external.make_container(
                self.bundle,
                runtime=runtime,
                run_directory=f"{self.directory}/run",
                maps=self.maps,
                user_namespace=None,
                streams=ends,
            )
            external.start(container)
        else:
            new_network = create.wants_new_network(self.bundle)
            nest = create.begin(self.maps, new_network=new_network)
            waiting = create.create(nest, self.bundle, ends)
            container = create.wait_until_ready(waiting)
            create.start(container)
        for fd in set(ends):
            os.close(fd)
        if container.terminal_fd >= 0:
            ours = [container.terminal_fd]
        try:
            if joins:
                until(lambda: _is_asleep(container.pid), "asleep")
            joined = [self._join(container, one) for one in joins]
            if meanwhile is not None:
                meanwhile(container.pid)
        except BaseException:
            processes.kill_and_reap(container.pid)
            raise
        if joins:
            os.kill(container.pid, 9)
        out, err = _read_all(ours, typed)
        _, status = os.waitpid(container.pid, 0)
        return exits.from_wait_status(status), out, err, joined

    def _join(self, container: create.Container, one: Exec) -> tuple[int, str, str]:
        process = bundle.process(
            self.config,
            self.facts.replace(window=one.window),
            one.arguments,
            self.config.environment,
            terminal=one.terminal,
            user=one.user,
            privileged=one.privileged,
        )
        if one.directory:
            process["cwd"] = one.directory
        order = {
            "id": ID,
            "container_pid": container.pid,
            "container_started": container.started,
            "namespaces": ["user", "mount", "pid", "network", "ipc", "uts", "cgroup"],
            "process": process,
            "user": (self.config.user if one.user is None else one.user) or "0",
            "groups": list(self.config.groups),
            "seccomp": None if one.privileged else self.bundle["seccomp"],
            "keep_fds": (),
            "detach": False,
            "keyring": True,
        }
        ends, ours = _streams(one.terminal)
        try:
            joined = joiner.start(order, ends, joiner.Joiner().prepare("", container.pid))
        finally:
            for fd in ends:
                os.close(fd)
        out, err = _read_all([joined.terminal_fd] if one.terminal else ours)
        _, status = os.waitpid(joined.pid, 0)
        return exits.from_wait_status(status), out, err


def _is_asleep(pid: int) -> bool:
    """Whether process 1 or a child of it has come to its `sleep`."""
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        numbers = [str(pid), *file.read().split()]
    for number in numbers:
        try:
            with open(f"/proc/{number}/comm") as file:
                if file.read() == "sleep\n":
                    return True
        except OSError:
            continue  # it has ended
    return False


def _without_network(config: dict[str, Any]) -> dict[str, Any]:
    from pod.spec.container import Networking
    from pod.spec.namespaces import Network

    return {"networking": Networking(network=Network("none")), **config}


def _streams(terminal: bool) -> tuple[tuple[int, int, int], list[int]]:
    """What the container gets, and our ends of its output."""
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    if terminal:
        return (null, os.dup(null), os.dup(null)), []
    out, out_end = os.pipe()
    err, err_end = os.pipe()
    return (null, out_end, err_end), [out, err]


def _read_all(fds: list[int], typed: Sequence[tuple[str, str]] = ()) -> tuple[str, str]:
    """What comes until the end of each, closing them. `typed` are words to wait for and what to answer, in order."""
    answers = list(typed)
    answered_to = 0
    parts = dict.fromkeys(fds, b"")
    left = set(fds)
    deadline = time.monotonic() + NOBODY_COMES_SECONDS
    while left:
        ready, _, _ = select.select(left, [], [], max(0, deadline - time.monotonic()))
        assert ready, f"no end of the output: {parts}"
        for fd in ready:
            try:
                data = os.read(fd, 65536)
            except OSError:  # a terminal that nobody has open any more
                data = b""
            parts[fd] += data
            while answers and (at := parts[fd].find(answers[0][0].encode(), answered_to)) >= 0:
                answered_to = at + len(answers[0][0])
                os.write(fd, answers.pop(0)[1].encode())
            if not data:
                left.discard(fd)
                os.close(fd)
    texts = [parts[fd].decode(errors="replace") for fd in fds] + ["", ""]
    return texts[0], texts[1]


def unpack_busybox(directory: str) -> str:
    """A root file system in `directory`, as a layer in the store would be; the path."""
    with tarfile.open(fileobj=BytesIO(busybox_layer())) as archive:
        archive.extractall(directory)
    for name in ("proc", "sys", "dev"):
        os.makedirs(os.path.join(directory, name), exist_ok=True)
    return directory
