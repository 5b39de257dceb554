"""pasta(1): a process that moves packets between a tap device in the container and ordinary sockets of the host.

The container gets an address of its own, so that the host's address means the host, and a resolver address that pasta
forwards to the host's resolver. The client's address of a published port is kept.
"""

from __future__ import annotations

import os

from netns import helper
from netns.backends import addresses
from netns.errors import NetworkError
from pod.linux import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROGRAM = "pasta"
HELPER_PID = "pasta.pid"  # in the run directory of a container


def probe(program: str = "") -> str:
    """Why pasta cannot be used here; empty when it can. `program` is where it is, if that is known."""
    if not (program or processes.find_program(PROGRAM)):
        return "pasta is not installed (package passt)"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "/dev/net/tun cannot be opened by this user"
    if _is_confined():
        return (
            "AppArmor keeps pasta from the namespaces of containers (/etc/apparmor.d/usr.bin.passt)"
        )
    return ""


def _is_confined() -> bool:
    """Whether pasta has a profile that does not let it open what another process has in /proc/PID/ns.

    That takes a rule for ptrace(2), which the profile of Debian 12 lacks. Which profiles are loaded only root may see.
    """
    try:
        with open("/sys/module/apparmor/parameters/enabled", encoding="utf-8") as file:
            if not file.read().startswith("Y"):
                return False
        with open("/etc/apparmor.d/abstractions/pasta", encoding="utf-8") as file:
            rules = [line.split() for line in file]
    except OSError:
        return False
    return not any(words and words[0].rstrip(",") == "ptrace" for words in rules)


def begin(settings: dict[str, Any], pid: int) -> Pasta:
    """Start pasta on the namespaces of `pid`."""
    return Pasta(settings, pid)


def arguments(settings: dict[str, Any], pid: int) -> list[str]:
    """The command line, see pasta(1)."""
    given = list(settings["options"])
    words = [settings["program"], "--config-net", "--quiet"]
    words += ["--pid", f"{settings['run_directory']}/{HELPER_PID}"]
    if not _has(given, "-a", "--address"):
        words += ["--address", addresses.CONTAINER]
        if not _has(given, "-n", "--netmask"):
            words += ["--netmask", str(addresses.PREFIX_LENGTH)]
        if not _has(given, "-g", "--gateway"):
            words += ["--gateway", addresses.GATEWAY]
    if not _has(given, "--dns-forward"):
        words += ["--dns-forward", addresses.RESOLVER]
    if not _has(given, "--map-gw", "--no-map-gw"):
        words.append("--no-map-gw")
    for short, protocol in (("-t", "tcp"), ("-u", "udp")):
        specs = [_spec(port) for port in settings["ports"] if port["protocol"] == protocol]
        for spec in specs:
            words += [short, spec]
        if not specs and not _has(given, short, f"--{protocol}-ports"):
            words += [short, "none"]
    for option, long in (("-T", "--tcp-ns"), ("-U", "--udp-ns")):
        if not _has(given, option, long):
            words += [option, "none"]
    words += [word for word in given if word != "--map-gw"]
    # The process may leave before the container does; the monitor ends pasta.
    words += ["--no-netns-quit", str(pid)]
    return words


def _has(words: list[str], *names: str) -> bool:
    return any(word == name or word.startswith(f"{name}=") for word in words for name in names)


def _spec(port: dict[str, Any]) -> str:
    """A published port as pasta(1) writes it: [ADDRESS/]FIRST[-LAST][:FIRST[-LAST]]."""
    last = port["count"] - 1

    def span(first: int) -> str:
        return f"{first}-{first + last}" if last else str(first)

    address = f"{port['host_ip']}/" if port["host_ip"] else ""
    return f"{address}{span(port['host_port'])}:{span(port['container_port'])}"


class Pasta:
    def __init__(self, settings: dict[str, Any], pid: int) -> None:
        self._pid_file = f"{settings['run_directory']}/{HELPER_PID}"
        self._has_ports = bool(settings["ports"])
        self._daemon: tuple[int, int] | None = None
        self._helper: helper.Helper | None = helper.Helper(
            arguments(settings, pid), directory=settings["run_directory"]
        )

    def wait(self) -> None:
        if self._helper is None:
            return
        # It becomes a daemon when everything is in place; the process that we started then ends with 0.
        text = self._helper.complaint()
        status = self._helper.wait()
        self._helper = None
        if status != 0:
            raise helper.failed("pasta", text, _hint())
        pid = self._read_pid()
        started = processes.start_time(pid)
        if started is None:
            raise NetworkError("pasta ended as soon as it had started")
        self._daemon = (pid, started)

    def plan(self) -> dict[str, Any]:
        return {
            "processes": [self._daemon] if self._daemon else [],
            "fds": [],
            "files": [],
            "has_ports": self._has_ports,
        }

    def detach(self) -> None:
        if self._helper is not None:
            self._helper.end()
            helper.end_children(self._pid_file)
            self._helper = None
        if self._daemon is None:
            self._daemon = self._find_daemon()
        if self._daemon is not None:
            helper.end_process(*self._daemon)
            processes.wait_until_gone(*self._daemon)  # it has the published ports until then
            self._daemon = None

    def _find_daemon(self) -> tuple[int, int] | None:
        """The daemon of a start that broke off before `wait`."""
        try:
            pid = self._read_pid()
        except NetworkError:
            return None
        started = processes.start_time(pid)
        return None if started is None else (pid, started)

    def _read_pid(self) -> int:
        try:
            with open(self._pid_file, encoding="ascii") as file:
                return int(file.read())
        except (OSError, ValueError) as error:
            raise NetworkError(f"pasta did not say which process it is: {error}") from error


def _hint() -> str | None:
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "sudo chmod 0666 /dev/net/tun"
    return "try --network slirp4netns, or --network none"
