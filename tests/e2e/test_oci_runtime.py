"""The OCI runtime command line, and where crun has the same: runtime.md of the OCI runtime specification."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import tempfile
from collections.abc import Generator
from typing import Any

import pytest

from tests.support.bundles import unpack_busybox
from tests.support.oci import Runtime
from tests.support.places import remove_tree
from tests.support.waiting import PATIENCE, until

pytestmark = pytest.mark.not_podman(
    "it has no runtime of its own; test_podman_runtime.py calls ours"
)

SLEEP = ("sleep", "1000")


@pytest.fixture(scope="session")
def busybox_root(workspace: str) -> str:
    return unpack_busybox(os.path.join(workspace, "busybox-root"))


@pytest.fixture
def ours(workspace: str) -> Generator[Runtime]:
    """Our OCI runtime command line, with a state directory of its own."""
    yield from _runtime("pod-runtime", workspace)


@pytest.fixture(params=["pod-runtime", "crun"])
def oci(request: pytest.FixtureRequest, workspace: str) -> Generator[Runtime]:
    """Our OCI runtime command line, and crun, on which the same must hold."""
    yield from _runtime(str(request.param), workspace)


def _runtime(kind: str, workspace: str) -> Generator[Runtime]:
    work = tempfile.mkdtemp(prefix="o-", dir=workspace)
    state = tempfile.mkdtemp(prefix="os-", dir=os.environ.get("XDG_RUNTIME_DIR"))
    runtime = Runtime(kind, state, work)
    try:
        yield runtime
    finally:
        runtime.clean()
        remove_tree(work)
        remove_tree(state)


def test_created_container_waits_for_start(oci: Runtime, busybox_root: str) -> None:
    bundle = oci.bundle("sh", "-c", "echo ran >/made; sleep 1000", root=busybox_root)
    made = f"{bundle}/rootfs/made"
    oci.create("c", bundle, "--pid-file", f"{bundle}/pid")
    state = oci.state("c")
    assert state["status"] == "created"
    with open(f"{bundle}/pid") as file:
        assert int(file.read()) == state["pid"]
    assert state["bundle"] == bundle
    assert not os.path.exists(made)
    oci("start", "c")
    until(lambda: os.path.exists(made), "the command")
    assert oci.state("c")["status"] == "running"


def test_killed_container_can_be_deleted(oci: Runtime, busybox_root: str) -> None:
    oci.create("c", oci.bundle(*SLEEP, root=busybox_root))
    oci("start", "c")
    assert oci("delete", "c", status=None).returncode != 0
    oci("kill", "c", "KILL")
    oci.until_status("c", "stopped")
    assert oci("kill", "c", status=None).returncode != 0
    oci("delete", "c")
    assert oci("state", "c", status=None).returncode != 0
    assert oci("list", "-q").stdout == ""


def test_delete_force_ends_what_runs(oci: Runtime, busybox_root: str) -> None:
    oci.create("c", oci.bundle(*SLEEP, root=busybox_root))
    assert oci("list", "-q").stdout == "c\n"
    oci("delete", "--force", "c")
    oci("delete", "--force", "c")
    assert oci("list", "-q").stdout == ""


def test_start_works_once(oci: Runtime, busybox_root: str) -> None:
    oci.create("c", oci.bundle(*SLEEP, root=busybox_root))
    oci("start", "c")
    assert oci("start", "c", status=None).returncode != 0
    assert oci.state("c")["status"] == "running"


def test_name_is_taken_once(oci: Runtime, busybox_root: str) -> None:
    bundle = oci.bundle(*SLEEP, root=busybox_root)
    oci.create("c", bundle)
    assert oci("create", "--bundle", bundle, "c", status=None).returncode != 0
    assert oci.state("c")["status"] == "created"


def test_run_gives_the_status_and_leaves_nothing(oci: Runtime, busybox_root: str) -> None:
    bundle = oci.bundle("sh", "-c", "echo out; exit 7", root=busybox_root)
    assert oci("run", "--bundle", bundle, "c", status=7).stdout == "out\n"
    assert oci("list", "-q").stdout == ""


def test_exec_joins(ours: Runtime, busybox_root: str) -> None:
    ours.create("c", ours.bundle(*SLEEP, root=busybox_root, hostname="inside"))
    ours("start", "c")
    changes = ("--env", "A=b", "--cwd", "/bin")
    script = "/bin/hostname; echo $A; pwd; exit 5"
    done = ours("exec", *changes, "c", "/bin/sh", "-c", script, status=5)
    assert done.stdout == "inside\nb\n/bin\n"
    assert ours("exec", "--user", "33:44", "c", "/bin/id").stdout.startswith("uid=33 gid=44")


def test_exec_takes_a_process_file_and_detaches(oci: Runtime, busybox_root: str) -> None:
    bundle = oci.bundle(*SLEEP, root=busybox_root)
    oci.create("c", bundle)
    oci("start", "c")
    with open(f"{bundle}/process.json", "w") as file:
        json.dump(
            {
                "args": ["sleep", "500"],
                "cwd": "/",
                "env": ["PATH=/bin"],
                "user": {"uid": 0, "gid": 0},
            },
            file,
        )
    oci("exec", "-d", "--pid-file", f"{bundle}/pid", "--process", f"{bundle}/process.json", "c")
    with open(f"{bundle}/pid") as file:
        pid = file.read()
    until(lambda: _command_line(pid) == "sleep 500", "the process of the file")


def _command_line(pid: str) -> str:
    with open(f"/proc/{pid}/cmdline") as file:
        return " ".join(file.read().split("\0")).strip()


@pytest.mark.parametrize("command", ["create", "exec"])
def test_console_socket_gets_the_terminal(oci: Runtime, busybox_root: str, command: str) -> None:
    terminal = command == "create"
    script = "test -t 0 && echo 'a terminal'; sleep 1000"
    arguments = ("sh", "-c", script) if terminal else SLEEP
    bundle = oci.bundle(*arguments, root=busybox_root, process={"terminal": terminal})
    path = f"{bundle}/s"
    with _bound("s", bundle, socket.SOCK_STREAM) as listener:
        oci.create("c", bundle, *(("--console-socket", path) if terminal else ()))
        oci("start", "c")
        if not terminal:
            oci("exec", "-d", "-t", "--console-socket", path, "c", "sh", "-c", script)
        connection, _ = listener.accept()
        with connection:
            _, fds, _, _ = socket.recv_fds(connection, 100, 1)
    with open(fds[0], "rb", buffering=0) as master:
        assert stat.S_ISCHR(os.fstat(fds[0]).st_mode)
        text = b""
        while b"a terminal" not in text:
            text += master.read(100)


def test_descriptors_are_passed(oci: Runtime, busybox_root: str) -> None:
    script = "readlink /proc/self/fd/3; readlink /proc/self/fd/4 || echo none"
    bundle = oci.bundle("sh", "-c", script, root=busybox_root)
    read_fd, write_fd = os.pipe()
    command = ("run", "--preserve-fds", "1", "--bundle", bundle, "c")
    out = oci(*command, fd_3=write_fd).stdout.splitlines()
    for fd in (read_fd, write_fd):
        os.close(fd)
    assert out[0].startswith("pipe:")
    # readlink itself has none open besides.
    assert out[1] == "none"


def test_hooks_run_in_their_order(oci: Runtime, busybox_root: str) -> None:
    bundle = oci.bundle("sh", "-c", "echo command >>/log", root=busybox_root)
    root = f"{bundle}/rootfs"

    def hook(kind: str, log: str) -> dict[str, Any]:
        script = f"echo {kind} $A $(grep -o '\"status\": *\"[a-z]*\"' | tr -d ' ' ) >>{log}"
        return {
            "path": "/bin/sh",
            "args": ["sh", "-c", script],
            "env": ["A=b", "PATH=/bin:/usr/bin"],
        }

    with open(f"{bundle}/config.json") as file:
        document = json.load(file)
    outside, inside = f"{root}/log", "/log"
    document["hooks"] = {
        kind: [hook(kind, inside if kind == "startContainer" else outside)]
        for kind in (
            "prestart",
            "createRuntime",
            "createContainer",
            "startContainer",
            "poststart",
            "poststop",
        )
    }
    with open(f"{bundle}/config.json", "w") as file:
        json.dump(document, file)
    oci("run", "--bundle", bundle, "c")
    with open(outside) as file:
        lines = file.read().splitlines()
    order = [line.split()[0] for line in lines]
    # crun does not wait for the command before it goes on, and neither of us before poststart.
    assert order[:3] == ["prestart", "createRuntime", "createContainer"]
    assert sorted(order[3:6]) == ["command", "poststart", "startContainer"]
    assert order.index("startContainer") < order.index("command")
    assert order[6:] == ["poststop"]
    if oci.kind == "pod-runtime":
        said = {line.split()[0]: line.split()[2] for line in lines if line != "command"}
        assert said == {
            "prestart": '"status":"creating"',
            "createRuntime": '"status":"creating"',
            "createContainer": '"status":"creating"',
            "startContainer": '"status":"created"',
            "poststart": '"status":"running"',
            "poststop": '"status":"stopped"',
        }


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_failing_hook_fails_the_creation(oci: Runtime, busybox_root: str, kind: str) -> None:
    hooks = {kind: [{"path": "/bin/sh", "args": ["sh", "-c", "echo broken >&2; exit 3"]}]}
    bundle = oci.bundle(*SLEEP, root=busybox_root, hooks=hooks)
    done = oci("create", "--bundle", bundle, "c", status=None)
    assert done.returncode != 0
    if oci.kind == "pod-runtime":
        assert f"the {kind} hook '/bin/sh' failed with status 3: broken" in done.stderr
    assert oci("list", "-q").stdout == ""


def test_failing_hook_after_the_start_is_a_warning(ours: Runtime, busybox_root: str) -> None:
    hooks = {kind: [{"path": "/nowhere"}] for kind in ("poststart", "poststop")}
    bundle = ours.bundle("true", root=busybox_root, hooks=hooks)
    done = ours("run", "--bundle", bundle, "c")
    assert "Warning: the poststart hook '/nowhere' failed with status 127" in done.stderr
    assert "Warning: the poststop hook" in done.stderr


def test_hook_that_takes_too_long_is_ended(oci: Runtime, busybox_root: str) -> None:
    hooks = {"createRuntime": [{"path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1}]}
    bundle = oci.bundle(*SLEEP, root=busybox_root, hooks=hooks)
    assert oci("create", "--bundle", bundle, "c", status=None).returncode != 0


def test_ready_is_passed_on(ours: Runtime, busybox_root: str) -> None:
    # The one program of busybox that writes to a datagram socket; it puts words of its own before ours.
    script = """ln -s $NOTIFY_SOCKET /dev/log
        logger "$(printf 'x\\nREADY=1\\ny')"
        sleep 1000"""
    bundle = ours.bundle("sh", "-c", script, root=busybox_root)
    with _bound("notify", ours.work, socket.SOCK_DGRAM) as caller:
        env = {"NOTIFY_SOCKET": f"{ours.work}/notify"}
        ours.create("c", bundle, env=env)
        ours("start", "c", env=env)
        said = caller.recv(1000).decode().split("\n")
    assert sorted(said) == [f"MAINPID={ours.state('c')['pid']}", "READY=1"]


# Says when the process of the container, whose state comes on the standard input, is collected or can be.
_WAIT_FOR_END = r"""pid=$(sed 's/.*"pid": *\([0-9]*\).*/\1/')
    while grep -q '^State:[[:space:]]*[^Z]' /proc/$pid/status 2>/dev/null; do sleep 0.01; done"""


@pytest.mark.parametrize("has_ended", [True, False], ids=["when it has ended", "at any time"])
def test_start_does_not_wait_for_ready_of_what_ended(
    ours: Runtime, busybox_root: str, has_ended: bool
) -> None:
    hooks = {"poststart": [{"path": "/bin/sh", "args": ["sh", "-c", _WAIT_FOR_END]}]}
    bundle = ours.bundle("true", root=busybox_root, hooks=hooks if has_ended else {})
    with _bound("notify", ours.work, socket.SOCK_DGRAM):
        env = {"NOTIFY_SOCKET": f"{ours.work}/notify"}
        ours.create("c", bundle, env=env)
        done = ours("start", "c", env=env)
    assert done.stderr == ""
    ours.until_status("c", "stopped")


def test_ready_of_what_ended_is_passed_on(ours: Runtime, busybox_root: str) -> None:
    script = "ln -s $NOTIFY_SOCKET /dev/log; logger one; logger \"$(printf 'x\\nREADY=1\\ny')\""
    hooks = {"poststart": [{"path": "/bin/sh", "args": ["sh", "-c", _WAIT_FOR_END]}]}
    bundle = ours.bundle("sh", "-c", script, root=busybox_root, hooks=hooks)
    with _bound("notify", ours.work, socket.SOCK_DGRAM) as caller:
        env = {"NOTIFY_SOCKET": f"{ours.work}/notify"}
        ours.create("c", bundle, env=env)
        ours("start", "c", env=env)
        caller.settimeout(10 * PATIENCE)
        assert b"READY=1" in caller.recv(1000).split(b"\n")


def test_sockets_of_an_activation_are_passed(ours: Runtime, busybox_root: str) -> None:
    bundle = ours.bundle(
        "sh", "-c", "echo $LISTEN_FDS $LISTEN_PID; ls -l /proc/self/fd/3", root=busybox_root
    )
    with _bound("listener", ours.work, socket.SOCK_STREAM) as listener:
        out = ours(
            "run", "--bundle", bundle, "c", env={"LISTEN_FDS": "1"}, fd_3=listener.fileno()
        ).stdout
    assert out.splitlines()[0] == "1 1"
    assert "socket:" in out.splitlines()[1]


def test_scope_of_systemd_where_there_is_none(ours: Runtime, busybox_root: str) -> None:
    nobody = {"XDG_RUNTIME_DIR": ours.work, "DBUS_SESSION_BUS_ADDRESS": ""}
    bundle = ours.bundle(*SLEEP, root=busybox_root)
    for option in ("--systemd-cgroup", "--cgroup-manager=systemd"):
        done = ours("create", "--bundle", bundle, "c", status=1, env=nobody, options=(option,))
        assert done.stderr.startswith("Error: systemd gave no cgroup: it does not run here")
    path = {"cgroupsPath": "user.slice/x"}
    bundle = ours.bundle(*SLEEP, root=busybox_root, linux=path)
    done = ours("create", "--bundle", bundle, "c", status=1, options=("--systemd-cgroup",))
    assert "cgroupsPath 'user.slice/x' is not SLICE:PREFIX:NAME" in done.stderr
    assert ours("list", "-q").stdout == ""


def test_paused_container_stands_still(ours: Runtime, busybox_root: str) -> None:
    ours.create("c", ours.bundle(*SLEEP, root=busybox_root))
    ours("start", "c")
    ours("pause", "c")
    assert ours.state("c")["status"] == "paused"
    assert ours("pause", "c", status=1).stderr == (
        "Error: container 'c' cannot be paused: it is paused\n"
    )
    ours("resume", "c")
    assert ours.state("c")["status"] == "running"
    assert json.loads(ours("ps", "-f", "json", "c").stdout) == [ours.state("c")["pid"]]
    usage = json.loads(ours("events", "--stats", "c").stdout)
    assert usage["data"]["pids"]["current"] == 1


def test_update_says_what_is_wrong(ours: Runtime, busybox_root: str) -> None:
    assert "'c'" in ours("update", "--pids-limit", "7", "c", status=1).stderr
    ours.create("c", ours.bundle(*SLEEP, root=busybox_root))
    path = os.path.join(ours.work, "resources.json")
    with open(path, "w") as file:
        json.dump({"pids": {"limit": "many"}}, file)
    assert "pids.limit" in ours("update", "--resources", path, "c", status=1).stderr
    ours("delete", "--force", "c")


@pytest.mark.needs_kernel("pids controller")
def test_update_holds_at_once(ours: Runtime, busybox_root: str) -> None:
    ours.create("c", ours.bundle(*SLEEP, root=busybox_root))
    ours("start", "c")
    with open(f"/proc/{ours.state('c')['pid']}/cgroup") as file:
        group = file.read().rpartition("0::")[2].strip()
    ours("update", "--pids-limit", "7", "c")
    with open(f"/sys/fs/cgroup{group}/pids.max") as file:
        assert file.read() == "7\n"


@pytest.mark.needs_kernel("memory controller")
def test_events_tell_that_memory_ran_out(ours: Runtime, busybox_root: str) -> None:
    limits = {"linux": {"resources": {"memory": {"limit": 20 << 20, "swap": 20 << 20}}}}
    ours.create("c", ours.bundle(*SLEEP, root=busybox_root, **limits))
    ours("start", "c")
    words = [*ours.command, "events", "--interval", "1", "c"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as events:
        assert events.stdout is not None
        assert json.loads(events.stdout.readline())["type"] == "stats"
        ours("exec", "c", "sh", "-c", "head -c 50000000 /dev/zero >/dev/shm/a", status=None)
        while (event := json.loads(events.stdout.readline()))["type"] != "oom":
            pass
        assert event == {"type": "oom", "id": "c"}
        ours("kill", "c", "KILL")
        assert events.wait(60) == 0


@pytest.mark.parametrize(
    ("rule", "is_said"),
    [
        pytest.param({"allow": False, "access": "rwm"}, False, id="none but those given"),
        pytest.param(
            {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "rw"}, False, id="all"
        ),
        pytest.param(
            {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "r"}, True, id="read"
        ),
        pytest.param({"allow": False, "type": "c", "major": 1, "minor": 3}, True, id="not this"),
    ],
)
def test_rules_of_devices_that_have_no_effect_are_said(
    ours: Runtime, busybox_root: str, rule: dict[str, Any], is_said: bool
) -> None:
    bundle = ours.bundle("true", root=busybox_root, linux={"resources": {"devices": [rule]}})
    said = ours("run", "--bundle", bundle, "c").stderr
    assert said.count("'linux.resources.devices' of container 'c' has no effect") == is_said


def test_features_says_what_there_is(ours: Runtime) -> None:
    document = json.loads(ours("features").stdout)
    assert document["hooks"] == [
        "prestart",
        "createRuntime",
        "createContainer",
        "startContainer",
        "poststart",
        "poststop",
    ]
    assert {"rbind", "ro", "nosuid", "rprivate"} <= set(document["mountOptions"])
    assert "SCMP_ACT_NOTIFY" not in document["linux"]["seccomp"]["actions"]
    assert document["linux"]["cgroup"]["v2"] is True


def test_spec_runs(ours: Runtime, busybox_root: str) -> None:
    bundle = ours.bundle("true", root=busybox_root)
    os.unlink(f"{bundle}/config.json")
    ours("spec", "--rootless", "--bundle", bundle)
    with open(f"{bundle}/config.json") as file:
        document = json.load(file)
    document["process"] |= {"args": ["/bin/true"], "terminal": False}
    with open(f"{bundle}/config.json", "w") as file:
        json.dump(document, file)
    ours("run", "--bundle", bundle, "c")
    assert "exists already" in ours("spec", "--bundle", bundle, status=1).stderr


def test_personality_and_clocks(ours: Runtime, busybox_root: str) -> None:
    linux = {
        "personality": {"domain": "LINUX32"},
        "timeOffsets": {"boottime": {"secs": 1000000}},
        "namespaces": [
            {"type": kind}
            for kind in ("user", "mount", "pid", "network", "ipc", "uts", "cgroup", "time")
        ],
    }
    process = {"ioPriority": {"class": "IOPRIO_CLASS_IDLE"}, "scheduler": {"policy": "SCHED_BATCH"}}
    script = "uname -m; cut -d. -f1 /proc/uptime; ionice -p 1; cut -d' ' -f41 /proc/1/stat"
    bundle = ours.bundle("sh", "-c", script, root=busybox_root, linux=linux, process=process)
    machine, uptime, priority, policy = ours("run", "--bundle", bundle, "c").stdout.splitlines()
    assert machine != "x86_64"
    assert int(uptime) > 1000000
    assert priority.startswith("idle")
    assert policy == "3"  # SCHED_BATCH


def _bound(name: str, directory: str, kind: int) -> socket.socket:
    """A socket in the file system; its path must be short when it is made."""
    made = socket.socket(socket.AF_UNIX, kind)
    os.chdir(directory)
    try:
        made.bind(name)
    finally:
        os.chdir("/")
    if kind == socket.SOCK_STREAM:
        made.listen()
    return made
