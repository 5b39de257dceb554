"""Base images that are fetched while other stages of a build go on."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from tests.integration.image.faulty import FaultyRegistry, Reply, Seen, digest_of, small_layer
from tests.support.build import Context
from tests.support.engine import Engine

pytestmark = pytest.mark.not_podman("4.3 does one stage after the other")

PLAIN = "--tls-verify=false"


class _Gate(threading.Event):
    """Knows whether it was opened while somebody waited, and not given up."""

    was_opened = False

    def wait(self, timeout: float | None = None) -> bool:
        self.was_opened = super().wait(timeout)
        return self.was_opened


@pytest.fixture
def context(pod: Engine, tmp_path: Path) -> Context:
    return Context(pod, tmp_path / "context")


@pytest.fixture
def gate(server: FaultyRegistry) -> _Gate:
    """Holds the layer of `me/slow` back until somebody has fetched /quick."""
    opened = _Gate()
    layer = small_layer("slow", b"slow\n")
    server.add_image("me/slow:latest", [layer])
    server.fault("/blobs/" + digest_of(layer), Reply(hold=opened, usual=True))

    def answer(seen: Seen) -> Reply | None:
        if seen.path != "/quick":
            return None
        opened.set()
        return Reply(body=b"quick\n")

    server.answer = answer
    return opened


def test_stages_go_on_while_an_image_is_fetched(
    context: Context, server: FaultyRegistry, gate: _Gate
) -> None:
    """A command runs, its output is shown and the next step follows, all before the image is here."""
    done = context.build(
        f"FROM {server.host}/me/slow AS one\n"
        f"FROM busybox AS two\nRUN echo out of two\nADD {server.url}/quick /quick\n"
        "FROM busybox\nCOPY --from=one /slow /\nCOPY --from=two /quick /\n",
        PLAIN,
    )
    assert gate.was_opened
    assert context.run("cat", "/slow", "/quick") == "slow\nquick"
    said = done.stderr
    assert said.index("out of two\n") < said.index("[one] --> done")
    assert f"Trying to pull {server.host}/me/slow" in said


def test_copying_from_an_image_holds_nobody_up(
    context: Context, server: FaultyRegistry, gate: _Gate
) -> None:
    """Also the same image for two stages, which is fetched once."""
    context.build(
        f"FROM busybox AS one\nCOPY --from={server.host}/me/slow /slow /\n"
        f"FROM busybox AS two\nRUN --mount=from={server.host}/me/slow,target=/m cp /m/slow /again\n"
        f"FROM busybox AS three\nADD {server.url}/quick /quick\n"
        "FROM busybox\nCOPY --from=one /slow /\nCOPY --from=two /again /\nCOPY --from=three /quick /\n",
        PLAIN,
        "--pull=always",
    )
    assert gate.was_opened
    assert context.run("cat", "/slow", "/again", "/quick") == "slow\nslow\nquick"
    assert len(server.seen("/manifests/latest")) == 1


def test_failed_pull_is_the_failure_of_its_step(context: Context, server: FaultyRegistry) -> None:
    done = context.build(
        f"FROM busybox AS one\nRUN sleep 60\n"
        f"FROM {server.host}/me/nothing AS two\n"
        "FROM busybox\nCOPY --from=one / /1\nCOPY --from=two / /2\n",
        PLAIN,
        "--progress=json",
        status=125,
    )
    events = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    failed = [it for it in events if it["event"] == "failed"]
    assert [it["stage"] for it in failed] == ["two"]
    assert "me/nothing" in failed[0]["reason"]
    assert [it["stage"] for it in events if it["event"] == "cancelled"] == ["one", "2"]


def test_pulls_are_events_too(context: Context, server: FaultyRegistry) -> None:
    digest = digest_of(small_layer())
    server.add_image("me/busy:latest", [small_layer()])
    done = context.build(f"FROM {server.host}/me/busy\nLABEL a=b\n", PLAIN, "--progress=json")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    pulls = [it for it in events if it["event"] == "pull"]
    assert [(it["state"], it["blob"]) for it in pulls] == [("begun", digest), ("done", digest)]
    assert pulls[0]["image"] == f"{server.host}/me/busy"
