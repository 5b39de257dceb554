"""What a container gets without asking: capabilities, mounts, hidden paths, devices, variables, limits.

Sources: podman-run(1), containers.conf(5); the OCI runtime specification, "Default Filesystems". Values
that containers.conf can change are changed by engine/configuration.py.
"""

from __future__ import annotations

from pod.base.records import Record

# Without AUDIT_WRITE, MKNOD and NET_RAW, which docker has: podman's set, containers.conf(5), "default_capabilities".
CAPABILITIES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
)
# podman-run(1), "--security-opt", unmask
MASKED_PATHS = (
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
    "/sys/fs/selinux",
)
READ_ONLY_PATHS = (
    "/proc/asound",
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
    "/sys/fs/cgroup",
)
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# "oci" is the word of systemd's container interface for any engine of this kind; it then looks at /run/.containerenv.
ENVIRONMENT = {"PATH": PATH, "container": "oci"}
TERM = "xterm"  # with --tty only
SYSCTLS = {
    "net.ipv4.ping_group_range": "0 0"
}  # ping without CAP_NET_RAW, for root of the container
ULIMITS = ("nofile=1048576", "nproc=1048576")  # as --ulimit; cut to what the caller may have
SHM_SIZE = 65_536_000  # bytes; podman's "65536k", which it counts in thousands
PIDS_LIMIT = 2048
# Bound from the host: a user cannot make device nodes. The OCI runtime specification, "Default Devices".
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
STOP_SIGNAL = "SIGTERM"
SYSTEMD_STOP_SIGNAL = "SIGRTMIN+3"
STOP_TIMEOUT_SECONDS = 10
UMASK = 0o022
DETACH_KEYS = "ctrl-p,ctrl-q"
# With --read-only, these can still be written, unless --read-only-tmpfs=false
READ_ONLY_TMPFS = ("/run", "/tmp", "/var/tmp")
SYSTEMD_TMPFS = {"/run": 0o755, "/run/lock": 0o755, "/tmp": 0o1777, "/var/log/journal": 0o755}
_INIT_PROGRAMS = frozenset(
    "/sbin/init /usr/sbin/init /usr/local/sbin/init systemd /usr/lib/systemd/systemd".split()
)


class SystemMount(Record):
    """A mount that every container has, in the words of the OCI runtime configuration."""

    target: str
    kind: str
    source: str
    options: tuple[str, ...]


# In mount order; each can be hidden by a mount that the user asked for at the same target.
MOUNTS = (
    SystemMount("/proc", "proc", "proc", ("nosuid", "noexec", "nodev")),
    SystemMount("/dev", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
    SystemMount(
        "/dev/pts",
        "devpts",
        "devpts",
        ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
    ),
    SystemMount("/dev/mqueue", "mqueue", "mqueue", ("nosuid", "noexec", "nodev")),
    SystemMount("/sys", "sysfs", "sysfs", ("nosuid", "noexec", "nodev", "ro")),
    SystemMount(
        "/sys/fs/cgroup", "cgroup", "cgroup", ("nosuid", "noexec", "nodev", "relatime", "ro")
    ),
)


def shm_mount(size_bytes: int) -> SystemMount:
    """/dev/shm of that size; 0 is no limit."""
    size = (f"size={size_bytes}",) if size_bytes else ()
    return SystemMount(
        "/dev/shm", "tmpfs", "shm", ("nosuid", "noexec", "nodev", "mode=1777", *size)
    )


def wants_systemd(mode: str, command: tuple[str, ...]) -> bool:
    """Whether a container runs in systemd mode: `mode` is --systemd ("true", "false", "always").

    With "true" it is the command's name that decides; podman-run(1), "--systemd".
    """
    if mode == "always":
        return True
    if mode == "false" or not command:
        return False
    program = command[0]
    return program in _INIT_PROGRAMS or program.rpartition("/")[2] == "systemd"
