"""What runs again after a reboot, and `pod startup`, which sees to it. The real reboot is in tests/vm."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.engine import Engine, Result
from tests.support.reboot import cut_power

pytestmark = pytest.mark.not_podman("4.3 has no such filter, and leaves it to systemd")

SLEEPS = ("--network", "none", "busybox", "sleep", "1000")
AT_BOOT = ("start", "--filter", "should-start-on-boot=true")
FORCE = ("-t", "0")


def running(pod: Engine) -> set[str]:
    return set(pod("ps", "--format", "{{.Names}}").lines)


def test_who_stopped_it_is_remembered(pod: Engine) -> None:
    for policy in ("no", "on-failure", "always", "unless-stopped"):
        pod("run", "-d", "--name", policy, "--restart", policy, *SLEEPS)
    for name in ("stopped", "killed", "restarted"):
        pod("run", "-d", "--name", name, "--restart", "unless-stopped", *SLEEPS)
    pod("run", "-d", "--name", "stopped-always", "--restart", "always", *SLEEPS)
    pod("stop", *FORCE, "stopped", "restarted", "stopped-always")
    pod("kill", "killed")
    pod("wait", "killed")
    pod("start", "restarted")
    cut_power(pod, *running(pod))
    expected = {"always", "unless-stopped", "restarted", "stopped-always"}
    listed = pod("ps", "-a", "--filter", "should-start-on-boot=true", "--format", "{{.Names}}")
    assert set(listed.lines) == expected
    assert len(pod(*AT_BOOT).lines) == 4
    assert running(pod) == expected
    assert pod("container", *AT_BOOT).lines == []  # all of them run


def test_going_down_is_not_the_user(pod: Engine) -> None:
    for policy in ("no", "unless-stopped"):
        pod("run", "-d", "--name", policy, "--restart", policy, "--stop-signal", "KILL", *SLEEPS)
    pod("startup", "down")
    assert running(pod) == set()
    pod(*AT_BOOT)
    assert running(pod) == {"unless-stopped"}


def test_start_all_and_filters(pod: Engine) -> None:
    for name, label in (("a", "x=1"), ("b", "x=1"), ("c", "x=2")):
        pod("create", "--name", name, "--label", label, *SLEEPS)
    pod("start", "a")
    assert len(pod("start", "--filter", "label=x=1").lines) == 1
    assert running(pod) == {"a", "b"}
    assert len(pod("start", "--all").lines) == 1
    assert "--all" in pod("start", "--all", "a", status=125).stderr
    assert pod("start", "--filter", "label=nobody").lines == []


# pod startup

CRONTAB = """#!/bin/sh
case $1 in
-l) cat "{path}" ;;
-) cat > "{path}" ;;
esac
"""


class Host:
    """A user whose machine has what the test gives it."""

    def __init__(self, pod: Engine, directory: Path) -> None:
        self.pod = pod
        self.config = directory / "config"
        self.programs = directory / "bin"
        self.crontab = directory / "crontab"
        self.programs.mkdir()
        self.environment = {
            "XDG_CONFIG_HOME": str(self.config),
            "XDG_CURRENT_DESKTOP": "",
            "PATH": f"{self.programs}",
        }

    def __call__(self, *words: str, status: int = 0) -> Result:
        return self.pod("startup", *words, env=self.environment, status=status)

    def add_crontab(self) -> None:
        program = self.programs / "crontab"
        program.write_text(CRONTAB.format(path=self.crontab).replace("cat ", "/bin/cat "))
        program.chmod(0o755)
        self.crontab.write_text("0 5 * * * backup\n")

    @property
    def entry(self) -> Path:
        return self.config / "autostart" / "pod-startup.desktop"


@pytest.fixture
def host(pod: Engine, tmp_path: Path) -> Host:
    return Host(pod, tmp_path)


def test_nothing_there(host: Host) -> None:
    stderr = host("install", status=125).stderr
    assert "start --filter should-start-on-boot=true" in stderr and "crontab" in stderr
    host("status", status=1)
    assert host("remove").out == ""
    assert "systemd" in host("install", "--method", "systemd", status=125).stderr


def test_desktop(host: Host, run_entry: Callable[[Path], None]) -> None:
    host.environment["XDG_CURRENT_DESKTOP"] = "GNOME"
    assert str(host.entry) in host("install").out
    host("install")
    assert str(host.entry) in host("status").out
    host.pod("create", "--name", "web", "--restart", "always", *SLEEPS)
    run_entry(host.entry)
    assert running(host.pod) == {"web"}
    assert "autostart" in host("remove").out
    assert not host.entry.exists()
    host("status", status=1)


@pytest.fixture
def run_entry(pod: Engine) -> Callable[[Path], None]:
    """Do what a desktop session does with an autostart entry."""
    import shlex
    import subprocess

    def run(path: Path) -> None:
        (line,) = [line for line in path.read_text().splitlines() if line.startswith("Exec=")]
        words = shlex.split(line.removeprefix("Exec=").replace("\\\\", "\\"))
        subprocess.run(words, env=pod.environment, check=True, timeout=60)

    return run


def test_cron(host: Host) -> None:
    """Its line stands beside the others, and is only added once."""
    host.add_crontab()
    session = {**host.environment, "XDG_RUNTIME_DIR": os.path.dirname(host.pod.runroot)}
    refused = host.pod("startup", "install", "--method", "cron", env=session, status=125)
    assert "before you log in" in refused.stderr
    host.environment["XDG_RUNTIME_DIR"] = ""
    assert "crontab" in host("install").out
    host("install")
    first, line = host.crontab.read_text().splitlines()
    assert first == "0 5 * * * backup"
    assert line.startswith("@reboot ") and host.pod.root in line
    host("status")
    host("remove")
    assert host.crontab.read_text() == "0 5 * * * backup\n"


def test_another_way_replaces_the_first(host: Host) -> None:
    host.add_crontab()
    host.environment |= {"XDG_RUNTIME_DIR": "", "XDG_CURRENT_DESKTOP": "GNOME"}
    host("install")
    host("install", "--method", "autostart")
    assert "@reboot" not in host.crontab.read_text()
    assert host("status").out.count("\n") == 0
