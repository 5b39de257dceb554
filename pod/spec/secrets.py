"""Secrets: the grammar of `--secret`, and what may be their names. Source: podman-run(1), podman-secret-create(1)."""

from __future__ import annotations

import os

from pod.base.errors import InvalidValue
from pod.spec.container import DEFAULT_SECRET_MODE, SecretUse

DIRECTORY = "/run/secrets"
_OPTION = "--secret"
_GRAMMAR = "NAME[,type=mount|env][,target=TARGET][,uid=N][,gid=N][,mode=OCTAL]"
_HIGHEST_ID = (1 << 32) - 2
_MOST_LETTERS = 253


def check_name(name: str, what: str = "secret name") -> None:
    """Raise InvalidValue unless a secret can have this name: podman's rule, without what cannot be a file name."""
    if (
        not 0 < len(name) <= _MOST_LETTERS
        or set(name) & set(",/=\0")
        or name in {".", ".."}
        or not name.isprintable()
        or len(name.encode("utf-8", "surrogateescape")) > _MOST_LETTERS
    ):
        raise InvalidValue(
            what, name, f"1 to {_MOST_LETTERS} printable characters without ',', '/' and '='"
        )


def parse_secret(text: str) -> SecretUse:
    """`--secret NAME[,type=mount|env][,target=TARGET][,uid=N][,gid=N][,mode=OCTAL]`."""
    given: dict[str, str] = {}
    for number, part in enumerate(text.split(",")):
        key, equals, value = part.partition("=")
        if number == 0 and not equals:
            key, value = "source", part
        key = {"src": "source", "id": "source"}.get(key, key)
        if key not in {"source", "type", "target", "uid", "gid", "mode"}:
            raise InvalidValue(_OPTION, text, f"'{part}' is not understood: {_GRAMMAR}")
        if key in given:
            raise InvalidValue(_OPTION, text, f"'{key}' is given twice")
        if not value:
            raise InvalidValue(_OPTION, text, f"'{key}' is empty")
        given[key] = value
    name = given.get("source", "")
    if not name:
        raise InvalidValue(_OPTION, text, f"the name of the secret is missing: {_GRAMMAR}")
    kind = given.get("type", "mount")
    if kind not in {"mount", "env"}:
        raise InvalidValue(_OPTION, text, "type is mount or env")
    if kind == "env":
        for key in ("uid", "gid", "mode"):
            if key in given:
                raise InvalidValue(_OPTION, text, f"a variable has no {key}")
        return SecretUse(name, kind="env", target=_variable(text, given.get("target", name)))
    return SecretUse(
        name,
        target=_path(text, given.get("target", name)),
        uid=_number(text, "uid", given.get("uid", "0")),
        gid=_number(text, "gid", given.get("gid", "0")),
        mode=_mode(text, given.get("mode", f"{DEFAULT_SECRET_MODE:o}")),
    )


def _variable(text: str, name: str) -> str:
    if "=" in name or "\0" in name:
        raise InvalidValue(_OPTION, text, f"'{name}' cannot be the name of a variable")
    return name


def _path(text: str, target: str) -> str:
    path = target if target.startswith("/") else f"{DIRECTORY}/{target}"
    if "\0" in path or ".." in path.split("/") or os.path.normpath(path) in {"/", DIRECTORY}:
        raise InvalidValue(
            _OPTION, text, f"'{target}' cannot be a target: a file name, or the path of a file"
        )
    return "/" + os.path.normpath(path).lstrip("/")


def _number(text: str, key: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and int(value[:12]) <= _HIGHEST_ID):
        raise InvalidValue(_OPTION, text, f"{key} is a number, not '{value}'")
    return int(value[:12])


def _mode(text: str, value: str) -> int:
    digits = value.removeprefix("0o")
    if not (digits.isascii() and digits.isdigit() and not set(digits) & set("89")):
        raise InvalidValue(_OPTION, text, f"mode is an octal number such as 0400, not '{value}'")
    mode = int(digits, 8)
    if mode > 0o7777:
        raise InvalidValue(_OPTION, text, f"mode '{value}' has more than four digits")
    return mode
