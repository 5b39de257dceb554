"""Pulling into a real store: from a real registry, with faults, twice at once, and killed."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import pytest

from pod.base.errors import PodError
from pod.image import failures, media_types
from pod.image.access import Access
from pod.image.connections import Settings
from pod.image.document import InvalidImage
from pod.image.manifest import NoSuchPlatform, SchemaOneManifest
from pod.image.names import Mirror, RegistriesConfig, Rule
from pod.image.platform import host_platform, parse_platform
from pod.image.policy import REJECT, Policy, PolicyRejects, Requirement
from pod.image.progress import Silence
from pod.image.pull import NowhereFound, PulledImage, WrongPlatform, pull, remote_digest
from pod.spec import reference
from storage.blobs import DigestMismatch
from storage.layers import DiffIdMismatch, InvalidLayer
from storage.store import Store
from tests.integration.image.faulty import FaultyRegistry, Reply, digest_of
from tests.support import images, waiting
from tests.support.layout import Entry, Image, Layout, layer_tar
from tests.support.registry import Registry as RealRegistry

QUICK = Access(settings=Settings(retry_delay_seconds=0, connect_seconds=5, idle_seconds=5))


_TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(__file__))))


class Recorder(Silence):
    """What the person would have been told."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.known: dict[str, int] = {}
        self.moved: dict[str, int] = {}
        self.finished: list[str] = []
        self.existing: list[str] = []

    def message(self, text: str) -> None:
        self.messages.append(text)

    def layer_known(self, digest: str, size: int) -> None:
        self.known[digest] = size

    def already_exists(self, digest: str) -> None:
        self.existing.append(digest)

    def advance(self, digest: str, count: int) -> None:
        self.moved[digest] = self.moved.get(digest, 0) + count

    def done(self, digest: str) -> None:
        self.finished.append(digest)


def pulled(store: Store, name: str, access: Access = QUICK, **options: Any) -> PulledImage:
    progress = options.pop("progress", Silence())
    return pull(store, reference.parse(name), access, progress, **options)


def random_layer(name: str = "noise", size: int = 2_000_000) -> bytes:
    noise = b"".join(
        hashlib.sha256(f"{name}{number}".encode()).digest() for number in range(size // 32)
    )
    return layer_tar([Entry(name, noise)])


def in_layer(store: Store, diff_id: str, name: str) -> str:
    return f"{store.layers.path(diff_id)}/{name}"


# What is right


def test_pull_from_a_real_registry(store: Store, registry: RealRegistry) -> None:
    name = registry.have("busybox")
    progress = Recorder()
    image = pulled(store, name, progress=progress)
    record = store.images.lookup(name)
    assert (record.id, record.digest) == (image.id, image.digest)
    assert image.id == f"sha256:{images.image('busybox').id}"
    assert os.path.exists(in_layer(store, record.diff_ids[0], "bin/busybox"))
    assert progress.moved == progress.known == {record.layers[0].digest: record.layers[0].size}
    assert progress.finished == [record.layers[0].digest]


def test_second_pull_moves_no_layer(store: Store, registry: RealRegistry) -> None:
    registry.push(images.image("busybox"), "second/pull")
    name = f"{registry.host}/second/pull:latest"

    def fetched() -> int:
        return sum(it.startswith("GET /v2/second/pull/blobs/") for it in registry.requests_seen())

    pulled(store, name)
    # The configuration and the layer, of which the registry tells behind.
    waiting.until(lambda: fetched() == 2, "requests in the access log")
    progress = Recorder()
    pulled(store, name, progress=progress)
    assert fetched() == 2
    assert len(progress.existing) == 1
    assert progress.known == {}


@pytest.mark.parametrize(
    ("compression", "docker"),
    [("gzip", False), ("zstd", False), ("none", False), ("gzip", True)],  # schema 2 knows gzip only
)
def test_all_kinds_of_layers(
    store: Store, registry: RealRegistry, tmp_path: Any, compression: str, docker: bool
) -> None:
    layout = Layout(str(tmp_path / "layout"))
    layers = [layout.add_layer(random_layer("a"), compression)]
    image = layout.add_image(layers, architecture=host_platform().architecture, docker=docker)
    registry.push(image, f"kinds/{compression}{docker}".lower())
    found = pulled(store, f"{registry.host}/kinds/{compression}{docker}".lower())
    assert found.id == f"sha256:{image.id}"
    assert os.path.exists(in_layer(store, layers[0][1], "a"))


def test_platform_is_chosen_from_a_list(
    store: Store, registry: RealRegistry, tmp_path: Any
) -> None:
    image, descriptor = _list_of_images(str(tmp_path), "amd64", "arm64")
    digest = registry.push_index(image, descriptor, "multi/x")
    name = f"{registry.host}/multi/x"
    host = host_platform().architecture
    pulled(store, name)
    record = store.images.lookup(f"{name}:latest")
    assert record.architecture == host
    assert record.index_digests == (digest,)
    other = "arm64" if host == "amd64" else "amd64"
    pulled(store, name, platform=parse_platform(f"linux/{other}"))
    assert store.images.lookup(f"{name}:latest").architecture == other
    with pytest.raises(NoSuchPlatform, match="has no image for linux/s390x; it has linux/amd64"):
        pulled(store, name, platform=parse_platform("linux/s390x"))


def _list_of_images(path: str, *architectures: str) -> tuple[Image, dict[str, Any]]:
    layout = Layout(path)
    made = [
        layout.add_image(
            [layout.add_layer(layer_tar([Entry("arch", name.encode())]))],
            architecture=name,
            name=name,
        )
        for name in architectures
    ]
    return made[0], layout.add_index(made)


def test_image_for_another_platform(store: Store, registry: RealRegistry, tmp_path: Any) -> None:
    layout = Layout(str(tmp_path))
    image = layout.add_image([layout.add_layer(random_layer())], architecture="s390x")
    registry.push(image, "other/arch")
    progress = Recorder()
    pulled(store, f"{registry.host}/other/arch", progress=progress)
    assert any("is for linux/s390x, and this machine" in text for text in progress.messages)
    with pytest.raises(WrongPlatform, match="is for linux/s390x, not for linux/amd64"):
        pulled(store, f"{registry.host}/other/arch", platform=parse_platform("linux/amd64"))


def test_pull_by_digest_has_no_tag(store: Store, registry: RealRegistry) -> None:
    name = registry.have("busybox").rpartition(":")[0]
    digest = images.image("busybox").digest
    image = pulled(store, f"{name}@{digest}")
    assert image.digest == digest
    assert store.images.lookup(f"{name}@{digest}").names == (f"{name}@{digest}",)


def test_tag_that_moves_takes_its_name_along(store: Store, server: FaultyRegistry) -> None:
    server.add_image("a/b:latest", [random_layer("one")])
    first = pulled(store, f"{server.host}/a/b")
    server.add_image("a/b:latest", [random_layer("two")])
    second = pulled(store, f"{server.host}/a/b")
    assert first.id != second.id
    assert store.images.lookup(f"{server.host}/a/b:latest").id == second.id
    assert store.images.lookup(first.id).names == ()


def test_shared_layers_are_fetched_once(store: Store, server: FaultyRegistry) -> None:
    shared = random_layer("shared")
    server.add_image("a/b:latest", [shared, random_layer("one"), shared])
    server.add_image("a/c:latest", [shared, random_layer("two")])
    pulled(store, f"{server.host}/a/b")
    pulled(store, f"{server.host}/a/c")
    assert len(server.seen(f"/blobs/{digest_of(shared)}")) == 1


def test_only_missing_layer_is_asked_for_once(store: Store, server: FaultyRegistry) -> None:
    base, added = random_layer("base"), random_layer("added")
    server.add_image("a/b:latest", [base])
    server.add_image("a/c:latest", [base, added])
    pulled(store, f"{server.host}/a/b")
    image = pulled(store, f"{server.host}/a/c")
    assert len(server.seen("/a/c/blobs/")) == 2  # the configuration is the other
    assert os.path.exists(in_layer(store, digest_of(added), "added"))
    assert store.images.lookup(image.id).diff_ids == (digest_of(base), digest_of(added))


def test_image_without_layers(store: Store, server: FaultyRegistry) -> None:
    server.add_image("a/empty:latest", [])
    assert store.images.lookup(pulled(store, f"{server.host}/a/empty").id).layers == ()


def test_tree_that_is_gone_is_unpacked_from_its_blob(store: Store, server: FaultyRegistry) -> None:
    layers = [random_layer(f"l{number}") for number in range(5)]
    server.add_image("a/b:latest", layers)
    pulled(store, f"{server.host}/a/b")
    for layer in layers:
        store.layers.remove(digest_of(layer))
    count = len(server.seen("/blobs/"))
    pulled(store, f"{server.host}/a/b")
    assert len(server.seen("/blobs/")) == count
    for number, layer in enumerate(layers):
        assert os.path.exists(in_layer(store, digest_of(layer), f"l{number}"))


def test_blob_that_is_gone_is_fetched_without_unpacking(
    store: Store, server: FaultyRegistry
) -> None:
    layer = random_layer()
    server.add_image("a/b:latest", [layer])
    pulled(store, f"{server.host}/a/b")
    store.blobs.remove(digest_of(layer))
    pulled(store, f"{server.host}/a/b")
    assert store.blobs.has(digest_of(layer))


def test_many_layers(store: Store, server: FaultyRegistry) -> None:
    layers = [layer_tar([Entry(f"f{number}", b"x")]) for number in range(40)]
    server.add_image("a/many:latest", layers)
    image = pulled(store, f"{server.host}/a/many")
    assert len(store.images.lookup(image.id).diff_ids) == 40


def test_digest_in_the_registry(server: FaultyRegistry) -> None:
    digest = server.add_image("a/b:latest", [])
    full = reference.parse(f"{server.host}/a/b").with_default_tag()
    assert remote_digest(full, QUICK, Silence()) == digest


# Names and places


def test_mirror_is_asked_first_and_its_failure_is_no_end(
    store: Store, server: FaultyRegistry
) -> None:
    layer = random_layer()
    server.add_image("real/b:latest", [layer])
    with FaultyRegistry() as mirror:
        rule = Rule(f"{server.host}/real", mirrors=(Mirror(f"{mirror.host}/copy"),))
        access = QUICK.replace(registries=RegistriesConfig(rules=(rule,)))
        pulled(store, f"{server.host}/real/b", access)
        assert mirror.seen("/v2/copy/b/manifests/latest")
        assert server.seen("/blobs/")
        mirror.add_image("copy/b:two", [layer, random_layer("more")])
        count = len(server.requests)
        image = pulled(store, f"{server.host}/real/b:two", access)
        assert image.name == f"{server.host}/real/b:two"
        assert len(server.requests) == count


def test_mirror_that_breaks_in_the_middle(store: Store, server: FaultyRegistry) -> None:
    layer = random_layer()
    server.add_image("real/b:latest", [layer])
    with FaultyRegistry() as mirror:
        mirror.add_image("real/b:latest", [layer])
        mirror.fault("/blobs/" + digest_of(layer), Reply(usual=True, cut=1_000_000), Reply(404))
        rule = Rule(server.host, mirrors=(Mirror(mirror.host),))
        access = QUICK.replace(registries=RegistriesConfig(rules=(rule,)))
        pulled(store, f"{server.host}/real/b", access)
    (asked,) = server.seen("/blobs/" + digest_of(layer))
    assert asked.headers["Range"] == "bytes=1000000-"


def test_short_name_is_tried_everywhere(store: Store, server: FaultyRegistry) -> None:
    server.add_image("tool:latest", [])
    with FaultyRegistry() as empty:
        config = RegistriesConfig(search=(empty.host, server.host), short_name_mode="permissive")
        image = pulled(store, "tool", QUICK.replace(registries=config))
        assert image.name == f"{server.host}/tool:latest"
        with pytest.raises(NowhereFound) as error:
            pulled(store, "nothing", QUICK.replace(registries=config))
    assert empty.host in error.value.message
    assert server.host in error.value.message


def test_person_chooses_among_registries(store: Store, server: FaultyRegistry) -> None:
    server.add_image("tool:latest", [])
    config = RegistriesConfig(search=("nowhere.invalid", server.host))
    access = QUICK.replace(registries=config)
    assert (
        pulled(store, "tool", access, choose=lambda names: names[1]).name
        == f"{server.host}/tool:latest"
    )


def test_policy_is_asked_before_anything_is_sent(store: Store, server: FaultyRegistry) -> None:
    access = QUICK.replace(policy=Policy((Requirement(REJECT),)))
    with pytest.raises(PolicyRejects):
        pulled(store, f"{server.host}/a/b", access)
    assert server.requests == []


# What is wrong


def test_unknown_image(store: Store, server: FaultyRegistry) -> None:
    with pytest.raises(failures.ManifestUnknown):
        pulled(store, f"{server.host}/a/b")


def test_schema_1(store: Store, server: FaultyRegistry) -> None:
    data = images.image("busybox").schema1()
    server.add_manifest(
        "a/old:latest", data, "application/vnd.docker.distribution.manifest.v1+prettyjws"
    )
    with pytest.raises(SchemaOneManifest):
        pulled(store, f"{server.host}/a/old")


@pytest.mark.parametrize("cut", [0, 1, 500_000, 1_999_999])
def test_half_a_blob_is_continued(store: Store, server: FaultyRegistry, cut: int) -> None:
    layer = random_layer()
    server.add_image("a/b:latest", [layer])
    server.fault("/blobs/" + digest_of(layer), Reply(usual=True, cut=cut))
    progress = Recorder()
    pulled(store, f"{server.host}/a/b", progress=progress)
    asked = server.seen("/blobs/" + digest_of(layer))
    assert asked[1].headers.get("Range") == (f"bytes={cut}-" if cut else None)
    assert progress.moved[digest_of(layer)] == len(layer)


def test_server_that_cannot_continue(store: Store, server: FaultyRegistry) -> None:
    layer = random_layer()
    server.ranges = False
    server.add_image("a/b:latest", [layer])
    server.fault("/blobs/" + digest_of(layer), Reply(usual=True, cut=700_000))
    progress = Recorder()
    pulled(store, f"{server.host}/a/b", progress=progress)
    assert progress.moved[digest_of(layer)] == len(layer)


def test_server_that_always_breaks_off_is_given_up(store: Store, server: FaultyRegistry) -> None:
    layer = random_layer()
    server.ranges = False
    server.add_image("a/b:latest", [layer])
    server.fault("/blobs/" + digest_of(layer), *[Reply(usual=True, cut=700_000)] * 20)
    with pytest.raises(failures.ConnectionLost):
        pulled(store, f"{server.host}/a/b")
    assert len(server.seen("/blobs/" + digest_of(layer))) < 12


def test_next_pull_continues_where_the_last_one_failed(
    store: Store, server: FaultyRegistry
) -> None:
    layer = random_layer()
    server.add_image("a/b:latest", [layer])
    server.fault("/blobs/" + digest_of(layer), Reply(usual=True, cut=900_000), Reply(404))
    with pytest.raises(failures.BlobUnknown):
        pulled(store, f"{server.host}/a/b")
    progress = Recorder()
    pulled(store, f"{server.host}/a/b", progress=progress)
    assert server.seen("/blobs/" + digest_of(layer))[-1].headers["Range"] == "bytes=900000-"
    assert progress.moved[digest_of(layer)] == len(layer)


def test_bad_beginning_from_an_earlier_attempt_is_thrown_away(
    store: Store, server: FaultyRegistry
) -> None:
    layer = random_layer()
    server.add_image("a/b:latest", [layer])
    partials = f"{store.root}/images/partial"
    os.makedirs(partials)
    with open(f"{partials}/{digest_of(layer).removeprefix('sha256:')}", "wb") as file:
        file.write(b"garbage" * 1000)
    image = pulled(store, f"{server.host}/a/b")
    assert os.path.exists(in_layer(store, store.images.lookup(image.id).diff_ids[0], "noise"))


def test_wrong_content_is_never_stored(store: Store, server: FaultyRegistry) -> None:
    layer = random_layer()
    server.add_image("a/b:latest", [layer])
    server.blobs[digest_of(layer)] = layer[:-1] + b"\1"
    with pytest.raises(DigestMismatch):
        pulled(store, f"{server.host}/a/b")
    assert list(store.blobs.partials()) == []
    assert list(store.layers.list()) == []
    assert store.images.list() == []


@pytest.mark.parametrize("change", [b"", b"more"])
def test_wrong_size_is_refused(store: Store, server: FaultyRegistry, change: bytes) -> None:
    layer = random_layer()
    server.add_image("a/b:latest", [layer])
    server.blobs[digest_of(layer)] = layer + change if change else layer[:1000]
    with pytest.raises(PodError, match="bytes and should have"):
        pulled(store, f"{server.host}/a/b")


def test_chunked_answer_without_end_is_stopped(store: Store, server: FaultyRegistry) -> None:
    layer = random_layer()
    server.add_image("a/b:latest", [layer])
    chunks = b"%x\r\n%b\r\n" % (len(layer), layer)
    chunks += (b"10000\r\n" + bytes(0x10000) + b"\r\n") * 40 + b"0\r\n\r\n"
    server.fault("/blobs/" + digest_of(layer), Reply(200, {"Transfer-Encoding": "chunked"}, chunks))
    with pytest.raises(PodError, match="should have"):
        pulled(store, f"{server.host}/a/b")


def test_layer_with_another_content_than_promised(store: Store, server: FaultyRegistry) -> None:
    good, layer = random_layer("good"), random_layer()
    config = {
        "os": "linux",
        "architecture": "amd64",
        "rootfs": {"type": "layers", "diff_ids": [digest_of(good), digest_of(b"other")]},
    }
    server.add_image("a/b:latest", [good, layer], config=config)
    with pytest.raises(DiffIdMismatch):
        pulled(store, f"{server.host}/a/b")
    assert list(store.layers.list()) == []


def test_layer_that_is_no_archive(store: Store, server: FaultyRegistry) -> None:
    good, bad = random_layer("good", 5_000_000), b"this is no tar file" * 200_000
    server.add_image("a/b:latest", [good, bad])
    with pytest.raises(InvalidLayer) as error:
        pulled(store, f"{server.host}/a/b")
    assert digest_of(bad) in error.value.message


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (b"nonsense", "not JSON"),
        ({"rootfs": {"diff_ids": []}}, "has 1 layers, and its configuration names 0"),
        ({"rootfs": {"diff_ids": ["x"]}}, "must be a digest"),
    ],
)
def test_bad_configurations(store: Store, server: FaultyRegistry, config: Any, why: str) -> None:
    server.add_image("a/b:latest", [random_layer()], config=config)
    with pytest.raises(InvalidImage, match=why):
        pulled(store, f"{server.host}/a/b")


def test_one_layer_with_two_contents(store: Store, server: FaultyRegistry) -> None:
    layer = random_layer()
    config = {"rootfs": {"diff_ids": [digest_of(layer), digest_of(b"other")]}}
    server.add_image("a/b:latest", [layer, layer], config=config)
    with pytest.raises(InvalidImage, match="two different contents"):
        pulled(store, f"{server.host}/a/b")


def test_lists_in_lists_end_somewhere(store: Store, server: FaultyRegistry) -> None:
    digest, size = digest_of(b"x"), 1
    for tag in ("a", "b", "c", "d", "latest"):
        document = {
            "schemaVersion": 2,
            "mediaType": media_types.OCI_INDEX,
            "manifests": [{"mediaType": media_types.OCI_INDEX, "digest": digest, "size": size}],
        }
        digest = server.add_manifest(f"a/b:{tag}", document, media_types.OCI_INDEX)
    with pytest.raises(InvalidImage, match="list of lists"):
        pulled(store, f"{server.host}/a/b")


# Several at once, and the end of a process in the middle

_PULL = """
import sys
from pod.image import pull
from pod.image.access import Access
from pod.image.progress import Silence
from pod.spec import reference
from storage.store import Store
print(pull.pull(Store(sys.argv[1]), reference.parse(sys.argv[2]), Access(), Silence()).id, flush=True)
"""


def start_pull(store: Store, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _PULL, store.root, name],
        cwd=_TREE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_pulls_at_once_share_the_download(store: Store, server: FaultyRegistry) -> None:
    layers = [random_layer(f"l{number}") for number in range(3)]
    server.add_image("a/b:latest", layers)
    gate = threading.Event()
    for layer in layers:
        server.fault("/blobs/" + digest_of(layer), Reply(usual=True, hold=gate))
    pulls = [start_pull(store, f"{server.host}/a/b") for _ in range(4)]
    waiting.until(
        lambda: (
            len(server.seen("/manifests/")) == 4 and len(server.seen("/blobs/")) >= 4 + len(layers)
        ),
        "all pulls at their layers",
    )
    gate.set()
    ids = set()
    for one in pulls:
        out, err = one.communicate(timeout=60)
        assert one.returncode == 0, err
        ids.add(out.strip())
    assert len(ids) == 1
    for layer in layers:
        assert len(server.seen("/blobs/" + digest_of(layer))) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_killed_pull_leaves_what_the_next_one_continues(
    store: Store, server: FaultyRegistry, number: signal.Signals
) -> None:
    layer = random_layer(size=4_000_000)
    server.add_image("a/b:latest", [layer])
    gate = threading.Event()
    server.slow = (2_000_000, gate)
    started = start_pull(store, f"{server.host}/a/b")
    partial = f"{store.root}/images/partial/{digest_of(layer).removeprefix('sha256:')}"
    waiting.until(
        lambda: os.path.exists(partial) and os.path.getsize(partial) >= 1_500_000,
        "half of the layer",
    )
    started.send_signal(number)
    started.communicate(timeout=30)
    gate.set()
    server.slow = None
    assert store.images.list() == []
    have = os.path.getsize(partial)
    pulled(store, f"{server.host}/a/b")
    assert server.seen("/blobs/" + digest_of(layer))[-1].headers["Range"] == f"bytes={have}-"
    store.staging.sweep()


def test_full_disk_is_one_sentence(server: FaultyRegistry) -> None:
    """In a mount namespace of its own, with a store on a small tmpfs."""
    layer = random_layer(size=8_000_000)
    server.add_image("a/b:latest", [layer])
    script = f"""
import sys
sys.path.insert(0, ".")
from pod.base.errors import PodError
from pod.image import pull
from pod.image.access import Access
from pod.image.progress import Silence
from pod.spec import reference
from storage.store import Store
try:
    pull.pull(Store("/tmp/store"), reference.parse("{server.host}/a/b"), Access(), Silence())
except PodError as error:
    print(type(error).__name__, error.message)
"""
    command = [
        "unshare",
        "-rm",
        "sh",
        "-c",
        'mount -t tmpfs -o size=5m none /tmp && mkdir /tmp/store && exec $0 -c "$1"',
    ]
    done = subprocess.run(
        [*command, sys.executable, script], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.startswith("DiskFull "), done
    assert "No space left" in done.stdout


def test_manifest_is_stored_as_it_came(store: Store, server: FaultyRegistry) -> None:
    digest = server.add_image("a/b:latest", [random_layer()])
    _, data = server.manifests[f"/v2/a/b/manifests/{digest}"]
    odd = data.replace(b'{"schemaVersion"', b'{ "unknown": 1,\n "schemaVersion"')
    assert odd != data
    server.add_manifest("a/b:odd", odd)
    image = pulled(store, f"{server.host}/a/b:odd")
    assert store.blobs.read(image.digest) == odd


_KILLED_PULL = """
import os, signal, sys
from pod.image import pull
from pod.image.access import Access
from pod.image.progress import Silence
from pod.spec import reference
from storage.store import Store

class Killer(Silence):
    left = int(sys.argv[3])

    def step(self, *_):
        Killer.left -= 1
        if Killer.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    message = begin = layer_known = already_exists = advance = done = finish = step

pull.pull(Store(sys.argv[1]), reference.parse(sys.argv[2]), Access(), Killer())
print(Killer.left)
"""


def test_pull_killed_at_every_step(store: Store, server: FaultyRegistry) -> None:
    """Each pull is killed one step later than the one before it; nothing may be half there, and the last completes."""
    layers = [random_layer(f"l{number}", 600_000) for number in range(3)]
    server.add_image("a/b:latest", layers)
    name = f"{server.host}/a/b:latest"
    for step in range(1, 100):
        done = subprocess.run(
            [sys.executable, "-c", _KILLED_PULL, store.root, name, str(step)],
            cwd=_TREE,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL, done.stderr
        for record in store.images.list():
            assert all(store.layers.has(diff_id) for diff_id in record.diff_ids)
        assert store.images.incomplete() == []
        store.staging.sweep()
        if step % 2:  # a prune in between takes away what the killed pull had finished, and no more
            store.delete_unreferenced()
    assert step > 10
    image = store.images.lookup(name)
    for number, diff_id in enumerate(image.diff_ids):
        assert os.path.getsize(in_layer(store, diff_id, f"l{number}")) == 600_000 // 32 * 32
