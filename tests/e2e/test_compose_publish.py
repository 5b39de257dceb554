"""`pod compose publish`: a project in a registry, as docker compose reads it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import Engine, Result
from tests.support.projects import Files
from tests.support.registry import Registry
from tests.support.repositories import git, site  # noqa: F401  # pytest finds the fixture here

pytestmark = pytest.mark.not_podman("podman hands compose over to another program")

PROJECT = """
name: shared
services:
  web:
    image: busybox:${TAG:-latest}
    command: [echo, "$$HOME"]
    env_file: settings.env
  own: {image: REGISTRY/own, build: src}
"""


def test_a_project_is_in_the_registry(compose: Files, pod: Engine, registry: Registry) -> None:
    compose.write("FROM busybox\nRUN echo own > /it\n", "src/Dockerfile")
    compose.write("A=secret\n", "settings.env")
    compose.write(PROJECT.replace("REGISTRY", registry.host))
    target = f"{registry.host}/team/shared:1"
    error = compose("publish", target, status=125).stderr
    assert "'services.web.env_file' is not supported" in error or "may be secret" in error
    compose("build")
    digest = compose("publish", "--with-env", "--tls-verify=false", target).out
    assert digest.startswith("sha256:")

    pod("artifact", "pull", "--tls-verify=false", target)
    manifest = pod("artifact", "inspect", target).json()["Manifest"]
    assert manifest["artifactType"] == "application/vnd.docker.compose.project"
    assert [layer["mediaType"] for layer in manifest["layers"]] == [
        "application/vnd.docker.compose.file+yaml", "application/vnd.docker.compose.envfile",
    ]  # fmt: skip
    file, settings = manifest["layers"]
    assert file["annotations"]["com.docker.compose.file"] == "compose.yaml"
    assert settings["annotations"]["com.docker.compose.envfile"] == "settings.env"
    there = compose.directory / "there"
    there.mkdir()
    for layer, name in ((file, "compose.yaml"), (settings, "settings.env")):
        pod("artifact", "extract", "--digest", layer["digest"], target, str(there / name))
    assert (there / "settings.env").read_text() == "A=secret\n"
    text = (there / "compose.yaml").read_text()
    assert (
        "busybox:${TAG:-latest}" in text
        and "build" not in text
        and str(compose.directory) not in text
    )

    # What was published can be used where neither the sources nor the image are.
    pod("rmi", f"{registry.host}/own")
    pod("pull", "--quiet", "--tls-verify=false", f"{registry.host}/own")
    there_too = ("-f", str(there / "compose.yaml"))
    assert pod("compose", *there_too, "run", "--rm", "-T", "own", "cat", "/it").out == "own"
    assert (
        pod("compose", *there_too, "run", "--rm", "-T", "web", "sh", "-c", "echo $A").out
        == "secret"
    )
    pod("compose", *there_too, "down", "-t", "0")


def test_a_published_project_is_used_from_the_registry(
    compose: Files, pod: Engine, tmp_path: Path
) -> None:
    with Registry(str(tmp_path / "registry")) as registry:
        _publish_and_use(compose, pod, registry)


def _publish_and_use(compose: Files, pod: Engine, registry: Registry) -> None:
    compose.write("WHO=here\n", "settings.env")
    compose.write(
        "name: published\nservices:\n"
        "  web: {image: 'busybox:${TAG}', command: [sleep, '9999'], env_file: settings.env, init: true}\n"
    )
    host = f"{registry.host}/team/published"
    digest = compose("publish", "--with-env", f"{host}:1", env={"TAG": "latest"}).out
    used = compose.directory / "used"
    used.mkdir()
    (used / ".env").write_text("TAG=latest\n")  # variables come from where the command is given

    def call(address: str, *words: str, **more: Any) -> Result:
        return pod("compose", "-f", address, *words, cwd=str(used), **more)

    address, pinned = f"oci://{host}:1", f"oci://{host}@{digest}"
    assert call(address, "config", "--images").lines == ["busybox:latest"]
    try:
        call(address, "up", "-d")
        assert call(address, "exec", "-T", "web", "sh", "-c", "echo $WHO").out == "here"
        shown = call(address, "ps", "--format", "json").json()
        assert [one["Name"] for one in shown] == ["published-web-1"]
        assert call(address, "--dry-run", "up").out.startswith("web: keep published-web-1")

        compose("publish", "--with-env", "--oci-version", "1.0", f"{host}:old")
        assert call(f"oci://{host}:old", "config", "--services").lines == ["web"]

        # A version that was used before needs no registry; a file that includes it is a project of its own.
        registry.close()
        assert call(pinned, "config", "--services").lines == ["web"]
        (used / "compose.yaml").write_text(f"name: around\ninclude: ['{pinned}']\n")
        assert call("compose.yaml", "config", "--services").lines == ["web"]
        error = call(address, "config", status=125).stderr
        assert registry.host in error
    finally:
        call(str(used / "compose.yaml"), "-p", "published", "down", "-t", "0")


def test_an_image_is_no_published_project(pod: Engine, registry: Registry) -> None:
    address = f"oci://{registry.have('busybox')}"
    error = pod("compose", "-f", address, "config", status=125).stderr
    assert "is no artifact of the type application/vnd.docker.compose.project" in error


@pytest.mark.parametrize(
    ("service", "sentence"),
    [
        pytest.param("{build: src}", "it has no image that others can pull", id="build"),
        pytest.param(
            "{image: a, volumes: ['./src:/a']}", "/src' is only on this machine", id="mount"
        ),
    ],
)
def test_what_only_this_machine_has_is_refused(compose: Files, service: str, sentence: str) -> None:
    compose.write(f"name: local\nservices:\n  web: {service}\n")
    assert sentence in compose("publish", "registry.invalid/a", status=125).stderr


def test_a_project_is_used_from_a_repository(
    pod: Engine,
    site: tuple[str, Path],  # noqa: F811 — pytest hands the fixture over by its name
    tmp_path: Path,
) -> None:
    address, root = site
    source = tmp_path / "source"
    (source / "deploy").mkdir(parents=True)
    git(source, "init", "-q", "-b", "main", ".")
    (source / "compose.yaml").write_text("services: {web: {image: busybox, build: .}}\n")
    (source / "deploy" / "compose.yaml").write_text("services: {db: {image: 'busybox:${TAG}'}}\n")
    git(source, "add", ".")
    git(source, "commit", "-q", "-m", "one")
    git(source, "clone", "-q", "--bare", ".", str(root / "shop.git"))
    git(root / "shop.git", "update-server-info")

    whole = pod("compose", "-f", f"{address}/shop.git", "config", "--format", "json").json()
    assert whole["name"] == "shop"  # as the repository
    assert os.path.isfile(f"{whole['services']['web']['build']['context']}/deploy/compose.yaml")
    inner = f"{address}/shop.git#main:deploy"
    shown = pod("compose", "-f", inner, "config", "--images", env={"TAG": "1"})
    assert shown.lines == ["busybox:1"]
    error = pod("compose", "-f", f"{address}/shop.git#none", "config", status=125).stderr
    assert "none" in error
