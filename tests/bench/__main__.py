"""Measure the program under test beside a peer, in one run, turn by turn.

    tests/support/as-user .venv/bin/python -m tests.bench [--case NAME]... [--runs N] [--json FILE]

Prints a Markdown table of medians and ratios. Both programs get the same images, from the same registry, a root of
their own and the same cgroup. Nothing here fails because of a time.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from collections.abc import Iterator

from tests.bench.cases import CASES
from tests.bench.measuring import Case, CommandFailed, Measure, settle
from tests.support import keeper
from tests.support.engine import Engine, engine_in, program
from tests.support.fixtures import end_pause_process
from tests.support.places import run_directory
from tests.support.registry import Registry

SLOW_RUNS = 3


def main() -> int:
    arguments = _arguments()
    keeper.adopt_orphans()
    with (
        run_directory() as workspace,
        run_directory(os.environ.get("XDG_RUNTIME_DIR")) as runtime_directory,
        Registry(os.path.join(workspace, "registry")) as registry,
    ):
        ours = engine_in(workspace, runtime_directory, "a", registry, program(arguments.program))
        peer = engine_in(workspace, runtime_directory, "b", registry, program(arguments.peer))
        results = _measure(arguments, (ours, peer))
        for engine in (ours, peer):
            engine.clean()
            end_pause_process(engine)
    print(_table(results, arguments), flush=True)
    if arguments.json:
        with open(arguments.json, "w") as file:
            json.dump(results, file, indent=2)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench", description="Measure pod beside podman."
    )
    names = [name for case in CASES for name in case.measures]
    parser.add_argument(
        "--case", action="append", choices=names, help="only this one; may be given again"
    )
    parser.add_argument(
        "--runs", type=int, default=15, help=f"rounds of quick cases (15); slow ones: {SLOW_RUNS}"
    )
    parser.add_argument("--slow-runs", type=int, default=SLOW_RUNS)
    parser.add_argument("--program", help="default: $POD or .venv/bin/pod")
    parser.add_argument("--peer", default="podman")
    parser.add_argument("--json", metavar="FILE", help="write every single value too")
    return parser.parse_args()


def _measure(
    arguments: argparse.Namespace, engines: tuple[Engine, Engine]
) -> dict[str, dict[str, list[float]]]:
    """Measure name -> "ours" and "peer" -> values, in the order of the rounds."""
    for engine in engines:
        engine.have("busybox")
        engine(
            "run", "--rm", "busybox", "true", status=None
        )  # bytecode, seccomp cache, pause process
    results: dict[str, dict[str, list[float]]] = {}
    for case in _chosen(arguments.case):
        names = ", ".join(case.measures)
        print(f"bench: {names}", file=sys.stderr, flush=True)
        try:
            runs = 1 if case.alone else arguments.slow_runs if case.slow else arguments.runs
            _one_case(case, engines[:1] if case.alone else engines, runs, results)
        except (AssertionError, CommandFailed) as error:
            print(f"bench: {names} was given up: {error}", file=sys.stderr, flush=True)
            for engine in engines:
                engine.clean()
    return results


def _one_case(
    case: Case,
    engines: tuple[Engine, ...],
    runs: int,
    results: dict[str, dict[str, list[float]]],
) -> None:
    for engine in engines:
        case.prepare(engine)
        if case.warm:
            case.run(engine)
    allowed = set(keeper.descendants())
    for number in range(runs):
        # Who goes first alternates, so that neither always meets the other's dirty caches.
        turn = list(zip(("ours", "peer"), engines, strict=False))
        for side, engine in turn if number % 2 == 0 else reversed(turn):
            for name, value in case.run(engine).items():
                results.setdefault(name, {"ours": [], "peer": []})[side].append(value)
            if case.slow:
                settle(engine, allowed)
    for engine in engines:
        case.finish(engine)


def _chosen(names: list[str] | None) -> Iterator[Case]:
    for case in CASES:
        if set(names) & set(case.measures) if names else not case.asked_for:
            yield case


def _table(results: dict[str, dict[str, list[float]]], arguments: argparse.Namespace) -> str:
    ours = os.path.basename(program(arguments.program)[0])
    peer = os.path.basename(program(arguments.peer)[0])
    lines = [f"| case | {ours} | {peer} | ratio | goal |", "| --- | --: | --: | --: | --: |"]
    for case in CASES:
        for name, measure in case.measures.items():
            if name in results:
                lines.append(_row(measure, results[name]))
    return "\n".join(lines)


def _row(measure: Measure, values: dict[str, list[float]]) -> str:
    ours = statistics.median(values["ours"])
    peer = statistics.median(values["peer"]) if values["peer"] else None
    ratio = ours / peer if peer else None
    if measure.unit == "s":
        met, goal = ratio is not None and ratio <= measure.goal, f"{measure.goal:.2f}"
    else:
        number = ours * 1000 if measure.unit == "ms" else ours
        met, goal = number <= measure.goal, f"{measure.goal:g} {measure.unit}"
    shown = [_shown(value, measure.unit) for value in (ours, peer)]
    ratio_shown = "" if ratio is None else f"{ratio:.2f}"
    missed = "" if met else ", not met"
    return f"| {measure.text} | {shown[0]} | {shown[1]} | {ratio_shown} | {goal}{missed} |"


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit in ("MB", "times"):
        return f"{value:.1f} {unit}"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


if __name__ == "__main__":
    sys.exit(main())
