"""Files of a project that are elsewhere: what `compose publish` put into a registry, and repositories of git.

They are laid down below the cache, in a directory for each version, which is the project's directory from then on.
Nothing there is changed afterwards, so that a version is fetched once.
"""

from __future__ import annotations

import os

from pod.base.errors import PodError
from pod.compose import places
from pod.compose.publish import ARTIFACT_TYPE, CONFIG_TYPE, ENV, ENV_TYPE, FILE, FILE_TYPE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pod.engine.context import Engine
    from pod.image.contents import Part

_EXTENDED = "com.docker.compose.extends"
_MOST_BYTES = 16 << 20


class UnusableProject(PodError):
    """What was fetched is no project."""


def fetch(engine: Engine, address: str, *, insecure: Sequence[str] = ()) -> str:
    """Where the compose file of `address`, oci://REFERENCE or one of git, is on this machine now.

    `insecure` are registries that need no TLS. Raises UnusableProject, and what fetching raises.
    """
    if address.startswith(places.OCI):
        return _published(engine, address.removeprefix(places.OCI), insecure)
    return _in_repository(engine, address)


def _published(engine: Engine, text: str, insecure: Sequence[str]) -> str:
    from pod.engine import artifacts
    from pod.engine.images import PullOptions
    from pod.spec import reference as references

    reference = references.parse(text).normalized()
    if reference.digest and os.path.exists(
        path := f"{_place(engine, reference.digest)}/compose.yaml"
    ):
        return path
    options = PullOptions(quiet=True, tls_verify=False if reference.registry in insecure else None)
    digest, files = artifacts.fetch_files(
        engine, text, (ARTIFACT_TYPE, CONFIG_TYPE), _MOST_BYTES, options
    )
    place = _place(engine, digest)
    if not os.path.exists(place):
        _lay_down(engine, place, _contents(text, files))
    return f"{place}/compose.yaml"


def _contents(text: str, files: Sequence[tuple[Part, bytes]]) -> dict[str, bytes]:
    """Name -> content. The compose files follow each other in one: documents are merged as files are."""
    from pod.image.artifact import is_file_name

    found: dict[str, bytes] = {}
    documents: list[bytes] = []
    for part, data in files:
        said = part.annotations
        if part.media_type == FILE_TYPE and not said.get(_EXTENDED):
            documents.append(data if data.endswith(b"\n") else data + b"\n")
            continue
        if part.media_type not in {FILE_TYPE, ENV_TYPE}:
            continue  # images that were published with the project; they are pulled by their names
        name = said.get(ENV if part.media_type == ENV_TYPE else FILE, "")
        if not is_file_name(name) or name in found or name == "compose.yaml":
            raise UnusableProject(
                f"'{text}' has a file with the name '{name[:300]}', which cannot be used"
            )
        found[name] = data
    if not documents:
        raise UnusableProject(f"'{text}' has no compose file")
    found["compose.yaml"] = b"---\n".join(documents)
    return found


def _lay_down(engine: Engine, place: str, contents: dict[str, bytes]) -> None:
    """All files or none: a directory is made beside and renamed."""
    import tempfile

    with tempfile.TemporaryDirectory(dir=_home(engine)) as made:
        directory = f"{made}/it"
        os.mkdir(directory, 0o700)
        for name, data in contents.items():
            with open(f"{directory}/{name}", "xb") as file:
                file.write(data)
        _rename(directory, place)


def _in_repository(engine: Engine, address: str) -> str:
    import tempfile

    from pod.build import git

    reference = git.parse_git(address, "--file")
    name = reference.url.rstrip("/").rpartition("/")[2].removesuffix(".git") or "project"
    with tempfile.TemporaryDirectory(dir=_home(engine)) as made:
        # The directory has the repository's name, which gives the project its own.
        os.makedirs(checkout := f"{made}/it/{name}")
        commit = git.fetch(reference, checkout)
        place = _place(engine, f"git:{commit}")
        if not os.path.exists(place):
            _rename(f"{made}/it", place)
    top = git.open_directory(f"{place}/{name}", reference)
    for file in places.NAMES:
        if os.path.isfile(path := os.path.join(top, file)):
            return path
    raise UnusableProject(
        f"there is no {places.NAMES[0]} in '{address}'",
        hint="pod compose -f ADDRESS#REFERENCE:DIRECTORY",
    )


def _rename(directory: str, place: str) -> None:
    try:
        os.rename(directory, place)
    except OSError:
        if not os.path.exists(place):  # otherwise another command was faster, with the same content
            raise


def _home(engine: Engine) -> str:
    from pod.base import paths

    directory = f"{engine.paths.cache}/compose"
    paths.make_private(directory)
    return directory


def _place(engine: Engine, digest: str) -> str:
    return f"{_home(engine)}/{digest.replace(':', '-')}"
