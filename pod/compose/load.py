"""From files to one tree: read, filled in, checked, in long forms, extended, merged, with what they include.

The steps of one file, in this order: YAML -> variables -> schema -> long forms -> extends; then the files over each
other, then what `include` names beside them. Each step keeps the places of what it touches.
"""

from __future__ import annotations

import os

from pod.compose import merge, normal, places, schema_check, tree
from pod.compose.errors import FileError
from pod.compose.interpolate import interpolated
from pod.compose.tree import Items, Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

_RESOURCES = ("services", "networks", "volumes", "secrets", "configs")
_V1_KEYS = frozenset({"image", "build", "ports", "volumes", "links", "command", "environment"})


class Loader:
    """Loads the files of one project. `warnings` collects what is worth saying and no error."""

    def __init__(
        self,
        *,
        interpolate: bool = True,
        warnings: list[str] | None = None,
        schema: Any = None,
        fetch: Callable[[str], str] | None = None,
        resolve_paths: bool = True,
    ) -> None:
        self.resolve_paths = resolve_paths
        self.fetch = fetch
        self.interpolate = interpolate
        self.warnings: list[str] = [] if warnings is None else warnings
        self.checker = schema_check.Checker(schema or schema_check.load())
        self.missing: dict[str, None] = {}
        self.included: list[str] = []
        """All files that were read besides those that were asked for."""
        self.settled: list[tuple[tuple[Any, ...], str, Any]] = []
        """Keys that are gone when the files are one: their paths, the names of their rows, their places."""
        self._extending: list[tuple[str, str]] = []
        self._including: list[str] = []
        self._read: dict[tuple[str, str], Table] = {}

    def load(self, files: Sequence[str], directory: str, variables: Mapping[str, str]) -> Table:
        """The files as one tree in long forms, without tags, includes and extends. Raises FileError, NoFile."""
        whole: Table | None = None
        includes: list[tuple[Any, Any]] = []
        for path in files:
            for document in self._documents(path, directory, variables):
                listed = document.pop("include", None)
                if isinstance(listed, Items):
                    self.settled.append((("include",), "include", document.place_of("include")))
                    includes += [(entry, listed.place_of(at)) for at, entry in enumerate(listed)]
                self._extend(document, path, whole, variables)
                whole = document if whole is None else merge.merged(whole, document)
        if whole is None:
            raise FileError((places.shown(files[0]), 0), (), "the file is empty")
        result: Table = merge.settled(whole)
        for entry, place in includes:
            self._include(result, entry, place, directory, variables)
        return result

    def say_missing(self) -> list[str]:
        """A sentence for each variable that was used and has no value."""
        return [f"the variable '{name}' is not set, so it is empty" for name in self.missing]

    def _documents(self, path: str, directory: str, variables: Mapping[str, str]) -> list[Table]:
        name = places.shown(path)
        documents = []
        for value in tree.parse(places.read(path), name, self.warnings):
            if value is None:
                continue
            if not isinstance(value, Table):
                raise FileError((name, 1), (), "a compose file is a mapping: services: ...")
            _refuse_v1(value)
            if self.interpolate:
                value = interpolated(value, variables, lambda key: self.missing.update({key: None}))  # noqa: PLW2901
            self.checker.check(value)
            documents.append(normal.normalized(value, directory, resolve_paths=self.resolve_paths))
        return documents

    def _extend(
        self, document: Table, path: str, earlier: Table | None, variables: Mapping[str, str]
    ) -> None:
        services = document.get("services")
        if not isinstance(services, Table):
            return
        for name in list(services):
            services[name] = self._extended(services, name, path, earlier, variables)

    def _extended(
        self,
        services: Table,
        name: str,
        path: str,
        earlier: Table | None,
        variables: Mapping[str, str],
    ) -> Any:
        """A service with what it extends below it."""
        service = services[name]
        if not isinstance(service, Table) or not isinstance(service.get("extends"), Table):
            return service
        at = service.place_of("extends")
        where = ("services", name, "extends")
        wanted = service["extends"]
        base_name, file = wanted["service"], wanted.get("file")
        key = (path, name)
        if key in self._extending:
            names = [*(other for _, other in self._extending), name]
            raise FileError(at, where, f"services extend each other: {' -> '.join(names)}")
        self._extending.append(key)
        self.settled.append((where, "services.*.extends", at))
        try:
            base = self._base(services, base_name, file, path, earlier, variables, at, where)
        finally:
            self._extending.pop()
        if not isinstance(base, Table):
            said = f"there is no service '{base_name}'"
            said += f" in '{places.shown(file)}'" if file else ""
            known = list(self._services_of(file, variables)) if file else list(services)
            raise FileError(at, where, said + schema_check.meant(base_name, known))
        own = Table({k: v for k, v in service.items() if k != "extends"}, place=service.place)
        own.at.update(service.at)
        return merge.merged_service(base, own)

    def _base(
        self,
        services: Table,
        name: str,
        file: str | None,
        path: str,
        earlier: Table | None,
        variables: Mapping[str, str],
        at: Any,
        where: Any,
    ) -> Any:
        if file is None or file == path:
            if name not in services and earlier is not None:
                return earlier.get("services", {}).get(name)
            if name not in services:
                return None
            return self._extended(services, name, path, earlier, variables)
        if not os.path.isfile(file):
            raise FileError(at, where, f"there is no file '{places.shown(file)}'")
        others = self._services_of(file, variables)
        return self._extended(others, name, file, None, variables) if name in others else None

    def _services_of(self, file: str, variables: Mapping[str, str]) -> Table:
        """The services of another file, whose relative paths are relative to itself."""
        known = self._read.get((file, "services"))
        if known is None:
            whole: Table | None = None
            for document in self._documents(file, os.path.dirname(file), variables):
                whole = document if whole is None else merge.merged(whole, document)
            self.included.append(file)
            found = None if whole is None else whole.get("services")
            known = self._read[file, "services"] = found if isinstance(found, Table) else Table()
        return known

    def _include(
        self,
        result: Table,
        entry: Any,
        place: Any,
        directory: str,
        variables: Mapping[str, str],
    ) -> None:
        """Load what an entry of `include` names, as a project of its own, and put its resources beside ours."""
        given = {"path": entry} if isinstance(entry, str) else entry
        listed = given.get("path")
        if not listed:
            raise FileError(place, ("include",), "the key 'path' is missing")
        files = [
            places.fetched(self.fetch, path) if places.is_remote(path) else _below(directory, path)
            for path in ([listed] if isinstance(listed, str) else listed)
        ]
        for file in files:
            if not os.path.isfile(file):
                raise FileError(place, ("include",), f"there is no file '{places.shown(file)}'")
        if files[0] in self._including:
            names = " -> ".join(places.shown(file) for file in [*self._including, files[0]])
            raise FileError(place, ("include",), f"files include each other: {names}")
        home = given.get("project_directory")
        own = _below(directory, home) if home else os.path.dirname(files[0])
        listed = given.get("env_file")
        env_files = [listed] if isinstance(listed, str) else list(listed or [])
        paths = [_below(directory, file) for file in env_files] or [os.path.join(own, ".env")]
        known = places.with_files(paths, variables, required=bool(env_files))
        self._including.append(files[0])
        try:
            other = self.load(files, own, known)
        finally:
            self._including.pop()
        self.included += files
        for kind in _RESOURCES:
            for name, resource in (other.get(kind) or {}).items():
                self._adopt(result, kind, name, resource, other[kind].place_of(name))

    def _adopt(self, result: Table, kind: str, name: str, resource: Any, place: Any) -> None:
        table = result.get(kind)
        if not isinstance(table, Table):
            table = Table(place=place)
            result.put(kind, table, place)
        if name in table and tree.plain(table[name]) != tree.plain(resource):
            file, line = table.place_of(name)
            raise FileError(
                place,
                (kind, name),
                f"what is included has a name that is there already, in {file}:{line}",
                hint="give one of them another name; to change what is included: include: [{path: [FILE, CHANGES]}]",
            )
        table.put(name, resource, place)


def _below(directory: str, path: str) -> str:
    return os.path.normpath(os.path.join(directory, os.path.expanduser(path)))


def _refuse_v1(value: Table) -> None:
    """Files of the first version have services where others have keys."""
    if "services" in value or "version" in value or "include" in value:
        return
    for key, inner in value.items():
        is_service = isinstance(inner, dict) and bool(_V1_KEYS.intersection(inner))
        is_known = key in {*_RESOURCES, "name", "models", "jobs"} or key.startswith("x-")
        if is_service and not is_known:
            raise FileError(
                value.place_of(key),
                (key,),
                "this looks like a file of version 1, whose services stand at the top",
                hint="put the services below the key 'services:'",
            )
