"""pod as a library: a program runs containers without the command line."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.support.engine import Engine

SCRIPT = """
import sys
import pod

engine = pod.Engine(root=sys.argv[1], runroot=sys.argv[2])
base = pod.container_preset(engine.settings)
config = base.replace(
    image="busybox",
    command=("sh", "-c", "echo from the container; exit 5"),
    networking=base.networking.replace(network=base.networking.network.replace(mode="none")),
)
status = pod.run(engine, config, pod.RunOptions(name="mine"), pod.PullOptions(), print)
assert status == 5
assert pod.inspect(engine, "mine", "container")["State"]["ExitCode"] == 5
(found,) = pod.containers(engine, everything=True)
assert found.summary.name == "mine"
try:
    pod.run(engine, config, pod.RunOptions(name="mine"), pod.PullOptions(), print)
except pod.PodError as error:
    print(error)
engine.close()
"""


@pytest.mark.not_podman("it is no Python library")
def test_program_runs_a_container(pod: Engine) -> None:
    python = os.path.join(os.path.dirname(pod.command[0]), "python")
    done = subprocess.run(
        [python, "-I", "-c", SCRIPT, pod.root, pod.runroot],
        env=pod.environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stderr == ""
    first, second = done.stdout.splitlines()
    assert first == "from the container"
    assert "the container name 'mine' is in use" in second
