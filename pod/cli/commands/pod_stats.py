"""`pod pod stats`: how much the containers of pods use, once or again and again."""

from __future__ import annotations

import sys

from pod.base.errors import UsageError
from pod.cli.commands.stats import NOTHING, pair, percent, screen
from pod.cli.declare import Command, Option
from pod.cli.options import pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.engine.stats import Sample

_COLUMNS = ("Pod", "CID", "Name", "CPU", "MemUsage", "Mem", "NetIO", "BlockIO", "PIDS")
_HEADINGS = {
    "BlockIO": "BLOCK IO",
    "CID": "CID",
    "CPU": "CPU %",
    "Mem": "MEM %",
    "MemUsage": "MEM USAGE/ LIMIT",
    "MemUsageBytes": "MEM USAGE/ LIMIT",
    "Name": "NAME",
    "NetIO": "NET IO",
    "PIDS": "PIDS",
    "Pod": "POD",
}
_SECONDS = 5


def show_stats(arguments: Arguments, engine: Engine) -> None:
    chosen = _chosen(arguments, engine)
    from pod.engine.stats import Meter

    meter = Meter(engine)
    if arguments.flag("no_stream"):
        sys.stdout.write(_text(arguments, _rows(engine, meter, chosen)))
        return
    import time

    redraws = sys.stdout.isatty() and not arguments.flag("no_reset")
    while True:
        rows = _rows(engine, meter, chosen)
        if chosen is not None and not rows:
            return  # all that were asked for have been removed
        text = _text(arguments, rows)
        sys.stdout.write(screen(text) if redraws else text)
        sys.stdout.flush()
        engine.close()  # no connection is held while nothing is done
        time.sleep(_SECONDS)


def _chosen(arguments: Arguments, engine: Engine) -> list[str] | None:
    """Ids of the pods that were named; None for all that run."""
    from pod.state import pods as rows

    ways = [bool(arguments.words), arguments.flag("all"), arguments.flag("latest")]
    if sum(ways) > 1:
        raise UsageError("names, --all and --latest exclude one another")
    if arguments.flag("latest"):
        return [rows.latest(engine.database).id]
    if not arguments.words:
        return None
    found = [rows.find(engine.database, name).id for name in arguments.words]
    return list(dict.fromkeys(found))


def _rows(engine: Engine, meter: Any, chosen: list[str] | None) -> list[dict[str, Any]]:
    from pod.engine import pod_list

    found = [
        it
        for it in pod_list.all_pods(engine)
        if (it.pod.id in chosen if chosen is not None else it.state in {"Running", "Degraded"})
    ]
    pod_of = {one.summary.id: it.pod.id for it in found for one in it.containers}
    return [_row(sample, pod_of[sample.id]) for sample in meter.read(list(pod_of))]


def _row(sample: Sample, pod_id: str) -> dict[str, Any]:
    return {
        "BlockIO": pair(sample.read, sample.written),
        "CID": sample.id[:12],
        "CPU": percent(sample.cpu_share),
        "Mem": percent(sample.memory_share),
        "MemUsage": pair(sample.memory, sample.memory_limit),
        "MemUsageBytes": pair(sample.memory, sample.memory_limit, binary=True),
        "Name": sample.name,
        "NetIO": pair(sample.received, sample.sent),
        "PIDS": str(sample.tasks) if sample.tasks else NOTHING,
        "Pod": pod_id[:12],
    }


def _text(arguments: Arguments, rows: list[dict[str, Any]]) -> str:
    from pod.cli.output import Listing, render

    return render(Listing(_COLUMNS, _HEADINGS), rows, arguments.text("format"))


COMMAND = Command(
    show_stats,
    "[OPTIONS] [POD...]",
    description=(
        "Shows how much of the machine the containers of pods use; without names, of all pods that run. On a terminal "
        "the screen is drawn again every few seconds, until Ctrl-C."
    ),
    options=(
        pods.all_option("All pods that run, as without names"),
        Option(("--format",), "text", "Show as JSON, or by a Go template", metavar="FORMAT"),
        pods.LATEST,
        Option(("--no-reset",), "flag", "Leave what was shown before on the screen"),
        Option(("--no-stream",), "flag", "Show one report and end"),
    ),
    maximum=None,
    completes=("pod",),
    examples=("pod pod stats", "pod pod stats --no-stream shop"),
)
