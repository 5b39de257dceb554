"""Pulls over connections that do not last, beside pulls that do not last, and from mirrors that lie."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import pytest

from pod.image.names import Mirror, RegistriesConfig, Rule
from pod.image.wire import CHUNK_BYTES
from storage.store import Store
from tests.integration.image.faulty import FaultyRegistry, digest_of, small_layer
from tests.integration.image.test_pull import QUICK, pulled, random_layer, start_pull
from tests.support import waiting
from tests.support.layout import Layout
from tests.support.proxy import DroppingProxy
from tests.support.registry import Registry as RealRegistry


def test_registry_that_drops_every_connection(
    store: Store, registry: RealRegistry, tmp_path: Any
) -> None:
    """All arrives, over as many connections as it takes, and of each connection at most one chunk arrives twice."""
    layout = Layout(str(tmp_path))
    layers = [layout.add_layer(random_layer(f"l{number}", 6_000_000)) for number in range(2)]
    image = layout.add_image(layers)
    registry.push(image, "me/dropped")
    size = sum(os.path.getsize(layout.blob_path(layer[0]["digest"])) for layer in layers)
    with DroppingProxy(registry.port, 700_000) as proxy:
        pulled(store, f"{proxy.host}/me/dropped")
        assert proxy.dropped >= 2 * (6_000_000 // 700_000)
        headers = 4096 * (proxy.dropped + 20)
        assert proxy.down <= size + proxy.dropped * CHUNK_BYTES + headers
    assert len(store.images.list()) == 1


def test_waiting_pull_goes_on_for_one_that_is_killed(store: Store, server: FaultyRegistry) -> None:
    """What the first has brought is not fetched again."""
    layer = random_layer(size=4_000_000)
    server.add_image("a/b:latest", [layer])
    gate = threading.Event()
    server.slow = (2_000_000, gate)
    first = start_pull(store, f"{server.host}/a/b")
    waiting.until(lambda: _has_come(store, layer) >= 1_500_000, "half of it")
    second = start_pull(store, f"{server.host}/a/b")
    waiting.until(lambda: _waits_for_lock(second.pid), "the second pull waiting for the first")
    assert len(server.seen("/blobs/" + digest_of(layer))) == 1
    server.slow = None
    first.kill()
    first.communicate(timeout=30)
    _, err = second.communicate(timeout=60)
    gate.set()
    assert second.returncode == 0, err
    asked = server.seen("/blobs/" + digest_of(layer))
    begin = asked[1].headers["Range"].removeprefix("bytes=").removesuffix("-")
    assert 1_500_000 <= int(begin) <= 2_000_000
    assert len(asked) == 2
    store.staging.sweep()


def test_waiting_pull_can_be_given_up(store: Store, server: FaultyRegistry) -> None:
    """The one that works is not disturbed."""
    layer = random_layer(size=4_000_000)
    server.add_image("a/b:latest", [layer])
    gate = threading.Event()
    server.slow = (2_000_000, gate)
    first = start_pull(store, f"{server.host}/a/b")
    waiting.until(lambda: _has_come(store, layer) > 0, "the first pull at its layer")
    second = start_pull(store, f"{server.host}/a/b")
    waiting.until(lambda: _waits_for_lock(second.pid), "the second pull waiting for the first")
    second.send_signal(signal.SIGINT)
    second.communicate(timeout=60)
    assert second.returncode != 0
    assert first.poll() is None
    gate.set()
    _, err = first.communicate(timeout=60)
    assert first.returncode == 0, err
    assert len(server.seen("/blobs/" + digest_of(layer))) == 1
    store.staging.sweep()


def _has_come(store: Store, layer: bytes) -> int:
    """How many bytes of it; the pull that gets them has the lock."""
    partial = f"{store.root}/images/partial/{digest_of(layer).removeprefix('sha256:')}"
    return os.path.getsize(partial) if os.path.exists(partial) else 0


def _waits_for_lock(pid: int) -> bool:
    """See proc_locks(5): "1: -> FLOCK ADVISORY WRITE PID ..."."""
    with open("/proc/locks") as file:
        waiters = [line.split() for line in file if "->" in line]
    return any(words[5] == str(pid) for words in waiters)


@pytest.mark.parametrize("wrong", ["layer", "configuration", "manifest"])
def test_mirror_with_other_content_is_passed_over(
    store: Store, server: FaultyRegistry, wrong: str
) -> None:
    layer = small_layer()
    server.add_image("a/b:latest", [layer])
    with FaultyRegistry() as mirror:
        mirror.blobs, mirror.manifests = dict(server.blobs), dict(server.manifests)
        if wrong == "layer":
            mirror.blobs[digest_of(layer)] = layer[:-1] + b"\1"
        elif wrong == "configuration":
            name = next(name for name in mirror.blobs if name != digest_of(layer))
            mirror.blobs[name] = mirror.blobs[name].replace(b"linux", b"plan9")
        else:
            mirror.add_manifest("a/b:latest", b"[]")
        rule = Rule(server.host, server.host, mirrors=(Mirror(mirror.host),))
        access = QUICK.replace(registries=RegistriesConfig(rules=(rule,)))
        image = pulled(store, f"{server.host}/a/b", access)
        assert mirror.requests
    assert image.name == f"{server.host}/a/b:latest"
