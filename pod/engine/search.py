"""Search: images in one registry or in all that are searched for short names, and the tags of a repository."""

from __future__ import annotations

from pod.base import log
from pod.base.errors import PodError, UsageError
from pod.base.records import Record
from pod.engine import images, registry_access
from pod.image import search as image_search
from pod.image.progress import Silence
from pod.image.pull import all_tags
from pod.spec import reference as references
from pod.spec.reference import DEFAULT_REGISTRY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    from pod.engine.context import Engine
    from pod.engine.images import PullOptions
    from pod.image.access import Access
    from pod.image.search import FoundRepository

    T = TypeVar("T")

MOST = 25
"""How many results there are from a registry when nobody says."""
_AT_ONCE = 6
_OFFICIAL = "library/"


class Filters(Record):
    """What a result must have; None for what does not matter."""

    stars: int = 0
    is_official: bool | None = None
    is_automated: bool | None = None

    def match(self, found: FoundRepository) -> bool:
        return (
            found.stars >= self.stars
            and self.is_official in (None, found.is_official)
            and self.is_automated in (None, found.is_automated)
        )


class Hit(Record):
    """A repository. `name` is its full name, `index` the registry that was searched."""

    index: str
    name: str
    found: FoundRepository


class Tags(Record):
    """Tags of the repository with the full `name`."""

    index: str
    name: str
    tags: tuple[str, ...]


def parse_filters(texts: Sequence[str]) -> Filters:
    """stars=NUMBER, is-official[=BOOL], is-automated[=BOOL]; of several of a kind the last. Raises UsageError."""
    filters = Filters()
    for text in texts:
        key, equals, value = text.partition("=")
        if key == "stars":
            if not value.isdecimal():
                raise UsageError(
                    f"invalid argument '{text}' for '--filter': expected is stars=NUMBER"
                )
            filters = filters.replace(stars=int(value))
        elif key in ("is-official", "is-automated"):
            if equals and value not in ("true", "false"):
                raise UsageError(
                    f"invalid argument '{text}' for '--filter': expected is {key}=true or {key}=false"
                )
            filters = filters.replace(**{key.replace("-", "_"): value != "false"})
        else:
            raise UsageError(
                f"invalid argument '{text}' for '--filter': expected is one of stars, is-official, is-automated"
            )
    return filters


def search(
    engine: Engine, text: str, options: PullOptions, *, limit: int = MOST, filters: Filters
) -> list[Hit]:
    """Images that fit TERM or REGISTRY/TERM, at most `limit` of each registry, of which the filters may take away.

    A registry that fails is a warning when another one answers. Raises RegistryError, RegistryBlocked, UsageError.
    """
    registries, term = _places(engine, text)
    access = registry_access.access(engine, options)

    def one(registry: str, access: Access) -> list[Hit]:
        found = image_search.search(registry, term, limit, access)
        return [Hit(registry, _full_name(registry, each.name), each) for each in found]

    return [hit for hit in _everywhere(one, registries, access) if filters.match(hit.found)]


def tags(engine: Engine, text: str, options: PullOptions, *, limit: int = MOST) -> list[Tags]:
    """The first `limit` tags of a repository. Raises as `search`."""
    registries, term = _places(engine, text)
    access = registry_access.access(engine, options)

    def one(registry: str, access: Access) -> list[Tags]:
        parsed = references.parse(f"{registry}/{term}")
        if parsed.tag or parsed.digest:
            raise UsageError(f"'{text}' has a tag, and --list-tags lists those of a repository")
        reference = parsed.with_registry(parsed.registry or registry)
        listed = all_tags(reference, access, Silence())
        return [Tags(registry, reference.name, tuple(listed[:limit]))]

    return _everywhere(one, registries, access)


def _places(engine: Engine, text: str) -> tuple[tuple[str, ...], str]:
    """The registries to search, and what for."""
    first, slash, rest = text.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return (first,), rest
    registries = images.registries(engine).search
    if not registries:
        raise UsageError(
            "no registries are configured to search", hint=f"pod search {DEFAULT_REGISTRY}/{text}"
        )
    return registries, text


def _everywhere(
    one: Callable[[str, Access], list[T]], registries: Sequence[str], access: Access
) -> list[T]:
    """What `one` finds in each registry, several at a time, in their order."""
    from concurrent.futures import ThreadPoolExecutor  # heavy

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        futures = [pool.submit(one, registry, access) for registry in registries]
        results: list[T] = []
        errors: list[PodError] = []
        for future in futures:
            try:
                results += future.result()
            except PodError as error:
                errors.append(error)
    nobody = len(errors) == len(registries)
    for missed in errors[1:] if nobody else errors:
        log.warning(missed.message)
    if nobody:
        raise errors[0]
    return results


def _full_name(registry: str, name: str) -> str:
    """As one would pull it; Docker Hub's own images have no namespace in its answers."""
    if registry == DEFAULT_REGISTRY and "/" not in name:
        name = f"{_OFFICIAL}{name}"
    return f"{registry}/{name}"
