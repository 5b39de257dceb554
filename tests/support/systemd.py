"""A systemd of the test user's own: `/lib/systemd/systemd --user` in a cgroup of this run, without a login and D-Bus.

It starts in some 50 ms, so each test has its own. as-user makes the place that tells systemd that it may run here
(/run/systemd/system, sd_booted(3)).
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Generator, Mapping
from dataclasses import dataclass

from pod.linux import cgroups
from tests.support.engine import Engine
from tests.support.places import remove_tree
from tests.support.waiting import until

_PROGRAMS = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")
_SECONDS = 60


@dataclass
class UserManager:
    """A running one. Call it to run `systemctl --user`."""

    process: subprocess.Popen[bytes]
    cgroup: str
    environment: dict[str, str]
    units: str

    def __call__(self, *words: str, status: int | None = 0) -> str:
        """Standard output of `systemctl --user WORDS`; AssertionError unless its exit status is `status`."""
        try:
            done = subprocess.run(
                ["systemctl", "--user", *words],
                env=self.environment,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
            )
        except subprocess.TimeoutExpired:
            states = self("status", *words[1:], status=None)
            jobs = self("list-jobs", status=None)
            raise AssertionError(
                f"systemctl {' '.join(words)} does not end:\n{states}\n{jobs}\n{self.log()}"
            ) from None
        if status is not None and done.returncode != status:
            states = "" if words[0] == "status" else self("status", *words[1:], status=None)
            said = f"{done.stdout}{done.stderr}\n{states}\n{self.log()}"
            raise AssertionError(f"systemctl {' '.join(words)}: {done.returncode}\n{said}")
        return done.stdout.strip()

    def show(self, unit: str, key: str) -> str:
        return self("show", "--value", "-p", key, unit)

    def write(self, name: str, text: str) -> str:
        """A unit file, or a drop-in such as "a.service.d/b.conf"; its path. `reload` comes after."""
        path = os.path.join(self.units, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        return path

    def reload(self) -> None:
        self("daemon-reload")

    def processes(self, unit: str) -> set[int]:
        """The processes in the unit's cgroup and the groups below it."""
        found: set[int] = set()
        group = self.show(unit, "ControlGroup")
        if not group:
            return found
        for directory, _, _ in os.walk(f"/sys/fs/cgroup{group}"):
            with contextlib.suppress(OSError), open(f"{directory}/cgroup.procs") as file:
                found |= {int(line) for line in file}
        return found

    def log(self) -> str:
        """What units and systemd itself have written."""
        with open(os.path.join(self.environment["XDG_RUNTIME_DIR"], "systemd.log")) as file:
            return file.read()[-8000:]


@contextlib.contextmanager
def user_manager(
    engine: Engine, directory: str, more: Mapping[str, str] | None = None
) -> Generator[UserManager]:
    """Start systemd with `directory`, which should be short, as XDG_RUNTIME_DIR, and `more` in its environment."""
    program = next(path for path in _PROGRAMS if os.path.exists(path))
    os.makedirs(directory, mode=0o700, exist_ok=True)
    environment = {**engine.environment, "XDG_RUNTIME_DIR": directory, **(more or {})}
    environment["XDG_DATA_HOME"] = os.path.join(directory, "data")
    environment["XDG_CONFIG_HOME"] = os.path.join(directory, "config")
    units = os.path.join(environment["XDG_CONFIG_HOME"], "systemd", "user")
    os.makedirs(units)
    cgroup = _make_cgroup()
    enter = f'echo $$ > "{cgroup}/cgroup.procs" && exec "$@"'
    with open(os.path.join(directory, "systemd.log"), "ab") as log:
        process = subprocess.Popen(
            ["/bin/sh", "-c", enter, "sh", program, "--user"],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
        )
    manager = UserManager(process, cgroup, environment, units)
    # There is no journal.
    outputs = (f"Standard{name}=append:{directory}/systemd.log" for name in ("Output", "Error"))
    manager.write("service.d/log.conf", "[Service]\n" + "\n".join(outputs) + "\n")
    try:
        socket = os.path.join(directory, "systemd", "private")
        until(lambda: os.path.exists(socket) or process.poll() is not None, "systemd's socket")
        assert process.poll() is None, f"systemd did not start:\n{manager.log()}"
        manager("is-system-running", "--wait", status=None)
        yield manager
    finally:
        if process.poll() is None:
            manager("exit", status=None)
        process.wait(_SECONDS)
        _remove_cgroup(cgroup)
        remove_tree(directory)


def _make_cgroup() -> str:
    top = os.environ.get("POD_TEST_CGROUP")
    if not top:
        with open("/proc/self/cgroup") as file:
            own = file.read().rpartition("0::")[2].strip()
        top = os.path.dirname(f"/sys/fs/cgroup{own}")
    return tempfile.mkdtemp(prefix="systemd-", dir=top)


def _remove_cgroup(path: str) -> None:
    def is_empty() -> bool:
        with open(f"{path}/cgroup.events") as file:
            return "populated 0" in file.read()

    until(is_empty, f"empty: {path}")
    cgroups.remove_with_processes(path)
