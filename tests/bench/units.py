"""Units of systemd: the start of a service until it is ready, by a real `systemd --user`; and pod's generator."""

from __future__ import annotations

import os
import resource
import shlex
import statistics
import subprocess
import time
from contextlib import ExitStack

from tests.bench.measuring import Case, Measure
from tests.support.engine import Engine
from tests.support.systemd import UserManager, user_manager

QUADLETS = 50
GENERATOR_RUNS = 15
_UNIT = "bench.service"
_started: dict[str, tuple[ExitStack, UserManager]] = {}  # by the root of the engine


def prepare_unit(engine: Engine) -> None:
    """A systemd with the unit that the engine has generated."""
    stack = ExitStack()
    directory = os.path.join(engine.environment["XDG_RUNTIME_DIR"], f"sd{len(_started)}")
    systemd = stack.enter_context(user_manager(engine, directory))
    _started[engine.root] = (stack, systemd)
    words = ("--network=none", "--stop-signal=KILL", "busybox", "sleep", "86400")
    engine("create", "--name", "unit", *words)
    # Not --new: what podman says to NOTIFY_SOCKET then is not always heard by a systemd without D-Bus.
    (text,) = engine("generate", "systemd", "--name", "--format=json", "unit").json().values()
    if engine.kind == "podman":  # its unit has not the options that podman was called with
        text = text.replace("/usr/bin/podman ", shlex.join(engine.full_command()) + " ")
    systemd.write(_UNIT, text)
    systemd.write(f"{_UNIT}.d/often.conf", "[Unit]\nStartLimitIntervalSec=0\n")
    systemd.reload()


def start_unit(engine: Engine) -> dict[str, float]:
    _, systemd = _started[engine.root]
    systemd("start", _UNIT)
    # What systemctl itself takes is the same for both.
    begun, ready = (
        int(systemd.show(_UNIT, f"{it}TimestampMonotonic"))
        for it in ("InactiveExit", "ActiveEnter")
    )
    systemd("stop", _UNIT)
    return {"unit-start": (ready - begun) / 1e6}


def finish_unit(engine: Engine) -> None:
    stack, systemd = _started.pop(engine.root)
    with open(f"{systemd.cgroup}/cgroup.kill", "w") as file:  # podman leaves a process there
        file.write("1")
    stack.close()
    engine.clean()


def prepare_generator(engine: Engine) -> None:
    for number in range(QUADLETS):
        path = os.path.join(_quadlets(engine), f"web{number}.container")
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(
                f"[Unit]\nDescription=Web {number}\nAfter=network.target\n[Container]\nImage=docker.io/library/nginx\n"
                f"PublishPort={8000 + number}:80\nVolume=data{number}:/data:ro\nEnvironment=A=b C=%n\nMemory=64m\n"
                "HealthCmd=curl -f http://localhost/\nAutoUpdate=registry\n[Service]\nRestart=always\n"
                "[Install]\nWantedBy=default.target\n"
            )


def _quadlets(engine: Engine) -> str:
    return os.path.join(os.path.dirname(engine.root), f"quadlets-{os.path.basename(engine.root)}")


def generate(engine: Engine) -> dict[str, float]:
    """The generator on 50 files, as systemd calls it; its time, and the processor's."""
    output = f"{_quadlets(engine)}.out"
    os.makedirs(output, exist_ok=True)
    program = os.path.join(os.path.dirname(engine.command[0]), "pod-system-generator")
    environment = {**engine.environment, "QUADLET_UNIT_DIRS": _quadlets(engine)}
    measured = []
    for _ in range(GENERATOR_RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begun = time.perf_counter()
        subprocess.run([program, "--user", output, output, output], env=environment, check=True)
        elapsed = time.perf_counter() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        measured.append((elapsed, used))
    assert len(os.listdir(output)) >= QUADLETS
    walls, processor = zip(*measured, strict=True)
    return {"generator": statistics.median(walls), "generator-cpu": statistics.median(processor)}


UNIT_CASES = [
    Case(
        {"unit-start": Measure("start of a generated unit until it is ready", 0.5)},
        start_unit,
        prepare=prepare_unit,
        finish=finish_unit,
    ),
    Case(
        {
            "generator": Measure(f"quadlet generator, {QUADLETS} files", 60, "ms"),
            "generator-cpu": Measure("the same: time of the processor", 60, "ms"),
        },
        generate,
        prepare=prepare_generator,
        alone=True,
    ),
]
