"""`pod compose publish`: a project in a registry, as docker compose reads it."""

from __future__ import annotations

import pytest

from tests.support.engine import Engine
from tests.support.projects import Files
from tests.support.registry import Registry

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
