"""What is measured. Each case is a function that works on one engine and gives the seconds of its measures.

Only what a person waits for is timed; bringing things into place and removing them again is not. No case asserts a
time.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import socket
import statistics
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from tests.support import images, keeper
from tests.support.chunked import add_chunked_file
from tests.support.engine import Engine
from tests.support.layout import Entry, Image, Layout, layer_tar
from tests.support.registry import Registry
from tests.support.waiting import free_port

LOG_BYTES = 200_000_000
LONG_LOG_BYTES = 1_000_000_000
CONTAINERS_LISTED = 200
FEW_CONTAINERS, MANY_CONTAINERS = 10, 1000
STARTED_AT_ONCE = 4
POD_CONTAINERS = ("one", "two", "three")
DETACHED_STARTS = 30
COPIED_FILES = 20_000
MAPPED_FILES = 20_000
IMAGES_LISTED = 300
LARGE_BYTES = 2 << 30
MANY_MAPPED_FILES = 100_000
MANY_MAPPED_SIZE = 20_000  # bytes each: an image of 2 GB
CHANGED_FILES = 200  # one in so many
STATS_CONTAINERS = 30
IDLE_CONTAINERS = 10
IDLE_SECONDS = 8.0  # then a monitor has settled


@dataclass(frozen=True)
class Measure:
    """A line of the table. `goal` is the ratio to podman, unless `unit` makes it a number: "MB", "ms", or "times"."""

    text: str
    goal: float
    unit: str = "s"


@dataclass(frozen=True)
class Case:
    """`run` is called once in a round for each engine; `prepare` once before all, `finish` once after all."""

    measures: dict[str, Measure]
    run: Callable[[Engine], dict[str, float]]
    prepare: Callable[[Engine], None] = lambda engine: None
    finish: Callable[[Engine], None] = lambda engine: engine.clean()
    warm: bool = True  # one round first that does not count
    slow: bool = False  # takes more than 5 s a round
    asked_for: bool = False  # measured only when it is named: it takes gigabytes, and minutes
    alone: bool = (
        False  # one round without the peer, which would take minutes; the goal is a number
    )


class CommandFailed(Exception):
    """A timed command did not exit with 0."""


def timed(engine: Engine, *arguments: str) -> float:
    """Seconds from just before the program starts until it has ended; its output goes to /dev/null."""
    return seconds_until_end(start(engine, *arguments))


def start(engine: Engine, *arguments: str) -> tuple[int, float, list[str]]:
    """posix_spawn(3), which costs less than subprocess and the same for both programs."""
    command = engine.full_command(*arguments)
    actions = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1)]
    begun = time.perf_counter()
    return (
        os.posix_spawn(command[0], command, engine.environment, file_actions=actions),
        begun,
        command,
    )


def seconds_until_end(started: tuple[int, float, list[str]]) -> float:
    pid, begun, command = started
    _, status = os.waitpid(pid, 0)
    ended = time.perf_counter()
    if status != 0:
        raise CommandFailed(f"{' '.join(command)} ended with wait status {status}")
    return ended - begun


def settle(engine: Engine, allowed: set[keeper.Process]) -> None:
    """Wait until what works behind a command's back has ended, so that it does not disturb the next measure."""
    keeper.wait_for_end(
        [process for process in keeper.descendants() if process not in allowed], 120
    )


# --------------------------------------------------------------------------------------------------------------- cases


def run_without_network(engine: Engine) -> dict[str, float]:
    return {"run-none": timed(engine, "run", "--rm", "--network", "none", "busybox", "true")}


def run_with_network(engine: Engine) -> dict[str, float]:
    return {"run": timed(engine, "run", "--rm", "busybox", "true")}


def prepare_nginx(engine: Engine) -> None:
    engine.have("nginx")


def nginx(engine: Engine) -> dict[str, float]:
    port = free_port()
    started = start(engine, "run", "-d", "--name", "web", "-p", f"127.0.0.1:{port}:80", "nginx")
    begun = started[1]
    while not answers(port):
        if time.perf_counter() - begun > 60:
            raise CommandFailed("nginx did not answer within a minute")
        time.sleep(0.001)
    elapsed = time.perf_counter() - begun
    seconds_until_end(started)
    engine("rm", "-f", "-t", "0", "web")
    return {"nginx-200": elapsed}


def answers(port: int) -> bool:
    """Whether HTTP on that port answers with status 200."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def prepare_exec(engine: Engine) -> None:
    engine("run", "-d", "--name", "target", "--network", "none", "busybox", "sleep", "86400")


def exec_true(engine: Engine) -> dict[str, float]:
    return {"exec": timed(engine, "exec", "target", "true")}


def prepare_stats(engine: Engine) -> None:
    for number in range(STATS_CONTAINERS):
        engine(
            "run", "-d", "--name", f"s{number}", "--network", "none", "busybox", "sleep", "86400"
        )


def stats(engine: Engine) -> dict[str, float]:
    return {"stats": timed(engine, "stats", "--no-stream")}


def lifecycle(engine: Engine) -> dict[str, float]:
    total = timed(
        engine, "create", "--name", "it", "--network", "none", "busybox", "sleep", "86400"
    )
    total += timed(engine, "start", "it")
    total += timed(engine, "stop", "-t", "0", "it")
    total += timed(engine, "rm", "it")
    return {"lifecycle": total}


def pod_of_three(engine: Engine) -> dict[str, float]:
    """A pod with three containers, made and started; then stopped and removed."""
    up = timed(engine, "pod", "create", "--name", "it", "--network", "none")
    for name in POD_CONTAINERS:
        up += timed(engine, "run", "-d", "--pod", "it", "--name", name, "busybox", "sleep", "86400")
    return {"pod-up": up, "pod-rm": timed(engine, "pod", "rm", "-f", "-t", "0", "it")}


def prepare_copy(engine: Engine) -> None:
    """A tree beside the engine's root, and a container."""
    for number in range(COPIED_FILES):
        directory = os.path.join(tree_beside(engine), f"{number // 200:03}")
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, f"{number}.txt"), "w") as file:
            file.write(f"{number}\n" * (number % 500))
    prepare_exec(engine)


def copy(engine: Engine) -> dict[str, float]:
    tree = tree_beside(engine)
    into = timed(engine, "cp", tree, "target:/tree")
    out = timed(engine, "cp", "target:/tree", f"{tree}.back")
    shutil.rmtree(f"{tree}.back")
    engine("exec", "target", "rm", "-r", "/tree")
    return {"cp-in": into, "cp-out": out}


def finish_copy(engine: Engine) -> None:
    engine.clean()
    shutil.rmtree(tree_beside(engine))


def prepare_first_map(engine: Engine, *, count: int = MAPPED_FILES, size_bytes: int = 0) -> None:
    """An archive of a file system with many files beside the engine's root."""
    content = os.urandom(size_bytes)
    with tarfile.open(f"{tree_beside(engine)}.tar", "w") as archive:
        with tarfile.open(fileobj=BytesIO(images.busybox_layer())) as busybox:
            for member in busybox:
                archive.addfile(member, busybox.extractfile(member) if member.isfile() else None)
        for number in range(count):
            member = tarfile.TarInfo(f"many/{number // 200}/{number}")
            member.size = size_bytes
            archive.addfile(member, BytesIO(content))


def prepare_big_first_map(engine: Engine) -> None:
    prepare_first_map(engine, count=MANY_MAPPED_FILES, size_bytes=MANY_MAPPED_SIZE)


def big_first_map(engine: Engine) -> dict[str, float]:
    return {"first-map-big": first_map(engine)["first-map"]}


def first_map(engine: Engine) -> dict[str, float]:
    """What --userns=keep-id adds to a start, the first time that an image gets other owners."""
    engine("import", "-q", f"{tree_beside(engine)}.tar", "many")
    for _ in range(2):  # the first one reads what the import has written
        usual = timed(engine, "run", "--rm", "--network", "none", "many", "true")
    first = timed(engine, "run", "--rm", "--network", "none", "--userns", "keep-id", "many", "true")
    engine("rmi", "-f", "many")
    return {"first-map": first - usual}


def finish_first_map(engine: Engine) -> None:
    engine.clean()
    os.unlink(f"{tree_beside(engine)}.tar")


def tree_beside(engine: Engine) -> str:
    return os.path.join(os.path.dirname(engine.root), f"tree-{os.path.basename(engine.root)}")


def prepare_images(engine: Engine) -> None:
    """Many images in one archive, with a layer in common."""
    layout = Layout(f"{tree_beside(engine)}.images")
    layers = [layout.add_layer(images.busybox_layer())]
    made = [layout.add_image(layers, {"Labels": {"n": str(n)}}) for n in range(IMAGES_LISTED)]
    path = f"{tree_beside(engine)}.tar"
    many_in_one(made, path)
    engine("load", "-q", "-i", path, timeout=600)
    os.unlink(path)
    shutil.rmtree(layout.path)


def many_in_one(made: list[Image], path: str) -> None:
    """A docker-archive of many images, each with a name."""
    listing = []
    with tarfile.open(path, "w") as archive:
        for number, image in enumerate(made):
            layer = f"{image.layers()[0][1].removeprefix('sha256:')}.tar"
            config = image.layout.blob(image.manifest()["config"]["digest"])
            if number == 0:
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


def prepare_lists(engine: Engine) -> None:
    for number in range(CONTAINERS_LISTED):
        engine("create", "--name", f"c{number}", "--network", "none", "busybox", "true")
    for number in range(20):
        engine("tag", "busybox", f"localhost/name{number}")


def lists(engine: Engine) -> dict[str, float]:
    return {
        "ps": timed(engine, "ps", "-a"),
        "inspect": timed(engine, "inspect", "c7"),
        "images": timed(engine, "images"),
    }


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


def many(engine: Engine) -> dict[str, float]:
    """30 detached starts, 4 at a time, and the removal of all."""
    begun = time.perf_counter()
    running: list[tuple[int, float, list[str]]] = []
    for _ in range(DETACHED_STARTS):
        if len(running) == STARTED_AT_ONCE:
            wait_for_one(running)
        running.append(start(engine, "run", "-d", "--network", "none", "busybox", "sleep", "86400"))
    while running:
        wait_for_one(running)
    starts = time.perf_counter() - begun
    return {"start-30": starts, "rm-30": timed(engine, "rm", "-f", "-a", "-t", "0")}


def wait_for_one(running: list[tuple[int, float, list[str]]]) -> None:
    """Wait for any of these to end and take it out."""
    import select

    descriptors = {os.pidfd_open(started[0]): started for started in running}
    try:
        ready, _, _ = select.select(list(descriptors), [], [])
        done = descriptors[ready[0]]
    finally:
        for fd in descriptors:
            os.close(fd)
    running.remove(done)
    seconds_until_end(done)


def logs(engine: Engine) -> dict[str, float]:
    line = "".join(chr(ord("a") + number % 26) for number in range(99))
    script = f"yes {line} | head -c {LOG_BYTES}"
    write = timed(
        engine, "run", "-d", "--name", "talker", "--network", "none", "busybox", "sh", "-c", script
    )
    write += timed(engine, "wait", "talker")
    read = timed(engine, "logs", "talker")
    engine("rm", "-f", "talker")
    return {"log-write": write, "log-read": read}


def memory(engine: Engine) -> dict[str, float]:
    """Megabytes (PSS) of the engine's own processes per idle container, with ten of them running."""
    allowed = set(keeper.descendants())
    for _ in range(IDLE_CONTAINERS):
        engine("run", "-d", "--network", "none", "busybox", "sleep", "86400")
    time.sleep(IDLE_SECONDS)
    total = 0
    for process in keeper.descendants():
        if process not in allowed and process.command()[:1] != ["sleep"]:
            if process.command()[:2] == ["catatonit", "-P"]:
                continue  # podman's pause process is one for all
            total += pss_bytes(process.pid)
    engine("rm", "-f", "-a", "-t", "0")
    return {"memory": total / IDLE_CONTAINERS / 1e6}


def prepare_scale(engine: Engine) -> None:
    script = f"yes {'x' * 60} | head -c {LONG_LOG_BYTES * 61 // 103}"  # 42 bytes a line are the log's own
    engine(
        "run", "--name", "talker", "--network", "none", "busybox", "sh", "-c", script, timeout=300
    )


def scale(engine: Engine) -> dict[str, float]:
    """The end of a long log, and how `ps -a` grows with the number of containers."""
    tail = statistics.median(timed(engine, "logs", "--tail", "10", "talker") for _ in range(9))
    few = listed_among(engine, FEW_CONTAINERS)
    many = listed_among(engine, MANY_CONTAINERS)
    return {"logs-tail": tail, "ps-1000": many / few}


def listed_among(engine: Engine, containers: int) -> float:
    """The median time of `ps -a` with so many containers; it makes those that are missing."""
    for number in range(len(engine.containers()), containers):
        engine("create", "--name", f"c{number}", "--network", "none", "busybox", "true")
    return statistics.median(timed(engine, "ps", "-a") for _ in range(9))


def pss_bytes(pid: int) -> int:
    """The proportional set size, smaps_rollup of proc(5)."""
    with open(f"/proc/{pid}/smaps_rollup") as file:
        for line in file:
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} has no PSS")


CASES = (
    Case(
        {"run-none": Measure("`run --rm --network none busybox true`", 0.40)}, run_without_network
    ),
    Case({"run": Measure("`run --rm busybox true`, default network", 0.45)}, run_with_network),
    Case(
        {"nginx-200": Measure("`run -d -p` of nginx until the first HTTP 200", 0.50)},
        nginx,
        prepare=prepare_nginx,
    ),
    Case({"exec": Measure("`exec` of `true`", 0.40)}, exec_true, prepare=prepare_exec),
    Case(
        {"stats": Measure(f"`stats --no-stream` of {STATS_CONTAINERS} containers", 0.30)},
        stats,
        prepare=prepare_stats,
    ),
    Case(
        {
            "cp-in": Measure(f"`cp` of {COPIED_FILES} small files into a container", 1.0),
            "cp-out": Measure("`cp` of them out of it", 1.0),
        },
        copy,
        prepare=prepare_copy,
        finish=finish_copy,
        slow=True,
    ),
    Case(
        {"first-map": Measure(f"first start with keep-id, {MAPPED_FILES} files: more", 1000, "ms")},
        first_map,
        prepare=prepare_first_map,
        finish=finish_first_map,
        warm=False,
        slow=True,
        alone=True,
    ),
    Case(
        {
            "first-map-big": Measure(
                f"the same with {MANY_MAPPED_FILES} files, 2 GB: more", 1000, "ms"
            )
        },
        big_first_map,
        prepare=prepare_big_first_map,
        finish=finish_first_map,
        warm=False,
        slow=True,
        asked_for=True,
        alone=True,
    ),
    Case({"lifecycle": Measure("create + start + stop -t 0 + rm", 0.40)}, lifecycle),
    Case(
        {
            "pod-up": Measure("a pod with three containers up", 0.50),
            "pod-rm": Measure("`pod rm -f -t 0` of it", 0.65),
        },
        pod_of_three,
    ),
    Case(
        {
            "ps": Measure(f"`ps -a` with {CONTAINERS_LISTED} containers", 0.35),
            "inspect": Measure("`inspect` of one of them", 0.80),
            "images": Measure("`images`", 0.80),
        },
        lists,
        prepare=prepare_lists,
    ),
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
            "save-big": Measure("`save` of it", 0.50),
            "load-big": Measure("`load` of it", 0.70),
        },
        big,
        prepare=prepare_big,
        warm=False,
        slow=True,
    ),
    Case(
        {"pull-next": Measure("pull of an image of which 7 of 8 layers are here", 0.50)},
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
                "second version of a zstd:chunked image, 1 file in 200 new", 0.70
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
            "push-fresh": Measure("push of it to a local registry, fresh", 0.80),
            "push-again": Measure("push of it with all blobs present", 0.30),
        },
        push,
        prepare=prepare_push,
        finish=finish_push,
        warm=False,
        slow=True,
    ),
    Case(
        {
            "start-30": Measure(
                f"{DETACHED_STARTS} detached starts, {STARTED_AT_ONCE} at a time", 0.40
            ),
            "rm-30": Measure("`rm -f -a` of them", 0.40),
        },
        many,
        warm=False,
        slow=True,
    ),
    Case(
        {
            "log-write": Measure("200 MB of lines through the log driver", 1.0),
            "log-read": Measure("`logs` of them", 0.20),
        },
        logs,
        warm=False,
        slow=True,
    ),
    Case(
        {
            "logs-tail": Measure("`logs --tail 10` of a log of 1 GB", 100, "ms"),
            "ps-1000": Measure("`ps -a` with 1,000 containers, as with 10", 3, "times"),
        },
        scale,
        prepare=prepare_scale,
        warm=False,
        slow=True,
        alone=True,
    ),
    Case(
        {"memory": Measure("own processes per idle container, PSS", 4.0, "MB")},
        memory,
        warm=False,
        slow=True,
    ),
)
