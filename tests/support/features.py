"""What the kernel of this machine can do for an ordinary user; the names that `needs_kernel` takes.

Only what the virtual machine of tests/vm has may stand here, since it is where the tests run that skip elsewhere.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable


@functools.cache
def has(feature: str) -> bool:
    return _PROBES[feature]()


def _controller(name: str) -> Callable[[], bool]:
    return lambda: name in _own_controllers()


def _own_controllers() -> list[str]:
    """Controllers that can be used below the cgroup delegated to us."""
    top = os.environ.get("POD_TEST_CGROUP")
    if not top:
        user = os.getuid()
        top = f"/sys/fs/cgroup/user.slice/user-{user}.slice/user@{user}.service"
    try:
        with open(f"{top}/cgroup.controllers") as file:
            return file.read().split()
    except OSError:
        return []


def is_login_session() -> bool:
    """Whether the user's systemd runs and we are outside of what it manages, as after a login by ssh."""
    with open("/proc/self/cgroup") as file:
        group = file.read().rpartition("0::")[2]
    return "/session-" in group and os.path.exists(f"/run/user/{os.getuid()}/systemd/private")


def _apparmor() -> bool:
    try:
        with open("/sys/module/apparmor/parameters/enabled") as file:
            return file.read().startswith("Y")
    except OSError:
        return False


def _swap() -> bool:
    with open("/proc/swaps") as file:
        return len(file.readlines()) > 1


CLOCK = "/run/pod-test-clock"  # tests/vm/machine.py sets the clock to what is written there

_PROBES: dict[str, Callable[[], bool]] = {
    "memory controller": _controller("memory"),
    "cpu controller": _controller("cpu"),
    "cpuset controller": _controller("cpuset"),
    "io controller": _controller("io"),
    "pids controller": _controller("pids"),
    "apparmor": _apparmor,
    "swap": _swap,
    "settable clock": lambda: os.path.exists(CLOCK),
    "systemd user session": lambda: os.path.exists(f"/run/user/{os.getuid()}/systemd/private"),
}
