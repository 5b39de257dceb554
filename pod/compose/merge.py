"""Several files become one: the later one over the earlier. Both are in long forms (normal.py).

Source: the Compose specification, 13-merge. Mappings are merged, lists appended, but for commands, which are replaced,
and for what is unique by a key: ports, volumes, secrets, configs, devices. `!reset` takes a value back, `!override`
replaces it.
"""

from __future__ import annotations

from pod.compose.errors import FileError
from pod.compose.tree import Items, Override, Reset, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pod.compose.errors import Place

    Path = tuple[Any, ...]

_REPLACED = {
    ("services", "*", "command"),
    ("services", "*", "entrypoint"),
    ("services", "*", "healthcheck", "test"),
    ("services", "*", "extends"),
}


def _port(entry: Any) -> Any:
    return tuple(str(entry.get(key, "")) for key in ("host_ip", "target", "published", "protocol"))


_UNIQUE: dict[tuple[str, ...], Callable[[Any], Any]] = {
    ("services", "*", "ports"): _port,
    ("services", "*", "volumes"): lambda entry: entry["target"].rstrip("/"),
    ("services", "*", "secrets"): lambda entry: entry["target"],
    ("services", "*", "configs"): lambda entry: entry["target"],
    ("services", "*", "devices"): lambda entry: entry.get("target", entry["source"]),
    ("services", "*", "env_file"): lambda entry: entry["path"],
    ("services", "*", "build", "secrets"): lambda entry: entry["target"],
    ("networks", "*", "ipam", "config"): lambda entry: entry.get("subnet", id(entry)),
}


def merged(earlier: Table, later: Table) -> Table:
    """Both as one. Tags may be left in what only one of them has; see `settled`. Raises FileError."""
    result: Table = _merge(earlier, later, (), later.place)
    return result


def merged_service(base: Table, service: Table) -> Table:
    """A service over the one that it extends."""
    result: Table = _merge(base, service, ("services", "*"), service.place)
    return result


def settled(value: Any) -> Any:
    """A tree without tags: what is reset is gone, what overrides is there."""
    if isinstance(value, Override):
        return settled(value.value)
    if isinstance(value, Table):
        table = Table(place=value.place)
        for key, inner in value.items():
            if not isinstance(inner, Reset):
                table[key] = settled(inner)
                if key in value.at:  # other keys are what a short form means
                    table.at[key] = value.at[key]
        return table
    if isinstance(value, Items):
        items = Items(place=value.place)
        for index, inner in enumerate(value):
            if not isinstance(inner, Reset):
                items.put(settled(inner), value.place_of(index))
        return items
    return value


def _merge(earlier: Any, later: Any, path: Path, place: Place) -> Any:
    if isinstance(later, (Reset, Override)):
        return later
    if isinstance(earlier, Override):
        # What an earlier file has put in place of another is merged with what comes after it.
        return Override(_merge(earlier.value, later, path, place))
    if isinstance(earlier, Reset) or earlier is None or path in _REPLACED:
        return later
    if isinstance(earlier, Table):
        return _merge_tables(earlier, later, path, place)
    if isinstance(earlier, Items):
        return _merge_items(earlier, later, path, place)
    return later


def _merge_tables(earlier: Table, later: Any, path: Path, place: Place) -> Any:
    if later is None:
        return earlier
    if not isinstance(later, Table):
        if len(path) > 2 and path[2] == "ulimits":
            return later
        raise FileError(place, path, "a mapping is expected, as in the file before")
    if path == ("services", "*", "logging") and later.get("driver", earlier.get("driver")) != (
        earlier.get("driver", later.get("driver"))
    ):
        return later
    table = Table(earlier, place=later.place)
    table.at.update(earlier.at)
    for key, value in later.items():
        at = later.place_of(key)
        if key not in earlier:
            table.put(key, value, at)
            continue
        inner = (*path, "*" if path in {("services",), ("networks",)} else key)
        table.put(key, _merge(earlier[key], value, inner, at), at)
    return table


def _merge_items(earlier: Items, later: Any, path: Path, place: Place) -> Any:
    if later is None:
        return earlier
    if not isinstance(later, Items):
        raise FileError(place, path, "a list is expected, as in the file before")
    items = Items(earlier, place=later.place)
    items.at.extend(earlier.place_of(index) for index in range(len(earlier)))
    key_of = _UNIQUE.get(path)
    for index, entry in enumerate(later):
        at = later.place_of(index)
        if key_of is None:
            if isinstance(entry, Table) or entry not in items:
                items.put(entry, at)
            continue
        key = key_of(entry)
        known = [number for number, other in enumerate(items) if key_of(other) == key]
        if known:
            items[known[0]] = _merge_entry(items[known[0]], entry)
            items.at[known[0]] = at
        else:
            items.put(entry, at)
    return items


def _merge_entry(earlier: Table, later: Table) -> Table:
    """Two entries with the same key; of volumes of different types, the later one."""
    if earlier.get("type") != later.get("type"):
        return later
    table = Table(earlier, place=later.place)
    table.at.update({**earlier.at, **later.at})
    table.update(later)
    return table
