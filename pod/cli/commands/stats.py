"""`pod stats`: how much containers use, once or again and again."""

from __future__ import annotations

import sys

from pod.base.errors import UsageError
from pod.cli import human
from pod.cli.declare import Command, Option
from pod.cli.options import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.engine.stats import Sample

_COLUMNS = (
    "ID",
    "Name",
    "CPUPerc",
    "MemUsage",
    "MemPerc",
    "NetIO",
    "BlockIO",
    "PIDs",
    "CPUTime",
    "AvgCPU",
)
# Those of all columns, so that no table needs the rules by which headings are made of names.
_HEADINGS = {
    "ID": "ID",
    "Name": "NAME",
    "AVGCPU": "AVG CPU %",
    "AvgCPU": "AVG CPU %",
    "BlockIO": "BLOCK IO",
    "CPUPerc": "CPU %",
    "CPUTime": "CPU TIME",
    "ContainerID": "CONTAINER ID",
    "MemPerc": "MEM %",
    "MemUsage": "MEM USAGE / LIMIT",
    "MemUsageBytes": "MEM USAGE / LIMIT",
    "NetIO": "NET IO",
    "PIDS": "PIDS",
    "PIDs": "PIDS",
    "Up": "CPU TIME",
    "UpTime": "CPU TIME",
}
NOTHING = "--"


def show_stats(arguments: Arguments, engine: Engine) -> int:
    ids, status = _chosen(arguments, engine)
    if ids == [] and status:
        return status
    from pod.engine.stats import Meter

    meter = Meter(engine)
    everything = arguments.flag("all")
    if arguments.flag("no_stream"):
        samples = meter.read(ids, everything=everything)
        sys.stdout.write(_text(arguments, samples))
        return status
    import time

    redraws = sys.stdout.isatty() and not arguments.flag("no_reset")
    while True:
        samples = meter.read(ids, everything=everything)
        if ids is not None and not samples:
            return status  # all that were asked for have been removed
        text = _text(arguments, samples)
        sys.stdout.write(screen(text) if redraws else text)
        sys.stdout.flush()
        engine.close()  # no connection is held while nothing is done
        time.sleep(arguments.number("interval") or 0)


def _chosen(arguments: Arguments, engine: Engine) -> tuple[list[str] | None, int]:
    """Ids of the containers that were named, None for whichever there are; the status where one does not exist."""
    ways = [bool(arguments.words), arguments.flag("all"), arguments.flag("latest")]
    if sum(ways) > 1:
        raise UsageError("names, --all and --latest exclude one another")
    if arguments.flag("latest"):
        return [select.latest(engine)], 0
    if not arguments.words:
        return None, 0
    from pod.cli import several
    from pod.state import containers

    found, status = several.collect(
        arguments.words, lambda name: containers.find(engine.database, name).id
    )
    return list(dict.fromkeys(found)), status


def _text(arguments: Arguments, samples: list[Sample]) -> str:
    from pod.cli.output import Listing, render

    whole = arguments.flag("no_trunc")
    form = arguments.text("format")
    row = _row if form else _cells  # a report every few seconds has nothing that it does not show
    return render(
        Listing(_COLUMNS, _HEADINGS),
        [row(sample, whole=whole) for sample in samples],
        form,
        documents=lambda: [document(sample, whole=whole) for sample in samples],
    )


def screen(text: str) -> str:
    """The text from the top left corner over what was there before, cut to the size of the terminal.

    Nothing is cleared beforehand, so that it does not flicker.
    """
    from pod.engine.terminal import own_window

    rows, columns = own_window()
    lines = text.splitlines()
    if rows and len(lines) > rows - 1:
        hidden = len(lines) - (rows - 2)
        lines = [*lines[: rows - 2], f"... {hidden} more"]
    cut = (line[:columns] if columns else line for line in lines)
    return "\x1b[H" + "".join(f"{line}\x1b[K\n" for line in cut) + "\x1b[J"


def _cells(sample: Sample, *, whole: bool) -> dict[str, Any]:
    """The columns of the plain table."""
    return {
        "ID": sample.id if whole else sample.id[:12],
        "Name": sample.name,
        "CPUPerc": percent(sample.cpu_share),
        "MemUsage": pair(sample.memory, sample.memory_limit),
        "MemPerc": percent(sample.memory_share),
        "NetIO": pair(sample.received, sample.sent),
        "BlockIO": pair(sample.read, sample.written),
        "PIDs": str(sample.tasks) if sample.tasks else NOTHING,
        "CPUTime": human.go_duration(sample.cpu_ns),
        "AvgCPU": percent(sample.average_share),
    }


def _row(sample: Sample, *, whole: bool) -> dict[str, Any]:
    """All that a template can name: podman's fields, and docker's."""
    cells = _cells(sample, whole=whole)
    return {
        **cells,
        "AVGCPU": cells["AvgCPU"],
        "BlockInput": sample.read,
        "BlockOutput": sample.written,
        "CPU": 100 * sample.cpu_share,
        "CPUNano": sample.cpu_ns,
        "CPUSystemNano": sample.system_ns,
        "Container": cells["ID"],
        "ContainerID": sample.id,
        "Duration": max(0, sample.moment_ns - sample.started_ns),
        "MemLimit": sample.memory_limit,
        "MemUsageBytes": pair(sample.memory, sample.memory_limit, binary=True),
        "NetInput": sample.received,
        "NetOutput": sample.sent,
        "PIDS": cells["PIDs"],
        "SystemNano": sample.moment_ns,
        "Up": cells["CPUTime"],
        "UpTime": cells["CPUTime"],
    }


def document(sample: Sample, *, whole: bool) -> dict[str, str]:
    """A container as `pod stats --format json` shows it."""
    row = _cells(sample, whole=whole)
    return {
        "id": row["ID"],
        "name": row["Name"],
        "cpu_time": row["CPUTime"],
        "cpu_percent": row["CPUPerc"],
        "avg_cpu": row["AvgCPU"],
        "mem_usage": row["MemUsage"],
        "mem_percent": row["MemPerc"],
        "net_io": row["NetIO"],
        "block_io": row["BlockIO"],
        "pids": row["PIDs"],
    }


def percent(share: float) -> str:
    return f"{100 * share:.2f}%"


def pair(one: int, other: int, *, binary: bool = False) -> str:
    if not one and not other:
        return f"{NOTHING} / {NOTHING}"
    if binary:
        return f"{_binary(one)} / {_binary(other)}"
    texts = [human.size(number, digits=4, space=False) for number in (one, other)]
    return " / ".join(texts)


def _binary(size_bytes: float) -> str:
    """As Go's units write it: "1.5MiB"."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size_bytes < 1024:
            return f"{size_bytes:.4g}{unit}"
        size_bytes /= 1024
    return f"{size_bytes:.4g}TiB"


COMMAND = Command(
    show_stats,
    "[OPTIONS] [CONTAINER...]",
    description=(
        "Shows how much of the machine containers use: processor time, memory, network, block devices, processes. "
        "Without names, all that run. On a terminal the screen is drawn again every few seconds, until Ctrl-C."
    ),
    options=(
        select.all_option("Show also containers that do not run"),
        Option(("--format",), "text", "Show as JSON, or by a Go template", metavar="FORMAT"),
        Option(
            ("-i", "--interval"),
            "number",
            "Seconds between two reports",
            metavar="SECONDS",
            default=5,
            lowest=1,
        ),
        select.LATEST,
        Option(("--no-reset",), "flag", "Leave what was shown before on the screen"),
        Option(("--no-stream",), "flag", "Show one report and end"),
        Option(("--no-trunc",), "flag", "Show whole ids"),
    ),
    maximum=None,
    completes=("running",),
    examples=("pod stats", "pod stats --no-stream --format '{{.Name}} {{.MemUsage}}' web"),
)
