"""What starting costs: the interpreter alone, then pod's commands that start no container; and what they import.

.venv/bin/python -m tests.bench.startup [--runs N]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

from tests.support.engine import program

COMMANDS = (("--version",), ("--help",), ("ps",), ("images",), ("run", "--help"))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.startup")
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    pod = program()
    with tempfile.TemporaryDirectory(dir="/var/tmp") as root:
        options = ["--root", f"{root}/root", "--runroot", f"{root}/run"]
        cases = {"python3 -I -S -c pass": [sys.executable, "-I", "-S", "-c", "pass"]}
        cases |= {"python3 -c pass": [sys.executable, "-c", "pass"]}
        cases |= {f"pod {' '.join(words)}": [*pod, *options, *words] for words in COMMANDS}
        times: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(runs + 1):
            for name, command in cases.items():
                times[name].append(_seconds(command))
        print("| command | median | slowest import, milliseconds |\n| --- | --: | --- |")
        for name, command in cases.items():
            median = statistics.median(times[name][1:])  # the first writes bytecode
            print(f"| `{name}` | {median * 1000:.1f} ms | {_slowest(command)} |")
    return 0


def _seconds(command: list[str]) -> float:
    begun = time.perf_counter()
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True)
    return time.perf_counter() - begun


def _slowest(command: list[str]) -> str:
    """The five modules whose own import took longest. The launcher's options hide nothing from the environment."""
    script = (
        command if command[0] == sys.executable else [sys.executable, "-X", "importtime", *command]
    )
    done = subprocess.run(
        script, capture_output=True, text=True, env={**os.environ, "PYTHONPROFILEIMPORTTIME": "1"}
    )
    found = []
    for line in done.stderr.splitlines():
        parts = line.removeprefix("import time:").split("|")
        if len(parts) == 3 and parts[0].strip().isdigit():
            found.append((int(parts[0]), parts[2].strip()))
    return ", ".join(f"{name} {own / 1000:.1f}" for own, name in sorted(found, reverse=True)[:5])


if __name__ == "__main__":
    sys.exit(main())
