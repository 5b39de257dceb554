"""Options of RUN: `--mount`, `--network`, `--security`, `--device`.

A mount may have variables in its values, so it is checked twice: by the parser, as far as that goes, and with the
variables when it is needed. Source: Dockerfile reference, "RUN --mount"; podman-build(1) for z, Z and relabel.
"""

from __future__ import annotations

from pod.base import units
from pod.base.errors import UsageError
from pod.base.records import Record
from pod.base.suggest import did_you_mean
from pod.build.dockerfile.errors import DockerfileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pod.build.dockerfile.instructions import Place, Run

_BOTH_IDS = ("uid", "gid")
_KEYS = {
    "bind": ("target", "source", "from", "readonly", "relabel"),
    "cache": (
        "id",
        "target",
        "source",
        "from",
        "readonly",
        "sharing",
        "mode",
        "relabel",
        *_BOTH_IDS,
    ),
    "tmpfs": ("target", "size"),
    "secret": ("id", "target", "required", "mode", "env", *_BOTH_IDS),
    "ssh": ("id", "target", "required", "mode", *_BOTH_IDS),
}
_SAME = {
    "dst": "target",
    "destination": "target",
    "src": "source",
    "ro": "readonly",
    "rw": "readwrite",
}
_FLAGS = ("readonly", "readwrite", "required")
_SHARING = ("shared", "private", "locked")
_HIGHEST_ID = 4294967294
_SECRETS = "/run/secrets"


class Mount(Record):
    """One --mount of RUN. What a kind has not, has its default.

    `target` may be relative to the working directory, and is "" for ssh where none was asked for; `mode`, `uid`, `gid`
    are None where the default of the kind holds. `from_` is a stage, image or build context, "" for the context.
    `env` is the variable that gets a secret; then `target` is "" unless a file was asked for, too.
    """

    kind: str
    target: str
    source: str = ""
    from_: str = ""
    id: str = ""
    readonly: bool = False
    sharing: str = "shared"
    required: bool = False
    size_bytes: int = 0
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    env: str = ""


def parse_mounts(run: Run, expand: Callable[[str], str]) -> tuple[Mount, ...]:
    """The mounts of `run`, with `expand` applied to the values. Raises DockerfileError."""
    return tuple(parse_mount(text, run.place, expand) for text in run.mounts)


def parse_mount(text: str, place: Place, expand: Callable[[str], str]) -> Mount:
    """One mount. Raises DockerfileError."""
    words = _words(text, place)
    kind = words.pop("type", "bind")
    if kind not in _KEYS:
        ending = did_you_mean(kind, _KEYS)
        raise DockerfileError(
            place, f"'{kind}' is no type of a mount: {', '.join(_KEYS)} are possible{ending}"
        )
    values = {key: value if key in _FLAGS else expand(value) for key, value in words.items()}
    if kind == "secret" and "source" in values:
        values.setdefault("id", values.pop("source"))
    if "readwrite" in values:
        values.setdefault("readonly", "false" if values.pop("readwrite") == "true" else "true")
    elif kind == "bind":
        values.setdefault("readonly", "true")
    for key in values:
        if key not in _KEYS[kind]:
            known = [*_KEYS[kind], "type"]
            raise DockerfileError(
                place, f"a mount of type {kind} has no '{key}'{did_you_mean(key, known)}"
            )
    return _checked(kind, values, text, place)


def _words(text: str, place: Place) -> dict[str, str]:
    words: dict[str, str] = {}
    for field in _fields(text):
        key, equals, value = field.partition("=")
        key = _SAME.get(key.strip().lower(), key.strip().lower())
        if key in ("z", "u") and not equals:
            continue  # labels of SELinux, and owners: there is nothing to change here
        if not equals and key in _FLAGS:
            value = "true"
        elif not equals:
            raise DockerfileError(
                place, f"'{field}' in --mount={text} needs a value: {field}=VALUE"
            )
        if key in _FLAGS:
            try:
                value = "true" if units.parse_boolean(value, f"'{key}' of --mount") else "false"
            except UsageError as error:
                raise DockerfileError(place, error.message) from error
        words[key] = value
    return words


def _fields(text: str) -> list[str]:
    import csv  # few files have mounts

    try:
        return [field for field in next(csv.reader([text]), []) if field]
    except csv.Error:
        return text.split(",")


def _checked(kind: str, values: dict[str, str], text: str, place: Place) -> Mount:
    def number(name: str, parse: Callable[[str], int]) -> int | None:
        if name not in values:
            return None
        try:
            return parse(values[name])
        except UsageError as error:
            raise DockerfileError(place, error.message) from error

    target, id_ = values.get("target", ""), values.get("id", "")
    if kind in ("bind", "cache", "tmpfs") and not target:
        raise DockerfileError(
            place, f"a mount of type {kind} needs a target: --mount={text},target=DIR"
        )
    if kind == "secret" and not (id_ or target):
        raise DockerfileError(
            place, "a mount of type secret needs an id: --mount=type=secret,id=NAME"
        )
    sharing = values.get("sharing") or "shared"
    if sharing not in _SHARING:
        ending = did_you_mean(sharing, _SHARING)
        raise DockerfileError(
            place, f"sharing of a cache is {', '.join(_SHARING)}, not '{sharing}'{ending}"
        )
    env = values.get("env", "")
    if kind == "secret":
        id_ = id_ or target.rstrip("/").rpartition("/")[2]
        target = target or ("" if env else f"{_SECRETS}/{id_}")
    return Mount(
        kind=kind,
        target=target,
        source=values.get("source", ""),
        from_=values.get("from", ""),
        id=id_ or ("default" if kind == "ssh" else ""),
        readonly=values.get("readonly") == "true",
        sharing=sharing,
        required=values.get("required") == "true",
        size_bytes=number("size", lambda size: units.parse_size(size, "size of a mount")) or 0,
        mode=number("mode", lambda mode: units.parse_mode(mode, "mode of a mount")),
        uid=number("uid", lambda uid: units.parse_integer(uid, "uid of a mount", 0, _HIGHEST_ID)),
        gid=number("gid", lambda gid: units.parse_integer(gid, "gid of a mount", 0, _HIGHEST_ID)),
        env=env,
    )


def check_mount(text: str, place: Place) -> None:
    """What can be said before the variables are known. Raises DockerfileError."""
    if "$" not in text:
        parse_mount(text, place, lambda value: value)


def check_network(text: str, place: Place) -> None:
    known = ("default", "none", "host")
    if text and text not in known:
        raise DockerfileError(
            place, f"--network is {', '.join(known)}, not '{text}'{did_you_mean(text, known)}"
        )


def check_security(text: str, place: Place) -> None:
    known = ("sandbox", "insecure")
    if text and text not in known:
        raise DockerfileError(
            place, f"--security is {', '.join(known)}, not '{text}'{did_you_mean(text, known)}"
        )


def check_device(text: str, place: Place) -> None:
    if not text.partition(",")[0]:
        raise DockerfileError(place, "--device needs the name of a device")
