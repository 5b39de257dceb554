"""The same bundle handed to crun, runc or any other OCI runtime (`--runtime NAME`).

Such a program wants a directory with config.json and a root file system in it, and to be root where it runs. So a
helper process stands in a user and a mount namespace of its own, mounts the root there, and runs the runtime's `create`
and `start`; what the runtime leaves running becomes a child of the monitor, a subreaper. The helper ends when the
container has started. Our own steps that have no place in config.json (looking up the user, the terminal) are done
around it.

See the OCI runtime specification, runtime.md; crun(1), runc(8).
"""

from __future__ import annotations

import json
import os
import stat

from pod.base.errors import PodError, Unsupported
from pod.linux import cgroups, idmap, inroot, mounts, processes, sockets
from pod.linux.namespaces import CLONE_NEWNS
from pod.runtime import create, execute, fuse, ownership, protocol, rootfs, user
from pod.spec import monitor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.linux.idmap import IdMap


_STATE = "runtime"
_PID_FILE = "runtime.pid"
_CONSOLE = "console"
_PART = "part"
_MAX_ERROR = 4096


class RuntimeFailed(PodError):
    """The external runtime refused the container."""


def make_container(
    bundle: dict[str, Any],
    *,
    runtime: list[str],
    run_directory: str,
    maps: tuple[IdMap, IdMap] | None,
    user_namespace: str | None,
    streams: tuple[int, int, int],
) -> create.Container:
    """Create the container with the program and global options `runtime`; it waits for `start`.

    Files of the runtime are kept in `run_directory`. Raises RuntimeFailed with the runtime's own words.
    """
    if user_namespace is not None or any("path" in entry for entry in _namespaces(bundle)):
        raise PodError(
            f"namespaces of other containers cannot be joined with the runtime '{runtime[0]}'",
            hint="leave --runtime out",
        )
    if bundle.get("keep_fds"):
        raise PodError(
            f"descriptors cannot be passed on with the runtime '{runtime[0]}'",
            hint="leave --runtime out",
        )
    if bundle["closed_sources"]:
        raise PodError(
            f"the runtime '{runtime[0]}' cannot run a container in which the caller does not exist",
            hint="leave --runtime out, or use --userns=keep-id",
        )
    for option, key in (
        ("--passwd-entry", "passwd_entry"),
        ("--group-entry", "group_entry"),
        ("--hostuser", "host_users"),
    ):
        if bundle.get(key):
            raise PodError(
                f"{option} is not possible with the runtime '{runtime[0]}'",
                hint="leave --runtime out for the built-in one",
            )
    ours, theirs = sockets.pair()
    helper = _Helper(bundle, runtime, run_directory, theirs, streams)
    cgroup = bundle["cgroup"]
    refused = create.make_cgroup(bundle) if cgroup else {}
    child = idmap.start_inside(
        helper.run,
        what="run the OCI runtime",
        maps=maps,
        keep=(theirs.fileno(), *streams),
        namespaces=CLONE_NEWNS,
    )
    theirs.close()
    try:
        (pid, servers), fds = protocol.expect(ours, protocol.PID)
    except BaseException:
        ours.close()
        child.result()  # raises the helper's own error, if it has one
        raise
    started = processes.start_time(pid)
    if started is None:
        raise protocol.Disconnected(protocol.START)
    if cgroup:
        cgroups.enter(cgroup, pid)
    terminal_fd = fds[0] if fds else -1
    return create.Container(pid, started, ours, terminal_fd, refused, servers, helper=child)


def start(container: create.Container) -> None:
    """Let the runtime start the command. The helper ends."""
    assert container.helper is not None
    try:
        protocol.send(container.channel, protocol.START, "")
    except BaseException:
        container.helper.result()  # raises the helper's own error, if it has one
        raise
    container.channel.close()
    container.helper.result()


def _namespaces(bundle: dict[str, Any]) -> list[dict[str, str]]:
    namespaces: list[dict[str, str]] = bundle["config"]["linux"]["namespaces"]
    return namespaces


class _Helper:
    """Runs as root of the container's user namespace, in a mount namespace of its own."""

    def __init__(
        self,
        bundle: dict[str, Any],
        runtime: list[str],
        run_directory: str,
        channel: sockets.Channel,
        streams: tuple[int, int, int],
    ) -> None:
        self._bundle = bundle
        self._runtime = [*runtime, "--root", f"{run_directory}/{_STATE}"]
        if os.path.basename(runtime[0]) == "crun":
            self._runtime.append(
                "--cgroup-manager=disabled"
            )  # the monitor places the container itself
        self._directory = run_directory
        self._channel = channel
        self._streams = streams

    def run(self) -> None:
        config = self._bundle["config"]
        directory = f"{self._directory}/{monitor.BUNDLE}"
        os.makedirs(directory, 0o700, exist_ok=True)
        root = config["root"]["path"]
        server = fuse.start(self._bundle["rootfs"], closed_sources=False)
        os.close(rootfs.mount_root(self._bundle["rootfs"], root, server))
        with open(
            f"{directory}/config.json", "w", encoding="utf-8", errors="surrogateescape"
        ) as file:
            json.dump(self._adapted(config, root), file)
        master = self._create(directory)
        with open(f"{self._directory}/{_PID_FILE}", encoding="ascii") as file:
            pid = int(file.read())
        servers = [] if server is None else [(server.pid, server.started)]
        self._channel.send(protocol.PID, pid, servers, fds=() if master is None else (master,))
        protocol.expect(self._channel, protocol.START)
        self._call("start", self._bundle["id"])

    def _adapted(self, config: dict[str, Any], root: str) -> dict[str, Any]:
        """The configuration for a runtime that is in the user namespace already, with the user looked up."""
        linux = {
            name: value
            for name, value in config["linux"].items()
            if name not in {"uidMappings", "gidMappings", "cgroupsPath", "resources", "devices"}
        }
        if self._bundle["cgroup"]:
            # runc makes one in any case; told where, it uses ours, which the monitor removes.
            linux["cgroupsPath"] = self._bundle["cgroup"].removeprefix(cgroups.MOUNT)
        linux["namespaces"] = [entry for entry in linux["namespaces"] if entry["type"] != "user"]
        if self._bundle["seccomp_profile"] is not None:
            linux["seccomp"] = self._bundle["seccomp_profile"]
        process = dict(config["process"])
        found = processes.fork(
            lambda: _look_up(root, self._bundle, process), what="look the container's user up"
        ).result()
        process["user"] = {**process["user"], **found["user"]}
        process["env"] = found["env"]
        if given := self._bundle.get("given_away"):
            self._give_away(given, process["user"]["uid"], process["user"]["gid"])
        devices = [
            {
                "destination": device["path"],
                "type": "bind",
                "source": device["pod_source"],
                "options": ["bind"],
            }
            for device in config["linux"]["devices"]
            if device["path"]
            not in {
                "/dev/null",
                "/dev/zero",
                "/dev/full",
                "/dev/random",
                "/dev/urandom",
                "/dev/tty",
            }
        ]
        return {
            **config,
            "linux": linux,
            "process": process,
            "mounts": [self._plain(entry, number) for number, entry in enumerate(config["mounts"])]
            + devices,
        }

    def _plain(self, entry: dict[str, Any], number: int) -> dict[str, Any]:
        """A mount without the words that only our own runtime knows; a part of its source is mounted aside for it."""
        plain = {
            **entry,
            "options": [word for word in entry["options"] if word not in {"tmpcopyup", "rro"}],
        }
        subpath = plain.pop("pod_subpath", "")
        if not subpath:
            return plain
        if entry["type"] == "overlay":
            raise Unsupported(
                f"subpath of the mount on '{entry['destination']}'",
                "another runtime makes this mount",
                hint="leave --runtime out",
            )
        plain["source"] = f"{self._directory}/{_PART}-{number}"
        try:
            _mount_part(entry["source"], subpath, plain["source"])
        except OSError as error:
            raise rootfs.MountFailed(
                f"{entry['source']}/{subpath}", entry["destination"], error
            ) from error
        return plain

    def _give_away(self, places: list[str], uid: int, gid: int) -> None:
        """As our own runtime does behind the mounts, which here are not made yet: so to their sources."""
        for entry in self._bundle["config"]["mounts"]:
            if entry["destination"] not in places:
                continue
            if entry["type"] == "tmpfs":
                entry["options"] = [*entry["options"], f"uid={uid}", f"gid={gid}"]
            elif entry["type"] == "bind" and not entry.get("pod_subpath"):
                ownership.give([entry["source"]], uid, gid, ())
            else:
                raise Unsupported(
                    f"option U of the mount on '{entry['destination']}'",
                    "another runtime makes this mount",
                    hint="leave --runtime out",
                )

    def _create(self, directory: str) -> int | None:
        """Run the runtime's `create`; the master of the container's terminal, if it has one."""
        words = ["create", "--bundle", directory, "--pid-file", f"{self._directory}/{_PID_FILE}"]
        if self._bundle.get("no_pivot"):
            words.append("--no-pivot")
        if not self._bundle["config"]["process"].get("terminal"):
            self._call(*words, self._bundle["id"])
            return None
        listener = sockets.DescriptorListener(self._directory, _CONSOLE)
        try:
            # Relative to the bundle, where runtimes go first: the path of a socket must be short, unix(7).
            self._call(*words, "--console-socket", f"../{_CONSOLE}", self._bundle["id"])
            master = listener.take()
        finally:
            listener.close()
        if master is None:
            raise RuntimeFailed(f"'{self._runtime[0]}' did not pass the container's terminal")
        return master

    def _call(self, *words: str) -> None:
        """Run the runtime with the container's streams; its complaints come back in the error."""
        log_path = f"{self._directory}/runtime.log"
        pid = processes.spawn(
            [*self._runtime, "--log", log_path, *words],
            streams=self._streams,
            directory=self._directory,
            environment={**processes.clean_environment(), "XDG_RUNTIME_DIR": self._directory},
        )
        _, status = os.waitpid(pid, 0)
        if status != 0:
            name = os.path.basename(self._runtime[0])
            words_of_runtime = _read(log_path).splitlines()
            raise RuntimeFailed(
                f"{name} could not {words[0]} the container: {(words_of_runtime or ['it gave no reason'])[-1]}"
            )


def _look_up(root: str, bundle: dict[str, Any], process: dict[str, Any]) -> dict[str, Any]:
    """In a child of its own, since the change of root cannot be taken back."""
    os.chroot(root)
    os.chdir("/")
    identity = user.Accounts().resolve(bundle["user"], bundle["groups"], process["user"])
    environment = user.with_home(process["env"], identity)
    execute.check(process["args"], environment, process["cwd"])
    return {
        "user": {
            "uid": identity.uid,
            "gid": identity.gid,
            "additionalGids": list(identity.groups or ()),
        },
        "env": environment,
    }


def _mount_part(source: str, subpath: str, target: str) -> None:
    """Mount what is at `subpath` inside `source` on the file or directory `target`, which is ours."""
    source_fd = os.open(source, os.O_PATH | os.O_CLOEXEC)
    try:
        part_fd = inroot.open_path(source_fd, subpath)
    finally:
        os.close(source_fd)
    try:
        if stat.S_ISDIR(os.fstat(part_fd).st_mode):
            os.makedirs(target, 0o700, exist_ok=True)  # it is there when the container starts again
        else:
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        mounts.bind(mounts.fd_path(part_fd), target)
    finally:
        os.close(part_fd)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()[-_MAX_ERROR:].strip()
    except FileNotFoundError:
        return ""
