"""Which files make a project, and with which variables: -f, COMPOSE_FILE, compose.yaml here or above; .env.

Source: docker compose's reference, "-f", "environment variables"; the Compose specification, 03-compose-file.
"""

from __future__ import annotations

import os

from pod.base.records import Record
from pod.compose import dotenv
from pod.compose.errors import ComposeError, FileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

NAMES = ("compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml")
_OVERRIDES = (
    "compose.override.yaml", "compose.override.yml",
    "docker-compose.override.yml", "docker-compose.override.yaml",
)  # fmt: skip
STDIN = "-"
OCI = "oci://"


class NoFile(ComposeError):
    """There is nothing that describes a project."""


class Asked(Record):
    """What the command line says about the project: the options of `pod compose` itself."""

    files: tuple[str, ...] = ()
    name: str = ""
    directory: str = ""
    env_files: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    compatibility: bool = False
    """Names of containers and images have _ between their parts, as version 1 wrote them."""
    all_resources: bool = False
    """Networks and volumes are made also where no service uses them."""
    fetch: Callable[[str], str] | None = None
    """Brings what is elsewhere, and says where it is now; None where nobody wants to wait for that."""


class Places(Record):
    """`files` as they were named, absolute but for "-"; `variables` those of the environment and of .env together."""

    files: tuple[str, ...]
    directory: str
    variables: Mapping[str, str]


def find(asked: Asked, environment: Mapping[str, str]) -> Places:
    """The files and variables of a project. Raises NoFile, FileError."""
    files = list(asked.files) or _listed(environment.get("COMPOSE_FILE", ""), environment)
    if not files and not asked.files:
        # .env may say which files there are, so it is looked for where the command is given.
        known = _variables(asked, asked.directory or os.getcwd(), environment)
        files = _listed(known.get("COMPOSE_FILE", ""), known)
    found = [_absolute(asked, file) for file in files] if files else _searched(asked.directory)
    for file in found:
        if file != STDIN and not os.path.isfile(file):
            raise NoFile(f"there is no file '{shown(file)}'", hint="pod compose -f FILE ...")
    directory = os.path.abspath(asked.directory) if asked.directory else _home(found)
    # Nobody puts an .env into a directory that was fetched: it is where the command is given.
    home = os.getcwd() if files and is_remote(files[0]) and not asked.directory else directory
    return Places(tuple(found), directory, _variables(asked, home, environment))


def is_remote(file: str) -> bool:
    """Whether it is to be fetched first: oci://REFERENCE, or an address of git."""
    if file.startswith(OCI):
        return True
    if "://" not in file and not file.startswith(("git@", "github.com/")):
        return False
    from pod.build.git import is_git

    return is_git(file) and not os.path.exists(file)


def fetched(fetch: Callable[[str], str] | None, address: str) -> str:
    """Where the file of an address is on this machine. Raises NoFile, and what `fetch` raises."""
    if fetch is None:
        raise NoFile(f"'{address}' is not on this machine")
    return fetch(address)


def says(variables: Mapping[str, str], name: str) -> bool:
    """Whether a variable is on."""
    return variables.get(name, "").lower() in {"1", "true"}


def shown(path: str) -> str:
    """A path as people know it: relative where it is below the current directory."""
    if path == STDIN:
        return "standard input"
    here = os.getcwd() + "/"
    return path.removeprefix(here)


def read(path: str) -> bytes:
    """The content of a file of a project, or of standard input. Raises NoFile."""
    if path == STDIN:
        import sys

        return sys.stdin.buffer.read()
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise NoFile(f"file '{shown(path)}' cannot be read: {error.strerror}") from error


def read_variables(
    path: str, environment: Mapping[str, str], *, raw: bool = False
) -> dict[str, str | None]:
    """The variables of a file. Raises NoFile, FileError."""
    try:
        text = read(path).decode()
    except UnicodeDecodeError as error:
        raise FileError((shown(path), 0), (), f"it is not UTF-8: {error}") from error
    return dotenv.parse(text, shown(path), environment, raw=raw)


def _listed(text: str, environment: Mapping[str, str]) -> list[str]:
    separator = environment.get("COMPOSE_PATH_SEPARATOR") or ":"
    if separator == ":" and is_remote(text):
        return [text]  # whose colons separate nothing
    return [part for part in text.split(separator) if part]


def _absolute(asked: Asked, file: str) -> str:
    if is_remote(file):
        return fetched(asked.fetch, file)
    return file if file == STDIN else os.path.abspath(file)


def _searched(directory: str) -> list[str]:
    """The usual names, in this directory and then those above it; an override file beside goes on top."""
    start = os.path.abspath(directory or os.getcwd())
    folder = start
    while True:
        for name in NAMES:
            path = os.path.join(folder, name)
            if os.path.isfile(path):
                overrides = (os.path.join(folder, other) for other in _OVERRIDES)
                return [path, *[other for other in overrides if os.path.isfile(other)][:1]]
        if folder == "/" or directory:
            raise NoFile(
                f"there is no {NAMES[0]} in '{start}'" + ("" if directory else " or above it"),
                hint="pod compose -f FILE ...",
            )
        folder = os.path.dirname(folder)


def _home(files: Sequence[str]) -> str:
    first = files[0]
    return os.getcwd() if first == STDIN else os.path.dirname(first)


def _variables(asked: Asked, directory: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment, and under it --env-file or .env."""
    files = list(asked.env_files)
    if not files:
        files = [part for part in environment.get("COMPOSE_ENV_FILES", "").split(",") if part]
    given = bool(files)
    if not files and not says(environment, "COMPOSE_DISABLE_ENV_FILE"):
        files = [os.path.join(directory, ".env")]
    return with_files(files, environment, required=given)


def with_files(
    files: Sequence[str], environment: Mapping[str, str], *, required: bool
) -> dict[str, str]:
    """Variables of files, the later ones above the earlier, and the environment above all of them."""
    found: dict[str, str] = {}
    for file in files:
        path = os.path.abspath(file)
        if not required and not os.path.isfile(path):
            continue
        known = {**found, **environment}
        values = read_variables(path, known)
        found.update({key: text for key, text in values.items() if text is not None})
    return {**found, **environment}
