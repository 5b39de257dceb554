"""`--dry-run`: every command of compose that changes something says what it would do, and changes nothing."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from pod.cli import table
from tests.support.engine import Engine
from tests.support.projects import Files
from tests.support.registry import Registry

pytestmark = [
    pytest.mark.not_podman("podman hands compose over to another program"),
    pytest.mark.timeout(400),  # dozens of commands each; 10 s where nothing else runs
]

LOOKING = {"events", "images", "logs", "ls", "port", "ps", "snapshot ls", "stats", "top", "version",
           "volumes"}  # fmt: skip
PROJECT = """
name: dry
services:
  web:
    image: REGISTRY/web
    build: src
    command: [sleep, "1000"]
    depends_on: [db]
    stop_signal: SIGKILL
    develop: {watch: [{path: ./src, action: sync, target: /src}]}
  db:
    image: busybox
    command: [sleep, "1000"]
    stop_signal: SIGKILL
    pre_stop: [{command: [touch, /data/ended]}]
    volumes: ["data:/data"]
    secrets: [{source: word, uid: "5"}]
  other: {image: busybox, profiles: [more], volumes: ["rest:/rest"], networks: [side]}
volumes: {data: , rest: }
networks: {side: }
secrets: {word: {environment: WORD}}
"""
WEB, DB = "web: {} dry-web-1", "db: {} dry-db-1"
PRE_STOP = "db: {} dry-db-1: what pre_stop says is run before"
KEPT = [DB.format("keep") + ": nothing has changed", WEB.format("keep") + ": nothing has changed"]
GONE = "{}: it is {}, and is stopped before"
BUILT = "web: {} REGISTRY/web"
SRC = "web: watch DIRECTORY/src: sync to /src"
OTHER = [
    "network: create dry_side",
    "volume: create dry_rest",
    "other: create dry-other-1: there is none yet",
]


def state(pod: Engine, directory: Path) -> dict[str, str]:
    """All that a command could change: what the program lists, and the files beside the compose file."""
    found = {
        words: pod(*words.split()).stdout
        for words in (
            "ps --all --format {{.Names}}|{{.ID}}|{{.State}}|{{.Labels}}",
            "images --all --no-trunc --format {{.Repository}}|{{.Tag}}|{{.ID}}",
            "network ls --quiet --no-trunc",
            "volume ls --quiet",
            "secret ls --format {{.ID}}|{{.Name}}",
            "artifact ls --no-trunc --format {{.Digest}}",
            "compose -p dry snapshot ls -q",
        )
    }
    found["files"] = str(sorted(map(str, directory.rglob("*"))))
    return found


@pytest.fixture
def project(
    compose: Files, pod: Engine, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> Files:
    monkeypatch.setitem(pod.environment, "WORD", "a word")
    compose.write("FROM busybox\n", "src/Dockerfile")
    compose.write(PROJECT.replace("REGISTRY", registry.host))
    return compose


Case = tuple[str, list[str]]


def filled(text: str, project: Files, registry: Registry) -> str:
    return text.replace("REGISTRY", registry.host).replace("DIRECTORY", str(project.directory))


def check(project: Files, registry: Registry, cases: list[Case]) -> None:
    """The commands say this, with --dry-run before them or behind them, and when all are done nothing is another."""
    before = state(project.pod, project.directory)
    for number, (words, expected) in enumerate(cases):
        given = filled(words, project, registry).split()
        wanted = [filled(line, project, registry) for line in expected]
        at = (2 if given[0] == "snapshot" else 1) if number % 2 and given[0][0] != "-" else 0
        assert project(*given[:at], "--dry-run", *given[at:]).lines == wanted, words
    assert state(project.pod, project.directory) == before


def test_nothing_is_there_yet(project: Files, registry: Registry) -> None:
    create = [
        BUILT.format("build") + ": it is not here", "network: create dry_default", "volume: create dry_data",
        DB.format("create") + ": there is none yet", WEB.format("create") + ": there is none yet",
    ]  # fmt: skip
    check(project, registry, [
        ("up", create),
        ("create", create),
        ("scale web=2", [*create, "web: create dry-web-2: there is none yet"]),
        ("watch", [*create, SRC]),
        ("lock", [create[0], "file: write DIRECTORY/compose.lock"]),
        ("run --rm web date", [*create[1:4], create[0], "web: run dry-web-run-*: date"]),
        ("build --push web", [BUILT.format("build"), BUILT.format("push")]),
        ("down --volumes --rmi all", ["image: remove busybox"]),
        ("config --output it.yaml", ["file: write it.yaml"]),
        ("--profile more up other", OTHER),
    ])  # fmt: skip
    error = project("--dry-run", "up", "--no-build", status=125).stderr
    assert "--no-build keeps it from being built" in error


def test_what_runs_goes_on(project: Files, registry: Registry) -> None:
    project("up", "-d")
    gone = [GONE.format(it.format("remove"), "running") for it in (WEB, DB)]
    check(project, registry, [
        ("up", KEPT),
        ("up --force-recreate db", [DB.format("recreate") + ": --force-recreate"]),
        ("up --build --no-deps web", [BUILT.format("build") + ": it is here, and may be another", KEPT[1]]),
        ("scale db=2", [KEPT[0], "db: create dry-db-2: there is none yet"]),
        ("scale db=0", ["db: remove dry-db-1: 0 of the service are wanted"]),
        ("start", [it.format("keep") + ": it is running" for it in (DB, WEB)]),
        ("stop", [WEB.format("stop"), PRE_STOP.format("stop")]),
        ("restart", [WEB.format("restart"), PRE_STOP.format("restart")]),
        ("kill --signal TERM web", [WEB.format("kill") + ": by signal 15"]),
        ("pause", [DB.format("pause"), WEB.format("pause")]),
        ("unpause web", [WEB.format("keep") + ": it is running"]),
        ("rm --force", []),
        ("rm --force --stop web", gone[:1]),
        ("down --volumes --rmi local", [
            *gone, "volume: remove dry_data", "network: remove dry_default", "secret: remove dry_word",
        ]),
        ("pull db", ["db: pull busybox: it is here, and may be another"]),
        ("push", [BUILT.format("push")]),
        ("publish --yes REGISTRY/dry:1", [BUILT.format("push"), "dry: publish REGISTRY/dry:1"]),
    ])  # fmt: skip


def test_nothing_is_done_in_containers(project: Files, registry: Registry) -> None:
    project("up", "-d")
    check(project, registry, [
        ("cp DIRECTORY/src web:/copy", ["web: copy DIRECTORY/src: to dry-web-1:/copy"]),
        ("exec web touch /file", ["web: execute in dry-web-1: touch /file"]),
        ("attach web", ["web: attach to dry-web-1"]),
        ("wait --down-project db", [
            DB.format("wait for"), *(GONE.format(it.format("remove"), "running") for it in (WEB, DB)),
            "network: remove dry_default", "secret: remove dry_word",
        ]),
        ("commit web named", ["web: commit dry-web-1: as named"]),
        ("export --output it.tar web", ["web: export dry-web-1: to it.tar"]),
        ("watch --no-up", [SRC]),
    ])  # fmt: skip
    assert project("exec", "web", "ls", "/file", "/copy", status=None).lines == []
    error = project("--dry-run", "exec", "--index", "3", "web", "true", status=125).stderr
    assert "has no container with number 3" in error


def test_what_is_stopped_stays(project: Files, registry: Registry) -> None:
    project("up", "-d")
    project("stop", "-t", "0")
    project("snapshot", "save", "kept")
    check(project, registry, [
        ("start db", [DB.format("start")]),
        ("stop web", [WEB.format("keep") + ": it is exited"]),
        ("rm --force", [WEB.format("remove"), DB.format("remove")]),
        ("snapshot save one", ["volume: save dry_data"]),
        ("snapshot restore kept", ["volume: restore dry_data"]),
        ("snapshot rm kept", ["snapshot: remove kept"]),
    ])  # fmt: skip
    project("snapshot", "rm", "kept")


def test_every_command_that_changes_something_has_it() -> None:
    names = [
        name.removeprefix("compose ") for name in table.COMMANDS if name.startswith("compose ")
    ]
    tested = Path(__file__).read_text()
    for name in names:
        module = table.COMMANDS[f"compose {name}"][0]
        command = importlib.import_module(f"pod.cli.commands.{module}").COMMAND
        flags = {flag for option in command.options for flag in option.flags}
        assert ("--dry-run" in flags) is (name not in LOOKING), name
        assert name in LOOKING or re.search(f'\\("{name}[ "]', tested), name
