"""Hooks: programs that are run at six moments of a container's life with its state as JSON on their standard input.

Where each runs, and what its failure means, is said by the OCI runtime specification, config.md, "POSIX-platform
Hooks": createContainer and startContainer run in the container (init.py), the others where the runtime runs.
"""

from __future__ import annotations

import os
import select

from pod.base import exits, files, log, plainjson
from pod.base.errors import PodError
from pod.linux import processes, signals
from pod.spec import monitor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
_MAY_FAIL = {"poststart", "poststop"}
_MOST_WORDS = 500


class HookFailed(PodError):
    """A hook ended with an error, was killed, or took longer than it may."""


def run_all(config: dict[str, Any], kind: str, state: str) -> None:
    """Run the hooks of one kind, one after the other; each gets `state`.

    Raises HookFailed for the first that fails. After the start of the container the others run in any case, and a
    failure is a warning.
    """
    for hook in (config.get("hooks") or {}).get(kind) or ():
        try:
            _run(hook, kind, state)
        except HookFailed as error:
            if kind not in _MAY_FAIL:
                raise
            log.warning(error.message)


_CONFIG = "config.json"


def write_bundle(run_directory: str, config: dict[str, Any]) -> None:
    """Write the configuration where the state of the container says that its bundle is. For containers with hooks."""
    os.makedirs(f"{run_directory}/{monitor.BUNDLE}", 0o700, exist_ok=True)
    files.write_json(f"{run_directory}/{monitor.BUNDLE}/{_CONFIG}", config, sync=False)


def state(
    container_id: str, run_directory: str, status: str, pid: int, config: dict[str, Any]
) -> str:
    """The state of a container of pod's own as JSON, for hooks; runtime.md of the specification, "State"."""
    return plainjson.dumps(
        {
            "ociVersion": config["ociVersion"],
            "id": container_id,
            "status": status,
            "pid": pid,
            "bundle": f"{run_directory}/{monitor.BUNDLE}",
            "annotations": config.get("annotations", {}),
        }
    )


def run_after_end(container_id: str, run_directory: str) -> None:
    """Run the poststop hooks of a container that has ended, if it has any: once, whoever notices the end."""
    path = f"{run_directory}/{monitor.BUNDLE}/{_CONFIG}"
    try:
        config = files.read_json(path)
        os.unlink(path)
    except FileNotFoundError:
        return
    run_all(config, "poststop", state(container_id, run_directory, "stopped", 0, config))


def _run(hook: dict[str, Any], kind: str, state: str) -> None:
    name = f"{kind} hook '{hook['path']}'"
    # Files in memory, not pipes: a hook may ignore its input, and may leave a process that keeps its output open.
    given, said = os.memfd_create("pod-hook-state"), os.memfd_create("pod-hook-errors")
    try:
        os.write(given, state.encode("utf-8", "surrogateescape"))
        os.lseek(given, 0, os.SEEK_SET)
        pid = _spawn(hook, given, said)
        status = _wait(pid, hook.get("timeout") or 0)
        if status is None:
            raise HookFailed(f"the {name} took longer than its {hook['timeout']} seconds")
        if status != 0:
            words = os.pread(said, _MOST_WORDS, 0).decode("utf-8", "replace").strip()
            why = f": {words}" if words else ""
            raise HookFailed(f"the {name} failed with status {status}{why}")
    finally:
        os.close(given)
        os.close(said)


def _spawn(hook: dict[str, Any], given: int, said: int) -> int:
    pid = processes.fork_raw()
    if pid:
        return pid
    try:
        os.dup2(given, 0)
        os.dup2(said, 2)
        processes.close_descriptors({0, 1, 2})
        signals.restore_defaults()
        variables = dict(entry.partition("=")[::2] for entry in hook.get("env") or ())
        os.execve(hook["path"], hook.get("args") or [hook["path"]], variables)
    except BaseException as error:  # noqa: BLE001  the process ends here
        os.write(2, f"{error}".encode("utf-8", "replace"))
    finally:
        os._exit(exits.NOT_FOUND)


def _wait(pid: int, timeout_seconds: int) -> int | None:
    """The exit status; None when the time was over, and the hook was killed."""
    if timeout_seconds > 0:
        pidfd = os.pidfd_open(pid)
        try:
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            if not poll.poll(timeout_seconds * 1000):
                processes.kill_and_reap(pid)
                return None
        finally:
            os.close(pidfd)
    _, status = os.waitpid(pid, 0)
    return exits.from_wait_status(status)
