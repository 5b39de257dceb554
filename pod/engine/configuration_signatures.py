"""registries.d: where signatures of images are read and written. Read only when a policy or an option asks for them.

Source: containers-registries.d(5). What it means is in `pod.image.trust.lookaside`.
"""

from __future__ import annotations

import os

from pod.base import log, paths
from pod.engine.configuration import ConfigurationError
from pod.image.trust.lookaside import SignaturePlace, SignaturePlaces
from pod.spec import yaml_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.engine.configuration_places import Places

_LARGEST = 1 << 20
_TEXTS = ("lookaside", "lookaside-staging", "sigstore", "sigstore-staging")
_ATTACHMENTS = "use-sigstore-attachments"


def load_signatures(places: Places) -> SignaturePlaces:
    """What all files of the directory say together. Raises ConfigurationError, also when two say it of one name."""
    directory = places.signatures_directory()
    fallback = (
        os.path.join(paths.home(), ".local/share/containers/sigstore")
        if places.rootless
        else "/var/lib/containers/sigstore"
    )
    default, default_file = SignaturePlace(), ""
    namespaces: dict[str, SignaturePlace] = {}
    origins: dict[str, str] = {}
    for path in _files(directory):
        file = _File(path)
        if "default-docker" in file.document:
            if default_file:
                raise file.error("default-docker", f"stands in '{default_file}' already")
            default, default_file = file.place(file.document, "default-docker"), path
        named = file.document.get("docker") or {}
        if not isinstance(named, dict):
            raise file.error("docker", "must have namespaces below it")
        for name in named:
            if name in origins:
                raise file.error(str(name), f"stands in '{origins[name]}' already")
            namespaces[str(name)], origins[name] = file.place(named, name), path
    return SignaturePlaces(default, namespaces, fallback)


def _files(directory: str) -> list[str]:
    try:
        names = sorted(os.listdir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise ConfigurationError(directory, f"cannot be read: {error.strerror}") from error
    return [f"{directory}/{name}" for name in names if name.endswith(".yaml")]


class _File:
    """One file: its values by type, with errors that name the line."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.document: Any = self._read() or {}
        if not isinstance(self.document, dict):
            raise ConfigurationError(path, "must have keys and values", line=1)
        for key in self.document.keys() - {"docker", "default-docker"}:
            log.debug(f"'{path}': key '{key}' is unknown")

    def place(self, parent: Any, key: Any) -> SignaturePlace:
        table = parent[key]
        if not isinstance(key, str) or not isinstance(table, dict):
            raise self.error(str(key), "must have keys and values", parent, key)
        for name in table.keys() - {*_TEXTS, _ATTACHMENTS}:
            log.debug(f"'{self.path}': key '{key}.{name}' is unknown")
        values = [table.get(name) or "" for name in _TEXTS]
        for name, value in zip(_TEXTS, values, strict=True):
            if not isinstance(value, str):
                raise self.error(f"{key}.{name}", "must be text", table, name)
        attachments = table.get(_ATTACHMENTS)
        if attachments is not None and not isinstance(attachments, bool):
            raise self.error(f"{key}.{_ATTACHMENTS}", "must be true or false", table, _ATTACHMENTS)
        # The newer names of the two win over the older.
        return SignaturePlace(values[0] or values[2], values[1] or values[3], attachments)

    def error(self, key: str, why: str, parent: Any = None, name: Any = None) -> ConfigurationError:
        """An error at the line of `name` in the table `parent`; of `key` in the document when they are left out."""
        table = self.document if parent is None else parent
        if parent is None and key not in table:
            table = table.get("docker")
        line = yaml_text.line_of(table, key if name is None else name)
        return ConfigurationError(self.path, why, line=line, key=key)

    def _read(self) -> Any:
        try:
            with open(self.path, "rb") as file:
                data = file.read(_LARGEST + 1)
        except OSError as error:
            raise ConfigurationError(self.path, f"cannot be read: {error.strerror}") from error
        if len(data) > _LARGEST:
            raise ConfigurationError(self.path, f"has more than {_LARGEST} bytes")
        try:
            return yaml_text.parse_with_lines(data)
        except ValueError as error:
            raise ConfigurationError(self.path, f"is not valid YAML: {error}") from error
