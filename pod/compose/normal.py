"""One file in long forms: what the specification lets people write in several ways is written in one.

Lists of NAME=VALUE become mappings, short ports and volumes long ones, commands lists of words, relative paths absolute
ones below the directory that they are relative to. This happens before files are merged, whose rules are about the
long forms. The file has been checked against the schema; what it cannot say, the grammars here do.
"""

from __future__ import annotations

import os

from pod.compose.errors import FileError
from pod.compose.ports import long_ports
from pod.compose.tree import Items, Override, Reset, Table, text_of
from pod.compose.volumes import long_volume

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pod.compose.errors import Place

    Path = tuple[Any, ...]
    Form = Callable[["Value"], Any]

_SECCOMP = "seccomp"
_REMOTE = ("http://", "https://", "git://", "ssh://", "git@", "github.com/", "docker-image://", "oci-layout://",
           "service:", "target:")  # fmt: skip


class Value:
    """A value with what a grammar needs to know of it."""

    def __init__(
        self, value: Any, path: Path, place: Place, directory: str, *, resolves: bool = True
    ) -> None:
        self.value = value
        self.path = path
        self.place = place
        self.directory = directory
        self.resolves = resolves

    def inner(self, key: Any) -> Value:
        container = self.value
        at = container.place_of(key)
        return Value(container[key], (*self.path, key), at, self.directory, resolves=self.resolves)

    def of(self, value: Any) -> Value:
        return Value(value, self.path, self.place, self.directory, resolves=self.resolves)

    def absolute(self, path: str) -> str:
        """A path below the directory of the project; `~` is the home directory."""
        return self.found(path) if self.resolves else path

    def found(self, path: str) -> str:
        """The same, whether or not paths shall stay as they are: for a file that is read here."""
        return os.path.normpath(os.path.join(self.directory, os.path.expanduser(path)))

    def error(self, sentence: str, hint: str | None = None) -> FileError:
        return FileError(self.place, self.path, sentence, hint)


def normalized(tree: Table, directory: str, *, resolve_paths: bool = True) -> Table:
    """A file in long forms; relative paths are relative to `directory`, or stay as they are. Raises FileError."""
    return _table(Value(tree, (), tree.place, directory, resolves=resolve_paths), _TOP)


def _apply(value: Value, form: Form) -> Any:
    if isinstance(value.value, Reset):
        return value.value
    if isinstance(value.value, Override):
        return Override(form(value.of(value.value.value)))
    return form(value)


def _table(value: Value, forms: dict[str, Form], default: Form | None = None) -> Table:
    """A mapping of which some keys have other forms."""
    table = Table(place=value.value.place)
    for key in value.value:
        inner = value.inner(key)
        form = forms.get(key, default) if not str(key).startswith("x-") else None
        table.put(key, inner.value if form is None else _apply(inner, form), inner.place)
    return table


def _of(forms: dict[str, Form]) -> Form:
    return lambda value: value.value if value.value is None else _table(value, forms)


def _each(form: Form) -> Form:
    """A mapping or list whose values all have this form."""

    def all_of(value: Value) -> Any:
        if value.value is None:
            return None
        if isinstance(value.value, Items):
            items = Items(place=value.value.place)
            for index in range(len(value.value)):
                inner = value.inner(index)
                items.put(_apply(inner, form), inner.place)
            return items
        return _table(value, {}, form)

    return all_of


def _mapping(value: Value) -> Table:
    """NAME=VALUE pairs: values are texts, or None for NAME alone."""
    table = Table(place=value.place)
    if isinstance(value.value, Items):
        for index, entry in enumerate(value.value):
            key, equals, text = str(entry).partition("=")
            table.put(key, text if equals else None, value.value.place_of(index))
        return table
    for key, text in value.value.items():
        at = value.value.place_of(key)
        shown = text if isinstance(text, (Reset, Override)) or text is None else text_of(text)
        table.put(key, shown, at)
    return table


def _labels(value: Value) -> Table:
    table = _mapping(value)
    for key in table:
        if table[key] is None:
            table[key] = ""
    return table


def _hosts(value: Value) -> Table:
    """extra_hosts: name -> list of addresses."""
    table = Table(place=value.place)
    if isinstance(value.value, Items):
        for index, entry in enumerate(value.value):
            mark = "=" if "=" in entry else ":"
            name, found, address = str(entry).partition(mark)
            at = value.value.place_of(index)
            if not found or not name or not address:
                raise FileError(at, (*value.path, index), f"'{entry}' is not NAME=ADDRESS")
            known = table.get(name) or Items(place=at)
            known.put(address.strip("[]"), at)
            table.put(name, known, at)
        return table
    for name, addresses in value.value.items():
        at = value.value.place_of(name)
        listed = Items(addresses if isinstance(addresses, list) else [addresses], place=at)
        table.put(name, listed, at)
    return table


def _words(value: Value) -> Any:
    """A command: a text is split as a shell would, without its other powers."""
    if not isinstance(value.value, str):
        return value.value
    import shlex

    try:
        words = shlex.split(value.value)
    except ValueError as error:
        raise value.error(f"'{value.value}' cannot be split into words: {error}") from error
    return Items(words, place=value.place)


def _test(value: Value) -> Items:
    if isinstance(value.value, str):
        return Items(["CMD-SHELL", value.value], place=value.place)
    words: Items = value.value
    if not words or words[0] not in {"NONE", "CMD", "CMD-SHELL"}:
        raise value.error(
            "the first word of a list is NONE, CMD or CMD-SHELL",
            hint='test: ["CMD", "PROGRAM", "WORD"], or a text for a shell',
        )
    return words


def _list(value: Value) -> Items:
    if isinstance(value.value, Items):
        return value.value
    return Items([value.value], place=value.place)


def _texts(value: Value) -> Items:
    items = Items(place=value.place)
    listed = _list(value)
    for index, entry in enumerate(listed):
        items.put(text_of(entry), listed.place_of(index))
    return items


def _paths(value: Value) -> Items:
    items = Items(place=value.place)
    listed = _list(value)
    for index, entry in enumerate(listed):
        items.put(value.absolute(entry), listed.place_of(index))
    return items


def _security(value: Value) -> Items:
    """The profile of seccomp is a file."""
    items = Items(place=value.place)
    listed = _list(value)
    for index, entry in enumerate(listed):
        key, path = entry[: len(_SECCOMP)], entry[len(_SECCOMP) + 1 :]
        is_path = key == _SECCOMP and path not in {"", "unconfined", "builtin"}
        shown = f"{entry[: len(_SECCOMP) + 1]}{value.absolute(path)}" if is_path else entry
        items.put(shown, listed.place_of(index))
    return items


def _path(value: Value) -> str:
    return value.absolute(value.value)


def _path_if_any(value: Value) -> str | None:
    return None if value.value is None else value.absolute(text_of(value.value))


def _context(value: Value) -> str:
    text: str = value.value
    if text.startswith(_REMOTE) or text.endswith(".git") or ".git#" in text:
        return text
    return value.absolute(text)


def _build(value: Value) -> Table:
    if isinstance(value.value, str):
        table = Table(place=value.place)
        table.put("context", _context(value), value.place)
        return table
    table = _table(value, _BUILD)
    if "context" not in table:
        table.put("context", value.absolute("."), value.place)
    return table


def _depends(value: Value) -> Table:
    table = Table(place=value.place)
    for index, entry in enumerate(value.value):
        is_list = isinstance(value.value, Items)
        at = value.value.place_of(index if is_list else entry)
        given = None if is_list else value.value[entry]
        if isinstance(given, Reset):
            table.put(entry, given, at)
            continue
        needed = Table({"condition": "service_started"}, place=at)
        needed.update(given or {})
        needed.setdefault("required", True)
        table.put(entry, needed, at)
    return table


def _networks(value: Value) -> Any:
    if not isinstance(value.value, Items):
        return value.value
    table = Table(place=value.place)
    for index, name in enumerate(value.value):
        table.put(name, None, value.value.place_of(index))
    return table


def _env_files(value: Value) -> Items:
    items = Items(place=value.place)
    listed = _list(value)
    for index, entry in enumerate(listed):
        at = listed.place_of(index)
        given = {"path": entry} if isinstance(entry, str) else entry
        table = Table({**given, "path": value.absolute(given["path"])}, place=at)
        table.setdefault("required", True)
        items.put(table, at)
    return items


def _ports(value: Value) -> Items:
    items = Items(place=value.place)
    for index in range(len(value.value)):
        inner = value.inner(index)
        for port in long_ports(inner):
            items.put(port, inner.place)
    return items


def _volumes(value: Value) -> Items:
    items = Items(place=value.place)
    for index in range(len(value.value)):
        inner = value.inner(index)
        items.put(long_volume(inner), inner.place)
    return items


def _uses(directory: str) -> Form:
    """secrets and configs of a service; a target that is no path is below `directory`."""

    def form(value: Value) -> Items:
        items = Items(place=value.place)
        for index, entry in enumerate(value.value):
            at = value.value.place_of(index)
            table = Table({"source": entry} if isinstance(entry, str) else entry, place=at)
            if "source" not in table:
                raise FileError(at, (*value.path, index), "the key 'source' is missing")
            table.setdefault("target", f"{directory}{table['source']}")
            items.put(table, at)
        return items

    return form


def _devices(value: Value) -> Items:
    items = Items(place=value.place)
    for index, entry in enumerate(value.value):
        at = value.value.place_of(index)
        if isinstance(entry, str):
            if "=" in entry:  # a CDI name
                items.put(Table({"source": entry}, place=at), at)
                continue
            source, _, rest = entry.partition(":")
            target, _, permissions = rest.partition(":")
            given = {
                "source": source, "target": target or source, "permissions": permissions or "rwm"
            }  # fmt: skip
            items.put(Table(given, place=at), at)
        else:
            table = Table(entry, place=at)
            table.setdefault("target", table["source"])
            table.setdefault("permissions", "rwm")
            items.put(table, at)
    return items


def _gpus(value: Value) -> Any:
    return Items([Table({"count": -1})], place=value.place) if value.value == "all" else value.value


def _extends(value: Value) -> Table:
    if isinstance(value.value, str):
        return Table({"service": value.value}, place=value.place)
    return _table(value, {"file": lambda inner: inner.found(inner.value)})


def _external(value: Value) -> Any:
    """A network, volume, secret or config; `external: {name: X}` is how files of version 2 and 3 say external."""
    if value.value is None:
        return Table(place=value.place)
    table = _table(value, {"labels": _labels, "driver_opts": _mapping, "file": _path})
    external = table.get("external")
    if isinstance(external, dict):
        at = table.place_of("external")
        if "name" in external and "name" not in table:
            table.put("name", external["name"], at)
        table.put("external", True, at)
    return table


_HOOK: dict[str, Form] = {"command": _words, "environment": _mapping}
_BUILD: dict[str, Form] = {
    "context": _context,
    "args": _mapping,
    "labels": _labels,
    "additional_contexts": lambda value: _each(_context)(value.of(_mapping(value))),
    "extra_hosts": _hosts,
    "secrets": _uses(""),
    "cache_from": _list,
    "ssh": lambda value: _each(_path_if_any)(value.of(_mapping(value))),
}
_WATCH: dict[str, Form] = {"path": _path, "ignore": _list, "include": _list, "exec": _of(_HOOK)}
_SERVICE: dict[str, Form] = {
    "annotations": _labels,
    "build": _build,
    "cap_add": _list,
    "cap_drop": _list,
    "command": _words,
    "configs": _uses("/"),
    "credential_spec": _of({"file": _path}),
    "depends_on": _depends,
    "deploy": _of({"labels": _labels}),
    "develop": _of({"watch": _each(_of(_WATCH))}),
    "devices": _devices,
    "dns": _list,
    "dns_opt": _list,
    "dns_search": _list,
    "entrypoint": _words,
    "env_file": _env_files,
    "environment": _mapping,
    "expose": _texts,
    "extends": _extends,
    "extra_hosts": _hosts,
    "gpus": _gpus,
    "group_add": _texts,
    "healthcheck": _of({"test": _test}),
    "label_file": _paths,
    "labels": _labels,
    "logging": _of({"options": _mapping}),
    "networks": _networks,
    "ports": _ports,
    "post_start": _each(_of(_HOOK)),
    "pre_start": _each(_of(_HOOK)),
    "pre_stop": _each(_of(_HOOK)),
    "secrets": _uses("/run/secrets/"),
    "security_opt": _security,
    "storage_opt": _mapping,
    "sysctls": _mapping,
    "tmpfs": _list,
    "volumes": _volumes,
}
_TOP: dict[str, Form] = {
    "services": _each(lambda value: _table(value, _SERVICE)),
    "networks": _each(_external),
    "volumes": _each(_external),
    "secrets": _each(_external),
    "configs": _each(_external),
}
