"""Facts about the machine for `pod info`, from psutil, /proc, /sys and the programs' own `--version`."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_VERSION_SECONDS = 5
_FILE_SYSTEMS = {
    "ext2": "extfs",
    "ext3": "extfs",
    "ext4": "extfs",
}  # as podman calls them


def memory() -> dict[str, int]:
    """Memory and swap, total and free, in bytes. Free is what is available without swapping."""
    import psutil  # heavy

    main, swap = psutil.virtual_memory(), psutil.swap_memory()
    return {
        "memFree": main.available,
        "memTotal": main.total,
        "swapFree": swap.free,
        "swapTotal": swap.total,
    }


def cpu_utilization() -> dict[str, float]:
    """Percentages of time since the machine was started."""
    import psutil  # heavy

    times = psutil.cpu_times()
    parts = {
        "idlePercent": times.idle + times.iowait,
        "systemPercent": times.system + times.irq + times.softirq,
        "userPercent": times.user + times.nice,
    }
    total = max(sum(parts.values()) + times.steal, 0.01)
    return {name: round(100 * part / total, 2) for name, part in parts.items()}


def distribution() -> dict[str, str]:
    """From os-release(5)."""
    values = {}
    for path in ("/etc/os-release", "/usr/lib/os-release"):
        for line in _lines(path):
            name, equals, value = line.strip().partition("=")
            if equals:
                values[name] = value.strip("\"'")
        if values:
            break
    found = {
        "distribution": values.get("ID", "unknown"),
        "version": values.get("VERSION_ID", "unknown"),
    }
    if values.get("VERSION_CODENAME"):
        found["codename"] = values["VERSION_CODENAME"]
    if values.get("VARIANT_ID"):
        found["variant"] = values["VARIANT_ID"]
    return found


def uptime() -> str:
    """How long the machine has been running, in podman's words."""
    import time

    import psutil  # heavy

    seconds = time.time() - psutil.boot_time()
    hours, rest = divmod(int(seconds), 3600)
    minutes, left = divmod(rest, 60)
    days = f" (Approximately {seconds / 86400:.2f} days)" if hours else ""
    return f"{hours}h {minutes}m {left}.00s{days}"


def version_of(path: str) -> str:
    """What a program says when it is asked for its version; "" when there is none or it does not answer."""
    if not path:
        return ""
    import subprocess  # heavy

    from pod.linux.processes import clean_environment

    try:
        done = subprocess.run(
            [path, "--version"],
            capture_output=True,
            text=True,
            errors="replace",
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            timeout=_VERSION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (done.stdout or done.stderr).strip().partition("\n\n")[0]


def has_apparmor() -> bool:
    """Whether the kernel confines programs by AppArmor profiles."""
    return next(iter(_lines("/sys/module/apparmor/parameters/enabled")), "N").strip() == "Y"


def has_seccomp() -> bool:
    """Whether the kernel filters system calls; see proc(5), "Seccomp"."""
    return any(line.startswith("Seccomp:") for line in _lines("/proc/self/status"))


def existing_parent(path: str) -> str:
    """The path itself, or the closest directory above it that exists."""
    while not os.path.exists(path) and path != "/":
        path = os.path.dirname(path)
    return path


def file_system(path: str) -> str:
    """The type of the file system on which `path` is, such as "extfs" or "btrfs"."""
    device = os.stat(path).st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    best = ("", "unknown")
    real = os.path.realpath(path)
    for line in _lines("/proc/self/mountinfo"):
        left, _, right = line.partition(" - ")
        fields = left.split()
        place = fields[4].encode().decode("unicode_escape")  # proc(5): octal for blanks
        is_above = real == place or real.startswith(f"{place.rstrip('/')}/")
        # btrfs has other device numbers in stat(2) than in mountinfo, so the longest mount point decides then.
        if is_above and (fields[2] == number or len(place) >= len(best[0])):
            best = (place, right.split()[0])
    return _FILE_SYSTEMS.get(best[1], best[1])


def _lines(path: str) -> Iterator[str]:
    """The lines of a small file; none when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            yield from file
    except OSError:
        return
