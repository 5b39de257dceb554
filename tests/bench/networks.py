"""What is measured of networks: starts on them, bytes through published ports and between containers, names, memory.

The servers are Python's, in containers that see the machine's /usr, so that neither side waits for a slow program.
What a choice of default network costs is measured with pod as its own peer, in one run:

    tests/support/as-user .venv/bin/python -m tests.bench --case run --case nginx-200 --case port-default \
        --case port-memory --peer "env CONTAINERS_CONF_OVERRIDE=FILE .venv/bin/pod"
"""

from __future__ import annotations

import json
import socket
import time

from tests.bench.measuring import Case, CommandFailed, Measure, pss_bytes, timed
from tests.support import keeper
from tests.support.engine import Engine
from tests.support.waiting import free_port

NETWORK = "lane"
TRANSFER_BYTES = 1 << 30
PUBLISHING_CONTAINERS = 10
SETTLE_SECONDS = 16.0  # then a monitor is small
QUESTIONS_PER_SECOND = 2000
QUESTION_SECONDS = 3
PYTHON = ("-v", "/usr:/usr:ro", "-v", "/usr/lib:/lib:ro", "-v", "/usr/lib64:/lib64:ro")

SEND = f"""
import os, socket
memory = os.memfd_create("much")
os.truncate(memory, 1 << 26)
server = socket.create_server(("0.0.0.0", 80))
while True:
    client = server.accept()[0]
    for _ in range({TRANSFER_BYTES >> 26}):
        left = 1 << 26
        while left:
            left -= os.sendfile(client.fileno(), memory, (1 << 26) - left, left)
    client.close()
"""
RECEIVE = """
import socket, sys, time
room = bytearray(1 << 20)
client = socket.create_connection((sys.argv[1], 80))
begun = time.perf_counter()
while client.recv_into(room):
    pass
print(time.perf_counter() - begun)
"""
ASK = f"""
import select, socket, struct, sys, time
name = b"".join(bytes([len(part)]) + part.encode() for part in sys.argv[2].split(".")) + b"\\0"
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.connect((sys.argv[1], 53))
client.setblocking(False)
sent, took, number = {{}}, [], 0
begun = time.perf_counter()
total = {QUESTIONS_PER_SECOND * QUESTION_SECONDS}
while len(took) < total and time.perf_counter() - begun < {QUESTION_SECONDS} + 5:
    now = time.perf_counter()
    if number < total and now - begun >= number / {QUESTIONS_PER_SECOND}:
        sent[number & 0xffff] = now
        client.send(struct.pack(">HHHHHH", number & 0xffff, 0x100, 1, 0, 0, 0) + name + b"\\0\\1\\0\\1")
        number += 1
        continue
    wait = max(0, begun + number / {QUESTIONS_PER_SECOND} - now) if number < total else 1
    if select.select([client], [], [], wait)[0]:
        answer = client.recv(512)
        took.append(time.perf_counter() - sent.pop(struct.unpack(">H", answer[:2])[0]))
took += [5.0] * (total - len(took))
took.sort()
print(took[int(len(took) * 0.99)])
"""


# --------------------------------------------------------------------------------------------------------------- cases


def prepare_network(engine: Engine) -> None:
    engine("network", "create", NETWORK)


def finish_network(engine: Engine) -> None:
    engine.clean()
    engine("network", "rm", "-f", NETWORK)


def run_on_a_network(engine: Engine) -> dict[str, float]:
    return {"net-run": timed(engine, "run", "--rm", "--network", NETWORK, "busybox", "true")}


def prepare_neighbour(engine: Engine) -> None:
    prepare_network(engine)
    engine("run", "-d", "--network", NETWORK, "busybox", "sleep", "86400")


def run_beside_another(engine: Engine) -> dict[str, float]:
    return {"net-run-next": timed(engine, "run", "--rm", "--network", NETWORK, "busybox", "true")}


def prepare_port(engine: Engine) -> None:
    serve(engine, "-p", f"127.0.0.1:{free_port()}:80")


def prepare_port_on_a_network(engine: Engine) -> None:
    prepare_network(engine)
    serve(engine, "--network", NETWORK, "-p", f"127.0.0.1:{free_port()}:80")


def serve(engine: Engine, *options: str) -> None:
    """A container `server` that sends much to everybody who connects to its port 80."""
    engine("run", "-d", "--name", "server", *options, *PYTHON, "busybox", "/usr/bin/python3", "-c", SEND)  # fmt: skip


def port_default(engine: Engine) -> dict[str, float]:
    return {"port-default": seconds_through_port(engine)}


def port_on_a_network(engine: Engine) -> dict[str, float]:
    return {"port-network": seconds_through_port(engine)}


def seconds_through_port(engine: Engine) -> float:
    """From the first byte to the last, through the published port of the server."""
    port = int(engine("port", "server", "80").out.rpartition(":")[2])
    deadline = time.perf_counter() + 60
    room = bytearray(1 << 20)
    while time.perf_counter() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
                received = connection.recv_into(room)
                begun = time.perf_counter()
                while received and (count := connection.recv_into(room)):
                    received += count
        except ConnectionError:
            received = 0
        if received == TRANSFER_BYTES:
            return time.perf_counter() - begun
        time.sleep(0.05)  # the server is not there yet
    raise CommandFailed("not all bytes came")


def between(engine: Engine) -> dict[str, float]:
    place = engine(
        "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", "server"
    ).out
    took = engine(
        "run", "--rm", "--network", NETWORK, *PYTHON, "busybox", "/usr/bin/python3", "-c", RECEIVE, place,
    ).out  # fmt: skip
    return {"between": float(took)}


def create_and_remove(engine: Engine) -> dict[str, float]:
    seconds = timed(engine, "network", "create", "passing")
    return {"network-create-rm": seconds + timed(engine, "network", "rm", "passing")}


def questions(engine: Engine) -> dict[str, float]:
    """The time in which 99 of 100 questions about a neighbour's name are answered, at a steady rate."""
    document = json.loads(engine("network", "inspect", NETWORK).stdout)[0]
    took = engine(
        "run", "--rm", "--network", NETWORK, *PYTHON,
        "busybox", "/usr/bin/python3", "-c", ASK, document["subnets"][0]["gateway"], "server.dns.podman",
    ).out  # fmt: skip
    return {"dns-p99": float(took)}


def port_memory(engine: Engine) -> dict[str, float]:
    """Megabytes (PSS) of all that is not the containers', per container with a published port, ten of them running."""
    allowed = set(keeper.descendants())
    for _ in range(PUBLISHING_CONTAINERS):
        engine("run", "-d", "-p", f"127.0.0.1:{free_port()}:80", "busybox", "sleep", "86400")
    time.sleep(SETTLE_SECONDS)
    total = sum(pss_bytes(it.pid) for it in helpers(allowed))
    engine("rm", "-f", "-a", "-t", "0")
    return {"port-memory": total / PUBLISHING_CONTAINERS / 1e6}


def holder_memory(engine: Engine) -> dict[str, float]:
    """Megabytes (PSS) of what all containers on networks share: holder and outside helper."""
    for _ in range(PUBLISHING_CONTAINERS):
        engine("run", "-d", "--network", NETWORK, "busybox", "sleep", "86400")
    time.sleep(SETTLE_SECONDS)
    shared = ("pod networks", "pasta", "slirp4netns")
    total = sum(
        pss_bytes(it.pid) for it in helpers(set()) if "".join(it.command()[:1]).endswith(shared)
    )
    engine("rm", "-f", "-a", "-t", "0")
    return {"holder-memory": total / 1e6}


def helpers(allowed: set[keeper.Process]) -> list[keeper.Process]:
    """The engine's processes since `allowed`, but for the containers'."""
    return [
        process
        for process in keeper.descendants()
        if process not in allowed
        and (command := process.command())
        and command[0] != "sleep"
        and command[:2] != ["catatonit", "-P"]  # podman's pause process is one for all
    ]


NETWORK_CASES = (
    Case(
        {"net-run": Measure("`run --rm` on a network of one's own", 0.50)},
        run_on_a_network,
        prepare=prepare_network,
        finish=finish_network,
    ),
    Case(
        {"net-run-next": Measure("the same beside another container", 0.50)},
        run_beside_another,
        prepare=prepare_neighbour,
        finish=finish_network,
    ),
    Case(
        {"network-create-rm": Measure("`network create` + `network rm`", 0.40)}, create_and_remove
    ),
    Case(
        {"port-default": Measure("1 GiB through a published port, default network", 1.0)},
        port_default,
        prepare=prepare_port,
        slow=True,
    ),
    Case(
        {"port-network": Measure("1 GiB through a published port, network of one's own", 1.0)},
        port_on_a_network,
        prepare=prepare_port_on_a_network,
        finish=finish_network,
        slow=True,
    ),
    Case(
        {"between": Measure("1 GiB from container to container", 1.0)},
        between,
        prepare=prepare_port_on_a_network,
        finish=finish_network,
        slow=True,
    ),
    Case(
        {
            "dns-p99": Measure(
                f"99 of 100 names, {QUESTIONS_PER_SECOND:,} asked in a second", 5, "ms"
            )
        },
        questions,
        prepare=prepare_port_on_a_network,
        finish=finish_network,
        slow=True,
        alone=True,
    ),
    Case(
        {
            "port-memory": Measure(
                "own processes per container with a port, default network, PSS", 5.0, "MB"
            )
        },
        port_memory,
        warm=False,
        slow=True,
    ),
    Case(
        {"holder-memory": Measure("what containers on networks share, PSS", 15.0, "MB")},
        holder_memory,
        prepare=prepare_network,
        finish=finish_network,
        warm=False,
        slow=True,
        alone=True,
    ),
)
