"""Base images that are fetched while other stages of a build go on."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from pod.image.media_types import OCI_INDEX
from tests.integration.image.faulty import FaultyRegistry, Reply, Seen, digest_of, small_layer
from tests.support.build import Context
from tests.support.engine import Engine
from tests.support.layout import Entry, layer_tar

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
    layer = layer_tar([Entry("slow", b"slow\n"), Entry("salt", os.urandom(8))])  # is nowhere yet
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
    layer = small_layer("file", os.urandom(8))  # which is nowhere yet
    digest = digest_of(layer)
    server.add_image("me/busy:latest", [layer])
    done = context.build(f"FROM {server.host}/me/busy\nLABEL a=b\n", PLAIN, "--progress=json")
    events = [json.loads(line) for line in done.stderr.splitlines()]
    pulls = [it for it in events if it["event"] == "pull"]
    assert [(it["state"], it["blob"]) for it in pulls] == [("begun", digest), ("done", digest)]
    assert pulls[0]["image"] == f"{server.host}/me/busy"


def _platforms(pod: Engine, name: str) -> list[str]:
    found = pod("manifest", "inspect", name).json()["manifests"]
    return ["/".join(it["platform"].values()) for it in found]


def test_all_platforms_are_those_of_the_base_images(
    context: Context, pod: Engine, server: FaultyRegistry
) -> None:
    """Of a local list, and of one in a registry; stages for the machine's own platform do not count."""
    context.build(
        "FROM scratch\nCOPY Dockerfile /\n",
        "--platform=linux/arm64,linux/amd64,linux/s390x",
        tag="here",
    )
    entries = []
    for architecture in ("amd64", "riscv64", "arm64"):
        layer = small_layer("file", architecture.encode())
        config = {"os": "linux", "architecture": architecture}
        config["rootfs"] = {"type": "layers", "diff_ids": [digest_of(layer)]}  # type: ignore[assignment]
        digest = server.add_image(f"me/there:{architecture}", [layer], config=config)
        media_type, data = server.manifests[f"/v2/me/there/manifests/{digest}"]
        platform = {"architecture": architecture, "os": "linux"}
        entry = {"mediaType": media_type, "size": len(data), "digest": digest}
        entries.append({**entry, "platform": platform})
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    server.add_manifest("me/there:latest", index, OCI_INDEX)
    dockerfile = (
        "FROM --platform=$BUILDPLATFORM busybox AS own\nRUN echo own > /own\n"
        f"FROM {server.host}/me/there AS there\n"
        "FROM here\nCOPY --from=there /file /\nCOPY --from=own /own /\n"
    )
    context.build(dockerfile, PLAIN, "--all-platforms", tag="all")
    assert sorted(_platforms(pod, "all")) == ["amd64/linux", "arm64/linux"]
    context.build(f"FROM {server.host}/me/there\n", PLAIN, "--all-platforms", tag="three")
    assert len(_platforms(pod, "three")) == 3
    for text, options, says in (
        ("FROM scratch\n", "", "no stage has a base image"),
        (
            "FROM here\n",
            "--platform=linux/amd64",
            "--all-platforms and --platform exclude each other",
        ),
        ("FROM localhost/none\n", "--pull=never", "'localhost/none' is not here"),
    ):
        words = ("--all-platforms", *options.split())
        assert says in context.build(text, *words, status=125).stderr


def test_layouts_are_read_with_every_pull_policy(context: Context, pod: Engine) -> None:
    """What they have is new enough."""
    pod.have("busybox")
    layout = f"{context.directory}/../layout"
    pod("save", "--format=oci-dir", "-o", layout, "busybox")
    given = f"--build-context=base=oci-layout://{layout}"
    for policy in ("always", "newer", "missing"):
        context.build("FROM base\nRUN touch /x\n", given, f"--pull={policy}")
        assert context.run("ls", "/x") == "/x"
