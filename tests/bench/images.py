"""What is measured of images: pull, push, save, load, lists, and the memory of it."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import tarfile
import tempfile
import time
from io import BytesIO

from tests.bench.measuring import (
    Case,
    CommandFailed,
    Measure,
    pss_bytes,
    settle,
    start,
    timed,
    tree_beside,
)
from tests.support import images, keeper
from tests.support.chunked import add_chunked_file
from tests.support.engine import Engine
from tests.support.layout import Entry, Image, Layout, layer_tar
from tests.support.registry import Registry

IMAGES_LISTED = 300
LARGE_BYTES = 2 << 30
CHANGED_FILES = 200  # one in so many


def prepare_images(engine: Engine) -> None:
    """Many images in one archive, each with a small layer of its own: podman compares those that share their last."""
    layout = Layout(f"{tree_beside(engine)}.images")
    made = []
    for number in range(IMAGES_LISTED):
        layer = layout.add_layer(layer_tar([Entry(f"file{number}", b"x")]))
        made.append(layout.add_image([layer], {"Labels": {"n": str(number)}}))
    path = f"{tree_beside(engine)}.tar"
    many_in_one(made, path)
    engine("load", "-q", "-i", path, timeout=600)
    os.unlink(path)
    shutil.rmtree(layout.path)


def many_in_one(made: list[Image], path: str) -> None:
    """A docker-archive of many images with one layer, each with a name."""
    listing = []
    with tarfile.open(path, "w") as archive:
        for number, image in enumerate(made):
            layer = f"{image.layers()[0][1].removeprefix('sha256:')}.tar"
            config = image.layout.blob(image.manifest()["config"]["digest"])
            with image.open_layer(0) as stream:
                _add_member(archive, layer, stream.read())
            _add_member(archive, f"{image.id}.json", config)
            names = [f"localhost/image{number}:latest"]
            listing.append({"Config": f"{image.id}.json", "RepoTags": names, "Layers": [layer]})
        _add_member(archive, "manifest.json", json.dumps(listing).encode())


def _add_member(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    archive.addfile(info, BytesIO(data))


def many_images(engine: Engine) -> dict[str, float]:
    return {"images-300": timed(engine, "images")}


def finish_images(engine: Engine) -> None:
    engine("rmi", "-a", "-f", timeout=600)
    engine.present.clear()
    engine.have("busybox")


def prepare_next(engine: Engine) -> None:
    """The big image is here, and one that shares all layers with it but one is in the registry."""
    assert engine.registry is not None
    engine.have("big")
    big = images.image("big")
    layout = Layout(f"{tree_beside(engine)}.next")
    layers = big.layers()[:-1]
    for descriptor, _ in layers:
        shutil.copyfile(
            big.layout.blob_path(descriptor["digest"]), layout.blob_path(descriptor["digest"])
        )
    changed = layer_tar([Entry("changed", random.Random(1).randbytes(10_000_000))])
    engine.registry.push(layout.add_image([*layers, layout.add_layer(changed)]), "library/big-next")
    shutil.rmtree(layout.path)


def pull_next(engine: Engine) -> dict[str, float]:
    allowed = set(keeper.descendants())
    pull = timed(engine, "pull", "-q", "big-next")
    engine("rmi", "-f", "big-next")
    settle(engine, allowed)
    return {"pull-next": pull}


def prepare_two_gigabytes(engine: Engine) -> None:
    assert engine.registry is not None
    layout = Layout(f"{tree_beside(engine)}.large")
    with tarfile.open(f"{layout.path}.tar", "w") as archive:
        info = tarfile.TarInfo("large")
        info.size = LARGE_BYTES
        archive.addfile(info, Repeated())
    with open(f"{layout.path}.tar", "rb") as stream:
        image = layout.add_image([layout.add_layer(stream)])
    engine.registry.push(image, "library/large")
    os.unlink(f"{layout.path}.tar")
    shutil.rmtree(layout.path)


class Repeated(BytesIO):
    """Half a megabyte of noise, again and again, further apart than gzip looks back; every second block is zeros."""

    _block = random.Random(2).randbytes(1 << 19) + bytes(3 << 19)

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None and size >= 0
        return (self._block * (size // len(self._block) + 1))[:size]


def puller_memory(engine: Engine) -> dict[str, float]:
    """The most megabytes that all processes of a pull have in memory together, PSS: what they share counts once."""
    allowed = set(keeper.descendants())
    started = start(engine, "pull", "-q", "large")
    most = 0
    while True:
        now = 0
        for process in keeper.descendants():
            if process not in allowed:
                try:
                    now += pss_bytes(process.pid)
                except (OSError, RuntimeError):
                    continue  # it has just ended
        most = max(most, now)
        pid, status = os.waitpid(started[0], os.WNOHANG)
        if pid:
            break
        time.sleep(0.02)
    if status:
        raise CommandFailed(f"the pull ended with wait status {status}")
    engine("rmi", "-f", "large")
    settle(engine, allowed)
    return {"puller": most / 1e6}


def debian(engine: Engine) -> dict[str, float]:
    """pull, save, rmi, load of the Debian image."""
    allowed = set(keeper.descendants())
    path = os.path.join(os.path.dirname(engine.root), f"saved-{os.path.basename(engine.root)}.tar")
    engine("rmi", "-f", "debian", status=None)
    settle(engine, allowed)
    os.sync()
    pull = timed(engine, "pull", "-q", "debian")
    os.sync()
    save = timed(engine, "save", "-q", "-o", path, "debian")
    os.unlink(path)
    engine("rmi", "-f", "debian")
    settle(engine, allowed)
    os.sync()
    load = timed(engine, "load", "-q", "-i", images.docker_archive("debian"))
    return {"pull-debian": pull, "save": save, "load": load}


def prepare_debian(engine: Engine) -> None:
    assert engine.registry is not None
    engine.registry.have("debian")
    images.docker_archive("debian")
    # It shares its layer with nginx; while that is here, a pull would find the layer and copy nothing.
    engine("rmi", "-f", "nginx", status=None)
    engine.present.discard("nginx")


def big(engine: Engine) -> dict[str, float]:
    allowed = set(keeper.descendants())
    engine("rmi", "-f", "big", status=None)
    settle(engine, allowed)
    os.sync()
    pull = timed(engine, "pull", "-q", "big")
    os.sync()
    path = f"{tree_beside(engine)}.tar"
    save = timed(engine, "save", "-q", "-o", path, "big")
    os.unlink(path)
    os.sync()
    remove = timed(engine, "rmi", "big")
    settle(engine, allowed)
    os.sync()
    load = timed(engine, "load", "-q", "-i", images.docker_archive("big"))
    return {"pull-big": pull, "rmi-big": remove, "save-big": save, "load-big": load}


def prepare_big(engine: Engine) -> None:
    assert engine.registry is not None
    engine.registry.have("big")
    images.docker_archive("big")


def prepare_versions(engine: Engine) -> None:
    """Two versions of the Debian image, zstd:chunked, in the registry, once for both engines."""
    registry = engine.registry
    assert registry is not None
    layout = Layout(f"{registry.directory}/versions")
    if os.path.exists(f"{layout.path}/index.json"):
        return
    for version in (1, 2):
        made = layout.add_image([add_chunked_file(layout, changed_debian(layout, version))])
        registry.push(made, "library/versions", str(version))


def changed_debian(layout: Layout, version: int) -> str:
    """A file with the layer of the Debian image, in version 2 with other content in one file of so many."""
    path = f"{layout.path}/plain-{version}.tar"
    with (
        images.image("debian").open_layer(0) as source,
        tarfile.open(fileobj=source, mode="r|") as old,
        tarfile.open(path, "w") as new,
    ):
        for number, member in enumerate(old):
            content = old.extractfile(member) if member.isreg() else None
            if content is not None and version == 2 and number % CHANGED_FILES == 0:
                content, member.mtime = BytesIO(content.read()[::-1]), member.mtime + 1
            new.addfile(member, content)
    return path


def versions(engine: Engine) -> dict[str, float]:
    """The pull of version 2 while version 1 is here, and the megabytes of it that were fetched."""
    registry, allowed = engine.registry, set(keeper.descendants())
    assert registry is not None
    engine("rmi", "-f", "versions:1", "versions:2", status=None)
    settle(engine, allowed)
    engine("pull", "-q", "versions:1")
    os.sync()
    begun = os.path.getsize(registry.log)
    seconds = timed(engine, "pull", "-q", "versions:2")
    time.sleep(1)  # the log is written behind the answers
    with open(registry.log, "rb") as file:
        file.seek(begun)
        sent = re.findall(rb'"GET [^"]*/blobs/[^"]*" 20. ([0-9]+)', file.read())
    return {"pull-second": seconds, "fetched-second": sum(map(int, sent)) / 1e6}


def finish_versions(engine: Engine) -> None:
    engine.clean()
    engine("rmi", "-f", "versions:1", "versions:2", status=None)


def push(engine: Engine) -> dict[str, float]:
    """To a registry that has nothing yet, then to the same repository under another tag."""
    directory = tempfile.mkdtemp(dir=os.path.dirname(engine.root))
    try:
        with Registry(directory) as target:
            name = f"{target.host}/pushed/big"
            os.sync()
            fresh = timed(engine, "push", "-q", "--tls-verify=false", "big", f"{name}:1")
            os.sync()
            again = timed(engine, "push", "-q", "--tls-verify=false", "big", f"{name}:2")
    finally:
        shutil.rmtree(directory)
    return {"push-fresh": fresh, "push-again": again}


def prepare_push(engine: Engine) -> None:
    engine.have("big")


def finish_push(engine: Engine) -> None:
    engine("rmi", "-f", "big", status=None)
    engine.present.discard("big")


IMAGE_CASES = (
    Case(
        {
            "pull-debian": Measure("pull of a 120 MB Debian image", 0.70),
            "save": Measure("`save` of it", 0.50),
            "load": Measure("`load` of it", 0.70),
        },
        debian,
        prepare=prepare_debian,
        warm=False,
        slow=True,
    ),
    Case(
        {
            "pull-big": Measure("pull of 8 layers, 20,000 small files, one of 300 MB", 0.70),
            "rmi-big": Measure("`rmi` of it", 0.20),
            "save-big": Measure("`save` of the image of 8 layers", 0.50),
            "load-big": Measure("`load` of it", 0.70),
        },
        big,
        prepare=prepare_big,
        warm=False,
        slow=True,
    ),
    Case(
        {"pull-next": Measure("pull of an image of which 7 of the 8 layers are here", 0.50)},
        pull_next,
        prepare=prepare_next,
        slow=True,
    ),
    Case(
        {"images-300": Measure(f"`images` with {IMAGES_LISTED} images", 0.50)},
        many_images,
        prepare=prepare_images,
        finish=finish_images,
    ),
    Case(
        {"puller": Measure("memory of a pull of a layer of 2 GB, PSS", 150, "MB")},
        puller_memory,
        prepare=prepare_two_gigabytes,
        warm=False,
        slow=True,
        alone=True,
    ),
    Case(
        {
            "pull-second": Measure(
                "pull of a second version, zstd:chunked, 1 file in 200 new", 0.70
            ),
            "fetched-second": Measure("bytes fetched of it", 5.0, "MB"),
        },
        versions,
        prepare=prepare_versions,
        finish=finish_versions,
        warm=False,
        slow=True,
    ),
    Case(
        {
            "push-fresh": Measure("push of it, fresh", 0.80),
            "push-again": Measure("push of it with all blobs present", 0.30),
        },
        push,
        prepare=prepare_push,
        finish=finish_push,
        warm=False,
        slow=True,
    ),
)
