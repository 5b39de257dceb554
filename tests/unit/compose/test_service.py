"""Keys of a service become fields of the configuration of its containers."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path
from typing import Any

import pytest

from pod.compose import placement, project, rolling
from pod.compose.errors import FileError
from pod.compose.places import Asked
from pod.compose.project import Project
from pod.compose.service import config_of
from pod.spec.container import ContainerConfig

REST = """
  other: {image: y}
networks: {front: {}, back: {}}
volumes: {data: {}, outside: {external: true}}
secrets: {token: {file: ./token}, kept: {external: true}}
configs: {app: {content: text}}
"""


def load(directory: Path, keys: str) -> Project:
    shop = directory / "shop"
    shop.mkdir(exist_ok=True)
    text = f"services:\n  web:\n    image: x\n{textwrap.indent(keys, '    ')}{REST}"
    (shop / "compose.yaml").write_text(text)
    return project.load(Asked(directory=str(shop)), {})


def config(directory: Path, keys: str, number: int = 1, **more: Any) -> ContainerConfig:
    return config_of(
        load(directory, keys), "web", number, ContainerConfig(),
        names=lambda other: f"shop-{other}-1", config_hash="h", **more,
    )  # fmt: skip


def read(value: Any, path: str) -> Any:
    """What `path` leads to: "networking.ports.0.host_port"; Records and tuples."""
    for word in path.split("."):
        value = value[int(word)] if word.isdecimal() else getattr(value, word)
    return value


@pytest.mark.parametrize(
    ("keys", "path", "expected"),
    [
        ("annotations: {a: b}", "annotations", {"a": "b"}),
        ("blkio_config: {weight: 300}", "resources.blkio_weight", 300),
        ("blkio_config: {device_read_bps: [{path: /dev/a, rate: 1k}]}", "resources.read_bps.0.value", 1024),
        ("cap_add: [NET_ADMIN]", "add_capabilities", ("CAP_NET_ADMIN",)),
        ("cap_drop: [ALL]", "drop_capabilities", ("ALL",)),
        ("cgroup: host", "cgroupns.mode", "host"),
        ("cgroup_parent: a.slice", "cgroup_parent", "a.slice"),
        ("command: a 'b c'", "command", ("a", "b c")),
        ("cpu_shares: 512", "resources.cpu_shares", 512),
        ("cpu_quota: 5000", "resources.cpu_quota", 5000),
        ("cpu_period: 5000", "resources.cpu_period", 5000),
        ("cpus: 0.5", "resources.cpu_quota", 50000),
        ("cpuset: 0-1", "resources.cpuset_cpus", "0-1"),
        ("deploy: {resources: {limits: {cpus: '0.5', memory: 1m, pids: 9}}}", "resources.pids_limit", 9),
        ("deploy: {resources: {reservations: {memory: 1m}}}", "resources.memory_reservation", 1 << 20),
        ("deploy: {restart_policy: {condition: on-failure, max_attempts: 3}}", "restart.max_retries", 3),
        ("deploy: {restart_policy: {condition: any}}", "restart.name", "always"),
        ("deploy: {restart_policy: {condition: any, max_attempts: 3}}", "restart.max_retries", 3),
        ("deploy: {restart_policy: {delay: 5s}}", "restart.delay_ns", 5_000_000_000),
        ("deploy: {restart_policy: {delay: 0s}}", "restart.delay_ns", 0),
        ("deploy: {restart_policy: {window: 1m30s}}", "restart.window_ns", 90_000_000_000),
        ("devices: [/dev/null:/dev/zero:r]", "devices.0.target", "/dev/zero"),
        ("dns: 1.1.1.1", "networking.dns", ("1.1.1.1",)),
        ("dns_opt: [use-vc]", "networking.dns_options", ("use-vc",)),
        ("dns_search: [a.example]", "networking.dns_search", ("a.example",)),
        ("domainname: a.example", "domainname", "a.example"),
        ("entrypoint: [a, b]", "entrypoint", ("a", "b")),
        ("environment: {A: 1}", "environment", ("A=1",)),
        ("expose: [80]", "networking.expose.0.container_port", 80),
        ("external_links: [gate:door]", "networking.links", ("gate:door",)),
        ("links: ['other:db']", "networking.links", ("shop-other-1:db",)),
        ("extra_hosts: ['a:1.2.3.4']", "networking.hosts", ("a:1.2.3.4",)),
        ("group_add: [5]", "groups", ("5",)),
        ("healthcheck: {test: a b, interval: 2s}", "health.test", ("CMD-SHELL", "a b")),
        ("healthcheck: {test: a b, interval: 2s, retries: 5}", "health.retries", 5),
        ("healthcheck: {disable: true}", "health.test", ("NONE",)),
        ("hostname: h", "hostname", "h"),
        ("init: true", "init", True),
        ("ipc: host", "ipc.mode", "host"),
        ("ipc: 'service:other'", "ipc.joined", "shop-other-1"),
        ("logging: {driver: json-file, options: {max-size: 1m}}", "log.driver", "json-file"),
        ("mac_address: 02:00:00:00:00:01", "networking.network.options",
         ("alias=web", "mac=02:00:00:00:00:01")),
        ("mem_limit: 64m", "resources.memory", 64 << 20),
        ("mem_reservation: 1m", "resources.memory_reservation", 1 << 20),
        ("mem_limit: 64m\nmemswap_limit: 128m", "resources.memory_swap", 128 << 20),
        ("network_mode: none", "networking.network.mode", "none"),
        ("network_mode: 'service:other'", "networking.network.joined", "shop-other-1"),
        ("networks: {front: {priority: 1}, back: {priority: 9}}", "networking.network.joined", "shop_back"),
        ("networks: {front: {aliases: [w], ipv4_address: 10.0.0.5}}", "networking.network.options",
         ("alias=web", "alias=w", "ip=10.0.0.5")),
        ("networks: {front: {use_service_name_alias: false}}", "networking.network.options", ()),
        ("networks: {front: {interface_name: lan}}", "networking.network.options",
         ("alias=web", "interface_name=lan")),
        ("oom_score_adj: 5", "oom_score_adj", 5),
        ("pid: host", "pid.mode", "host"),
        ("pids_limit: 7", "resources.pids_limit", 7),
        ("platform: linux/arm64", "platform", "linux/arm64"),
        ("ports: ['127.0.0.1:8080:80/udp']", "networking.ports.0.protocol", "udp"),
        ("ports: ['127.0.0.1:8080:80/udp']", "networking.ports.0.host_port", 8080),
        ("ports: ['80']", "networking.ports.0.host_port", 0),
        ("privileged: true", "privileged", True),
        ("read_only: true", "read_only", True),
        ("restart: on-failure:4", "restart.max_retries", 4),
        ("runtime: crun", "runtime", "crun"),
        ("secrets: [{source: kept, target: key, mode: 0400}]", "secrets.0.target", "/run/secrets/key"),
        ("secrets: [{source: kept, target: key, mode: 0400}]", "secrets.0.mode", 0o400),
        ("secrets: [token]", "mounts.0.target", "/run/secrets/token"),
        ("configs: [app]", "secrets.0.target", "/app"),
        ("security_opt: [no-new-privileges]", "security.no_new_privileges", True),
        ("shm_size: 1m", "shm_size", 1 << 20),
        ("stdin_open: true", "interactive", True),
        ("stop_grace_period: 1m1500ms", "stop_timeout", 62),
        ("stop_signal: SIGINT", "stop_signal", "SIGINT"),
        ("sysctls: {net.ipv4.ip_forward: 1}", "sysctls", {"net.ipv4.ip_forward": "1"}),
        ("tmpfs: /run:size=1m", "mounts.0.kind", "tmpfs"),
        ("tty: true", "terminal", True),
        ("ulimits: {nofile: {soft: 1, hard: 2}}", "ulimits.0.hard", 2),
        ("umask: '0027'", "umask", 0o27),
        ("user: '5:6'", "user", "5:6"),
        ("userns_mode: keep-id", "userns.mode", "keep-id"),
        ("uts: host", "uts.mode", "host"),
        ("volumes: ['data:/d:ro']", "mounts.0.source", "shop_data"),
        ("volumes: ['data:/d:ro']", "mounts.0.read_only", True),
        ("volumes: ['outside:/d']", "mounts.0.source", "outside"),
        ("volumes: ['data:/d:nocopy']", "mounts.0.copy", False),
        ("volumes: [{type: volume, source: data, target: /d, volume: {subpath: a}}]", "mounts.0.subpath", "a"),
        ("volumes: ['/etc:/e:rslave,z']", "mounts.0.propagation", "rslave"),
        ("volumes: ['/etc:/e:rslave,z']", "mounts.0.relabel", "shared"),
        ("volumes: [{type: bind, source: /etc, target: /e, bind: {recursive: disabled}}]", "mounts.0.recursive", False),
        ("volumes: [{type: tmpfs, target: /t, tmpfs: {size: 1k, mode: 0700}}]", "mounts.0.kind", "tmpfs"),
        ("volumes: [{type: image, source: i, target: /i, image: {subpath: b}}]", "mounts.0.subpath", "b"),
        ("volumes_from: ['other:ro', 'container:c']", "volumes_from.0.container", "shop-other-1"),
        ("working_dir: /w", "working_directory", "/w"),
    ],
)  # fmt: skip
def test_key_has_its_effect(tmp_path: Path, keys: str, path: str, expected: Any) -> None:
    found = config(tmp_path, f"{keys}\n")
    assert read(found, path) == expected


def test_a_seccomp_profile_is_below_the_directory_of_the_project(tmp_path: Path) -> None:
    for text in ("seccomp=./p.json", "seccomp:p.json"):
        assert read(config(tmp_path, f"security_opt: ['{text}']\n"), "security.seccomp") == (
            f"{tmp_path}/shop/p.json"
        )
    for word in ("unconfined", "/p.json"):
        assert (
            read(config(tmp_path, f"security_opt: [seccomp={word}]\n"), "security.seccomp") == word
        )


def test_labels_of_the_project_stand_above_those_of_the_file(tmp_path: Path) -> None:
    keys = "labels: {a: b, com.docker.compose.project: other}\n"
    labels = config(tmp_path, keys, 2).labels
    assert labels["a"] == "b"
    assert labels["com.docker.compose.project"] == "shop"
    assert labels["com.docker.compose.container-number"] == "2"


def test_containers_on_networks_share_a_port(tmp_path: Path) -> None:
    (port,) = config(tmp_path, "ports: ['8080:80']\n", 2).networking.ports
    assert (port.host_port, port.group) == (8080, "shop/web")
    with pytest.raises(FileError, match="port 8080 of this machine can lead to one container"):
        config(tmp_path, "network_mode: bridge\nports: ['8080:80']\n", 2)
    (port,) = config(tmp_path, "ports: ['80']\n", 2).networking.ports
    assert (port.host_port, port.group) == (0, "")


@pytest.mark.parametrize(
    ("deploy", "sentence"),
    [
        ("update_config: {parallelism: -1}", "update_config.parallelism': '-1' is not a number of containers"),
        ("update_config: {failure_action: stop}", "'stop' is none of pause, continue, rollback"),
        ("rollback_config: {failure_action: rollback}", "'rollback' is none of pause, continue"),
        ("update_config: {max_failure_ratio: 2}", "'2' is not a part of all containers, from 0 to 1"),
        ("update_config: {delay: soon}", "'soon'"),
        ("placement: {constraints: [node.role == worker]}", "where node.role is 'manager'"),
        ("placement: {constraints: [node.role != Manager]}", "where node.role is 'manager'"),
        ("placement: {constraints: [node.labels.disk == ssd]}", "where no node has labels"),
        ("placement: {constraints: [node.role]}", "is not ATTRIBUTE == VALUE"),
        ("placement: {constraints: [node.size == 3]}", "is not ATTRIBUTE == VALUE"),
        ("replicas: 3, placement: {max_replicas_per_node: 2}", "3 containers are wanted"),
    ],
)  # fmt: skip
def test_what_cannot_be_deployed_is_said(tmp_path: Path, deploy: str, sentence: str) -> None:
    found = load(tmp_path, f"deploy: {{{deploy}}}\n")
    with pytest.raises(FileError) as raised:
        placement.check(found, "web")
        rolling.way_of(found, "web")
        rolling.way_of(found, "web", "rollback_config")
    assert sentence in raised.value.message


def test_two_containers_cannot_have_one_address(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        "networks: {front: {ipv4_address: 10.0.0.5}}\ndeploy: {update_config: {order: start-first}}\n",
    )
    with pytest.raises(
        FileError, match="two containers cannot have the address on network 'front' at once"
    ):
        rolling.way_of(found, "web")


def test_a_manager_without_labels_is_where_a_service_may_be(tmp_path: Path) -> None:
    here = os.uname().nodename.upper()
    keys = f"constraints: [node.role==manager, node.labels.disk != ssd, node.hostname == {here}]"
    found = load(tmp_path, f"deploy: {{placement: {{max_replicas_per_node: 1, {keys}}}}}\n")
    placement.check(found, "web")


def test_what_an_update_is_like(tmp_path: Path) -> None:
    found = load(
        tmp_path,
        "deploy: {update_config: {parallelism: 0, delay: 1m30s, monitor: 2s, failure_action: rollback,\n"
        "  max_failure_ratio: 0.5, order: start-first}}\n",
    )
    assert rolling.way_of(found, "web") == rolling.Way(
        0, 90.0, 2.0, "rollback", 0.5, starts_first=True
    )
    assert rolling.way_of(found, "web", "rollback_config") is None


def test_environment_stands_above_its_files(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/a.env").write_text("A=1\nB=2\nC=$A\n")
    keys = "env_file: [a.env, {path: gone.env, required: false}]\nenvironment: [B=3, D]\n"
    assert config(tmp_path, keys).environment == ("A=1", "B=3", "C=1")
