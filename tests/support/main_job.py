"""What `./try` does after the set-up, as an ordinary user: registry, pull, run, the page's first line.

Uses the user's own store, as anyone would after installing. `POD=podman ./try` does the same with podman.
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
import sys
import tempfile

from tests.support import images
from tests.support.engine import TREE, kind_of, program
from tests.support.registry import Registry
from tests.support.waiting import free_port, until_http

NAME = "try-nginx"
REGISTRY_PORT = 5000
PORT = 8080


def start() -> int:
    engine = _engine()
    if _is_running(engine):
        port = int(_run(engine, "port", NAME, quiet=True).rpartition(":")[2])
        print(f"it is running already: http://localhost:{port}")
        return _show(port)
    image = images.image("nginx")
    port = _free_or_another(PORT)
    with tempfile.TemporaryDirectory(prefix="pod-try.") as directory:
        with Registry(directory, port=_free_or_another(REGISTRY_PORT)) as registry:
            registry.push(image, "nginx")
            reference = f"localhost:{registry.port}/nginx"
            insecure = ["--tls-verify=false"] if kind_of(engine) == "podman" else []
            _run(engine, "pull", *insecure, reference)
        _run(engine, "run", "-d", "--name", NAME, "-p", f"{port}:80", reference)
    return _show(port)


def stop() -> int:
    engine = _engine()
    _run(engine, "rm", "-f", NAME)
    return 0


def _show(port: int) -> int:
    url = f"http://localhost:{port}"
    page = until_http(url, 120)
    title = page.partition("<title>")[2].partition("</title>")[0]
    print(f"\n{url} answers:\n  {page.splitlines()[0]}  ({title})\n")
    print("Look around:  " + _typed("ps") + "\nStop it:      ./try stop")
    return 0


def _typed(*words: str) -> str:
    """What to type for a pod command; root has to become the user whose containers they are."""
    command = [
        os.path.relpath(_engine()[0], TREE) if kind_of(_engine()) == "pod" else _engine()[0],
        *words,
    ]
    runner = ["tests/support/as-user"] if os.environ.get("POD_TEST_CGROUP") else []
    return shlex.join([*runner, *command])


def _engine() -> list[str]:
    command = program()
    return [*command, "--cgroup-manager", "cgroupfs"] if kind_of(command) == "podman" else command


def _run(engine: list[str], *words: str, quiet: bool = False) -> str:
    """Run a command, shown as it is typed; its standard output. Ends the program when it fails."""
    if not quiet:
        print(f"$ {os.path.basename(engine[0])} {shlex.join(words)}", flush=True)
    done = subprocess.run(
        [*engine, *words], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
    )
    if not quiet:
        print(done.stdout, end="", flush=True)
    if done.returncode:
        sys.exit(
            f"try: '{os.path.basename(engine[0])} {words[0]}' ended with exit status {done.returncode}"
        )
    return done.stdout


def _is_running(engine: list[str]) -> bool:
    command = [*engine, "ps", "-q", "--filter", f"name=^{NAME}$"]
    return bool(subprocess.run(command, capture_output=True, text=True).stdout.strip())


def _free_or_another(port: int) -> int:
    """`port`, or when something listens there a free one, which is said."""
    try:
        with socket.create_server(("", port)):
            return port
    except OSError as error:
        another = free_port()
        print(
            f"try: port {port} cannot be used ({error.strerror}); taking {another}", file=sys.stderr
        )
        return another


if __name__ == "__main__":
    sys.exit({"start": start, "stop": stop}[sys.argv[1]]())
