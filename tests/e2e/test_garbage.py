"""Garbage as the value of every option of every command: a sentence that names option and value, never a traceback.

The options are those of the declarations, so that a new one is tried from its first day. What takes every text is in
FREE; such an option may do what it does, or name what it does not find, but not fall over.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from pod.cli import table
from pod.cli.declare import Option
from pod.cli.main import load_command
from tests.support.engine import TREE, Engine

pytestmark = [
    pytest.mark.timeout(300),  # hundreds of commands
    pytest.mark.not_podman("it walks the declarations of pod"),
]

PARTS = 6
GARBAGE = "-17x::?=/"
NOWHERE = "localhost:1/x"  # no volume, and an image where nobody listens
WORDS = {
    "build": ["context"],
    "artifact add": ["x", __file__],
    "artifact extract": ["x", "/nowhere/x"],
    "config create": ["x", __file__],
    "container clone": ["c", "new"],
    "events": ["--stream=false"],
    "exec": ["c", "true"],
    "rm": ["nobody"],
    "image trust set": ["localhost:1"],
    "manifest create": ["x"],
    "network connect": ["n", "c"],
    "network create": ["x"],
    "pod create": ["x"],
    "secret create": ["x", __file__],
    "stats": ["--no-stream"],
    "unshare": ["true"],
    "volume create": ["v"],
}
OBJECTS = {"container": "c", "running": "c", "list": "l", "pod": "p"}
ALSO = {
    "create": ["--pull=never"],
    "manifest annotate": ["--index"],
    "network create": ["--subnet=10.98.7.0/24"],
    "pod stats": ["--no-stream"],
    "run": ["--pull=never"],
    "pull": ["--retry=0"],
}
# Of these, every option but those in FREE names itself and the value; of the others, none falls over.
STRICT = set(
    """
    attach commit create cp diff events exec export init inspect kill logs mount pause port ps rename restart rm run
    start stats stop top unmount unpause update wait container secret config volume image images network pod manifest
    artifact system info version generate kube push pull login logout load save import history search tag untag
    rmi unshare completion healthcheck build builder buildx
    """.split()
)
# Names of things, and words that go to somebody else as they are.
SIGNING = {"sign-by", "sign-by-sigstore-private-key", "sign-passphrase-file"}
FEATURES = {"features", "os-features", "os-version"}
ARTIFACTS = {f"artifact-{it}" for it in ("config", "config-type", "layer-type", "subject", "type")}
FREE_OF = {
    "build": {
        *(
            "build-arg",
            "cpp-flag",
            "iidfile",
            "ignorefile",
            "layer-label",
            "metadata-file",
            "runtime-flag",
            "target",
        ),
        *("unsetannotation", "unsetlabel", "no-cache-filter", "os-feature", "os-version"),
    },
    "buildx": {"driver", "driver-opt", "node", "platform"},
    "artifact": {"file-type", "title", "type", *SIGNING},
    "image": {"directory", "sign-by"},
    "login": {"compat-auth-file", "password", "secret", "username"},
    "logout": {"compat-auth-file"},
    "manifest": {"arch", "os", "subject", "variant", *ARTIFACTS, *FEATURES, *SIGNING},
    "pod": {"container", "infra-command", "infra-conmon-pidfile", "infra-image", "infra-name"},
    "network": {"link"},
    "push": SIGNING,
}
# Names of things, words for others, templates, files that are read or written later.
FREE = set(
    """
    annotation author authfile cert-dir cgroup-parent cidfile conmon-pidfile creds digestfile dns-option entrypoint env
    env-merge file format health-cmd health-startup-cmd iidfile init-path input label message name output
    passwd-entry pidfile pod pod-id-file network-alias requires sysctl tz unsetenv
    """.split()
)

# Forks for each line of standard input, so that nothing is imported twice.
RUNNER = """
import json, os, signal, sys
sys.path.insert(0, sys.argv[1])
from pod.cli import table
from pod.cli.main import load_command, main
for row in table.COMMANDS.values():
    load_command(row[0])
import pod.cli.engine, pod.cli.report, pod.engine.context
for line in sys.stdin:
    out = os.memfd_create("out")
    pid = os.fork()
    if not pid:
        null = os.open("/dev/null", os.O_RDONLY)
        for fd, target in ((null, 0), (out, 1), (out, 2)):
            os.dup2(fd, target)
        signal.alarm(60)
        os._exit(main(json.loads(line)))
    _, status = os.waitpid(pid, 0)
    text = os.pread(out, 1 << 20, 0).decode(errors="replace")
    os.close(out)
    print(json.dumps([os.waitstatus_to_exitcode(status), text]), flush=True)
"""

Runner = Callable[[list[str]], tuple[int, str]]


@pytest.fixture
def run(pod: Engine) -> Iterator[Runner]:
    """Status and output of a command in a root that has a container "c"."""
    with subprocess.Popen(
        [sys.executable, "-c", RUNNER, TREE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=pod.environment["HOME"],
        env=pod.environment,
    ) as process:
        assert process.stdin is not None and process.stdout is not None

        def run_command(words: list[str]) -> tuple[int, str]:
            process.stdin.write(json.dumps([*pod.options, *words]) + "\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            status, text = json.loads(process.stdout.readline())  # type: ignore[union-attr]
            return status, text

        pod("create", "--name", "c", "busybox")
        context = f"{pod.environment['HOME']}/context"
        os.makedirs(context, exist_ok=True)
        with open(f"{context}/Dockerfile", "w", encoding="utf-8") as file:
            file.write("FROM scratch\n")
        pod("pod", "create", "--name", "p")
        pod("manifest", "create", "l")
        pod("network", "create", "n")
        yield run_command
        process.stdin.close()
    pod("pod", "rm", "-f", "-a", "-t", "0")
    for kind in ("secret", "config", "network", "manifest", "artifact"):
        pod(kind, "rm", "x", status=None)
    pod("manifest", "rm", "l")
    pod("network", "rm", "n")
    pod("image", "prune", "-f")


def options_of(name: str) -> list[Option]:
    options = load_command(table.COMMANDS[name][0]).options
    if name == "run":  # which has nearly all options of create
        options = tuple(set(options) - set(load_command("create").options))
    return [option for option in options if option.kind != "flag" and not option.refused]


def commands() -> list[str]:
    """One name of each command that has such options."""
    names: dict[str, str] = {}
    for name, row in table.COMMANDS.items():
        if options_of(name):
            names.setdefault(row[0], name)
    return sorted(names.values())


def typed(name: str, option: Option) -> list[str]:
    command = load_command(table.COMMANDS[name][0])
    flag = option.flags[-1]
    words = WORDS.get(name)
    if words is None:
        word = OBJECTS.get("".join(command.completes[:1]), NOWHERE)
        words = [] if command.maximum == 0 else [word] * max(command.minimum, 1)
    if flag in {"--filter", "--cidfile"} and command.minimum == 0:
        words = []
    return [*name.split(), *ALSO.get(name, ()), f"{flag}={GARBAGE}", *words]


@pytest.mark.parametrize("part", range(PARTS))
def test_every_option_of_every_command_stands_garbage(run: Runner, part: int) -> None:
    wrong = []
    for name in commands()[part::PARTS]:
        for option in options_of(name):
            words = typed(name, option)
            status, text = run(words)
            flag = option.flags[-1]
            is_named = status == 125 and flag in text and GARBAGE in text
            first = name.split()[0]
            free = FREE | FREE_OF.get(first, set())
            is_free = flag.removeprefix("--") in free or first not in STRICT
            is_fine = is_named or is_free
            if not is_fine or "itself is at fault" in text or "Traceback" in text or status < 0:
                wrong.append(f"$ pod {' '.join(words)}\n{text}({status})")
    assert not wrong, "\n".join(wrong)
