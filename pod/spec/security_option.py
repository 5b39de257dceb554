"""The grammars of --security-opt, --cap-add, --cap-drop and --umask.

Source: podman-run(1), those options.
"""

from __future__ import annotations

import os

from pod.base.errors import InvalidValue, Unsupported
from pod.base.units import parse_boolean, parse_mode
from pod.spec.security import ALL, SecurityOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_LABEL_KEYS = frozenset(("user", "role", "type", "level", "filetype"))
_OPTION = "--security-opt"
_HIDEPID = ("0", "1", "2", "4", "off", "noaccess", "invisible", "ptraceable")
_PROC_OPTIONS = {"hidepid": _HIDEPID, "subset": ("pid",)}
_NOT_HERE = {
    "credentialspec": "it belongs to Windows",
    "writable-cgroups": "a container's own cgroup tree is writable with --privileged or in systemd mode only",
}


def parse_security_options(texts: Iterable[str]) -> SecurityOptions:
    """All `--security-opt` values: 'KEY=VALUE', docker's older 'KEY:VALUE', and 'no-new-privileges' alone."""
    options = SecurityOptions()
    for text in texts:
        options = _with_option(options, text)
    return options


def _with_option(options: SecurityOptions, text: str) -> SecurityOptions:
    key, value, is_bare = _split(text)
    if key == "no-new-privileges":
        is_on = True if is_bare else parse_boolean(value, f"{_OPTION} {key}")
        return options.replace(no_new_privileges=is_on)
    if key in _NOT_HERE:
        raise Unsupported(f"{_OPTION} {key}", _NOT_HERE[key])
    if not value:
        raise InvalidValue(
            _OPTION,
            text,
            "KEY=VALUE, the keys being seccomp, apparmor, label, mask, unmask, proc-opts",
        )
    if key == "seccomp":
        return options.replace(seccomp="" if value == "builtin" else value)
    if key == "apparmor":
        return options.replace(apparmor=value)
    if key == "label":
        return options.replace(labels=(*options.labels, _label(text, value)))
    if key == "proc-opts":
        words = tuple(word for word in value.split(",") if word)
        for word in words:
            _check_proc_option(text, word)
        return options.replace(proc_options=options.proc_options + words)
    if key == "mask":
        return options.replace(mask=options.mask + _paths(text, value))
    if key == "unmask":
        paths = (ALL,) if value.upper() == ALL else _paths(text, value)
        return options.replace(unmask=options.unmask + paths)
    if (key, value) == ("systempaths", "unconfined"):
        return options.replace(unmask=(*options.unmask, ALL))
    raise InvalidValue(
        _OPTION,
        text,
        "the keys are seccomp, apparmor, label, mask, unmask, proc-opts, no-new-privileges",
    )


def _check_proc_option(text: str, word: str) -> None:
    """proc(5), "Mount options"; the flags of every mount are pod's own choice."""
    key, _, value = word.partition("=")
    if not (value in _PROC_OPTIONS.get(key, ()) or (key == "gid" and value.isdecimal())):
        raise InvalidValue(
            _OPTION,
            text,
            f"for /proc there are hidepid={'|'.join(_HIDEPID)}, gid=NUMBER and subset=pid",
        )


def _split(text: str) -> tuple[str, str, bool]:
    """(key, value, whether there is no value), at the first = or :."""
    end = min((position for mark in "=:" if (position := text.find(mark)) >= 0), default=len(text))
    return text[:end], text[end + 1 :], end == len(text)


def _label(text: str, value: str) -> str:
    key, _, rest = value.partition(":")
    if value in {"disable", "nested"} or (key in _LABEL_KEYS and rest):
        return value
    raise InvalidValue(
        _OPTION,
        text,
        "label=disable, label=nested, or label=KEY:VALUE with user, role, type, level, filetype",
    )


def _paths(text: str, value: str) -> tuple[str, ...]:
    paths = tuple(path for path in value.split(":") if path)
    if not paths or not all(path.startswith("/") for path in paths):
        raise InvalidValue(_OPTION, text, "absolute paths with a colon between them")
    return tuple(os.path.normpath(path) for path in paths)


def parse_capabilities(texts: Iterable[str], option: str = "--cap-add") -> tuple[str, ...]:
    """Names with or without CAP_, in any case, also with commas between them -> 'CAP_NET_ADMIN', or 'ALL'."""
    names: dict[str, None] = {}
    for text in texts:
        for word in text.split(","):
            names[_capability(word.strip(), option)] = None
    return tuple(names)


def _capability(word: str, option: str) -> str:
    from pod.linux.capabilities import NAMES  # heavy: ctypes, 3 ms

    name = word.upper()
    if name in {ALL, "CAP_ALL"}:
        return ALL
    if not name.startswith("CAP_"):
        name = f"CAP_{name}"
    if name in NAMES:
        return name
    from pod.base.suggest import did_you_mean

    ending = did_you_mean(name.removeprefix("CAP_"), [one.removeprefix("CAP_") for one in NAMES])
    raise InvalidValue(option, word, f"there is no such capability{ending}")


def parse_umask(text: str) -> int:
    """`--umask`: octal, up to 0777."""
    return parse_mode(text, "--umask", highest=0o777)
