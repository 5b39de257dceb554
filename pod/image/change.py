"""`--change` of import and commit: a Dockerfile instruction that changes an image's configuration.

    CMD ["nginx"]   ENTRYPOINT /start   ENV A=1 B="two words"   EXPOSE 80/tcp   LABEL a=b   STOPSIGNAL TERM
    USER web   VOLUME /data   WORKDIR /srv   ONBUILD RUN make   HEALTHCHECK --interval=5s CMD curl -f localhost

Between the instruction and its value stands a space or, as podman has it too, an equals sign. Source: Dockerfile
reference; podman-import(1).
"""

from __future__ import annotations

import json

from pod.base import units
from pod.base.errors import InvalidValue, PodError
from pod.linux import signals
from pod.spec.environment import expand
from pod.spec.ports import parse_expose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    Config = dict[str, Any]

_OPTION = "--change"
_SHELL = ("/bin/sh", "-c")
_HEALTH_TIMES = {
    "interval": "Interval",
    "timeout": "Timeout",
    "start-period": "StartPeriod",
    "start-interval": "StartInterval",
}


def apply_changes(config: Mapping[str, Any], changes: Iterable[str]) -> Config:
    """The "config" object of an image with all `changes` applied, in order. Raises InvalidValue."""
    result = dict(config)
    for text in changes:
        word, value = _split(text)
        instruction = _INSTRUCTIONS.get(word)
        if instruction is None:
            raise InvalidValue(
                _OPTION, text, f"it must begin with one of {', '.join(_INSTRUCTIONS)}"
            )
        if not value:
            raise InvalidValue(_OPTION, text, f"{word} needs a value")
        try:
            instruction(result, value, text)
        except PodError as error:
            if error.message.startswith(_OPTION):
                raise
            # From the grammar of an option of `run`, which was not typed.
            raise InvalidValue(_OPTION, text, error.message) from error
    return result


def _split(text: str) -> tuple[str, str]:
    stripped = text.strip()
    end = next((i for i, character in enumerate(stripped) if character in " \t="), len(stripped))
    return stripped[:end].upper(), stripped[end + 1 :].strip()


def _command(value: str, text: str, config: Config) -> list[str]:
    """The JSON form, or a line for the image's shell."""
    if value.startswith("["):
        try:
            words = json.loads(value)
        except (ValueError, RecursionError):
            words = None
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return words
        if words is not None:
            raise InvalidValue(_OPTION, text, "the JSON form is a list of texts")
    return [*(config.get("Shell") or _SHELL), value]


def _cmd(config: Config, value: str, text: str) -> None:
    config["Cmd"] = _command(value, text, config)


def _entrypoint(config: Config, value: str, text: str) -> None:
    config["Entrypoint"] = _command(value, text, config)


def _env(config: Config, value: str, text: str) -> None:
    present = dict(entry.partition("=")[::2] for entry in config.get("Env") or [])
    known = dict(present)  # all values of one instruction see what was there before it
    for name, content in _pairs(value, text):
        present[name] = expand(content, known)
    config["Env"] = [f"{name}={content}" for name, content in present.items()]


def _label(config: Config, value: str, text: str) -> None:
    config["Labels"] = {**(config.get("Labels") or {}), **dict(_pairs(value, text))}


def _expose(config: Config, value: str, text: str) -> None:
    ports = dict(config.get("ExposedPorts") or {})
    for word in _words(value, text):
        mapping = parse_expose(word)
        for number in range(mapping.container_port, mapping.container_port + mapping.count):
            ports[f"{number}/{mapping.protocol}"] = {}
    config["ExposedPorts"] = ports


def _volume(config: Config, value: str, text: str) -> None:
    paths = _command(value, text, config) if value.startswith("[") else _words(value, text)
    if not all(path.strip() for path in paths):
        raise InvalidValue(_OPTION, text, "a volume is a path")
    config["Volumes"] = {**(config.get("Volumes") or {}), **{path: {} for path in paths}}


def _stop_signal(config: Config, value: str, _text: str) -> None:
    signals.parse(value)
    config["StopSignal"] = value


def _user(config: Config, value: str, _text: str) -> None:
    config["User"] = value


def _workdir(config: Config, value: str, _text: str) -> None:
    present = config.get("WorkingDir") or "/"
    path = value if value.startswith("/") else f"{present.rstrip('/')}/{value}"
    config["WorkingDir"] = path.rstrip("/") or "/"


def _onbuild(config: Config, value: str, text: str) -> None:
    if _split(value)[0] in ("ONBUILD", "FROM", "MAINTAINER"):
        raise InvalidValue(
            _OPTION, text, "ONBUILD cannot be followed by ONBUILD, FROM or MAINTAINER"
        )
    config["OnBuild"] = [*(config.get("OnBuild") or []), value]


def _shell(config: Config, value: str, text: str) -> None:
    words = _command(value, text, config) if value.startswith("[") else []
    if not words:
        raise InvalidValue(_OPTION, text, 'SHELL is a list in JSON, such as ["/bin/sh", "-c"]')
    config["Shell"] = words


def _healthcheck(config: Config, value: str, text: str) -> None:
    health: Config = {}
    rest = value
    while rest.startswith("--"):
        flag, _, rest = rest[2:].partition(" ")
        rest = rest.lstrip()
        name, equals, content = flag.partition("=")
        if name in _HEALTH_TIMES and equals:
            health[_HEALTH_TIMES[name]] = units.parse_duration_ns(content, f"--{name}")
        elif name == "retries" and equals:
            health["Retries"] = units.parse_integer(content, "--retries", 1, 1 << 31)
        else:
            raise InvalidValue(_OPTION, text, f"'--{name}' is no option of HEALTHCHECK")
    kind, command = _split(rest)
    if kind == "NONE" and not command and not health:
        config["Healthcheck"] = {"Test": ["NONE"]}
        return
    if kind != "CMD" or not command:
        raise InvalidValue(_OPTION, text, "HEALTHCHECK is NONE, or [OPTIONS] CMD COMMAND")
    if command.startswith("["):
        health["Test"] = ["CMD", *_command(command, text, config)]
    else:
        health["Test"] = ["CMD-SHELL", command]
    config["Healthcheck"] = health


_INSTRUCTIONS: dict[str, Callable[[Config, str, str], None]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "ONBUILD": _onbuild,
    "SHELL": _shell,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}


def _pairs(value: str, text: str) -> list[tuple[str, str]]:
    """NAME=VALUE words, or the old form NAME VALUE, whose value is the rest of the line."""
    words = _words(value, text)
    if "=" not in words[0]:
        name, _, rest = value.partition(" ")
        if not rest.strip():
            raise InvalidValue(_OPTION, text, "it takes NAME=VALUE")
        return [(name, rest.strip())]
    found = []
    for word in words:
        name, equals, content = word.partition("=")
        if not equals or not name:
            raise InvalidValue(_OPTION, text, f"'{word}' is not NAME=VALUE")
        found.append((name, content))
    return found


def _words(value: str, text: str) -> list[str]:
    """Words as a Dockerfile has them: quotes of both kinds, and a backslash before a character that it protects."""
    words: list[str] = []
    current, quote, begun = "", "", False
    characters = iter(value)
    for character in characters:
        if character == "\\" and quote != "'":
            following = next(characters, "")
            # Inside double quotes a backslash protects only what would end them.
            current += following if not quote or following in '"\\$' else character + following
            begun = True
        elif quote:
            if character == quote:
                quote = ""
            else:
                current += character
        elif character in "\"'":
            quote, begun = character, True
        elif character in " \t":
            if begun:
                words.append(current)
            current, begun = "", False
        else:
            current, begun = current + character, True
    if quote:
        raise InvalidValue(_OPTION, text, f"the {quote} is not closed")
    if begun:
        words.append(current)
    return words
