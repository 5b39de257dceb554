"""`RUN --mount=type=ssh`: the caller's agent, or one of our own with the keys that were named."""

from __future__ import annotations

import os
import select
import stat

from pod.base.errors import PodError
from pod.linux import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket as sockets

    from pod.build.builder import Builder
    from pod.build.options import SshSource
    from pod.build.steps.origins import Place

_CHUNK = 1 << 16


def socket_for(builder: Builder, source: SshSource, place: Place) -> str:
    """The path of a new socket in the run directory, which leads to the agent for as long as the build lasts."""
    agent = source.paths[0]
    if not stat.S_ISSOCK(os.stat(agent).st_mode):
        agent = _own_agent(builder, source, place)
    path = place.hidden_file()
    import socket  # heavy

    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(16)
    child = processes.fork(
        lambda: _relay(listener, agent), what="pass an agent on", keep={listener.fileno()}
    )
    listener.close()
    place.add_process(child)
    return path


def _own_agent(builder: Builder, source: SshSource, place: Place) -> str:
    """An agent with the keys; the path of its socket."""
    import subprocess  # heavy

    path = place.hidden_file()
    for program in ("ssh-agent", "ssh-add"):
        if processes.find_program(program) is None:
            raise PodError(
                f"keys for --ssh {source.id} need the program '{program}', which is not installed",
                hint="sudo apt install openssh-client, or name the socket of an agent",
            )
    agent = subprocess.Popen(
        ["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    place.add_program(agent)
    while not os.path.exists(path) and agent.poll() is None:
        select.select([], [], [], 0.01)
    for key in source.paths:
        done = subprocess.run(
            ["ssh-add", "-q", key],
            env={**os.environ, "SSH_AUTH_SOCK": path, "SSH_ASKPASS": "/bin/false"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise PodError(
                f"the key '{key}' of --ssh {source.id} cannot be used: {done.stderr.strip()}",
                hint="a key with a passphrase: ssh-add it to your own agent, and --ssh default",
            )
    return path


def _relay(listener: sockets.socket, agent: str) -> None:
    """In the child: connect each client to the agent, until we are killed."""
    import socket  # heavy

    from pod.linux import signals, syscalls

    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signals.SIGKILL)
    peers: dict[sockets.socket, sockets.socket] = {}
    while True:
        readable, _, _ = select.select([listener, *peers], [], [])
        for one in readable:
            if one is listener:
                client, _ = listener.accept()
                server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                try:
                    server.connect(agent)
                except OSError:
                    client.close()
                    continue
                peers[client], peers[server] = server, client
            elif one in peers:
                other = peers[one]
                try:
                    data = one.recv(_CHUNK)
                    if data:
                        other.sendall(data)
                except OSError:
                    data = b""
                if not data:
                    for end in (one, other):
                        peers.pop(end, None)
                        end.close()
