"""Every key of the published schema: what is honoured is in a test, the rest has a sentence that is said."""

from __future__ import annotations

import ast
import json
import os
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pod.base.errors import PodError
from pod.build.options import BuildOptions
from pod.compose import (
    identity,
    images,
    mounts,
    placement,
    project,
    resources,
    rolling,
    schema_check,
    support,
    tree,
)
from pod.compose.errors import FileError, Refused
from pod.compose.places import Asked
from pod.compose.project import Project
from tests.unit.compose.test_service import config, load, read

TESTS = Path(__file__).parents[2]
PATHS = support.schema_paths(schema_check.load())


# What a key of a service makes of its containers, besides those of test_service.py.


@pytest.mark.parametrize(
    ("keys", "path", "expected"),
    [
        ("blkio_config: {device_read_iops: [{path: /dev/a, rate: 5}]}", "resources.read_iops.0.value", 5),
        ("blkio_config: {device_write_bps: [{path: /dev/a, rate: 1k}]}", "resources.write_bps.0.value", 1024),
        ("blkio_config: {device_write_iops: [{path: /dev/a, rate: 5}]}", "resources.write_iops.0.value", 5),
        ("blkio_config: {weight_device: [{path: /dev/a, weight: 50}]}", "resources.blkio_weight_devices.0.value", 50),
        ("container_name: own", "labels.com.docker.compose.service", "web"),
        ("deploy: {mode: global}", "image", "x"),
        ("deploy: {resources: {reservations: {devices: [{capabilities: [gpu], count: 2}]}}}",
         "devices.1.source", "nvidia.com/gpu=1"),
        ("deploy: {resources: {reservations: {devices: [{capabilities: [gpu], device_ids: ['3']}]}}}",
         "devices.0.source", "nvidia.com/gpu=3"),
        ("deploy: {replicas: 2}", "labels.com.docker.compose.container-number", "1"),
        ("devices: [{source: /dev/null, target: /dev/zero, permissions: r}]", "devices.0.permissions", "r"),
        ("gpus: [{device_ids: ['2']}]", "devices.0.source", "nvidia.com/gpu=2"),
        ("gpus: [{count: 1}]", "devices.0.source", "nvidia.com/gpu=0"),
        ("gpus: all", "devices.0.source", "nvidia.com/gpu=all"),
        ("healthcheck: {test: a, timeout: 3s}", "health.timeout_ns", 3_000_000_000),
        ("healthcheck: {test: a, start_period: 3s}", "health.start_period_ns", 3_000_000_000),
        ("healthcheck: {test: a, start_interval: 3s}", "health.start_interval_ns", 3_000_000_000),
        ("networks: {front: {ipv6_address: 'fd00::5'}}", "networking.network.options", ("alias=web", "ip6=fd00::5")),
        ("networks: {front: {mac_address: '02:00:00:00:00:01'}}", "networking.network.options",
         ("alias=web", "mac=02:00:00:00:00:01")),
        ("networks: {front: {}, back: {gw_priority: 1}}", "networking.network.joined", "shop_back"),
        ("ports: [{target: 80, published: '8000', host_ip: 127.0.0.1, protocol: udp, mode: host}]",
         "networking.ports.0.host_ip", "127.0.0.1"),
        ("ports: [{target: 80, published: '8000', host_ip: 127.0.0.1, protocol: udp, mode: host}]",
         "networking.ports.0.container_port", 80),
        ("secrets: [{source: kept, uid: '5', gid: '6'}]", "secrets.0.uid", 5),
        ("secrets: [{source: kept, uid: '5', gid: '6'}]", "secrets.0.gid", 6),
        ("configs: [{source: app, uid: '5', gid: '6'}]", "secrets.0.gid", 6),
        ("ulimits: {nofile: {soft: 1, hard: 2}}", "ulimits.0.soft", 1),
        ("volumes: [{type: bind, source: /etc, target: /e, read_only: true}]", "mounts.0.read_only", True),
        ("volumes: [{type: bind, source: /etc, target: /e, bind: {propagation: rslave}}]",
         "mounts.0.propagation", "rslave"),
        ("volumes: [{type: bind, source: /etc, target: /e, bind: {selinux: Z}}]", "mounts.0.relabel", "private"),
        ("volumes: [{type: volume, source: data, target: /d, volume: {nocopy: true}}]", "mounts.0.copy", False),
    ],
)  # fmt: skip
def test_key_of_a_service(tmp_path: Path, keys: str, path: str, expected: Any) -> None:
    found = config(tmp_path, f"{keys}\n")
    if path.startswith("labels."):
        assert found.labels[path.removeprefix("labels.")] == expected
    else:
        assert read(found, path) == expected


def test_keys_that_name_and_label_containers(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "more.labels").write_text("a=1\nb=2\n")
    (tmp_path / "shop" / "raw.env").write_text("A='$B'\n")
    keys = """
container_name: own
label_file: more.labels
labels: {b: "3"}
env_file: [{path: raw.env, format: raw}]
scale: 1
attach: false
"""
    loaded = load(tmp_path, keys)
    assert identity.container_name(loaded, "web", 1) == "own"
    found = config(tmp_path, keys)
    assert (found.labels["a"], found.labels["b"]) == ("1", "3")
    assert found.environment == ("A='$B'",)
    assert project.replicas(loaded.service("web")) == 1


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("pull_policy: always", ("always", 0)),
        ("pull_policy: if_not_present", ("missing", 0)),
        ("pull_policy: build", ("build", 0)),
        ("pull_policy: daily", ("missing", 86_400 * 10**9)),
        ("pull_policy: every_2h", ("missing", 7200 * 10**9)),
        ("pull_policy: refresh\npull_refresh_after: 1w", ("missing", 604_800 * 10**9)),
    ],
)
def test_pull_policy(tmp_path: Path, keys: str, expected: Any) -> None:
    assert images.policy_of(load(tmp_path, f"{keys}\n"), "web") == expected


def test_depends_on(tmp_path: Path) -> None:
    keys = "depends_on: {other: {condition: service_healthy, required: false, restart: true}}\n"
    (found,) = project.dependencies(load(tmp_path, keys).service("web")).values()
    assert found == {"condition": "service_healthy", "required": False, "restart": True}


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ("deploy: {update_config: {parallelism: 3, delay: 1s, monitor: 2s, failure_action: continue,"
         " max_failure_ratio: 0.5, order: start-first}}", "update_config"),
        ("deploy: {rollback_config: {parallelism: 3, delay: 1s, monitor: 2s, failure_action: continue,"
         " max_failure_ratio: 0.5, order: start-first}}", "rollback_config"),
    ],
)  # fmt: skip
def test_ways_to_update(tmp_path: Path, keys: str, kind: str) -> None:
    way = rolling.way_of(load(tmp_path, f"{keys}\n"), "web", kind)
    assert way == rolling.Way(3, 1.0, 2.0, "continue", 0.5, starts_first=True)


def test_a_node_has_so_many_containers(tmp_path: Path) -> None:
    keys = "deploy: {replicas: 2, placement: {max_replicas_per_node: 1}}\n"
    with pytest.raises(FileError, match="max_replicas_per_node"):
        placement.check(load(tmp_path, keys), "web", 2)


def test_preferences_among_nodes_hold_on_the_only_one(tmp_path: Path) -> None:
    keys = "deploy: {placement: {preferences: [{spread: node.labels.zone}]}}\n"
    loaded = load(tmp_path, keys)
    placement.check(loaded, "web", 3)
    assert support.check(loaded) == []


def test_a_directory_of_the_host_is_made_unless_it_shall_be_there(tmp_path: Path) -> None:
    keys = "volumes: [{type: bind, source: ./made, target: /d, bind: {create_host_path: true}}]\n"
    mounts.make_sources(load(tmp_path, keys), "web")
    assert (tmp_path / "shop" / "made").is_dir()
    keys = "volumes: [{type: bind, source: ./gone, target: /d, bind: {create_host_path: false}}]\n"
    with pytest.raises(FileError, match="gone"):
        mounts.make_sources(load(tmp_path, keys), "web")
        config(tmp_path, keys)


def test_extends_and_include(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("services: {base: {image: base, user: '5'}}\n")
    part = tmp_path / "part"
    part.mkdir()
    (part / "more.yaml").write_text("services: {more: {image: '$IMAGE', env_file: e}}\n")
    (part / "e").write_text("A=1\n")
    (tmp_path / "vars.env").write_text("IMAGE=included\n")
    found = from_text(
        tmp_path,
        """
include: [{path: part/more.yaml, project_directory: part, env_file: vars.env}]
services: {web: {extends: {file: base.yaml, service: base}, image: own}}
""",
    )
    assert found.service("web")["user"] == "5"
    assert found.service("more")["image"] == "included"
    assert identity.environment(found, "more") == {"A": "1"}


# Builds.

BUILD = """
services:
  web:
    image: registry.example/web
    build:
      context: .
      KEYS
secrets: {token: {file: ./token}, variable: {environment: TOKEN}}
networks: {front: {}}
"""


def build(directory: Path, keys: str) -> BuildOptions:
    (directory / "key").write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    loaded = from_text(directory, BUILD.replace("KEYS", keys))
    from pod.compose.images import ImageOptions
    from pod.engine.images import PullOptions

    options = ImageOptions(pull=PullOptions(), progress=lambda: None)  # type: ignore[arg-type, return-value]
    return images.build_options(loaded, "web", options)


@pytest.mark.parametrize(
    ("keys", "path", "expected"),
    [
        ("additional_contexts: {base: docker-image://a}", "contexts.0.kind", "image"),
        ("args: {A: b}", "arguments", {"A": "b"}),
        ("cache_from: [registry.example/cache]", "cache_from.0.place", "registry.example/cache"),
        ("cache_to: ['type=local,dest=/cache']", "cache_to.0.place", "/cache"),
        ("extra_hosts: ['a:1.2.3.4']", "run.networking.hosts", ("a:1.2.3.4",)),
        ("labels: {a: b}", "labels", {"a": "b"}),
        ("network: none", "run.networking.network.mode", "none"),
        ("network: front", "run.networking.network.joined", "NAME_front"),
        ("no_cache: true", "use_cache", False),
        ("no_cache_filter: [one]", "no_cache_stages", ("one",)),
        ("platforms: [linux/amd64, linux/arm64]", "platforms", ("linux/amd64", "linux/arm64")),
        ("pull: true", "pull", "always"),
        ("secrets: [{source: token, target: t}]", "secrets.0.id", "t"),
        ("secrets: [variable]", "secrets.0.kind", "env"),
        ("shm_size: 1m", "run.shm_size", 1 << 20),
        ("ssh: [one=./key]", "ssh.0.id", "one"),
        ("tags: [registry.example/web:2]", "tags.1", "registry.example/web:2"),
        ("target: one", "target", "one"),
        ("ulimits: {nofile: {soft: 1, hard: 2}}", "run.ulimits.0.hard", 2),
        ("ulimits: {nofile: 5}", "run.ulimits.0.soft", 5),
    ],
)  # fmt: skip
def test_key_of_a_build(tmp_path: Path, keys: str, path: str, expected: Any) -> None:
    if isinstance(expected, str):
        expected = expected.replace("NAME", project.load(asked(tmp_path), {}).name)
    assert read(build(tmp_path, keys), path) == expected


def test_dockerfile_of_a_build(tmp_path: Path) -> None:
    assert build(tmp_path, "dockerfile: other").files == (f"{tmp_path}/other",)
    assert build(tmp_path, "dockerfile_inline: FROM scratch").files == ()
    with pytest.raises(PodError, match=r"services\.web\.build\.cache_to"):
        build(tmp_path, "cache_to: ['type=what']")


# Networks, volumes, secrets, configs.


@pytest.mark.parametrize(
    ("keys", "name", "expected"),
    [
        ("driver: bridge", "internal", False),
        ("driver_opts: {mtu: 1400}", "mtu", 1400),
        ("driver_opts: {com.docker.network.bridge.name: br7}", "interface", "br7"),
        ("enable_ipv4: true", "ipv6", False),
        ("enable_ipv6: true", "ipv6", True),
        ("internal: true", "internal", True),
        ("ipam: {driver: default}", "subnets", []),
    ],
)
def test_key_of_a_network(tmp_path: Path, keys: str, name: str, expected: Any) -> None:
    assert network(tmp_path, keys)[name] == expected


def test_addresses_of_a_network(tmp_path: Path) -> None:
    keys = "ipam: {config: [{subnet: 10.9.0.0/24, ip_range: 10.9.0.128/25, gateway: 10.9.0.7}]}"
    (subnet,) = network(tmp_path, keys)["subnets"]
    assert [str(subnet.subnet), str(subnet.gateway)] == ["10.9.0.0/24", "10.9.0.7"]


def network(directory: Path, keys: str) -> dict[str, Any]:
    found = from_text(
        directory, f"services: {{}}\nnetworks: {{front: {{labels: {{a: b}}, {keys}}}}}\n"
    )
    assert found.networks["front"]["labels"] == {"a": "b"}
    settings = found.networks["front"]
    return resources.network_arguments(settings, settings.place, ("networks", "front"))


NAMES = """
services: {}
networks: {a: {name: own}, b: {external: true}, c: {external: {name: old}}}
volumes: {a: {name: own}, b: {external: true}, c: {external: {name: old}}}
secrets: {a: {name: own, file: ./f, labels: {a: b}}, b: {external: true}, c: {external: {name: old}}}
configs: {a: {name: own, file: ./f, labels: {a: b}}, b: {external: true}, c: {external: {name: old}}}
"""


@pytest.mark.parametrize("kind", ["networks", "volumes", "secrets", "configs"])
def test_names_outside_of_the_file(tmp_path: Path, kind: str) -> None:
    found = from_text(tmp_path, NAMES)
    assert [found.name_of(kind, key) for key in "abc"] == ["own", "b", "old"]


def test_where_secrets_and_configs_come_from(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("from a file")
    found = from_text(
        tmp_path,
        "services: {web: {image: x, configs: [{source: e, mode: 0400}, {source: f, mode: 0400}]}}\n"
        "configs: {e: {environment: VALUE}, f: {file: ./f}}\nvolumes: {v: {driver: local}}\n",
        {"VALUE": "from a variable"},
    )
    assert len(resources.contents(found, "web")) == 2
    assert resources._content(found, "configs", "e") == b"from a variable"
    assert resources._content(found, "configs", "f") == b"from a file"


# All of them.


def test_every_honoured_key_is_in_a_test() -> None:
    """By what tests have files made of; what a key does there is for them to say."""
    tested = {path for text in texts_of_tests() for path in paths_in(text)}
    honoured = [path for path in PATHS if support.row_of(path).verdict == support.HONOURED]
    assert len(honoured) > 250
    assert [path for path in honoured if path not in tested] == []


BESIDE = {
    # what must stand beside a key, by the end of the path that leads to it
    "ports[]": {"target": 80},
    "build.secrets[]": {"source": "a"},
    "build": {"context": "."},
    "volumes[]": {"type": "volume", "target": "/a"},
    "devices[]": {"capabilities": ["gpu"]},
    "gpus[]": {"capabilities": ["gpu"]},
    "services.*": {"image": "x"},
    "secrets.*": {"file": "./f"},
    "configs.*": {"file": "./f"},
}
VALUES = (
    "a", 5, 0.5, True, ["a"], {"a": "b"}, [{"command": "a"}], {"type": "a"}, {"file": "a"}, [{"a": "b"}], {"a": {}},
    [{"spread": "a"}], {"parallelism": 1}, [{"discrete_resource_spec": {"kind": "a", "value": 1}}],
)  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        path
        for path, row in support.TABLE.items()
        if row.verdict != support.HONOURED and "." in path
    ],
)
def test_a_key_without_effect_says_why(tmp_path: Path, path: str) -> None:
    row = support.TABLE[path]
    said = [it for value in VALUES if (it := verdict(tmp_path, path, value))]
    assert any(row.note in it and path.rpartition(".")[2] in it for it in said), said


def verdict(directory: Path, path: str, value: Any) -> str:
    """What is said of a file with this value at a path; "" when the schema has something against it."""
    words = path.split(".")
    for count in range(len(words) - 1, -1, -1):
        word, beside = words[count], next(
            (more for end, more in BESIDE.items() if ".".join(words[:count]).endswith(end)), {}
        )  # fmt: skip
        if word.endswith("[]"):
            value, word = [value], word[:-2]
        value = {**beside, ("default" if word == "*" else word): value}
    value.setdefault("services", {})
    try:
        loaded = from_text(directory, json.dumps(value), consistent=False)
    except FileError:
        return ""
    try:
        return "\n".join(support.check(loaded))
    except Refused as error:
        return error.message


def texts_of_tests() -> Iterator[str]:
    """What stands in tests of compose and may be a file, or keys of a service, a build or a network."""
    unit = TESTS / "unit" / "compose"
    for path in (
        *sorted((TESTS / "e2e").glob("test_compose*.py")),
        unit / "test_service.py",
        unit / "test_keys.py",
    ):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                text = textwrap.dedent(node.value)
                if "services:" in text:
                    yield text
                elif path.parent == unit and ":" in text and len(text) < 300:
                    for before in (
                        "services: {web: {%s}}",
                        "services: {web: {build: {%s}}}",
                        "networks: {a: {%s}}",
                    ):
                        yield before % text.strip().replace("\n", ", ")


def paths_in(text: str) -> set[str]:
    """The keys that a text has, as paths; a name may stand for itself, or for any."""
    try:
        documents = tree.parse(text.encode(), "x", [])
    except PodError:
        return set()
    return {path for document in documents for path in _paths(document)}


def _paths(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            for name in (str(key), "*"):
                yield name
                for rest in _paths(inner):
                    yield name + rest if rest.startswith("[]") else f"{name}.{rest}"
    elif isinstance(value, list):
        for inner in value:
            for rest in _paths(inner):
                yield f"[]{rest}" if rest.startswith("[]") else f"[].{rest}"


def asked(directory: Path) -> Asked:
    path = directory / "compose.yaml"
    if not path.exists():
        path.write_text("services: {}\n")
    return Asked(directory=os.fspath(directory))


def from_text(
    directory: Path, text: str, variables: dict[str, str] | None = None, *, consistent: bool = True
) -> Project:
    (directory / "compose.yaml").write_text(text)
    return project.load(asked(directory), variables or {}, consistent=consistent)
