"""A second version of an image whose layers have a table of contents: only what differs is fetched."""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from pod.image.access import Access
from pod.image.connections import Settings
from pod.image.progress import Silence
from pod.image.pull import pull
from pod.spec import reference
from storage import chunked, contents
from storage.chunked_write import write_chunked
from storage.store import Store
from tests.integration.image.faulty import FaultyRegistry, Reply
from tests.support.chunked import TOC_DIGEST, add_chunked, digest_of
from tests.support.layout import OCI_LAYER, Entry, Image, Layout, directory, layer_tar, symlink
from tests.support.registry import Registry as RealRegistry
from tests.support.waiting import until

QUICK = Access(settings=Settings(retry_delay_seconds=0, connect_seconds=5, idle_seconds=5))
KINDS = ["zstd:chunked", "estargz"]


def noise(name: str, size: int = 20_000) -> bytes:
    count = size // 32
    return b"".join(hashlib.sha256(f"{name}{n}".encode()).digest() for n in range(count))


def entries(version: int, *, changed: tuple[int, ...] = (3, 17, 18)) -> list[Entry]:
    """Forty files, one of 800 kB among them, of which version 2 has other ones, one fewer and one more."""
    found = [directory("opt/"), directory("opt/app/"), symlink("opt/link", "app")]
    for number in range(40):
        is_new = version > 1 and number in changed
        size = 800_000 if number == 30 else 20_000
        content = noise(f"{number} {version if is_new else 1}", size)
        found.append(Entry(f"opt/app/{number}", content, mode=0o600, mtime=1000 + version * is_new))
    if version > 1:
        del found[10]
        found.append(Entry("opt/app/new", noise("new"), uid=3))
    return found


def made(tmp_path: Path, version: int, kind: str) -> Image:
    layout = Layout(str(tmp_path / f"v{version}"))
    return layout.add_image([add_chunked(layout, entries(version), kind)])


def serve(server: FaultyRegistry, image: Image, name: str) -> None:
    document = image.manifest()
    for item in (document["config"], *document["layers"]):
        server.add_blob(image.layout.blob(item["digest"]))
    server.add_manifest(name, image.layout.blob(image.digest))


def serve_both(server: FaultyRegistry, tmp_path: Path, kind: str) -> Image:
    """a/b:1 and a/b:2; the second one."""
    for version in (1, 2):
        image = made(tmp_path, version, kind)
        serve(server, image, f"a/b:{version}")
    return image


def fetch(store: Store, name: str, access: Access = QUICK) -> Any:
    pull(store, reference.parse(name), access, Silence())
    return store.images.lookup(name)


def check(store: Store, image: Any, source: Image) -> None:
    """The store has the image as it came."""
    assert image.digest == source.digest
    for item in source.manifest()["layers"]:
        with open(store.blobs.path(item["digest"]), "rb") as file:
            assert file.read() == source.layout.blob(item["digest"])
    assert all(store.layers.has(diff_id) for diff_id in image.diff_ids)
    assert os.path.exists(f"{store.layers.path(image.diff_ids[0])}/opt/app/new")


def sent_bytes(registry: RealRegistry, path: str, requests: int) -> int:
    """Bytes of a blob REPOSITORY/blobs/DIGEST that were sent in so many requests, by the registry's access log."""

    def sent() -> list[int]:
        with open(registry.log, errors="replace") as file:
            return [
                int(it) for it in re.findall(rf'"GET /v2/{path} [^"]*" 20\d (\d+)', file.read())
            ]

    until(lambda: len(sent()) >= requests, "requests in the access log")  # it is written behind
    return sum(sent())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_here_is_not_fetched(
    store: Store, registry: RealRegistry, tmp_path: Path, kind: str
) -> None:
    first, second = made(tmp_path, 1, kind), made(tmp_path, 2, kind)
    repository = f"reuse/{kind.replace(':', '')}"
    registry.push(first, repository, "1")
    registry.push(second, repository, "2")
    fetch(store, f"{registry.host}/{repository}:1")
    image = fetch(store, f"{registry.host}/{repository}:2")
    check(store, image, second)
    (layer,) = image.layers
    sent = sent_bytes(registry, f"{repository}/blobs/{layer.digest}", 2)
    # Four files of 20 kB and the TOC, of 1.6 MB; for eStargz also neighbours, which lie in one member with headers.
    assert 80_000 < sent < (90_000 if kind == "zstd:chunked" else 190_000)


def test_it_can_be_switched_off(store: Store, registry: RealRegistry, tmp_path: Path) -> None:
    first, second = made(tmp_path, 1, KINDS[0]), made(tmp_path, 2, KINDS[0])
    registry.push(first, "off", "1")
    registry.push(second, "off", "2")
    fetch(store, f"{registry.host}/off:1")
    image = fetch(store, f"{registry.host}/off:2", QUICK.replace(partial=False))
    (layer,) = image.layers
    assert sent_bytes(registry, f"off/blobs/{layer.digest}", 1) == layer.size


@pytest.mark.parametrize("together", [True, False])
def test_servers_with_and_without_several_ranges(
    store: Store, server: FaultyRegistry, tmp_path: Path, together: bool
) -> None:
    second = serve_both(server, tmp_path, KINDS[0])
    server.several = together
    fetch(store, f"{server.host}/a/b:1")
    check(store, fetch(store, f"{server.host}/a/b:2"), second)
    digest = second.manifest()["layers"][0]["digest"]
    asked = [seen.headers.get("Range", "") for seen in server.seen(digest)]
    assert all(asked)
    several = [text for text in asked if "," in text]
    assert len(several) == 1 and (len(asked) > 3) is not together


@pytest.mark.parametrize("together", [True, False])
def test_many_small_differences_are_fetched_in_few_requests(
    store: Store, server: FaultyRegistry, tmp_path: Path, together: bool
) -> None:
    """All files have new times, as in an image that was made anew; the content of most is the same."""
    for version in (1, 2):
        layout = Layout(str(tmp_path / f"v{version}"))
        files = [
            Entry(
                f"opt/app/{n}", noise(f"{n} {version if n == 7 else 1}", 6400), mtime=1000 * version
            )
            for n in range(150)
        ]
        files.append(Entry("opt/app/new", noise("new", 400_000), mtime=version))
        made = layout.add_image([add_chunked(layout, files, KINDS[0])])
        serve(server, made, f"a/b:{version}")
    server.several = together
    fetch(store, f"{server.host}/a/b:1")
    image = fetch(store, f"{server.host}/a/b:2")
    check(store, image, made)
    asked = [seen.headers.get("Range", "") for seen in server.seen(image.layers[0].digest)]
    spans = [span for text in asked for span in re.findall(r"(\d+)-(\d+)", text)]
    if together:
        assert len(asked) == 3 and sum(int(last) - int(first) for first, last in spans) < 100_000
    else:  # one request each would be too many, so that more is fetched: here all, since that is nearly all
        assert len(asked) <= 45


def test_a_server_without_ranges_gives_the_whole(
    store: Store, server: FaultyRegistry, tmp_path: Path
) -> None:
    second = serve_both(server, tmp_path, KINDS[0])
    server.ranges = False
    fetch(store, f"{server.host}/a/b:1")
    check(store, fetch(store, f"{server.host}/a/b:2"), second)


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_connection_loses_nothing(
    store: Store, server: FaultyRegistry, tmp_path: Path, kind: str
) -> None:
    """After the TOC, each of the next answers breaks off; what has come is not asked for again."""
    second = serve_both(server, tmp_path, kind)
    fetch(store, f"{server.host}/a/b:1")
    digest = second.manifest()["layers"][0]["digest"]
    server.fault(digest, Reply(usual=True), *[Reply(usual=True, cut=25_000)] * 3)
    check(store, fetch(store, f"{server.host}/a/b:2"), second)
    starts = [
        int(seen.headers["Range"].split("=")[1].split("-")[0]) for seen in server.seen(digest)
    ]
    assert len(starts) > 4 and starts[1:] == sorted(starts[1:])


@pytest.mark.parametrize("level", [3, 9])
def test_files_of_an_image_in_another_compression_are_taken(
    store: Store, server: FaultyRegistry, tmp_path: Path, level: int
) -> None:
    """Version 1 is here with gzip. The files are compressed again; when that gives other bytes, all is fetched."""
    for version in (1, 2):
        layout = Layout(str(tmp_path / f"v{version}"))
        files = entries(version) + [
            Entry(f"opt/text{n}", noise(f"text{n}").hex().encode()) for n in range(9)
        ]
        layer = (
            layout.add_layer(layer_tar(files))
            if version == 1
            else add_chunked(layout, files, KINDS[0], level)
        )
        image = layout.add_image([layer])
        serve(server, image, f"a/b:{version}")
        record = fetch(store, f"{server.host}/a/b:{version}")
    check(store, record, image)
    asked = [seen.headers.get("Range", "") for seen in server.seen(record.layers[0].digest)]
    spans = [span for text in asked for span in re.findall(r"(\d+)-(\d+)", text)]
    if level == 3:
        assert asked[-1] and 80_000 < sum(int(last) - int(first) for first, last in spans) < 100_000
    else:
        assert asked == [asked[0], ""]  # no other request than for the TOC was of use


@pytest.mark.parametrize("kind", ["fifo", "link out", "gone", "other"])
def test_what_is_in_the_place_of_a_file_is_looked_at_with_care(
    store: Store, server: FaultyRegistry, tmp_path: Path, kind: str
) -> None:
    first, layout = Layout(str(tmp_path / "v1")), Layout(str(tmp_path / "v2"))
    files = entries(2)
    secret = tmp_path / "secret"
    secret.write_bytes(files[5].content)
    server_image = first.add_image([first.add_layer(layer_tar(files))])
    serve(server, server_image, "a/b:1")
    record = fetch(store, f"{server.host}/a/b:1")
    path = f"{store.layers.path(record.diff_ids[0])}/{files[5].name}"
    os.unlink(path)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "link out":
        os.symlink(secret, path)
    elif kind == "other":
        Path(path).write_bytes(files[5].content[::-1])
    image = layout.add_image([add_chunked(layout, files, KINDS[0])])
    serve(server, image, "a/b:2")
    check(store, fetch(store, f"{server.host}/a/b:2"), image)
    asked = [
        seen.headers.get("Range", "")
        for seen in server.seen(image.manifest()["layers"][0]["digest"])
    ]
    assert len(asked) == 2 and all(asked)


@pytest.mark.parametrize("good", [True, False])
def test_an_interrupted_pull_goes_on(
    store: Store, server: FaultyRegistry, tmp_path: Path, good: bool
) -> None:
    """Where it was; when what it left is damaged, from the beginning."""
    second = serve_both(server, tmp_path, KINDS[0])
    fetch(store, f"{server.host}/a/b:1")
    digest = second.manifest()["layers"][0]["digest"]
    beginning = second.layout.blob(digest)[:1_000_000]
    partial = f"{store.root}/images/partial/{digest.removeprefix('sha256:')}"
    os.makedirs(os.path.dirname(partial), exist_ok=True)
    with open(partial, "wb") as file:
        file.write(beginning if good else b"\0" + beginning[1:])
    check(store, fetch(store, f"{server.host}/a/b:2"), second)
    ranges = [seen.headers.get("Range", "") for seen in server.seen(digest)]
    assert len(ranges) == (2 if good else 3)
    assert int(ranges[1].split("=")[1].split("-")[0]) >= 1_000_000
    assert good or not ranges[2]


def _wrong_digest(layer: dict[str, Any]) -> None:
    for key in (chunked.CHECKSUM, TOC_DIGEST):
        if key in layer["annotations"]:
            layer["annotations"][key] = digest_of(b"other")


def _nonsense(layer: dict[str, Any]) -> None:
    layer["annotations"].update({chunked.CHECKSUM: "x", chunked.POSITION: "-1:2", TOC_DIGEST: "y"})


def _elsewhere(layer: dict[str, Any]) -> None:
    layer["annotations"].pop(TOC_DIGEST, None)
    layer["annotations"].update(
        {chunked.CHECKSUM: digest_of(b""), chunked.POSITION: f"{1 << 62}:9:9:1"}
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spoil", [_wrong_digest, _nonsense, _elsewhere])
def test_a_table_that_is_not_the_announced_one_is_not_used(
    store: Store, server: FaultyRegistry, tmp_path: Path, kind: str, spoil: Any
) -> None:
    first, second = made(tmp_path, 1, kind), made(tmp_path, 2, kind)
    serve(server, first, "a/b:1")
    fetch(store, f"{server.host}/a/b:1")
    ((layer, diff_id),) = second.layers()
    spoil(layer)
    spoilt = second.layout.add_image([(layer, diff_id)])
    serve(server, spoilt, "a/b:2")
    check(store, fetch(store, f"{server.host}/a/b:2"), spoilt)
    assert server.seen(layer["digest"])[-1].headers.get("Range") is None


def test_a_table_that_lies_costs_a_download_and_nothing_else(
    store: Store, server: FaultyRegistry, tmp_path: Path
) -> None:
    """It says that a file is one of those that are here; its frame has the same length and other content."""
    first = made(tmp_path, 1, KINDS[0])
    serve(server, first, "a/b:1")
    fetch(store, f"{server.host}/a/b:1")
    changed = entries(1)
    lie = entries(2, changed=(5,))[8]
    assert lie.name == changed[8].name
    changed[8] = Entry(lie.name, lie.content, mode=0o600, mtime=1000)
    changed.append(Entry("opt/app/new", noise("new")))
    plain, parts = layer_tar(changed), list[bytes]()
    annotations = write_chunked(iter([plain]), parts.append)
    blob = bytearray(b"".join(parts))
    places = chunked.places_of(annotations)
    assert places is not None
    toc = json.loads(contents._unzstd(bytes(blob[places.toc.offset :][: places.toc.size])))
    for entry in toc["entries"]:
        if entry["name"] == lie.name:
            entry["digest"] = digest_of(entries(1)[8].content)
    import zstandard

    end = places.toc.offset - 8
    text = json.dumps(toc).encode()
    packed = zstandard.ZstdCompressor().compress(text)
    del blob[end:]
    blob += chunked.skippable(packed)
    lying = chunked.Places(chunked.Span(end + 8, len(packed)), len(text), chunked.Span(0, 0), 0)
    blob += chunked.skippable(chunked.footer(lying))
    layout = Layout(str(tmp_path / "lie"))
    descriptor = {
        "mediaType": f"{OCI_LAYER}+zstd",
        "digest": layout.add(bytes(blob)),
        "size": len(blob),
        "annotations": chunked.describe(lying, digest_of(packed)),
    }
    image = layout.add_image([(descriptor, digest_of(plain))])
    serve(server, image, "a/b:2")
    record = fetch(store, f"{server.host}/a/b:2")
    check(store, record, image)
    ranges = [seen.headers.get("Range") for seen in server.seen(descriptor["digest"])]
    assert len(ranges) == 3 and ranges[-1] is None
    wanted = store.layers.path(record.diff_ids[0])
    assert os.stat(f"{wanted}/{lie.name}").st_size == len(lie.content)
    with open(f"{wanted}/opt/app/new", "rb") as file:
        assert file.read() == noise("new")
    with open(f"{wanted}/{lie.name}", "rb") as file:
        assert file.read() == lie.content
