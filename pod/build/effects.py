"""What instructions do to the configuration of an image: the "config" object, in docker's names.

Values are expanded already. Source: Dockerfile reference; OCI image specification, config.md.
"""

from __future__ import annotations

import posixpath

from pod.build.dockerfile import instructions as kinds
from pod.spec.ports import parse_expose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from pod.build.dockerfile.instructions import Command, Instruction

    Config = dict[str, Any]

DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHELL = ("/bin/sh", "-c")


def apply(config: Mapping[str, Any], instruction: Instruction) -> Config:
    """The configuration after an instruction; of those that have no effect on it, the same."""
    result = dict(config)
    function = _EFFECTS.get(type(instruction))
    if function is not None:
        function(result, instruction)
    return result


def environment(config: Mapping[str, Any]) -> dict[str, str]:
    """The variables of an image."""
    return dict(entry.partition("=")[::2] for entry in config.get("Env") or ())


def shell(config: Mapping[str, Any]) -> tuple[str, ...]:
    """What runs the shell form of commands."""
    return tuple(config.get("Shell") or _SHELL)


def working_directory(config: Mapping[str, Any]) -> str:
    """Absolute and clean."""
    return config.get("WorkingDir") or "/"


def resolved(config: Mapping[str, Any], path: str) -> str:
    """A path of the image; a relative one begins in the working directory. A slash at its end is lost."""
    joined = path if path.startswith("/") else f"{working_directory(config)}/{path}"
    return posixpath.normpath("/" + joined.lstrip("/"))


def _words(config: Config, command: Command) -> list[str]:
    return [*shell(config), *command.words] if command.shell else list(command.words)


def _cmd(config: Config, instruction: kinds.Cmd) -> None:
    config["Cmd"] = _words(config, instruction.command)
    config["_cmd"] = True


def _entrypoint(config: Config, instruction: kinds.Entrypoint) -> None:
    config["Entrypoint"] = _words(config, instruction.command)
    if not config.get("_cmd"):
        config.pop("Cmd", None)  # of the base image, which was an argument of its entry point


def _env(config: Config, instruction: kinds.Env) -> None:
    variables = environment(config)
    variables.update((pair.name, pair.value or "") for pair in instruction.pairs)
    config["Env"] = [f"{name}={value}" for name, value in variables.items()]


def _label(config: Config, instruction: kinds.Label) -> None:
    labels = {pair.name: pair.value or "" for pair in instruction.pairs}
    config["Labels"] = {**(config.get("Labels") or {}), **labels}


def _expose(config: Config, instruction: kinds.Expose) -> None:
    ports = dict(config.get("ExposedPorts") or {})
    for word in instruction.ports:
        mapping = parse_expose(word, "EXPOSE")
        for number in range(mapping.container_port, mapping.container_port + mapping.count):
            ports[f"{number}/{mapping.protocol}"] = {}
    config["ExposedPorts"] = ports


def _volume(config: Config, instruction: kinds.Volume) -> None:
    paths: dict[str, dict[str, str]] = {path: {} for path in instruction.paths}
    config["Volumes"] = {**(config.get("Volumes") or {}), **paths}


def _stop_signal(config: Config, instruction: kinds.StopSignal) -> None:
    from pod.linux import signals

    signals.parse(instruction.signal)
    config["StopSignal"] = instruction.signal


def _user(config: Config, instruction: kinds.User) -> None:
    config["User"] = instruction.user


def _workdir(config: Config, instruction: kinds.Workdir) -> None:
    config["WorkingDir"] = resolved(config, instruction.path)


def _shell(config: Config, instruction: kinds.Shell) -> None:
    config["Shell"] = list(instruction.words)


def _onbuild(config: Config, instruction: kinds.OnBuild) -> None:
    config["OnBuild"] = [*(config.get("OnBuild") or []), instruction.trigger]


def _healthcheck(config: Config, instruction: kinds.Healthcheck) -> None:
    command = instruction.command
    if command is None:
        config["Healthcheck"] = {"Test": ["NONE"]}
        return
    kind = "CMD-SHELL" if command.shell else "CMD"
    health: Config = {"Test": [kind, *command.words]}
    for key, value in (
        ("Interval", instruction.interval_ns),
        ("Timeout", instruction.timeout_ns),
        ("StartPeriod", instruction.start_period_ns),
        ("StartInterval", instruction.start_interval_ns),
        ("Retries", instruction.retries),
    ):
        if value:
            health[key] = value
    config["Healthcheck"] = health


_EFFECTS: dict[type[Instruction], Callable[[Config, Any], None]] = {
    kinds.Cmd: _cmd,
    kinds.Entrypoint: _entrypoint,
    kinds.Env: _env,
    kinds.Expose: _expose,
    kinds.Healthcheck: _healthcheck,
    kinds.Label: _label,
    kinds.OnBuild: _onbuild,
    kinds.Shell: _shell,
    kinds.StopSignal: _stop_signal,
    kinds.User: _user,
    kinds.Volume: _volume,
    kinds.Workdir: _workdir,
}
