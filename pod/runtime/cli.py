"""The OCI runtime command line: our runtime for other engines (`podman --runtime /path/of/pod-runtime`).

The mirror image of `external.py`. Commands and options are those of crun(1), as far as the OCI runtime specification
knows what they do; `pod-runtime(1)` lists them. What goes wrong is one sentence, on standard error and in --log.
"""

from __future__ import annotations

import json
import os
import sys
import time

from pod.base import log
from pod.base.errors import PodError, UsageError
from pod.base.exits import NOT_EXECUTABLE, NOT_FOUND
from pod.base.version import VERSION
from pod.runtime.command import controlling, creating, executing, features, showing, states
from pod.runtime.command.grammar import Flag, Given, parse, usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

PROGRAM = "pod-runtime"
_FAILED = 1  # as crun and runc; the specification only wants a status that is not 0

GLOBAL = (
    Flag("root", "where the states of containers are kept", "DIR"),
    Flag("log", "also write diagnostics to this file", "FILE"),
    Flag("log-format", "text or json, for --log", "FORMAT"),
    Flag("log-level", "debug, info, warning or error", "LEVEL"),
    Flag("debug", "write what is done, too"),
    Flag("systemd-cgroup", "cgroupsPath is SLICE:PREFIX:NAME, as for systemd"),
    Flag("cgroup-manager", "cgroupfs, systemd or disabled", "MANAGER"),
    Flag("rootless", "ignored: whether the caller is root can be seen", "VALUE"),
    Flag("version", "show the version", short="v"),
    Flag("help", "show this help", short="h"),
)
_HELP = Flag("help", "show this help", short="h")
_CREATE = (
    Flag("bundle", "the directory with config.json; the current one unless given", "DIR", "b"),
    Flag("config", "another file than config.json", "FILE", "f"),
    Flag("console-socket", "a socket that gets the master of the terminal", "PATH"),
    Flag("pid-file", "where the number of process 1 is written", "FILE"),
    Flag("preserve-fds", "pass so many descriptors from 3 on", "N"),
    Flag("no-pivot", "refused: without pivot_root(2) a container could leave its root"),
    Flag("no-new-keyring", "stay in the session keyring of the caller"),
    Flag("no-subreaper", "ignored: orphans go to the caller"),
    _HELP,
)
_FORMAT = Flag("format", "table or json", "FORMAT", "f")


class Command:
    """One command: its options, the words that it takes, and what does it."""

    def __init__(
        self,
        run: Callable[[Invocation], int],
        words: str,
        summary: str,
        *flags: Flag,
        stop_at_word: bool = False,
    ) -> None:
        self.run = run
        self.words = words
        self.summary = summary
        self.flags = flags if _HELP in flags else (*flags, _HELP)
        self.stop_at_word = stop_at_word


class Invocation:
    """A command line that was read."""

    def __init__(self, store: states.States, options: Given, given: Given) -> None:
        self.store = store
        self.options = options
        self.given = given

    def name(self) -> str:
        """The one container that the command is about."""
        if len(self.given.words) != 1:
            raise UsageError("the name of one container is needed")
        return self.given.words[0]

    def manager(self) -> str:
        """How cgroupsPath is meant, and whether there are cgroups at all."""
        manager = self.options.text("cgroup-manager", "cgroupfs")
        if manager not in {"cgroupfs", "systemd", "disabled"}:
            raise UsageError(
                f"--cgroup-manager '{manager}' is not one of cgroupfs, systemd, disabled"
            )
        return "systemd" if self.options.has("systemd-cgroup") else manager


def main() -> NoReturn:
    """`pod-runtime` and `python -m pod.runtime`."""
    status = run(sys.argv[1:])
    log.flush()
    os._exit(status)


def run(words: list[str]) -> int:
    """Do what the command line says; the exit status."""
    report = _Report()
    try:
        options = parse(words, GLOBAL, stop_at_word=True)
        report = _Report(options)
        return _dispatch(options)
    except PodError as error:
        report.fail(_as_engines_expect(error), error.hint)
    except OSError as error:
        place = f" '{error.filename}'" if error.filename else ""
        report.fail(f"{error.strerror or error}{place}", None)
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # hostile input must not show its way through our code
        if log.is_shown("debug"):
            raise
        report.fail(f"internal error: {type(error).__name__}: {error}", "run it with --debug")
    return _FAILED


def _dispatch(options: Given) -> int:
    if options.has("version"):
        print(
            f"{PROGRAM} version {VERSION}\nspec: {states.OCI_VERSION}\n+SECCOMP +CAP +APPARMOR +SELINUX"
        )
        return 0
    if options.has("help") or not options.words:
        print(_overview(), end="")
        return 0 if options.has("help") else _FAILED
    name, *words = options.words
    command = COMMANDS.get(name)
    if command is None:
        raise UsageError(f"command '{name}' does not exist", hint=f"{PROGRAM} --help lists them")
    given = parse(words, command.flags, stop_at_word=command.stop_at_word)
    if given.has("help"):
        print(usage(f"{PROGRAM} {name} [OPTIONS] {command.words}".rstrip(), command.flags), end="")
        return 0
    store = states.States(os.path.abspath(options.text("root") or states.default_root()))
    return command.run(Invocation(store, options, given))


def _overview() -> str:
    lines = [usage(f"{PROGRAM} [OPTIONS] COMMAND ...", GLOBAL)]
    lines += [f"  {name:12} {command.summary}\n" for name, command in COMMANDS.items()]
    return "".join(lines)


def _as_engines_expect(error: PodError) -> str:
    """podman takes its exit statuses 127 and 126 from these words of a runtime, for want of others."""
    if error.exit_status == NOT_FOUND:
        return f"{error.message}: executable file not found in $PATH: No such file or directory"
    if error.exit_status == NOT_EXECUTABLE:
        return f"{error.message}: permission denied"
    return error.message


class _Report:
    """Where errors go: standard error, and the file of --log."""

    def __init__(self, options: Given | None = None) -> None:
        self._path = options.text("log") if options else ""
        self._format = options.text("log-format", "text") if options else "text"
        if options is None:
            return
        if self._format not in {"text", "json"}:
            self._format = "text"
            raise UsageError(
                f"--log-format '{options.text('log-format')}' is not one of text, json"
            )
        level = "debug" if options.has("debug") else options.text("log-level", "warning")
        if level not in {*log.LEVELS, "warning"}:
            raise UsageError(f"--log-level '{level}' is not one of {', '.join(log.LEVELS)}")
        log.set_level(level)
        log.send_to(self._write)

    def fail(self, message: str, hint: str | None) -> None:
        log.error(message)
        if hint:
            log.info(hint)

    def _write(self, level: str, message: str) -> None:
        if not self._path:
            return
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        line = (
            json.dumps({"msg": message, "level": level, "time": now})
            if self._format == "json"
            else f'time="{now}" level={level} msg={json.dumps(message)}'
        )
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
            fd = os.open(self._path, flags, 0o600)
        except OSError:
            return  # standard error has it
        try:
            os.write(fd, f"{line}\n".encode("utf-8", "backslashreplace"))
        except OSError:
            pass
        finally:
            os.close(fd)


# --- The commands ---------------------------------------------------------------------------------------------------


def _wishes(call: Invocation) -> creating.Wishes:
    given = call.given
    return creating.Wishes(
        bundle=given.text("bundle"),
        console_socket=given.text("console-socket"),
        pid_file=given.text("pid-file"),
        preserve_fds=given.number("preserve-fds") or 0,
        keyring=not given.has("no-new-keyring"),
        no_pivot=given.has("no-pivot"),
        config_file=given.text("config"),
        manager=call.manager(),
    )


def _create(call: Invocation) -> int:
    creating.make(call.store, call.name(), _wishes(call))
    return 0


def _start(call: Invocation) -> int:
    creating.start(call.store, call.name())
    return 0


def _run(call: Invocation) -> int:
    name, detach = call.name(), call.given.has("detach")
    made = creating.make(call.store, name, _wishes(call), keeps_terminal=not detach)
    try:
        creating.start(call.store, name)
    except BaseException:
        controlling.delete(call.store, name, force=True)
        raise
    status = creating.wait(made, detach=detach)
    if not detach and not call.given.has("keep"):
        controlling.delete(call.store, name, force=True)
    return status


def _exec(call: Invocation) -> int:
    return executing.execute(call.store, call.given)


def _kill(call: Invocation) -> int:
    words = call.given.words
    if len(words) not in {1, 2}:
        raise UsageError("kill needs the name of a container, and perhaps a signal")
    signal = words[1] if len(words) == 2 else "TERM"
    controlling.kill(call.store, words[0], signal, everybody=call.given.has("all"))
    return 0


def _delete(call: Invocation) -> int:
    controlling.delete(call.store, call.name(), force=call.given.has("force"))
    return 0


def _pause(call: Invocation) -> int:
    controlling.pause(call.store, call.name())
    return 0


def _resume(call: Invocation) -> int:
    controlling.resume(call.store, call.name())
    return 0


def _update(call: Invocation) -> int:
    controlling.update(call.store, call.given)
    return 0


def _state(call: Invocation) -> int:
    print(showing.state(call.store, call.name()), end="")
    return 0


def _list(call: Invocation) -> int:
    quiet, form = call.given.has("quiet"), call.given.text("format")
    print(showing.listing(call.store, quiet=quiet, form=form), end="")
    return 0


def _ps(call: Invocation) -> int:
    print(showing.pids(call.store, call.name(), call.given.text("format")), end="")
    return 0


def _events(call: Invocation) -> int:
    name = call.name()
    interval = call.given.text("interval", "5s").removesuffix("s")
    if not interval.isdecimal() or not int(interval):
        raise UsageError(f"--interval '{call.given.text('interval')}' is not a number of seconds")
    memory = showing.MemoryEvents(call.store.load(name))
    while True:
        print(json.dumps(showing.statistics(call.store, name)), flush=True)
        if call.given.has("stats"):
            return 0
        until = time.monotonic() + int(interval)
        while (left := until - time.monotonic()) > 0:
            for event in memory.wait(left):
                print(json.dumps(event), flush=True)
        if call.store.status(call.store.load(name)) == "stopped":
            return 0


def _features(call: Invocation) -> int:
    del call
    print(json.dumps(features.features(), indent=2))
    return 0


def _spec(call: Invocation) -> int:
    path = os.path.join(call.given.text("bundle") or ".", "config.json")
    document = features.template(rootless=call.given.has("rootless"))
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(json.dumps(document, indent=4) + "\n")
    except FileExistsError:
        raise PodError(f"'{path}' exists already") from None
    return 0


COMMANDS = {
    "create": Command(_create, "ID", "create a container, which waits for start", *_CREATE),
    "delete": Command(
        _delete,
        "ID",
        "remove a container that has ended",
        Flag("force", "end it first; one that does not exist is fine", short="f"),
    ),
    "events": Command(
        _events,
        "ID",
        "show what a container uses, again and again",
        Flag("stats", "once"),
        Flag("interval", "seconds between two looks; 5s unless given", "SECONDS"),
    ),
    "exec": Command(
        _exec,
        "ID COMMAND [ARG...]",
        "start another process in a container",
        Flag("console-socket", "a socket that gets the master of the terminal", "PATH"),
        Flag("cwd", "the working directory", "DIR"),
        Flag("detach", "do not wait for its end", short="d"),
        Flag("env", "NAME=VALUE, besides those of the container", "ENTRY", "e", many=True),
        Flag("tty", "with a terminal", short="t"),
        Flag("user", "who it runs as", "UID[:GID]", "u"),
        Flag("cap", "a capability besides those of the container", "NAME", "c", many=True),
        Flag("process", "a file with the OCI `process` object", "FILE", "p"),
        Flag("pid-file", "where the number of the process is written", "FILE"),
        Flag("preserve-fds", "pass so many descriptors from 3 on", "N"),
        Flag("no-new-privs", "it cannot gain privileges"),
        Flag("apparmor", "its AppArmor profile", "NAME"),
        Flag("process-label", "its SELinux label", "LABEL"),
        Flag("cgroup", "a group below that of the container", "PATH"),
        stop_at_word=True,
    ),
    "features": Command(_features, "", "show what this runtime can do, as JSON"),
    "kill": Command(
        _kill,
        "ID [SIGNAL]",
        "send a signal, TERM unless given",
        Flag("all", "to all processes of the container", short="a"),
    ),
    "list": Command(
        _list,
        "",
        "list the containers",
        Flag("quiet", "names alone", short="q"),
        _FORMAT,
    ),
    "pause": Command(_pause, "ID", "freeze all processes of a container"),
    "ps": Command(_ps, "ID", "list the processes of a container", _FORMAT),
    "resume": Command(_resume, "ID", "let the processes of a paused container go on"),
    "run": Command(
        _run,
        "ID",
        "create and start a container, and wait for its end",
        *_CREATE[:-1],
        Flag("detach", "do not wait for its end", short="d"),
        Flag("keep", "do not delete it at its end"),
    ),
    "spec": Command(
        _spec,
        "",
        "write a config.json to begin with",
        Flag("bundle", "the directory to write it to", "DIR", "b"),
        Flag("rootless", "for an ordinary user"),
    ),
    "start": Command(_start, "ID", "let the command of a created container run"),
    "state": Command(_state, "ID", "show the state of a container as JSON"),
    "update": Command(
        _update,
        "ID",
        "change limits of a container",
        Flag(
            "resources", "a file with the OCI `resources` object; - is standard input", "FILE", "r"
        ),
        Flag("blkio-weight", "10 to 1000", "N"),
        Flag("cpu-period", "in microseconds", "N"),
        Flag("cpu-quota", "in microseconds", "N"),
        Flag("cpu-share", "2 to 262144", "N"),
        Flag("cpuset-cpus", "such as 0-3", "LIST"),
        Flag("cpuset-mems", "such as 0", "LIST"),
        Flag("memory", "in bytes", "N"),
        Flag("memory-reservation", "in bytes", "N"),
        Flag("memory-swap", "memory and swap together, in bytes", "N"),
        Flag("pids-limit", "processes and threads", "N"),
    ),
}
