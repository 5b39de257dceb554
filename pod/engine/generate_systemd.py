"""Unit files for containers and pods that exist: `pod generate systemd`.

A unit either starts and stops the very container (`pod start`), or makes it anew each time with the options it was made
with (`pod run`, --new). Names, sections and keys are podman's (podman-generate-systemd(1)), so that what people have
written about those units holds; systemd.service(5) and systemd.unit(5) are the source of the rest.
"""

from __future__ import annotations

import os

from pod.base import log
from pod.base.errors import InvalidValue, PodError
from pod.base.records import Record
from pod.engine import pod_members
from pod.engine.startup import command as own_command
from pod.spec import monitor, service
from pod.spec.systemd_text import fixed, join, literal, quote
from pod.state import containers, pods

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pod.engine.context import Engine
    from pod.spec.command_line import Replay, Typed
    from pod.spec.restart import RestartPolicy
    from pod.state.containers import Container
    from pod.state.pods import Pod

    TakeApart = Callable[[Sequence[str]], Replay]

RESTART_POLICIES = (
    "no",
    "on-success",
    "on-failure",
    "on-abnormal",
    "on-watchdog",
    "on-abort",
    "always",
)
_MORE_SECONDS = 60  # that systemd waits beyond the container's own time to stop
# What the unit says itself when it makes the container anew.
_REPLACED = frozenset(
    ("attach cgroups cidfile conmon-pidfile detach name pod pod-id-file replace restart rm").split()
)
_REPLACED_OF_POD = frozenset(
    "exit-policy infra-conmon-pidfile name pod-id-file replace restart".split()
)
# Options of pod itself that its words in the unit have anyway, or that are about one command only.
_OWN = frozenset(("root", "runroot", "log-level", "debug", "noout", "out"))


# What names of units consist of (systemd.unit(5)), besides the @ of a template.
_OF_UNITS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\")
# Options whose values are paths, and relative ones belong to the directory where they were typed.
_PATHS = frozenset(
    "authfile cert-dir conmon-pidfile env-file hosts-file label-file pidfile seccomp-policy".split()
)


# The container is in the cgroup of the unit, which is pod's to divide. Signals are pod's to send, but at the very end.
_OURS = ("Delegate=yes", "KillMode=mixed")


class UnitOptions(Record):
    """What the units shall say. Seconds are None where nothing was asked for."""

    new: bool = False
    by_name: bool = False
    template: bool = False
    header: bool = True
    container_prefix: str = "container"
    pod_prefix: str = "pod"
    separator: str = "-"
    restart_policy: str = ""
    restart_seconds: int | None = None
    start_timeout: int | None = None
    stop_timeout: int | None = None
    environment: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    wants: tuple[str, ...] = ()


class Unit(Record):
    """A unit file: `name` without its directory, with ".service"."""

    name: str
    text: str


def units(engine: Engine, name: str, options: UnitOptions, take_apart: TakeApart) -> list[Unit]:
    """The units of the container or pod `name`, that of the pod first. `take_apart` reads the line it was made with.

    Raises PodError for what has none: containers that another program made, pods without an infra container.
    """
    _check(options)
    try:
        container = containers.find(engine.database, name)
    except containers.NoSuchContainer:
        pod = _find_pod(engine, name)
        if options.template:
            raise PodError(
                f"'{name}' is a pod, and templates are for containers",
                hint="leave --template out",
            ) from None
        return _pod_units(engine, pod, options, take_apart)
    if container.config.is_infra:
        pod_id = container.config.pod
        raise PodError(
            f"container '{container.name}' is the infra container of a pod",
            hint=f"pod generate systemd {pods.find(engine.database, pod_id).name}",
        )
    if container.config.pod and options.new:
        pod = pods.find(engine.database, container.config.pod)
        raise PodError(
            f"container '{container.name}' is in pod '{pod.name}', which a new one needs as well",
            hint=f"pod generate systemd --new {pod.name}",
        )
    return [_Writer(engine, options, take_apart).container(container, None)]


def _find_pod(engine: Engine, name: str) -> Pod:
    try:
        return pods.find(engine.database, name)
    except pods.NoSuchPod:
        raise PodError(
            f"no container or pod has the name or id '{name}'", hint="pod ps -a"
        ) from None


def _check(options: UnitOptions) -> None:
    if options.restart_policy and options.restart_policy not in RESTART_POLICIES:
        raise InvalidValue("--restart-policy", options.restart_policy, ", ".join(RESTART_POLICIES))
    for flag, value in (
        ("--container-prefix", options.container_prefix),
        ("--pod-prefix", options.pod_prefix),
        ("--separator", options.separator),
    ):
        if set(value) - _OF_UNITS:
            raise InvalidValue(flag, value, "names of units have letters, digits and :-_.\\")
    for flag, value in (
        *(("--after", unit) for unit in options.after),
        *(("--requires", unit) for unit in options.requires),
        *(("--wants", unit) for unit in options.wants),
    ):
        if any(character.isspace() or character in "/\0" for character in value):
            raise InvalidValue(flag, value, "a part of the name of a unit")
    for entry in options.environment:
        if "=" not in entry or entry[0] == "=" or "\n" in entry:
            raise InvalidValue("--env", entry, "NAME=VALUE")


def _pod_units(engine: Engine, pod: Pod, options: UnitOptions, take_apart: TakeApart) -> list[Unit]:
    infra = pod_members.infra_of(engine, pod)
    if infra is None:
        raise PodError(
            f"pod '{pod.name}' has no infra container, which its unit would watch",
            hint="make the pod without --infra=false",
        )
    members = [
        container
        for container in pod_members.of(engine, pod)
        if not container.config.is_infra and container.config.init_kind != "once"
    ]
    writer = _Writer(engine, options, take_apart)
    return [
        writer.pod(pod, infra, members),
        *(writer.container(container, pod) for container in members),
    ]


class _Writer:
    def __init__(self, engine: Engine, options: UnitOptions, take_apart: TakeApart) -> None:
        self.engine, self.options, self.take_apart = engine, options, take_apart
        self.program = own_command(engine, ())

    # Names

    def container_unit(self, container: Container) -> str:
        template = "@" if self.options.template else ""
        return self._unit(self.options.container_prefix, container.name, container.id) + template

    def pod_unit(self, pod: Pod) -> str:
        return self._unit(self.options.pod_prefix, pod.name, pod.id)

    def _unit(self, prefix: str, name: str, number: str) -> str:
        own = name if self.options.by_name else number
        return f"{prefix}{self.options.separator}{own}" if prefix else own

    # Units

    def container(self, container: Container, pod: Pod | None) -> Unit:
        """The unit of a container, which is bound to that of its `pod`."""
        unit = self.container_unit(container)
        links = []
        if pod is not None:
            links = [
                f"BindsTo={self.pod_unit(pod)}.service",
                f"After={self.pod_unit(pod)}.service",
            ]
        for needed in containers.by_ids(self.engine.database, list(self._needed(container))):
            if not needed.config.is_infra:
                name = self.container_unit(needed)
                links += [f"Wants={name}.service", f"After={name}.service"]
        seconds = self._stop_seconds(container.config.stop_timeout)
        if self.options.new:
            service, environment = self._new_container(container, pod, seconds)
        else:
            service, environment = self._old_container(container, seconds), []
        policy = self._policy(container.config.restart)
        return self._assemble(unit, links, policy, seconds, environment, service)

    def pod(self, pod: Pod, infra: Container, members: Sequence[Container]) -> Unit:
        """The unit of a pod, which starts those of its containers."""
        names = " ".join(f"{self.container_unit(it)}.service" for it in members)
        links = [f"Wants={names}", f"Before={names}"] if names else []
        seconds = self._stop_seconds(infra.config.stop_timeout)
        new = self.options.new
        service = self._new_pod(pod, seconds) if new else self._old_container(infra, seconds)
        policy = self._policy(pod.config.restart)
        return self._assemble(self.pod_unit(pod), links, policy, seconds, [], service)

    def _assemble(
        self,
        unit: str,
        links: Iterable[str],
        policy: str,
        stop_seconds: int,
        environment: Iterable[str],
        service: Iterable[str],
    ) -> Unit:
        options = self.options
        lines = [f"# {unit}.service"]
        if options.header:
            lines += [f"# made by {_version()}", f"# {_now()}"]
        suffix = " for %I" if options.template else ""
        lines += [
            "",
            "[Unit]",
            f"Description=pod {unit}.service{suffix}",
            "Documentation=man:pod-generate-systemd(1)",
        ]
        if os.getuid() == 0:  # the user's systemd has no such target
            lines += ["Wants=network-online.target", "After=network-online.target"]
        lines.append(f"RequiresMountsFor={self._places()}")
        lines += links
        for key, names in (
            ("After", options.after),
            ("Requires", options.requires),
            ("Wants", options.wants),
        ):
            lines += [f"{key}={' '.join(names)}"] if names else []
        lines += ["", "[Service]", "Environment=PODMAN_SYSTEMD_UNIT=%n"]
        lines += [
            f"Environment={quote(fixed(entry))}" for entry in (*environment, *options.environment)
        ]
        lines.append(f"Restart={policy}")
        if options.restart_seconds is not None:
            lines.append(f"RestartSec={options.restart_seconds}")
        if options.start_timeout is not None:
            lines.append(f"TimeoutStartSec={options.start_timeout}")
        stop = "infinity" if stop_seconds < 0 else str(stop_seconds + _MORE_SECONDS)
        lines += [f"TimeoutStopSec={stop}", *service]
        lines += ["", "[Install]", "WantedBy=default.target"]
        return Unit(f"{unit}.service", "\n".join(lines) + "\n")

    # Services

    def _old_container(self, container: Container, seconds: int) -> list[str]:
        """Start and stop what is there; its monitor is the process that systemd watches."""
        program = self.program
        name = container.name if self.options.by_name else container.id
        stop = _line([*program, "stop"], ["--ignore"], [f"-t={seconds}"], [name])
        if container.config.is_infra or container.config.notify == service.IGNORED:
            start = [*program, "start", name]
            told = [
                f"PIDFile={fixed(self.engine.paths.run(container.id))}/{monitor.LOCK_FILE}",
                "Type=forking",
            ]
        else:
            says = [] if self._tells_itself(container) else [f"--sdnotify={service.MONITOR}"]
            start, told = [*program, "start", *says, name], ["Type=notify", "NotifyAccess=all"]
        return [
            f"ExecStart={_line(start)}",
            f"ExecStop={stop}",
            f"ExecStopPost={stop}",
            *told,
            *_OURS,
        ]

    def _tells_itself(self, container: Container) -> bool:
        """Whether it was asked for that something else than the start says that the service is ready."""
        if container.config.notify != service.CONTAINER:
            return True
        try:
            options = self.take_apart(container.config.create_command).options
        except PodError:  # another program made it
            return False
        return any(it.name == "sdnotify" for it in options)

    def _new_container(
        self, container: Container, pod: Pod | None, seconds: int
    ) -> tuple[list[str], list[str]]:
        """Make the container anew at each start, as it was made; and variables that it then had from outside."""
        replay = self._replay(container.config.create_command, f"container '{container.name}'")
        if replay.command not in {"run", "create"}:
            raise _not_again(f"container '{container.name}'", f"`pod {replay.command}` made it")
        program = [*self.program, *_words(it for it in replay.program if it.name not in _OWN)]
        options, environment = self._kept(replay.options, container)
        directory = _directory(options, replay.words, container.config.create_directory)
        name = quote(literal(container.name)) + ("-%i" if self.options.template else "")
        parts = [
            ["--cidfile=%t/%n.ctr-id"],
            ["--rm"],
            *([[f"--pod-id-file=%t/{self.pod_unit(pod)}.pod-id"]] if pod else []),
            ["--cgroups=split"],
            ["-d"],
            ["--replace"],
            ["--name", name],
        ]
        run = [_line([*program, "run"]), *(" ".join(part) for part in parts)]
        if not any(it.name == "sdnotify" for it in options):
            run.append(f"--sdnotify={service.MONITOR}")
        run += [_line(it.words) for it in options]
        run.append(_line(replay.words))
        stop = [_line([*program, "stop"]), f"--ignore -t={seconds}", "--cidfile=%t/%n.ctr-id"]
        remove = [_line([*program, "rm"]), f"-f --ignore -t={seconds}", "--cidfile=%t/%n.ctr-id"]
        return [
            *directory,
            "ExecStartPre=/bin/rm -f %t/%n.ctr-id",
            f"ExecStart={_folded(run)}",
            f"ExecStop={_folded(stop)}",
            f"ExecStopPost={_folded(remove)}",
            "Type=notify",
            "NotifyAccess=all",
            *_OURS,
        ], environment

    def _new_pod(self, pod: Pod, seconds: int) -> list[str]:
        replay = self._replay(pod.config.create_command, f"pod '{pod.name}'")
        if replay.command != "pod create":
            raise _not_again(f"pod '{pod.name}'", f"`pod {replay.command}` made it")
        program = [*self.program, *_words(it for it in replay.program if it.name not in _OWN)]
        unit = self.pod_unit(pod)
        id_file = f"--pod-id-file=%t/{unit}.pod-id"
        create = [_line([*program, "pod", "create"]), f"--infra-conmon-pidfile=%t/{unit}.pid"]
        create += [id_file, "--exit-policy=stop", "--replace", f"--name {quote(literal(pod.name))}"]
        create += [_line(it.words) for it in replay.options if it.name not in _REPLACED_OF_POD]
        stop = [_line([*program, "pod", "stop"]), f"--ignore -t={seconds}", id_file]
        return [
            *_directory(replay.options, (), pod.config.create_directory),
            f"ExecStartPre=/bin/rm -f %t/{unit}.pid %t/{unit}.pod-id",
            f"ExecStartPre={_folded(create)}",
            f"ExecStart={_folded([_line([*program, 'pod', 'start']), id_file])}",
            f"ExecStop={_folded(stop)}",
            f"ExecStopPost={_folded([_line([*program, 'pod', 'rm']), '--ignore -f', id_file])}",
            f"PIDFile=%t/{unit}.pid",
            "Type=forking",
            *_OURS,
        ]

    # Parts

    def _needed(self, container: Container) -> Iterable[str]:
        return dict.fromkeys((*container.config.needs, *container.config.requires))

    def _replay(self, line: tuple[str, ...], what: str) -> Replay:
        if not line:
            raise _not_again(what, "it was not made by a command")
        try:
            return self.take_apart(line)
        except PodError as error:
            raise _not_again(what, str(error)) from error

    def _kept(
        self, options: Iterable[Typed], container: Container
    ) -> tuple[list[Typed], list[str]]:
        """The options that the unit does not set itself; variables whose values came from the caller's."""
        values = dict(entry.partition("=")[::2] for entry in container.config.environment)
        kept, environment = [], []
        for option in options:
            if option.name in _REPLACED or (option.name, option.value) == (
                "sdnotify",
                service.IGNORED,
            ):
                continue
            if option.name == "env" and "=" not in option.value and option.value in values:
                environment.append(f"{option.value}={values[option.value]}")
            kept.append(option)
        return kept, environment

    def _stop_seconds(self, own: int) -> int:
        return own if self.options.stop_timeout is None else self.options.stop_timeout

    def _policy(self, own: RestartPolicy) -> str:
        """What systemd does, who starts the container again in the place of its monitor."""
        if self.options.restart_policy:
            return self.options.restart_policy
        if self.options.new and own.name in {"always", "unless-stopped"}:
            return "always"
        return "on-failure"

    def _places(self) -> str:
        paths = self.engine.paths
        return " ".join(quote(fixed(path)) for path in (paths.root, paths.runroot))


def _directory(options: Iterable[Typed], words: Sequence[str], directory: str) -> list[str]:
    """WorkingDirectory= where paths among the options belong to the directory in which they were typed."""
    found = list(options)
    is_root = any(it.name == "rootfs" for it in found)
    if directory and (
        any(_has_relative_path(it) for it in found) or (is_root and not words[0].startswith("/"))
    ):
        return [f"WorkingDirectory={fixed(directory)}"]
    return []


def _has_relative_path(option: Typed) -> bool:
    value = option.value
    if option.name in _PATHS:
        return not value.startswith("/")
    if option.name == "volume":
        return value.startswith(".")
    if option.name == "mount":
        parts = [part.partition("=") for part in value.split(",")]
        return any(key in {"source", "src"} and it.startswith(".") for key, _, it in parts)
    return option.name == "security-opt" and value.startswith(("seccomp=.", "seccomp:."))


def _not_again(what: str, why: str) -> PodError:
    return PodError(f"{what} cannot be made anew: {why}", hint="leave --new out")


def _words(options: Iterable[Typed]) -> list[str]:
    return [word for option in options for word in option.words]


def _line(*words: Sequence[str]) -> str:
    return join(word for part in words for word in part)


def _folded(parts: Iterable[str]) -> str:
    """A long command line, an option on each line."""
    return " \\\n\t".join(part for part in parts if part)


def _version() -> str:
    from pod.base.version import VERSION

    return f"pod {VERSION}"


def _now() -> str:
    import time

    return time.strftime("%a %b %e %H:%M:%S %Z %Y")


def write(units_: Iterable[Unit], directory: str) -> dict[str, str]:
    """Write the unit files into a directory; the path of each by its name without ".service"."""
    from pod.base import files

    written = {}
    for unit in units_:
        path = f"{directory}/{unit.name}"
        log.debug(f"writes '{path}'")
        try:
            files.write_atomic(path, unit.text.encode(), mode=0o644)
        except OSError as error:
            raise PodError(f"unit file '{path}' cannot be written: {error.strerror}") from error
        written[unit.name.removesuffix(".service")] = path
    return written
