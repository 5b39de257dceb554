"""exec: another process in a container that runs. See crun(1), "exec"."""

from __future__ import annotations

import os

from pod.base import files
from pod.base.errors import PodError, UsageError
from pod.runtime.command import bundles, shape, states, terminals
from pod.runtime.joiner import Joiner, start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.runtime.command.grammar import Given
    from pod.runtime.command.states import Saved, States


def execute(store: States, given: Given) -> int:
    """Start the process and, unless it is detached, wait for it: its exit status."""
    if not given.words:
        raise UsageError("exec needs the name of a container")
    name, *arguments = given.words
    saved = store.load(name)
    status = store.status(saved)
    if status not in {"running", "created"}:
        raise PodError(f"no process can be started in container '{name}': it is {status}")
    config = store.config(name)
    process = _process(config, given, arguments)
    count = given.number("preserve-fds") or 0
    keep_fds = tuple(terminals.open_descriptors(count))
    detach = given.has("detach")
    console = given.text("console-socket")
    if process.get("terminal") and detach and not console:
        raise PodError("a detached process with a terminal needs --console-socket PATH")
    joiner, cgroup = Joiner(), _cgroup(saved, given.text("cgroup"))
    if ".scope/" in cgroup:
        from pod.linux import scopes  # heavy

        scopes.attach(scopes.manager_bus(), cgroup, joiner.pid, saved.pid)
        cgroup = ""
    joiner.prepare(cgroup, saved.pid, keep_fds)
    joined = start(_order(store, saved, config, process, keep_fds, detach), (0, 1, 2), joiner)
    if given.text("pid-file"):
        text = str(joined.inner_pid).encode()
        files.write_atomic(given.text("pid-file"), text, mode=0o644, sync=False)
    if joined.terminal_fd >= 0 and console:
        terminals.pass_on(joined.terminal_fd, console)
    if detach:
        os.waitpid(joined.pid, 0)  # our side of the fork, which has left
        return 0
    if joined.terminal_fd >= 0 and not console:
        return terminals.show(joined.terminal_fd, joined.pid)
    return terminals.wait(joined.pid, signalled=joined.inner_pid)


def _process(config: dict[str, Any], given: Given, arguments: list[str]) -> dict[str, Any]:
    """The `process` object: that of --process, or the container's own with what the command line changes."""
    if path := given.text("process"):
        if arguments:
            raise UsageError("--process and a command exclude each other")
        document = shape.checked(bundles.read_document(path), shape.PROCESS, "process")
        shape.require({"process": document}, "process.cwd", "process.user")
        bundles.check_process(document)
        return dict(document)
    if not arguments:
        raise UsageError("exec needs a command, or --process FILE")
    process = {**config["process"], "args": arguments, "terminal": given.has("tty")}
    process.pop("consoleSize", None)
    if given.text("cwd"):
        process["cwd"] = given.text("cwd")
    process["env"] = [*process["env"], *given.texts("env")]
    if given.text("user"):
        process["user"] = _user(given.text("user"))
    if given.has("no-new-privs"):
        process["noNewPrivileges"] = True
    if given.text("apparmor"):
        process["apparmorProfile"] = given.text("apparmor")
    if given.text("process-label"):
        process["selinuxLabel"] = given.text("process-label")
    for capability in given.texts("cap"):
        sets = process.setdefault("capabilities", {})
        for kind in ("bounding", "effective", "permitted", "inheritable", "ambient"):
            sets[kind] = [*sets.get(kind, ()), capability]
    process = dict(shape.checked(process, shape.PROCESS, "process"))
    bundles.check_process(process)
    return process


def _user(text: str) -> dict[str, int]:
    uid, colon, gid = text.partition(":")
    if not uid.isdecimal() or (colon and not gid.isdecimal()):
        raise UsageError(f"--user '{text}' is not UID or UID:GID")
    return {"uid": int(uid), "gid": int(gid or 0)}


def _cgroup(saved: Saved, below: str) -> str:
    if not below or not saved.cgroup:
        return saved.cgroup
    if ".." in below.split("/"):
        raise UsageError(f"--cgroup '{below}' is not below the cgroup of the container")
    return f"{saved.cgroup}/{below.strip('/')}"


def _order(
    store: States,
    saved: Saved,
    config: dict[str, Any],
    process: dict[str, Any],
    keep_fds: tuple[int, ...],
    detach: bool,
) -> dict[str, Any]:
    program = f"{store.directory(saved.id)}/{states.SECCOMP}"
    return {
        "id": saved.id,
        "container_pid": saved.pid,
        "container_started": saved.started,
        "namespaces": [entry["type"] for entry in config["linux"]["namespaces"]],
        "process": process,
        "user": "",
        "groups": [],
        "seccomp": program if os.path.exists(program) else None,
        "keep_fds": keep_fds,
        "keyring": saved.keyring,
        "detach": detach,
    }
