"""`pod compose lock` and `up --frozen`: the images that were written down, and no others."""

from __future__ import annotations

import json

import pytest

from tests.support.engine import Engine
from tests.support.projects import Files

pytestmark = pytest.mark.not_podman("podman hands compose over to another program")

PROJECT = """
name: locked
services:
  web: {image: busybox, command: [sleep, "1000"], stop_signal: SIGKILL}
  own: {image: localhost/own, build: ./own, command: [sleep, "1000"], stop_signal: SIGKILL}
"""


def test_frozen_takes_the_locked_images_and_no_others(compose: Files, pod: Engine) -> None:
    compose.write(PROJECT)
    compose.write("FROM busybox\nRUN echo one > /it\n", "own/Dockerfile")
    lock = compose.directory / "compose.lock"

    error = compose("up", "-d", "--frozen", status=125).stderr
    assert f"there is no lock file '{lock}'" in error and "Hint: pod compose lock" in error
    shown = compose("lock").lines
    found = json.loads(lock.read_text())
    assert found["version"] == 1 and list(found["images"]) == ["busybox", "localhost/own"]
    assert shown == [f"{name} {digest}" for name, digest in found["images"].items()]
    own = pod("inspect", "--format", "{{.Digest}}", "localhost/own").out
    assert found["images"]["localhost/own"] == own
    pinned = compose("config", "--lock-image-digests", "--format", "json").json()
    assert pinned["services"]["web"] == {"image": f"busybox@{found['images']['busybox']}"}
    whole = compose("config", "--resolve-image-digests", "--format", "json").json()
    assert whole["services"]["own"]["image"] == f"localhost/own@{own}"
    assert whole["services"]["own"]["command"] == ["sleep", "1000"]

    compose("up", "-d", "--frozen")
    before = compose("ps", "-q").lines
    assert "Started" not in compose("up", "-d", "--frozen").stderr

    # Another image of the same name is refused before anything changes; locking it makes it right.
    compose.write("FROM busybox\nRUN echo two > /it\n", "own/Dockerfile")
    compose("build", "own")
    error = compose("up", "-d", "--frozen", status=125).stderr
    assert "service 'own': image 'localhost/own' is sha256:" in error and own in error
    assert compose("ps", "-q").lines == before
    compose("lock", "--quiet")
    compose("up", "-d", "--frozen")
    assert compose("exec", "-T", "own", "cat", "/it").out == "two"

    # What is not in the lock file, or not here, is refused, and no registry is asked.
    compose.write(PROJECT.replace("localhost/own", "localhost/other"))
    assert "'localhost/other' is not in '" in compose("up", "--frozen", status=125).stderr
    found["images"]["registry.invalid/other"] = own
    lock.write_text(json.dumps(found))
    compose.write(PROJECT.replace("localhost/own", "registry.invalid/other"))
    error = compose("up", "--frozen", status=125).stderr
    assert "image 'registry.invalid/other' is not here, and --frozen fetches nothing" in error
    assert "Hint: pod compose build own" in error


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("{", "cannot be read", id="json"),
        pytest.param("[]", "is no lock file of version 1", id="list"),
        pytest.param('{"version": 2, "images": {}}', "is no lock file of version 1", id="version"),
        pytest.param('{"version": 1, "images": []}', "names no digests", id="images"),
    ],
)
def test_a_lock_file_that_is_none(compose: Files, text: str, sentence: str) -> None:
    compose.write(PROJECT)
    (compose.directory / "compose.lock").write_text(text)
    assert sentence in compose("up", "--frozen", status=125).stderr
