"""Names for the completion of shells."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any

import pytest

from pod.cli.completion import split_line, suggest
from pod.engine.context import Engine
from pod.engine.names import names
from pod.spec.container import ContainerConfig
from pod.state import containers, volumes


@pytest.fixture
def root(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("HOME", str(tmp_path))
    for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(variable, raising=False)
    return f"{tmp_path}/root"


@pytest.fixture
def engine(root: str, tmp_path: Any) -> Engine:
    return Engine(root=root, runroot=f"{tmp_path}/run")


def add_container(engine: Engine, name: str, status: str, created_ns: int) -> None:
    config = ContainerConfig(image="docker.io/library/nginx:latest", image_id="sha256:" + "0" * 64)
    containers.insert(
        engine.database,
        containers.Container(
            hashlib.sha256(name.encode()).hexdigest(),
            name,
            status,
            created_ns,
            0,
            0,
            0,
            "boot",
            config.image_id,
            config,
            {},
        ),
    )


def add_image(root: str, *image_names: str) -> str:
    """An image without layers, under its names; returns its id."""
    blobs = f"{root}/images/blobs/sha256"
    os.makedirs(blobs)

    def put(document: dict[str, Any]) -> tuple[str, int]:
        data = json.dumps(document).encode()
        digest = hashlib.sha256(data).hexdigest()
        with open(f"{blobs}/{digest}", "wb") as file:
            file.write(data)
        return f"sha256:{digest}", len(data)

    config, config_size = put(
        {"os": "linux", "architecture": "amd64", "rootfs": {"type": "layers", "diff_ids": []}}
    )
    manifest_type = "application/vnd.oci.image.manifest.v1+json"
    manifest, size = put(
        {
            "schemaVersion": 2,
            "mediaType": manifest_type,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": config,
                "size": config_size,
            },
            "layers": [],
        }
    )
    entries = [
        {
            "mediaType": manifest_type,
            "digest": manifest,
            "size": size,
            "annotations": {"org.opencontainers.image.ref.name": name},
        }
        for name in image_names
    ]
    with open(f"{root}/images/index.json", "w", encoding="utf-8") as file:
        json.dump({"schemaVersion": 2, "manifests": entries}, file)
    with open(f"{root}/images/oci-layout", "w", encoding="utf-8") as file:
        json.dump({"imageLayoutVersion": "1.0.0"}, file)
    return config


@pytest.mark.parametrize("kind", ["container", "running", "stopped", "image", "volume", "nonsense"])
def test_nothing_is_there_and_nothing_is_made(engine: Engine, root: str, kind: str) -> None:
    assert names(engine, kind) == []
    assert not os.path.exists(root)


def test_containers_by_what_they_do(engine: Engine) -> None:
    os.makedirs(engine.paths.root)
    add_container(engine, "web", "active", 1)
    add_container(engine, "db", "exited", 2)
    add_container(engine, "new", "created", 3)
    image = "docker.io/library/nginx:latest"
    assert names(engine, "container") == [("web", image), ("db", image), ("new", image)]
    assert names(engine, "running") == [("web", image)]
    assert names(engine, "stopped") == [("db", image), ("new", image)]


def test_volumes(engine: Engine) -> None:
    os.makedirs(engine.paths.root)
    volumes.create(engine.database, volumes.Volume("data", 1))
    assert names(engine, "volume") == [("data", "local")]


def test_images_by_full_and_short_names(engine: Engine, root: str) -> None:
    image_id = add_image(root, "docker.io/library/nginx:latest", "localhost:5000/app:1")
    about = image_id.removeprefix("sha256:")[:12]
    assert names(engine, "image") == [
        ("nginx:latest", about),
        ("docker.io/library/nginx:latest", about),
        ("localhost:5000/app:1", about),
    ]


def test_registries_and_logins(
    engine: Engine, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("CONTAINERS_REGISTRIES_CONF", f"{tmp_path}/registries.conf")
    (tmp_path / "registries.conf").write_text(
        'unqualified-search-registries = ["a.example"]\n[[registry]]\nprefix = "*.example"\n'
    )
    (tmp_path / "containers").mkdir()
    (tmp_path / "containers/auth.json").write_text(
        '{"auths": {"https://index.docker.io/v1/": {}, "b.example/team": {}}}'
    )
    logins = [("docker.io", "logged in"), ("b.example/team", "logged in")]
    assert names(engine, "login") == logins
    assert names(engine, "registry") == [("a.example", ""), *logins]


def test_shell_is_offered_the_names_below_the_root_that_was_typed(
    engine: Engine, root: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By way of a command that takes images: `pod trial`."""
    import sys
    import types

    from pod.cli import table
    from pod.cli.declare import Command, Option

    add_image(root, "docker.io/library/nginx:latest", "localhost:5000/app:1")
    module = types.ModuleType("pod.cli.commands.trial")
    module.COMMAND = Command(  # type: ignore[attr-defined]
        lambda arguments, engine: 0,
        options=(Option(("--from",), "text", completes="image"),),
        maximum=None,
        completes=("image",),
    )
    monkeypatch.setitem(sys.modules, "pod.cli.commands.trial", module)
    monkeypatch.setitem(table.COMMANDS, "trial", ("trial", "system", "Try", False))

    def words(line: str) -> list[str]:
        return [suggestion.word for suggestion in suggest(*split_line(line))]

    begin = f"pod --root {root} --runroot {tmp_path}/run trial"
    assert words(f"{begin} ng") == ["nginx:latest"]
    assert words(f"{begin} x localhost:5000/a") == ["localhost:5000/app:1"]
    assert words(f"{begin} --from=docker") == ["--from=docker.io/library/nginx:latest"]
    assert words(f"pod --root {tmp_path}/other trial ng") == []
