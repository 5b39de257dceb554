"""Files become a project: forms, merges, extends, include, profiles, names."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from pod.compose import canonical, identity, places, project, tree
from pod.compose.places import Asked
from pod.compose.project import Project


class Directory:
    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, **files: str) -> Directory:
        for name, text in files.items():
            path = self.path / f"{name.replace('__', '/').replace('_', '.')}.yaml"
            path.parent.mkdir(exist_ok=True, parents=True)
            path.write_text(textwrap.dedent(text))
        return self

    def load(self, *files: str, env: dict[str, str] | None = None, **asked: Any) -> Project:
        names = tuple(str(self.path / f"{name}.yaml") for name in files)
        return project.load(
            Asked(files=names, directory="" if names else str(self.path), **asked), env or {}
        )

    def service(self, *files: str, name: str = "web", **more: Any) -> Any:
        return tree.plain(self.load(*files, **more).services[name])


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    path = tmp_path / "shop"
    path.mkdir()
    return Directory(path)


def one(directory: Directory, text: str) -> Any:
    """The service `web` with this text as its keys, but for its image."""
    lines = textwrap.indent(textwrap.dedent(text), "    ")
    directory.write(compose=f"services:\n  web:\n    image: x\n{lines}\nvolumes: {{data: {{}}}}\n")
    found = directory.service()
    del found["image"]
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("command: a 'b c'", {"command": ["a", "b c"]}),
        ("command: []", {"command": []}),
        ("entrypoint: [a, b]", {"entrypoint": ["a", "b"]}),
        ("environment: [A=1, B, C=]", {"environment": {"A": "1", "B": None, "C": ""}}),
        ("environment: {A: 1, B: true, C: 1.5, D: }",
         {"environment": {"A": "1", "B": "true", "C": "1.5", "D": None}}),
        ("labels: [a=b, c]", {"labels": {"a": "b", "c": ""}}),
        ("dns: 1.1.1.1", {"dns": ["1.1.1.1"]}),
        ("tmpfs: /run", {"tmpfs": ["/run"]}),
        ("expose: [80, '81-82']", {"expose": ["80", "81-82"]}),
        ("healthcheck: {test: a b}", {"healthcheck": {"test": ["CMD-SHELL", "a b"]}}),
        ("extra_hosts: ['a:1.2.3.4', 'b=::1', 'a:1.2.3.5']",
         {"extra_hosts": {"a": ["1.2.3.4", "1.2.3.5"], "b": ["::1"]}}),
        ("ulimits: {nofile: 3}", {"ulimits": {"nofile": 3}}),
        ("gpus: all", {"gpus": [{"count": -1}]}),
        ("devices: ['/dev/a:/dev/b:r', /dev/c, vendor/kind=x]", {"devices": [
            {"source": "/dev/a", "target": "/dev/b", "permissions": "r"},
            {"source": "/dev/c", "target": "/dev/c", "permissions": "rwm"},
            {"source": "vendor/kind=x"}]}),
        ("volumes: ['data:/d:ro,nocopy']", {"volumes": [
            {"type": "volume", "source": "data", "target": "/d", "read_only": True, "volume": {"nocopy": True}}]}),
        ("volumes: [/d]", {"volumes": [{"type": "volume", "target": "/d"}]}),
        ("volumes: ['/a:/b:rshared']", {"volumes": [
            {"type": "bind", "source": "/a", "target": "/b",
             "bind": {"create_host_path": True, "propagation": "rshared"}}]}),
        ("logging: {options: {a: 1}}", {"logging": {"options": {"a": "1"}}}),
    ],
)  # fmt: skip
def test_short_forms_become_long_ones(directory: Directory, text: str, expected: Any) -> None:
    assert one(directory, text) == expected


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        ("80", ["80"]),
        ("8080:80", ["8080:80"]),
        ("127.0.0.1:8080:80/udp", ["127.0.0.1:8080:80/udp"]),
        ("[::1]:8080:80", ["::1:8080:80"]),
        ("::1:8080:80", ["::1:8080:80"]),
        ("127.0.0.1::80", ["127.0.0.1:80"]),
        ("8000-8001:80-81", ["8000:80", "8001:81"]),
        ("80-81", ["80", "81"]),
        ("8000-8010:80", ["8000-8010:80"]),
    ],
)
def test_ports(directory: Directory, port: str, expected: list[str]) -> None:
    found = []
    for entry in one(directory, f'ports: ["{port}"]')["ports"]:
        parts = [entry.get("host_ip", ""), entry.get("published", ""), str(entry["target"])]
        end = "" if entry["protocol"] == "tcp" else f"/{entry['protocol']}"
        found.append(":".join(filter(None, parts)) + end)
    assert found == expected


def test_paths_are_relative_to_the_project(directory: Directory) -> None:
    found = one(
        directory,
        """
        build: {context: ../src, additional_contexts: [a=./b, c=docker-image://d]}
        volumes: [./x:/x, ../y:/y]
        env_file: a.env
        """,
    )
    top = str(directory.path)
    parent = str(directory.path.parent)
    assert found["build"]["context"] == f"{parent}/src"
    assert found["build"]["additional_contexts"] == {"a": f"{top}/b", "c": "docker-image://d"}
    assert [it["source"] for it in found["volumes"]] == [f"{top}/x", f"{parent}/y"]
    assert found["env_file"] == [{"path": f"{top}/a.env", "required": True}]


BASE = """
services:
  web:
    image: x
    command: [a]
    environment: {A: 1, B: 2}
    ports: ["80:80", "81:81"]
    volumes: ["data:/d", "./a:/a"]
    dns: [1.1.1.1]
    depends_on: [db]
    labels: [a=b]
    logging: {driver: json-file, options: {max-size: 1m}}
    deploy: {resources: {limits: {cpus: "1", memory: 1g}}}
  db: {image: y}
volumes: {data: }
"""


@pytest.mark.parametrize(
    ("change", "key", "expected"),
    [
        ("command: [b, c]", "command", ["b", "c"]),
        ("environment: [B=3, C]", "environment", {"A": "1", "B": "3", "C": None}),
        ("environment: {A: !reset null}", "environment", {"B": "2"}),
        ("environment: !override {Z: 1}", "environment", {"Z": "1"}),
        ("environment: !reset {}", "environment", None),
        ("dns: [8.8.8.8, 1.1.1.1]", "dns", ["1.1.1.1", "8.8.8.8"]),
        ("dns: !override [8.8.8.8]", "dns", ["8.8.8.8"]),
        ("depends_on: {db: {condition: service_healthy}}", "depends_on",
         {"db": {"condition": "service_healthy", "required": True}}),
        ("labels: {c: d}", "labels", {"a": "b", "c": "d"}),
        ("logging: {options: {max-file: 2}}", "logging",
         {"driver": "json-file", "options": {"max-size": "1m", "max-file": "2"}}),
        ("logging: {driver: journald}", "logging", {"driver": "journald"}),
        ("deploy: {resources: {limits: {cpus: '2'}}}", "deploy",
         {"resources": {"limits": {"cpus": "2", "memory": "1g"}}}),
        ("image: !reset null\n    build: .", "image", None),
    ],
)  # fmt: skip
def test_later_file_goes_over_the_earlier(
    directory: Directory, change: str, key: str, expected: Any
) -> None:
    directory.write(base=BASE, more=f"services:\n  web:\n    {change}\n")
    assert directory.service("base", "more").get(key) == expected


def test_ports_and_volumes_are_unique_by_their_keys(directory: Directory) -> None:
    directory.write(
        base=BASE,
        more="""
        services:
          web:
            ports: ["80:80", "82:82"]
            volumes: ["other:/d", "./b:/b"]
        volumes: {other: }
        """,
    )
    found = directory.service("base", "more")
    assert [it["published"] for it in found["ports"]] == ["80", "81", "82"]
    assert [(it["source"].rpartition("/")[2], it["target"]) for it in found["volumes"]] == [
        ("other", "/d"),
        ("a", "/a"),
        ("b", "/b"),
    ]


def test_override_file_beside_is_taken(directory: Directory) -> None:
    directory.write(compose=BASE, compose_override="services: {web: {image: z}}\n")
    assert directory.service()["image"] == "z"


def test_service_extends_others(directory: Directory) -> None:
    directory.write(
        sub__base="""
        services:
          app: {image: x, command: [a], environment: {A: 1}, volumes: ["./d:/d"], extends: {service: root}}
          root: {image: r, user: "5", environment: {A: 0, R: 1}}
        """,
        compose="""
        services:
          web: {extends: {file: sub/base.yaml, service: app}, environment: {B: 2}, command: [b]}
          more: {extends: web, image: y}
        """,
    )
    web, more = directory.service(), directory.service(name="more")
    assert web["environment"] == {"A": "1", "R": "1", "B": "2"}
    assert (web["image"], web["command"], web["user"]) == ("x", ["b"], "5")
    assert web["volumes"][0]["source"] == str(directory.path / "sub/d")
    assert more == {**web, "image": "y"}


def test_included_project_has_its_own_directory_and_variables(directory: Directory) -> None:
    directory.write(
        compose="""
        include: [sub/compose.yaml]
        services: {web: {image: x, depends_on: [db]}}
        """,
        sub__compose="""
        services: {db: {image: "y:${TAG}-${OURS}", volumes: ["./d:/d", "data:/e"]}}
        volumes: {data: {}}
        """,
    )
    (directory.path / "sub/.env").write_text("TAG=1\nOURS=theirs\n")
    loaded = directory.load(env={"OURS": "ours"})
    assert loaded.services["db"]["image"] == "y:1-ours"
    assert loaded.services["db"]["volumes"][0]["source"] == str(directory.path / "sub/d")
    assert loaded.name_of("volumes", "data") == "shop_data"


def test_include_with_changes(directory: Directory) -> None:
    directory.write(
        compose="""
        include: [{path: [sub/compose.yaml, change.yaml], project_directory: .}]
        services: {web: {image: x}}
        """,
        sub__compose="services: {db: {image: y, volumes: ['./d:/d']}}\n",
        change="services: {db: {image: z}}\n",
    )
    loaded = directory.load()
    assert loaded.services["db"]["image"] == "z"
    assert loaded.services["db"]["volumes"][0]["source"] == str(directory.path / "d")


def test_profiles_choose_services(directory: Directory) -> None:
    directory.write(
        compose="""
        services:
          web: {image: x}
          tools: {image: x, profiles: [dev, test], depends_on: [extra]}
          extra: {image: x, profiles: [dev]}
        """
    )
    assert list(directory.load().services) == ["web"]
    assert list(directory.load(profiles=("dev",)).services) == ["web", "tools", "extra"]
    assert list(directory.load(env={"COMPOSE_PROFILES": "dev"}).services)[1:] == ["tools", "extra"]
    assert list(directory.load(profiles=("*",)).services) == ["web", "tools", "extra"]
    named = project.with_named(directory.load(), ["tools"])
    assert set(named.services) == {"web", "tools", "extra"}


@pytest.mark.parametrize(
    ("name", "env", "asked", "expected"),
    [
        ("", {}, "", "shop"),
        ("name: own", {}, "", "own"),
        ("name: own", {"COMPOSE_PROJECT_NAME": "env"}, "", "env"),
        ("name: own", {"COMPOSE_PROJECT_NAME": "env"}, "asked", "asked"),
        ("name: a-${B:-c}", {}, "", "a-c"),
    ],
)
def test_name_of_the_project(
    directory: Directory, name: str, env: dict[str, str], asked: str, expected: str
) -> None:
    directory.write(compose=f"{name}\nservices: {{web: {{image: '${{COMPOSE_PROJECT_NAME}}'}}}}\n")
    loaded = directory.load(env=env, name=asked)
    assert loaded.name == loaded.services["web"]["image"] == expected


def test_variables_come_from_the_environment_then_from_the_file(directory: Directory) -> None:
    directory.write(compose="services: {web: {image: '${A}-${B}-${C:-c}'}}\n")
    (directory.path / ".env").write_text("A=file\nB=file\n")
    assert directory.service(env={"A": "env"})["image"] == "env-file-c"
    (directory.path / "other").write_text("B=other\n")
    given = (str(directory.path / "other"),)
    assert directory.service(env={"A": "env"}, env_files=given)["image"] == "env-other-c"


def test_variable_without_a_value_is_said(directory: Directory) -> None:
    directory.write(compose="services: {web: {image: 'x$GONE'}}\n")
    assert "the variable 'GONE' is not set, so it is empty" in directory.load().warnings


def test_numbers_and_truths_may_come_from_variables(directory: Directory) -> None:
    directory.write(
        compose="""
        services:
          web: {image: x, depends_on: {db: {condition: service_started, required: "${R}"}}}
          db: {image: x}
        """
    )
    assert directory.service(env={"R": "true"})["depends_on"]["db"]["required"] == "true"


def test_anchors_and_extensions(directory: Directory) -> None:
    directory.write(
        compose="""
        x-common: &common {image: x, environment: &env {A: 1}}
        services:
          web:
            <<: *common
            environment: {<<: *env, B: 2}
            x-mine: [1]
        """
    )
    loaded = directory.load()
    assert loaded.services["web"]["environment"] == {"B": "2", "A": "1"}
    assert list(loaded.extensions) == ["x-common"]


def test_old_spellings(directory: Directory) -> None:
    directory.write(
        compose="""
        version: "2.4"
        services: {web: {image: x, networks: [n], links: ["db:base"], mem_limit: 1g}, db: {image: x}}
        networks: {n: {external: {name: real}}}
        """
    )
    loaded = directory.load()
    assert loaded.name_of("networks", "n") == "real"
    assert any("'version' is ignored" in warning for warning in loaded.warnings)


def test_base_60_ports_are_warned_about(directory: Directory) -> None:
    directory.write(compose="services:\n  web:\n    image: x\n    ports:\n      - 22:22\n")
    (warning,) = directory.load().warnings
    assert ":5: 22:22 without quotes is a number with the base 60" in warning


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("yes", "yes"), ("true", True), ("~", None), ("", None), ("0644", 0o644), ("0o17", 15),
        ("0x1f", 31), ("089", 89), ("1_000", "1_000"), ("1.50", 1.5), ("1e3", 1000.0), ("2024-01-01", "2024-01-01"),
        ("22:22", "22:22"), ("-5", -5), (".5", 0.5), ("1.2.3", "1.2.3"),
    ],
)  # fmt: skip
def test_what_plain_scalars_mean(text: str, expected: Any) -> None:
    assert tree.plain_scalar(text) == expected


def test_aliases_cannot_make_billions(directory: Directory) -> None:
    lines = ["x-0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"x-{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    directory.write(compose="\n".join([*lines, "services: {web: {image: x}}"]))
    with pytest.raises(Exception, match="the file has more than"):
        directory.load()


def test_hash_follows_what_containers_are_made_from(directory: Directory) -> None:
    def of(text: str, **env: str) -> str:
        directory.write(compose=f"services: {{web: {{image: x, {text}}}}}\n")
        return identity.hash_of(directory.load(env=env), "web")

    assert of("environment: [A=1]") == of("environment: {A: 1}")
    assert of("environment: [A=1]") != of("environment: [A=2]")
    assert of("environment: [A]", A="1") == of("environment: [A=1]")
    assert of("depends_on: []") == of("profiles: []")
    assert of("user: '1'") != of("user: '2'")


def test_what_config_shows_can_be_loaded_again(directory: Directory) -> None:
    directory.write(compose=BASE.replace("command: [a]", "command: [a, $$b]"))
    loaded = directory.load(name="same")
    shown = canonical.document(loaded)
    directory.write(again=json.dumps(shown))
    assert canonical.document(directory.load("again")) == shown
    assert shown["services"]["web"]["command"] == ["a", "$$b"]


def test_files_are_looked_for_above(directory: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    directory.write(compose=BASE)
    inner = directory.path / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    found = places.find(Asked(), {})
    assert found.directory == str(directory.path)
