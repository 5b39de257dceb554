"""`pod compose up` killed with kill -9 at every step that it and what it starts take, and repeated.

The steps have names (pod/base/faults.py) and are counted, so that each of them is one: of every container, network,
volume, secret and stage of a build. At a step either the process that takes it is killed or the command with its
children. A run takes some of the steps by chance; POD_TEST_SEED=N takes the same again, and POD_TEST_SWEEP=1 takes all,
POD_TEST_SWEEP=FIRST-LAST those. What is killed at named steps of a change, of `down` and of `scale` is in
test_compose_faults.py.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace

import pytest

from tests.support.chance import SEED, chance
from tests.support.checks import nothing_wrong
from tests.support.engine import Engine
from tests.support.leaks import Watch
from tests.support.projects import Files
from tests.support.waiting import free_port, until, until_http

SWEEP = os.environ.get("POD_TEST_SWEEP", "")
SAMPLES = 3

pytestmark = [
    pytest.mark.not_podman("podman hands compose over to another program"),
    pytest.mark.timeout(20_000 if SWEEP else 300),
]

PROJECT = """
name: swept
services:
  web:
    build: ./context
    command: [sh, -c, "cat /made /run/secrets/token /setting /data/it >/site; exec httpd -f -p 80 -h /"]
    ports: ["127.0.0.1:PORT:80"]
    networks: [front, back]
    volumes: ["data:/data", /anonymous]
    secrets: [token]
    configs: [{source: setting, uid: "5"}]
    deploy: {replicas: 2}
    stop_signal: SIGKILL
    depends_on:
      db: {condition: service_healthy}
      first: {condition: service_completed_successfully}
  first:
    image: busybox
    command: [sh, -c, "echo data >/data/it"]
    network_mode: none
    volumes: ["data:/data"]
  db:
    image: busybox
    command: [sh, -c, "touch /well; exec sleep 1000"]
    networks: [back]
    stop_signal: SIGKILL
    healthcheck: {test: [CMD, test, -e, /well], interval: 100ms, retries: 1000}
networks: {front: {}, back: {internal: true}}
volumes: {data: {}}
secrets: {token: {environment: TOKEN}}
configs: {setting: {content: "setting\\n"}}
"""
DOCKERFILE = """
FROM busybox AS begun
RUN echo made >/made
FROM busybox
COPY --from=begun /made /made
COPY file /file
"""
SERVED = "made\nsecret\nsetting\ndata\n"
WHOLE = {
    "swept-db-1": "running",
    "swept-first-1": "exited",
    "swept-web-1": "running",
    "swept-web-2": "running",
}
# Of process 1 behind pivot_root, where the file is not seen that counts.
UNSEEN = ["init: mounted", "init: started"]


class Swept:
    """The project, and what is looked at after each kill."""

    def __init__(self, compose: Files, pod: Engine, watch: Watch) -> None:
        self._compose = compose
        self._pod = pod
        self._watch = watch
        self._port = free_port()
        self._steps = compose.directory / "steps"
        compose.write(DOCKERFILE, "context/Dockerfile")
        compose.write("x", "context/file")
        compose.write(PROJECT.replace("PORT", str(self._port)))
        self._before = watch.before()
        self._steps.unlink(missing_ok=True)

    def count(self) -> int:
        """How many steps `up` takes when nobody disturbs it."""
        self._steps.touch()
        self._up(self._pod, {"POD_TEST_STEPS": str(self._steps)})
        count = len(self._steps.read_text().splitlines())
        self._is_whole()
        self._goes()
        return count

    def kill_at(self, at: int | str, *, command: bool) -> None:
        """Kill the `command`, or whoever takes the step, and have the project brought up and taken down."""
        self._steps.touch()
        environment = {"POD_TEST_KILL_AT": str(at), "POD_TEST_STEPS": str(self._steps)}
        self._up(own_pid(self._pod) if command else self._pod, environment, status=None)
        try:
            self._up(self._pod, {})
            self._is_whole()
            self._goes()
        except (AssertionError, OSError) as error:
            taken = self._steps.read_text().splitlines()
            step = taken[at - 1] if isinstance(at, int) and len(taken) >= at else at
            victim = "the command" if command else "who takes it"
            raise AssertionError(
                f"seed {SEED}: {victim} killed at step {at} ({step}) of {len(taken)}: {error}"
            ) from error

    def _up(self, pod: Engine, environment: dict[str, str], status: int | None = 0) -> None:
        pod(
            "compose", "--project-directory", str(self._compose.directory), "up", "-d",
            env={"TOKEN": "secret\n", **environment}, status=status,
        )  # fmt: skip

    def _is_whole(self) -> None:
        """All of it is there, once, and it works."""
        token = {"TOKEN": "secret\n"}
        shown = self._compose("ps", "--all", "--format", "json", env=token).json()
        assert {one["Name"]: one["State"] for one in shown} == WHOLE
        assert len(shown) == len(WHOLE)
        for number in "12":
            name = f"swept-web-{number}"
            until(lambda name=name: self._served(name) == SERVED, f"served by {name}")  # type: ignore[misc]
        answers = {until_http(f"http://127.0.0.1:{self._port}/site") for _ in range(4)}
        assert answers == {SERVED}
        assert len(self._pod("volume", "ls", "-q").lines) == 3

    def _served(self, name: str) -> str:
        return self._pod("exec", name, "cat", "/site", status=None).stdout

    def _goes(self) -> None:
        """What removes it leaves nothing: neither in what commands show, nor on disk, nor a process."""
        self._compose("down", "-v", "--rmi", "local", env={"TOKEN": "secret\n"})
        assert self._pod.containers() == []
        for words in (("volume", "ls", "-q"), ("secret", "ls", "-q")):
            assert self._pod(*words).lines == [], words
        networks = self._pod("network", "ls", "--format", "{{.Name}}").lines
        assert not [name for name in networks if name.startswith("swept")]
        self._pod("builder", "prune", "-a", "-f")
        nothing_wrong(self._pod, max_age="24h")
        self._steps.unlink()
        left = self._watch.after(self._before)
        assert not left, left


def own_pid(pod: Engine) -> Engine:
    """The engine, whose command is the one that is killed at the step that anybody takes."""
    script = 'export POD_TEST_KILL_PID=$$; exec "$@"'
    return replace(pod, command=["/bin/sh", "-c", script, "sh", *pod.command])


def wanted(count: int) -> Iterable[tuple[int, bool]]:
    """The numbers of the steps of this run, and whether the command is killed at it."""
    if not SWEEP:
        steps = chance("up").sample(range(1, count + 1), SAMPLES)
        return [(at, chance(f"who takes {at}").random() < 0.5) for at in steps]
    first, dash, last = SWEEP.partition("-")
    steps = range(int(first), min(int(last), count) + 1) if dash else range(1, count + 1)
    return [(at, command) for at in steps for command in (True, False)]


def test_up_goes_on_after_a_kill_at_any_step(compose: Files, pod: Engine, watch: Watch) -> None:
    swept = Swept(compose, pod, watch)
    count = swept.count()
    assert count > 80, "steps are counted"
    failed = []
    for at, command in wanted(count):
        try:
            swept.kill_at(at, command=command)
        except AssertionError as error:
            failed.append(str(error))
            if not SWEEP:
                break
            compose("down", "-v", "--rmi", "local", "-t", "0", status=None)
            pod.clean()
            swept = Swept(compose, pod, watch)
    assert not failed, "\n\n".join(failed)


def test_up_goes_on_after_a_kill_where_nothing_counts(
    compose: Files, pod: Engine, watch: Watch
) -> None:
    swept = Swept(compose, pod, watch)
    for step in UNSEEN:
        swept.kill_at(step, command=False)
