"""Other machines for `image scp`: real ssh and sshd with keys of the test.

There is no port, no daemon and nothing of the user's own configuration: ssh starts sshd for each connection. What
answers there is an engine of the test.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping

from tests.support.engine import Engine

_SSHD = "/usr/sbin/sshd"


class Machines:
    """ssh with hosts whose `pod` (or podman) is an engine; `environment` makes a program use it."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        os.makedirs(f"{directory}/local")
        for name in ("host", "id", "stranger"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{directory}/{name}"]
            subprocess.run(command, check=True)
        shutil.copy(f"{directory}/id.pub", f"{directory}/authorized")
        self._config: list[str] = []
        self.add("closed", None, HostName="127.0.0.1", Port="1")
        ssh = shutil.which("ssh")
        assert ssh is not None
        self._write(f"{directory}/local/ssh", f'exec {ssh} -F {directory}/config "$@"')

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": f"{self.directory}/local:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}

    def add(self, host: str, engine: Engine | None, **settings: str) -> str:
        """A machine where `engine` is installed, or nothing at all; its name."""
        there = f"{self.directory}/{host}"
        os.makedirs(there)
        os.symlink("/bin/sh", f"{there}/sh")
        if engine is not None:
            variables = [f"{key}={value}" for key, value in engine.environment.items()]
            command = shlex.join(["/usr/bin/env", *variables, *engine.command, *engine.options])
            self._write(f"{there}/{engine.kind}", f'exec {command} "$@"')
        with open(f"{there}.sshd", "w") as file:
            file.write(
                f"HostKey {self.directory}/host\nAuthorizedKeysFile {self.directory}/authorized\n"
                "StrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\n"
                f"KbdInteractiveAuthentication no\nSetEnv PATH={there}\n"
            )
        usual = {
            "ProxyCommand": f"{_SSHD} -i -f {there}.sshd -E {there}.log",
            "IdentityFile": f"{self.directory}/id",
            "IdentitiesOnly": "yes",
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
        }
        chosen = {**usual, **settings}
        if "HostName" in settings:
            del chosen["ProxyCommand"]
        self._add_config(host, chosen)
        return host

    def _add_config(self, host: str, settings: Mapping[str, str]) -> None:
        self._config.append(f"Host {host}")
        self._config += [f"  {key} {value}" for key, value in settings.items()]
        with open(f"{self.directory}/config", "w") as file:
            file.write("\n".join(self._config) + "\n")

    def _write(self, path: str, line: str) -> None:
        with open(path, "w") as file:
            file.write(f"#!/bin/sh\n{line}\n")
        os.chmod(path, 0o755)
