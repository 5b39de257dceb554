"""What is measured of builds: six small steps, the same from the cache, stages at the same time, many
files, a large context of which little is used.
"""

from __future__ import annotations

import os
import shutil

from tests.bench.measuring import Case, Measure, timed, tree_beside
from tests.support.engine import Engine

COPIED_FILES = 20_000
FILES_PER_DIRECTORY = 200
STEPS = (
    "FROM debian\n"
    "RUN echo 1 > /1\n"
    "RUN echo 2 > /2\n"
    "COPY f /f\n"
    "RUN echo 3 > /3\n"
    "ENV A=b\n"
    "RUN echo 4 > /4\n"
)
STAGES = (
    "FROM busybox AS base\n"
    + "".join(f"FROM base AS s{n}\nRUN sleep 2; echo {n} > /s{n}\n" for n in range(4))
    + "FROM base\n"
    + "".join(f"COPY --from=s{n} /s{n} /s{n}\n" for n in range(4))
)
MANY = "FROM busybox\nCOPY many /many\n"
LARGE = "FROM busybox\nCOPY used /used\n"
LARGE_FILES, LARGE_FILE_BYTES = 2048, 1 << 20  # 2 GB, of which the one file "used" is needed


def write(engine: Engine, dockerfile: str) -> str:
    context = f"{tree_beside(engine)}.context"
    os.makedirs(context, exist_ok=True)
    for name, text in (("Dockerfile", dockerfile), ("f", "x")):
        with open(f"{context}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    return context


def prepare_steps(engine: Engine) -> None:
    engine.have("debian")
    write(engine, STEPS)


def steps(engine: Engine) -> dict[str, float]:
    context = write(engine, STEPS)
    uncached = timed(engine, "build", "-q", "--no-cache", "-t", "made", context)
    engine("build", "-q", "-t", "made", context, timeout=600)  # podman's --no-cache fills no cache
    return {
        "build": uncached,
        "build-cached": timed(engine, "build", "-q", "-t", "made", context),
    }


def prepare_stages(engine: Engine) -> None:
    engine.have("busybox")
    write(engine, STAGES)


def stages(engine: Engine) -> dict[str, float]:
    context = write(engine, STAGES)
    words = ("build", "-q", "--no-cache", "--jobs", "4", "-t", "made", context)
    return {"build-stages": timed(engine, *words)}


def prepare_many(engine: Engine) -> None:
    engine.have("busybox")
    top = f"{write(engine, MANY)}/many"
    for number in range(COPIED_FILES // FILES_PER_DIRECTORY):
        os.makedirs(f"{top}/{number}")
        for name in range(FILES_PER_DIRECTORY):
            with open(f"{top}/{number}/{name}", "w", encoding="utf-8") as file:
                file.write(f"{number} {name}\n")


def many(engine: Engine) -> dict[str, float]:
    context = f"{tree_beside(engine)}.context"
    return {"build-copy": timed(engine, "build", "-q", "--no-cache", "-t", "made", context)}


def prepare_large(engine: Engine) -> None:
    engine.have("busybox")
    context = write(engine, LARGE)
    os.makedirs(f"{context}/others")
    for number in range(LARGE_FILES):
        with open(f"{context}/others/{number}", "wb") as file:
            file.truncate(LARGE_FILE_BYTES)
    with open(f"{context}/used", "wb") as file:
        file.write(os.urandom(LARGE_FILE_BYTES))


def large(engine: Engine) -> dict[str, float]:
    context = f"{tree_beside(engine)}.context"
    return {"build-large": timed(engine, "build", "-q", "--no-cache", "-t", "made", context)}


def finish(engine: Engine) -> None:
    shutil.rmtree(f"{tree_beside(engine)}.context")
    engine("rmi", "-f", "made", timeout=600)
    engine.clean()


BUILD_CASES = (
    Case(
        {
            "build": Measure("`build` of six small steps on the Debian image, uncached", 0.40),
            "build-cached": Measure("the same, fully cached", 0.15),
        },
        steps,
        prepare=prepare_steps,
        finish=finish,
        slow=True,
    ),
    Case(
        {"build-stages": Measure("four independent stages of `sleep 2`", 0.90)},
        stages,
        prepare=prepare_stages,
        finish=finish,
        warm=False,
        slow=True,
    ),
    Case(
        {"build-copy": Measure("COPY of 20,000 files", 0.50)},
        many,
        prepare=prepare_many,
        finish=finish,
        warm=False,
        slow=True,
    ),
    Case(
        {"build-large": Measure("COPY of 1 MB from a context of 2 GB", 1.00)},
        large,
        prepare=prepare_large,
        finish=finish,
        slow=True,
    ),
)
