"""Attempts to get out of a container, made by programs in real containers. Each is known from another engine.

The attackers are Python programs that run on the host's own interpreter and libraries, mounted read-only, as root of a
container with the default options; what they report is JSON. An attack that has to win a race is repeated; that it does
win where the defence is missing was tried by taking each defence away.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.support.engine import TREE, Engine
from tests.support.images import busybox_layer
from tests.support.layout import Entry, Layout, layer_tar, symlink
from tests.support.own_interpreter import *  # noqa: F403

# With them, the host's /usr/bin/python3 runs in a container of busybox.
HOST_PROGRAMS = [
    word
    for path in ("/usr", "/lib", "/lib64")
    if os.path.isdir(path)
    for word in ("-v", f"{path}:{path}:ro")
]


PYTHON = "/usr/bin/python3"


PROFILES = ["default", "shipped"]


@pytest.fixture
def box(pod: Engine) -> Generator[Engine]:
    """A running container "box" in which the host's Python works."""
    pod(
        "run",
        "-d",
        "--network",
        "none",
        "--name",
        "box",
        *HOST_PROGRAMS,
        "busybox",
        "sleep",
        "1000",
    )
    yield pod
    pod("rm", "-f", "-t", "0", "box")


@pytest.fixture(scope="module")
def hostile(workspace: str) -> str:
    """A docker-archive of an image with commands and links that reach for what is behind them."""
    layout = Layout(os.path.join(workspace, "hostile"))
    layers = [
        layout.add_layer(busybox_layer()),
        layout.add_layer(
            layer_tar(
                [
                    Entry("script", b"#!/proc/self/exe\n" + OVERWRITE.encode(), mode=0o755),
                    symlink("link", "/proc/self/exe"),
                    Entry("overwrite.py", OVERWRITE.encode()),
                    Entry("set-id", Path("/usr/bin/id").read_bytes(), mode=0o4755),
                    symlink("up", "../../../../../../../.."),
                    symlink("root", "/proc/1/root"),
                    symlink("cwd", "/proc/self/cwd"),
                    symlink("fd", "/proc/self/fd"),
                    symlink("host", "/../../var/tmp"),
                ]
            )
        ),
    ]
    environment = ["PATH=/bin", "PYTHONHOME=/usr"]
    image = layout.add_image(layers, {"Cmd": ["sh"], "Env": environment})
    path = os.path.join(workspace, "hostile.tar")
    return image.docker_archive(path, ["docker.io/library/hostile:latest"])


@pytest.fixture
def hostile_image(pod: Engine, hostile: str) -> str:
    pod("load", "-q", "-i", hostile)
    return "hostile"


# The interpreter (CVE-2019-5736)

# Runs on the engine's own interpreter, in the container: opens it, and writes to it when nobody executes it any more.
OVERWRITE = """
import os, sys
fd = os.open("/proc/self/exe", os.O_PATH)
os.set_inheritable(fd, True)
program = '''
import os
for change in (lambda p: os.chmod(p, 0o777), lambda p: os.truncate(p, 0),
               lambda p: os.write(os.open(p, os.O_WRONLY), b"#!/bin/evil"),
               lambda p: os.write(os.open(p, os.O_RDWR | os.O_TRUNC), b"#!/bin/evil")):
    try:
        change("/proc/self/fd/%d")
        print("changed")
    except OSError as error:
        print("refused")
''' % fd
try:
    os.open("/proc/self/exe", os.O_RDWR)
    print("opened while it runs")
except OSError:
    print("busy")
sys.stdout.flush()
os.execv("/usr/bin/python3", ["python3", "-c", program])
"""


@pytest.mark.not_podman("it has no interpreter")
@pytest.mark.parametrize(
    ("way", "command"),
    [
        pytest.param("run", ["/script"], id="run"),
        pytest.param("run", ["/link", "/overwrite.py"], id="run-symlink"),
        pytest.param("start", ["/script"], id="start"),
        pytest.param("second", ["/script"], id="second"),
        pytest.param("exec", ["/script"], id="exec"),
        pytest.param("exec", ["/link", "/overwrite.py"], id="exec-symlink"),
    ],
)
def test_interpreter_cannot_be_overwritten(
    own_pod: Engine, hostile_image: str, command: list[str], way: str
) -> None:
    words = ["--network", "none", *HOST_PROGRAMS, hostile_image, *command]
    if way == "run":
        out = own_pod("run", "--rm", *words).out
    elif way == "exec":
        own_pod("run", "-d", "--name", "box", *words[: -len(command)], "sleep", "1000")
        out = own_pod("exec", "box", *command).out
    else:
        own_pod("create", "--name", "first", "--network", "none", "busybox", "true")
        own_pod("create", "--name", "box", *words)
        own_pod(
            "start", *(["first"] if way == "second" else []), "box"
        )  # the second has a monitor of another kind
        own_pod("wait", "box")
        out = own_pod("logs", "box").out
    # What is written is a copy in memory, which may be "opened" but not changed; its mode does not matter.
    lines = out.split()
    assert lines[0] == "busy" and "refused" in lines, out
    assert lines[2:] == ["refused"] * 3, out


# Newcomers: what a process of the container can do to one that `exec` brings in, before it is the command

# Their numbers are the next ones; some are over before they were seen. Prints, in the end, which program each one was
# when it could be looked into.
WATCH = """
import ctypes, json, os
libc = ctypes.CDLL(None, use_errno=True)
found = set()
def note(how, pid):
    try:
        found.add(how + " " + os.readlink(f"/proc/{pid}/exe"))
        if how == "exe":
            open("/tmp/seen", "w").close()
    except OSError:
        pass
def attack(pid):
    note("exe", pid)
    for name, flags in (("mem", os.O_RDWR), ("exe", os.O_RDONLY), ("fd/0", os.O_RDONLY | os.O_NONBLOCK),
                        ("fd/4", os.O_RDONLY | os.O_NONBLOCK), ("cwd", os.O_PATH), ("root", os.O_PATH)):
        try:
            os.close(os.open(f"/proc/{pid}/{name}", flags))
            note(name, pid)
        except OSError:
            pass
    if libc.ptrace(0x4206, pid, None, None) == 0:  # SEIZE
        libc.ptrace(0x4207, pid, None, None)  # INTERRUPT
        try:
            os.waitpid(pid, 0x40000000)
        except OSError:
            return
        note("ptrace", pid)
        libc.ptrace(17, pid, None, None)  # DETACH
pid = os.getpid() + 1
print("watching", flush=True)
while not os.path.exists("/tmp/enough"):
    for newcomer in range(pid, pid + 64):
        while os.path.exists(f"/proc/{newcomer}"):
            attack(newcomer)
            pid = newcomer + 1
print(json.dumps(sorted(found)))
"""


def test_process_that_joins_cannot_be_looked_into(box: Engine) -> None:
    with box.spawn("exec", "-i", "box", PYTHON, "-c", WATCH) as watcher:
        assert watcher.stdout is not None and watcher.stdout.readline() == b"watching\n"
        for _ in range(8):
            box("exec", "box", "/bin/true")
            box("exec", "--user", "1000", "--privileged", "box", "/bin/true")
        script = "until test -e /tmp/seen; do :; done; touch /tmp/enough"
        box("exec", "box", "/bin/sh", "-c", script)
        found = json.loads(watcher.stdout.read())
    assert "exe /bin/busybox" in found, "it saw none of them"
    assert {line.split()[1] for line in found} == {"/bin/busybox"}, found


@pytest.fixture
def outside(tmp_path: Path) -> str:
    (tmp_path / "outside").touch()
    return str(tmp_path)


# Links at the places where something is mounted (CVE-2019-19921, CVE-2021-30465)


def test_links_of_an_image_lead_nowhere_out(
    pod: Engine, hostile_image: str, tmp_path: Path
) -> None:
    source, target = tmp_path / "source", str(tmp_path / "elsewhere")
    source.mkdir()
    (source / "file").touch()
    os.mkdir(target)
    inside = target.lstrip("/")
    for way in ("up", "root", "cwd", "fd/3", "fd/5", f"host/../../{inside}"):
        place = f"/{way}/{inside}/new"
        for words in (
            ["-v", f"{source}:{place}", "--tmpfs", f"{place}2", "-w", f"{place}3"],
            ["-v", f"{source}/file:{place}", "--device", f"/dev/null:{place}2"],
        ):
            result = pod(
                "run", "--rm", "--network", "none", *words, hostile_image, "true", status=None
            )
            assert os.listdir(target) == [], f"{words}: {result}"
            if pod.kind == "pod" and way.startswith(
                ("up", "host")
            ):  # these stay inside by themselves
                assert result.status == 0, result


def test_links_in_a_volume_lead_nowhere_out(pod: Engine, tmp_path: Path) -> None:
    target = str(tmp_path / "elsewhere")
    os.mkdir(target)
    Path(target, "secret").write_text("secret")
    links = f"ln -s {target} /v/away; ln -s / /v/top; ln -s /proc/1/root /v/root; ln -s ../../../.. /v/up"
    run = ["run", "--rm", "--network", "none"]
    pod(*run, "-v", "vol:/v", "busybox", "sh", "-c", links)
    for place in ("away", f"top{target}", f"root{target}", f"up{target}"):
        words = ["-v", "vol:/v", "-v", f"{tmp_path}:/v/{place}/new"]
        result = pod(*run, *words, "busybox", "true", status=None)
        assert os.listdir(target) == ["secret"], result
        if pod.kind == "pod":  # podman 4.3 has no subpath
            mount = f"type=volume,src=vol,dst=/m,subpath={place}"
            result = pod(*run, "--mount", mount, "busybox", "ls", "/m", status=None)
            assert "secret" not in result.stdout, result


# Swaps, as fast as it can, a directory of the volume with a link to another place.
SWAP = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
os.makedirs("/v/a/b")
os.makedirs("/v/z/b")
os.symlink("/v/z", "/v/link")
print("swapping", flush=True)
while True:
    libc.renameat2(-100, b"/v/a", -100, b"/v/link", 2)  # RENAME_EXCHANGE
"""


def test_read_only_mount_stays_so_while_its_target_is_swapped(pod: Engine, tmp_path: Path) -> None:
    words = ["--name", "swapper", "--network", "none", "-v", "vol:/v", *HOST_PROGRAMS, "busybox"]
    with pod.spawn("run", "--rm", *words, PYTHON, "-c", SWAP) as swapper:
        assert swapper.stdout is not None and swapper.stdout.readline() == b"swapping\n"
        mounts = ["-v", "vol:/v", "-v", f"{tmp_path}:/v/a/b:ro"]
        script = "for d in /v/a/b /v/z/b /v/link/b; do touch $d/new; mkdir -p $d/newer; done"
        for _ in range(4):
            pod(
                "run",
                "--rm",
                "--network",
                "none",
                *mounts,
                "busybox",
                "sh",
                "-c",
                script,
                status=None,
            )
            assert os.listdir(tmp_path) == []
        pod("rm", "-f", "-t", "0", "swapper")


# The kernel's interfaces: what is masked, and system calls that rearrange namespaces or reach other processes' keys

# What the process that is told to attack is allowed is printed as {attempt: "" or why not}.
ATTEMPTS = """
import ctypes, json, os, sys
libc = ctypes.CDLL(None, use_errno=True)
results = {}
def attempt(name, call, *words):
    ctypes.set_errno(0)
    try:
        result = call(*words)
    except OSError as error:
        results[name] = os.strerror(error.errno)
    else:
        results[name] = os.strerror(ctypes.get_errno()) if result == -1 else ""
def write(path, text="1"):
    with open(path, "w") as file:
        file.write(text)
def mount(name, source, target, kind, flags, data=None):
    attempt(name, libc.mount, source, target, kind, flags, data)
def in_new_namespaces(name, function):
    # As root of a user namespace of its own, where that can be had.
    read, write_fd = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            results.clear()
            if libc.unshare(0x10000000 | 0x20000) == -1:
                os._exit(0)
            function()
            os.write(write_fd, json.dumps(results).encode())
        finally:
            os._exit(0)
    os.close(write_fd)
    with open(read) as file:
        text = file.read()
    os.waitpid(pid, 0)
    results.update({f"{name}: {key}": value for key, value in json.loads(text or "{}").items()})
READ_ONLY, REMOUNT, BIND, REC, MOVE = 1, 32, 4096, 16384, 8192
def mounts():
    mount("tmpfs", b"tmpfs", b"/home", b"tmpfs", 0)
    mount("bind", b"/", b"/home", None, BIND | REC)
def reveal():
    for path in (b"/proc/kcore", b"/proc/keys", b"/proc/sys", b"/sys/firmware", b"/sys"):
        name = path.decode()
        attempt("umount " + name, libc.umount2, path, 2)
        attempt("umount expire " + name, libc.umount2, path, 8)
        mount("remount rw " + name, None, path, None, REMOUNT)
        mount("remount bind rw " + name, None, path, None, REMOUNT | BIND)
        mount("move " + name, path, b"/home", None, MOVE)
    mount("fresh proc", b"proc", b"/home", b"proc", 0)
    mount("fresh sysfs", b"sysfs", b"/home", b"sysfs", 0)
    mount("bind of proc alone", b"/proc", b"/home", None, BIND)
    mount("read-only mount rw", None, b"/usr", None, REMOUNT | BIND)
def write_protected():
    for path in ("/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/domainname",
                 "/proc/sys/net/ipv4/ip_forward", "/sys/kernel/uevent_helper", "/proc/irq/default_smp_affinity",
                 "/sys/fs/cgroup/cgroup.procs", "/usr/new"):
        attempt("write " + path, write, path)
def read_masked():
    for path in ("/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/latency_stats"):
        if os.path.exists(path):
            with open(path, "rb") as file:
                results["read " + path] = "" if file.read(1) else "empty"
    for path in ("/proc/acpi", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"):
        if os.path.isdir(path):
            results["list " + path] = "" if os.listdir(path) else "empty"
SYSCALLS = {
    # name: (x86_64, aarch64, arguments)
    "key of the session": (250, 219, (10, -3, b"user", b"pod-test-secret", 0)),
    "key of the user": (250, 219, (10, -4, b"user", b"pod-test-secret", 0)),
    "kexec_load": (246, 104, (0, 0, 0, 0)),
    "init_module": (175, 105, (b"x", 1, b"")),
    "bpf": (321, 280, (0, b"\\0" * 64, 64)),
    "perf_event_open": (298, 241, (b"\\0" * 112, 0, -1, -1, 0)),
    "userfaultfd": (323, 282, (0,)),
    "open_by_handle_at": (304, 265, (-100, b"\\x08\\0\\0\\0\\x01\\0\\0\\0" + b"\\0" * 8, 0)),
    "settimeofday": (164, 170, (b"\\0" * 16, 0)),
    "reboot": (169, 142, (0xfee1dead, 672274793, 0, 0)),
    "swapon": (167, 224, (b"/etc/passwd", 0)),
    "acct": (163, 89, (b"/tmp/acct",)),
    "quotactl": (179, 60, (0x800007, 0, 0, 0)),
    "syslog": (103, 116, (3, b"\\0" * 64, 64)),
    "io_uring_setup": (425, 425, (1, b"\\0" * 120)),
}
for name, (intel, arm, words) in SYSCALLS.items():
    number = intel if os.uname().machine == "x86_64" else arm
    attempt(name, libc.syscall, number, *words)
attempt("mknod", os.mknod, "/tmp/disk", 0o60600, os.makedev(254, 0))
attempt("iopl", libc.iopl, 3) if hasattr(libc, "iopl") else None
mounts(); reveal(); write_protected(); read_masked()
attempt("pivot_root", libc.syscall, 155 if os.uname().machine == "x86_64" else 41, b"/usr", b"/usr")
in_new_namespaces("nested", lambda: (mounts(), reveal(), write_protected(), read_masked()))
os.mkdir("/tmp/c")
os.chroot("/tmp/c")
os.chdir("../../../../..")
attempt("chroot out", os.stat, OUTSIDE)
print(json.dumps(results))
"""


@pytest.fixture
def secret_key() -> Generator[None]:
    """A key in the keyrings of the caller's session and user."""
    add_key, keyctl = {"x86_64": (248, 250), "aarch64": (217, 219)}[os.uname().machine]
    libc = ctypes.CDLL(None, use_errno=True)
    unlink, keyrings = 9, (-3, -4)
    keys = [libc.syscall(add_key, b"user", b"pod-test-secret", b"x", 1, ring) for ring in keyrings]
    assert min(keys) > 0
    yield
    for key, ring in zip(keys, keyrings, strict=True):
        libc.syscall(keyctl, unlink, key, ring)


@pytest.mark.parametrize("profile", PROFILES)
def test_what_the_default_profile_and_capabilities_refuse(
    pod: Engine, profile: str, outside: str, secret_key: None
) -> None:
    options = (
        [] if profile == "default" else ["--security-opt", f"seccomp={TREE}/conf/seccomp.json"]
    )
    words = ["--rm", "--network", "none", *HOST_PROGRAMS, *options, "busybox"]
    program = ATTEMPTS.replace("OUTSIDE", repr(outside.lstrip("/")))
    results = pod("run", *words, PYTHON, "-c", program).json()
    # The distribution's profile lets anyone be root of a user namespace, and mount what is visible already.
    # Over /proc/keys lies a null device, which may be written.
    nested = {"nested: tmpfs", "nested: bind", "nested: remount bind rw /proc/keys"}
    assert {name for name, why in results.items() if not why} <= nested, results
    assert results["read /proc/keys"] == "empty"  # the attacks were made
    assert results["key of the session"] in map(os.strerror, (errno.ENOKEY, errno.EPERM))


@pytest.mark.parametrize(
    ("options", "effective"),
    [
        pytest.param([], "euid=0(root)", id="usual"),
        pytest.param(["--security-opt", "no-new-privileges"], "", id="no_new_privs"),
    ],
)
def test_set_user_id_program(
    pod: Engine, hostile_image: str, options: list[str], effective: str
) -> None:
    words = ["--network", "none", "--user", "daemon", *HOST_PROGRAMS, *options, hostile_image]
    out = pod("run", "--rm", *words, "/set-id").out
    assert out.startswith("uid=1(daemon)") and (
        effective in out if effective else "euid" not in out
    )
    pod("run", "-d", "--name", "box", *words, "sleep", "1000")
    joined = pod("exec", "box", "/set-id").out
    assert joined == out
    bounding = "grep -e CapEff -e CapBnd -e NoNewPrivs -e Seccomp: /proc/self/status"
    assert pod("exec", "box", "sh", "-c", bounding).out == pod(
        "run", "--rm", *words, "sh", "-c", bounding
    ).out  # fmt: skip
    pod("rm", "-f", "-t", "0", "box")
