"""`pod volume create --opt`: what a volume is made of, when it is no directory of pod's own.

    type=tmpfs, device=tmpfs, o=size=64m,mode=1777     a file system in memory
    type=none, device=/path, o=bind[,ro]               a directory of the host
    o=uid=33,gid=33,nocopy                             an ordinary volume, with an owner, which no image fills

Everything else that mount(8) knows takes real root. Source: podman-volume-create(1), docker-volume-create(1).
"""

from __future__ import annotations

from pod.base.errors import InvalidValue, Unsupported
from pod.base.records import Record
from pod.base.units import parse_integer
from pod.spec.mount_words import HIGHEST_ID, Words, take_tmpfs_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_OPTION = "--opt"
_KEYS = ("type", "device", "o", "copy", "nocopy")


class VolumeOptions(Record):
    """`kind` is "" for an ordinary volume, "bind" or "tmpfs"; `device` the directory of a bind.

    `flags` and `data` are words for mount(2). An owner of None was not asked for.
    """

    kind: str = ""
    device: str = ""
    flags: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    read_only: bool = False
    recursive: bool = True
    copy: bool = True
    uid: int | None = None
    gid: int | None = None


def parse_pairs(texts: Iterable[str]) -> dict[str, str]:
    """All `--opt KEY=VALUE`; several `o` are one list."""
    options: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if key not in _KEYS:
            raise InvalidValue(_OPTION, text, f"KEY=VALUE, the keys being {', '.join(_KEYS)}")
        if not equals and key not in ("copy", "nocopy"):
            raise InvalidValue(_OPTION, text, f"'{key}' needs a value")
        options[key] = f"{options['o']},{value}" if key == "o" and "o" in options else value
    return options


def parse_volume_options(options: Mapping[str, str]) -> VolumeOptions:
    """What the options of a volume mean. Raises InvalidValue, Unsupported."""
    kind = _kind(options)
    words = Words(_OPTION, f"o={options.get('o', '')}")
    owner: dict[str, int | None] = {"uid": None, "gid": None}
    for word in filter(None, options.get("o", "").split(",")):
        name, _, value = word.partition("=")
        if name in owner and kind != "tmpfs":
            owner[name] = parse_integer(value, f"{_OPTION} o={name}", 0, HIGHEST_ID)
        elif kind == "tmpfs" and take_tmpfs_word(words, word):
            continue
        elif word in {"copy", "nocopy"}:
            words.choose("copy", word)
        elif kind and (words.take_flag(word) or (kind == "bind" and _is_bind(words, word))):
            continue
        else:
            raise _bad_word(kind, name, word, words.text)
    if kind == "bind" and (owner["uid"] is not None or owner["gid"] is not None):
        raise InvalidValue(_OPTION, words.text, "a directory of the host keeps its owner")
    if "nocopy" in options:
        words.choose("copy", "nocopy")
    return VolumeOptions(
        kind=kind,
        device=options.get("device", "") if kind == "bind" else "",
        flags=words.flags("nosuid", "nodev"),
        data=tuple(words.data),
        read_only=words.read_only,
        recursive=words.recursive,
        copy=words.copy and kind != "bind",
        uid=owner["uid"],
        gid=owner["gid"],
    )


def _kind(options: Mapping[str, str]) -> str:
    """What is mounted, by `type` and `device`."""
    type_, device = options.get("type", ""), options.get("device", "")
    is_bind = any(word in {"bind", "rbind"} for word in options.get("o", "").split(","))
    if type_ == "tmpfs":
        return "tmpfs"
    if type_ not in {"", "none", "bind"}:
        raise Unsupported(
            f"a volume of type '{type_}'",
            "only the real root can mount one",
            hint="let root mount it, and use --opt type=none --opt o=bind --opt device=DIRECTORY",
        )
    if type_ == "bind" or is_bind or device:
        if not device.startswith("/"):
            raise InvalidValue(
                _OPTION, f"device={device}", "a bind needs the absolute path of a directory"
            )
        return "bind"
    if type_:
        raise InvalidValue(_OPTION, f"type={type_}", "it needs o=bind and device=DIRECTORY")
    return ""


def _is_bind(words: Words, word: str) -> bool:
    return word in {"bind", "rbind"} and words.choose("bind", word)


def _bad_word(kind: str, name: str, word: str, text: str) -> Exception:
    if name in {"size", "inodes"} and not kind:
        return Unsupported(
            f"{_OPTION} o={name}",
            "it takes project quotas, which only the real root can set",
            hint="--opt type=tmpfs --opt o=size=SIZE makes a volume in memory of that size",
        )
    return InvalidValue(_OPTION, text, f"'{word}' is not an option of a volume")
