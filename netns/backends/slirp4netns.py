"""slirp4netns(1): a TCP/IP stack in a process. Slower than pasta, and it needs no route on the host.

Published ports are asked for over its API socket, one JSON object a connection. It leaves when the write end of its
exit pipe closes, so it never outlives the monitor.
"""

from __future__ import annotations

import _socket
import os

from netns import helper
from netns.backends import addresses
from netns.errors import NetworkError
from pod.base import plainjson
from pod.linux import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PROGRAM = "slirp4netns"
_API_SOCKET = "slirp4netns.sock"
_API_SECONDS = 5.0


def probe(program: str = "") -> str:
    """Why slirp4netns cannot be used here; empty when it can. `program` is where it is, if that is known."""
    if not (program or processes.find_program(PROGRAM)):
        return "slirp4netns is not installed"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "/dev/net/tun cannot be opened by this user"
    return ""


def begin(settings: dict[str, Any], pid: int) -> Slirp:
    """Start slirp4netns on the namespaces of `pid`."""
    return Slirp(settings, pid)


def words_of(options: list[str], *, ipv6: bool) -> list[str]:
    """slirp4netns's own words for "KEY=VALUE" options (spec/namespaces.py checks them); the later of two holds."""
    given = dict(option.partition("=")[::2] for option in options)
    given.pop("port_handler", None)
    words = [
        f"--mtu={given.pop('mtu', '65520')}",
        f"--cidr={given.pop('cidr', addresses.NETWORK)}",
    ]
    if given.pop("allow_host_loopback", "false") == "false":
        words.append("--disable-host-loopback")
    if given.pop("enable_ipv6", "true" if ipv6 else "false") == "true":
        words.append("--enable-ipv6")
    # "outbound_addr6" is --outbound-addr6
    return words + [f"--{key.replace('_', '-')}={value}" for key, value in given.items()]


class Slirp:
    def __init__(self, settings: dict[str, Any], pid: int) -> None:
        self._directory: str = settings["run_directory"]
        self._ports: list[dict[str, Any]] = settings["ports"]
        self._ready_fd, ready = os.pipe()
        exit_end, self._exit_fd = os.pipe()
        arguments = [
            settings["program"],
            "--configure",
            f"--ready-fd={ready}",
            f"--exit-fd={exit_end}",
            f"--api-socket={_API_SOCKET}",
            *words_of(settings["options"], ipv6=settings["ipv6"]),
            str(pid),
            "tap0",
        ]
        try:
            self._helper = helper.Helper(
                arguments, keep=(ready, exit_end), directory=self._directory
            )
        finally:
            os.close(ready)
            os.close(exit_end)

    def wait(self) -> None:
        if os.read(self._ready_fd, 1) != b"1":
            text = self._helper.complaint()
            hint = (
                "try --network pasta, or --network none"
                if os.access("/dev/net/tun", os.R_OK | os.W_OK)
                else "sudo chmod 0666 /dev/net/tun"
            )
            raise helper.failed("slirp4netns", text, hint)
        os.close(self._ready_fd)
        self._ready_fd = -1
        for port in self._ports:
            for offset in range(port["count"]):
                self._publish(port, offset)
        self._helper.forget_complaints()

    def _publish(self, port: dict[str, Any], offset: int) -> None:
        host_port = port["host_port"] + offset
        reply = self._ask(
            {
                "execute": "add_hostfwd",
                "arguments": {
                    "proto": port["protocol"],
                    "host_addr": port["host_ip"] or "0.0.0.0",
                    "host_port": host_port,
                    "guest_port": port["container_port"] + offset,
                },
            }
        )
        if b'"error"' in reply:
            raise NetworkError(
                f"slirp4netns could not publish port {host_port}: {reply.decode('utf-8', 'replace').strip()}",
                hint="is the port in use? ss -ltnp",
            )

    def _ask(self, request: dict[str, Any]) -> bytes:
        directory_fd = os.open(self._directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
        try:
            sock.settimeout(_API_SECONDS)
            sock.connect(f"/proc/self/fd/{directory_fd}/{_API_SOCKET}")
            sock.send(plainjson.dumps(request).encode())
            sock.shutdown(_socket.SHUT_WR)
            reply = b""
            while part := sock.recv(4096):
                reply += part
            return reply
        except OSError as error:
            raise NetworkError(f"slirp4netns does not answer: {error}") from error
        finally:
            sock.close()
            os.close(directory_fd)

    def plan(self) -> dict[str, Any]:
        return {
            "processes": [(self._helper.pid, self._helper.started)],
            "fds": [self._exit_fd],
            "files": [f"{self._directory}/{_API_SOCKET}"],
            "has_ports": bool(self._ports),
        }

    def detach(self) -> None:
        self._helper.end()
        os.close(self._exit_fd)
        if self._ready_fd >= 0:
            os.close(self._ready_fd)
        try:
            os.unlink(f"{self._directory}/{_API_SOCKET}")
        except FileNotFoundError:
            pass
