"""What is measured. Each case is a function that works on one engine and gives the seconds of its measures.

Only what a person waits for is timed; bringing things into place and removing them again is not. No case asserts a
time.
"""

from __future__ import annotations

import os
import shutil
import socket
import statistics
import tarfile
import time
from io import BytesIO

from tests.bench.builds import BUILD_CASES
from tests.bench.compose import COMPOSE_CASES
from tests.bench.images import IMAGE_CASES
from tests.bench.measuring import (
    Case,
    CommandFailed,
    Measure,
    pss_bytes,
    seconds_until_end,
    start,
    timed,
    tree_beside,
)
from tests.bench.networks import NETWORK_CASES
from tests.bench.units import UNIT_CASES
from tests.support import images, keeper
from tests.support.engine import Engine
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
MANY_MAPPED_FILES = 100_000
MANY_MAPPED_SIZE = 20_000  # bytes each: an image of 2 GB
STATS_CONTAINERS = 30
IDLE_CONTAINERS = 10
IDLE_SECONDS = 16.0  # then a monitor has settled


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


def prepare_next_nginx(engine: Engine) -> None:
    prepare_nginx(engine)
    engine("run", "-d", "--name", "other", "busybox", "sleep", "86400")


def next_nginx(engine: Engine) -> dict[str, float]:
    return {"nginx-next": nginx(engine)["nginx-200"]}


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
    Case(
        {"nginx-next": Measure("the same with another container on the network", 0.50)},
        next_nginx,
        prepare=prepare_next_nginx,
    ),
    Case({"exec": Measure("`exec` of `true`", 0.35)}, exec_true, prepare=prepare_exec),
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
    *IMAGE_CASES,
    *NETWORK_CASES,
    *COMPOSE_CASES,
    *UNIT_CASES,
    *BUILD_CASES,
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
