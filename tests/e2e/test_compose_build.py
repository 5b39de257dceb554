"""Keys of `build` that commands of a Dockerfile see: limits, hosts, network, keys of ssh; and the cache elsewhere."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.engine import Engine
from tests.support.projects import Files

pytestmark = pytest.mark.not_podman("podman hands compose over to another program")


def test_commands_of_a_build_get_what_the_file_says(compose: Files, pod: Engine) -> None:
    compose.write(
        """FROM busybox
RUN ulimit -n > /it && df -k /dev/shm | awk 'END {print $2}' >> /it && grep store.example /etc/hosts >> /it
RUN ls /sys/class/net | tr '\\n' ' ' >> /it
""",
        "src/Dockerfile",
    )
    compose.write(
        """
        name: keys
        services:
          web:
            build:
              context: src
              ulimits: {nofile: {soft: 321, hard: 654}}
              shm_size: 2m
              extra_hosts: ["store.example=10.1.2.3"]
              network: none
            command: cat /it
        """
    )
    compose("build")
    assert compose("run", "--rm", "-T", "web").out.split() == [
        "321", "2048", "10.1.2.3", "store.example", "lo",
    ]  # fmt: skip


def test_a_build_is_on_a_network_of_the_project(compose: Files, pod: Engine) -> None:
    compose.write("FROM busybox\nRUN wget -qO /it http://site/\n", "src/Dockerfile")
    compose.write(
        """
        name: online
        services:
          site:
            image: busybox
            command: sh -c 'echo served > /index.html && exec httpd -f -p 80 -h /'
            stop_signal: SIGKILL
            healthcheck: {test: wget -qO- http://127.0.0.1/, interval: 100ms, retries: 1000}
            networks: [front]
          web: {build: {context: src, network: front}, command: cat /it}
        networks: {front: {}}
        """
    )
    compose("up", "-d", "--wait", "site")
    compose("build", "web")
    assert compose("run", "--rm", "-T", "--no-deps", "web").out == "served"


def test_a_build_gets_keys_of_ssh(compose: Files, pod: Engine, tmp_path: Path) -> None:
    keygen = shutil.which("ssh-keygen")
    assert keygen is not None
    subprocess.run(
        [keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "key")], check=True
    )
    compose.write(
        'FROM busybox\nRUN --mount=type=ssh,id=mine [ -S "$SSH_AUTH_SOCK" ] && echo agent > /it\n',
        "src/Dockerfile",
    )
    compose.write(
        "name: ssh\nservices: {web: {build: {context: src, ssh: [mine=./key]}, command: cat /it}}\n"
    )
    compose("build")
    assert compose("run", "--rm", "-T", "web").out == "agent"


def test_a_build_takes_its_cache_from_elsewhere(
    compose: Files, pod: Engine, tmp_path: Path
) -> None:
    compose.write("FROM busybox\nRUN cat /proc/sys/kernel/random/uuid > /it\n", "src/Dockerfile")
    text = """
        name: cache
        services:
          web:
            build: {context: src, cache_to: ["type=local,dest=DIR"], cache_from: ["type=local,src=DIR"]}
            command: cat /it
        """
    compose.write(text.replace("DIR", str(tmp_path / "cache")))
    compose("build")
    first = compose("run", "--rm", "-T", "web").out
    assert (tmp_path / "cache").is_dir()
    pod("rmi", "cache-web")
    pod("builder", "prune", "--all", "--force")
    compose("build")
    assert compose("run", "--rm", "-T", "web").out == first
