"""Volumes of services: the short form becomes the long one.

Source: the Compose specification, 05-services, "volumes": [VOLUME:]CONTAINER_PATH[:ACCESS_MODE], where a VOLUME that
begins with . / or ~ is a path of the host.
"""

from __future__ import annotations

from pod.compose.tree import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.compose.normal import Value

_PROPAGATIONS = frozenset("private rprivate shared rshared slave rslave".split())
_KINDS = ("bind", "volume", "tmpfs", "image", "npipe", "cluster")
_FORM = "[VOLUME:]CONTAINER_PATH[:MODE]"


def long_volume(value: Value) -> Table:
    """One entry as a mapping with `type` and `target`; paths of the host are absolute. Raises FileError."""
    entry = value.value
    return _long(value, entry) if isinstance(entry, Table) else _short(value, str(entry))


def _short(value: Value, text: str) -> Table:
    parts = text.split(":")
    if len(parts) > 3 or not all(parts):
        raise value.error(f"'{text}' is not {_FORM}")
    table = Table(place=value.place)
    target = parts[-1] if len(parts) < 3 else parts[1]
    words: list[str] = []
    source = parts[0] if len(parts) > 1 else ""
    if len(parts) == 2 and not target.startswith("/"):
        target, source, words = parts[0], "", parts[1].split(",")
        if not target.startswith("/"):
            raise value.error(f"'{text}' is not {_FORM}: '{parts[1]}' is not an absolute path")
    elif len(parts) == 3:
        words = parts[2].split(",")
    if not target.startswith("/"):
        raise value.error(f"'{text}' is not {_FORM}: '{target}' is not an absolute path")
    is_path = source.startswith((".", "/", "~"))
    table["type"] = "bind" if is_path else "volume"
    if source:
        table["source"] = value.absolute(source) if is_path else source
        if not is_path and "/" in source:
            raise value.error(
                f"'{source}' is neither a path nor the name of a volume",
                hint=f"a path of this directory begins with a dot: ./{source}",
            )
    table["target"] = target
    if is_path:
        table["bind"] = Table({"create_host_path": True})
    for word in words:
        _take_word(value, text, table, word)
    return table


def _take_word(value: Value, text: str, table: Table, word: str) -> None:
    if word in {"ro", "rw"}:
        if word == "ro":
            table["read_only"] = True
    elif word in {"z", "Z"}:
        table.setdefault("bind", Table())["selinux"] = word
    elif word == "nocopy":
        table.setdefault("volume", Table())["nocopy"] = True
    elif word in _PROPAGATIONS:
        table.setdefault("bind", Table())["propagation"] = word
    elif word in {"cached", "delegated", "consistent"}:
        table["consistency"] = word
    else:
        raise value.error(
            f"'{text}': '{word}' is none of ro, rw, z, Z, nocopy, {', '.join(sorted(_PROPAGATIONS))}"
        )


def _long(value: Value, entry: Table) -> Table:
    table = Table(entry, place=entry.place)
    table.at.update(entry.at)
    kind: Any = table.get("type")
    if kind not in _KINDS:
        raise value.error(f"the type '{kind}' is none of {', '.join(_KINDS[:4])}")
    if not table.get("target"):
        raise value.error("the key 'target' is missing: the path in the container")
    if kind == "bind":
        if not table.get("source"):
            raise value.error("a bind mount needs the key 'source', a path of the host")
        table["source"] = value.absolute(table["source"])
    elif kind == "tmpfs" and table.get("source"):
        raise value.error("a tmpfs has no 'source'")
    elif kind == "image" and not table.get("source"):
        raise value.error("a mount of type image needs the key 'source', the name of the image")
    return table
