"""A cgroup from the user's systemd, for callers outside of what is delegated to them, such as a login by ssh.

The monitor asks the user manager over D-Bus for a scope with itself in it (StartTransientUnit,
org.freedesktop.systemd1(5), "Delegate=" in systemd.resource-control(5)), and makes groups for itself and the container
there; whoever starts the holder of the networks asks for one for that. A scope ends when nothing is left in it. A
process of `pod exec` is moved into it the same way. Only imported when that is needed.
"""

from __future__ import annotations

import errno
import os
import time

from pod.base import log
from pod.base.errors import PodError
from pod.linux import cgroups

_SECONDS = 10.0  # that systemd may take
_LOOK_SECONDS = 0.002
_BOOTED = "/run/systemd/system"  # sd_booted(3)
_EXISTS = "org.freedesktop.systemd1.UnitExists"
_MONITOR, _CONTAINER = "monitor", "container"


class ScopeRefused(PodError):
    """systemd did not make the scope."""

    def __init__(self, why: str) -> None:
        super().__init__(f"systemd gave no cgroup: {why}", hint="systemctl --user status")


def enter_new(scope: dict[str, str]) -> str:
    """Move this process into a new scope; the directory in which the container's cgroup can be made.

    `scope`: "unit" (its name), "slice", "bus" (address), "description". Raises ScopeRefused.
    """
    deadline = time.monotonic() + _SECONDS
    start(scope, [os.getpid()], delegate=True)
    while os.path.basename(group := cgroups.own_group() or "") != scope["unit"]:
        if time.monotonic() > deadline:
            raise ScopeRefused(f"unit {scope['unit']} was not started within {_SECONDS:.0f} s")
        time.sleep(_LOOK_SECONDS)
    directory = cgroups.MOUNT + group
    try:
        # A group with processes of its own could give no controllers to the container's.
        os.mkdir(f"{directory}/{_MONITOR}")
        cgroups.enter(f"{directory}/{_MONITOR}", 0)
    except OSError as error:
        raise ScopeRefused(f"'{directory}' cannot be used: {error.strerror}") from error
    return f"{directory}/{_CONTAINER}"


def start(scope: dict[str, str], pids: list[int], *, delegate: bool) -> None:
    """Ask for a scope with these processes in it, where they will be soon. Raises ScopeRefused."""
    properties: list[tuple[str, tuple[str, object]]] = [
        ("Description", ("s", scope["description"])),
        ("Slice", ("s", scope["slice"])),
        ("Delegate", ("b", delegate)),
        ("CollectMode", ("s", "inactive-or-failed")),
        ("PIDs", ("au", pids)),
    ]
    body: tuple[object, ...] = (scope["unit"], "fail", properties, [])
    deadline = time.monotonic() + _SECONDS
    while not _call(scope["bus"], "StartTransientUnit", "ssa(sv)a(sa(sv))", body):
        # The one of the run before, whose processes are just leaving it.
        if time.monotonic() > deadline:
            raise ScopeRefused(f"unit {scope['unit']} is still there")
        time.sleep(_LOOK_SECONDS)


def attach(bus: str, cgroup: str, pid: int, init_pid: int) -> None:
    """Move a process of ours into a container's cgroup in a scope, or into that of its process `init_pid` there.

    Where that fails, it stays where it is.
    """
    place = cgroups.place_of(cgroup, init_pid)
    try:
        cgroups.enter(place, pid)
        return
    except OSError as error:
        if error.errno not in {errno.EACCES, errno.EPERM, errno.ENOENT}:
            raise
    scope = os.path.dirname(cgroup)
    try:
        if not bus:
            raise ScopeRefused("the user has no D-Bus here")
        below = place.removeprefix(scope)
        _call(bus, "AttachProcessesToUnit", "ssau", (os.path.basename(scope), below, [pid]))
    except ScopeRefused as error:
        log.info(f"the process is not in the container's cgroup: {error}")


def user_bus() -> str:
    """The address of the user's D-Bus, to which systemd's user manager listens; "" where there is none."""
    address = os.environ.get("DBUS_SESSION_BUS_ADDRESS", "")
    if address.startswith("unix:path="):
        path = address.removeprefix("unix:path=").partition(",")[0].partition(";")[0]
    else:
        path = f"{os.environ.get('XDG_RUNTIME_DIR') or f'/run/user/{os.getuid()}'}/bus"
    # The manager's own socket: a bus without it belongs to a desktop without systemd.
    manager = f"{os.path.dirname(path)}/systemd/private"
    return f"unix:path={path}" if os.path.exists(path) and os.path.exists(manager) else ""


def manager_bus() -> str:
    """The address of the D-Bus of who gives scopes: for root the system's; "" where there is none."""
    if os.geteuid() != 0:
        return user_bus()
    path = "/run/dbus/system_bus_socket"
    return f"unix:path={path}" if os.path.exists(path) and os.path.exists(_BOOTED) else ""


def _call(bus: str, method: str, signature: str, body: tuple[object, ...]) -> bool:
    """Call a method of the user manager; False when the unit exists already. Raises ScopeRefused."""
    from jeepney import DBusAddress, new_method_call
    from jeepney.io.blocking import open_dbus_connection
    from jeepney.wrappers import DBusErrorResponse, unwrap_msg

    manager = DBusAddress(
        "/org/freedesktop/systemd1", "org.freedesktop.systemd1", "org.freedesktop.systemd1.Manager"
    )
    try:
        with open_dbus_connection(bus, auth_timeout=_SECONDS) as connection:
            call = new_method_call(manager, method, signature, body)
            unwrap_msg(connection.send_and_get_reply(call, timeout=_SECONDS))
    except DBusErrorResponse as error:
        if error.name == _EXISTS:
            return False
        raise ScopeRefused(f"{error.name} {' '.join(map(str, error.data))}") from error
    except (OSError, ValueError, EOFError, TimeoutError) as error:
        raise ScopeRefused(f"the bus '{bus}' cannot be used: {error}") from error
    return True
