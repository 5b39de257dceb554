"""Secrets and configs on disk: the content of each a file that only the caller can read, and one index with the rest.

    index.json      the records
    ID              content, as it is or encrypted
    lock            held while something changes

Content first, record last; removal the other way round. So a crash leaves content that no record names, which the next
change removes, and never a record without content.
"""

from __future__ import annotations

import os

from pod.base import files, ids, locks, paths
from pod.base.errors import PodError
from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_INDEX, _LOCK = "index.json", "lock"
_ID_DIGITS = 25  # as podman's, and docker's


class Secret(Record):
    """What is known of a secret besides its content. `encryption` is "", "passphrase" or "systemd-creds"."""

    id: str
    name: str
    created_ns: int
    updated_ns: int
    labels: Mapping[str, str] = {}
    driver: str = "file"
    options: Mapping[str, str] = {}
    encryption: str = ""


class NoSuchSecret(PodError):
    """Nothing has this name or id."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"no {kind} has the name or id '{text}'", hint=f"pod {kind} ls")


class SecretTaken(PodError):
    """There is one with this name."""

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(
            f"the {kind} name '{name}' is in use",
            hint=f"pod {kind} rm {name}" + (", or use --replace" if kind == "secret" else ""),
        )


class SecretStore:
    """The secrets in one directory; `kind` is the word for people: "secret" or "config"."""

    def __init__(self, directory: str, kind: str = "secret") -> None:
        self.directory = directory
        self.kind = kind

    def all(self) -> list[Secret]:
        """By name. Raises DamagedFile."""
        try:
            rows = files.read_json(f"{self.directory}/{_INDEX}")
        except FileNotFoundError:
            return []
        try:
            return sorted((Secret.from_json(row) for row in rows), key=lambda it: it.name)
        except (TypeError, AttributeError) as error:
            raise files.DamagedFile(f"{self.directory}/{_INDEX}", "it has no records") from error

    def find(self, text: str) -> Secret:
        """By its name, its id or the unique beginning of it. Raises NoSuchSecret."""
        found = self.all()
        for secret in found:
            if text in (secret.name, secret.id):
                return secret
        matching = [it for it in found if text and it.id.startswith(text)]
        if len(matching) > 1:
            raise PodError(
                f"'{text}' is the beginning of the ids of several {self.kind}s",
                hint="give more digits",
            )
        if not matching:
            raise NoSuchSecret(self.kind, text)
        return matching[0]

    def read(self, secret: Secret) -> bytes:
        """The content as it is stored. Raises DamagedFile."""
        path = f"{self.directory}/{secret.id}"
        try:
            return files.read_bytes(path)
        except FileNotFoundError as error:
            raise files.DamagedFile(path, f"{self.kind} '{secret.name}' has lost it") from error

    def new_id(self) -> str:
        return ids.new_id()[:_ID_DIGITS]

    def add(self, secret: Secret, content: bytes, *, replace: bool = False) -> Secret | None:
        """Store it; the one that it has replaced. Raises SecretTaken."""
        paths.make_private(self.directory)
        with self._lock():
            known = self.all()
            old = next((it for it in known if it.name == secret.name), None)
            if old is not None and not replace:
                raise SecretTaken(self.kind, secret.name)
            files.write_atomic(f"{self.directory}/{secret.id}", content, mode=0o600)
            self._write([it for it in known if it is not old] + [secret])
            return old

    def remove(self, secret: Secret) -> bool:
        """Remove it; False when another command was quicker."""
        with self._lock():
            known = self.all()
            kept = [it for it in known if it.id != secret.id]
            if len(kept) == len(known):
                return False
            self._write(kept)
            return True

    def problems(self) -> list[Secret]:
        """Those whose content is missing."""
        return [it for it in self.all() if not os.path.isfile(f"{self.directory}/{it.id}")]

    def _lock(self) -> locks.FileLock:
        return locks.FileLock(f"{self.directory}/{_LOCK}")

    def _write(self, secrets: list[Secret]) -> None:
        """Replace the index, and remove content that it does not name."""
        files.write_json(f"{self.directory}/{_INDEX}", [it.to_json() for it in secrets])
        wanted = {_INDEX, _LOCK, *(it.id for it in secrets)}
        for name in os.listdir(self.directory):
            if name not in wanted:
                os.unlink(f"{self.directory}/{name}")
