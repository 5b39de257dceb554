"""Searching a registry: by the search of version 1 of the API where it has one, else through its catalogue.

Source: docker's "Registry v1 API" (which Docker Hub, quay.io and others still answer for searches); the distribution
project's "Listing Repositories".
"""

from __future__ import annotations

from pod.base import log
from pod.base.records import Record
from pod.image import failures
from pod.image.http import HttpClient, failure_of
from pod.image.names import registry_endpoint
from pod.image.registry import Registry
from pod.spec.reference import DEFAULT_REGISTRY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pod.image.access import Access
    from pod.image.names import Endpoint

_HUB_SEARCH = "https://index.docker.io/v1/search"
_ANSWER_BYTES = 16 << 20
_MAX_PAGES = 1000
_CATALOG_SCOPE = "registry:catalog:*"


class FoundRepository(Record):
    """A repository in a registry; `name` is without the registry."""

    name: str
    description: str = ""
    stars: int = 0
    is_official: bool = False
    is_automated: bool = False


def search(registry: str, term: str, limit: int, access: Access) -> list[FoundRepository]:
    """At most `limit` repositories that fit `term`, in the registry's own order; all of them when it is empty.

    Raises RegistryError, RegistryBlocked.
    """
    endpoint = registry_endpoint(
        registry, access.registries, tls_verify=access.tls_verify, rewrite=True
    )
    http = HttpClient(access.settings, log.info)
    try:
        client = Registry(http, endpoint, access.credentials_for(endpoint))
        # Version 1 has no search for everything, and the catalogue is in no order of importance.
        found = _by_search(client, term, limit) if term else None
        return _by_catalog(client, term, limit) if found is None else found
    finally:
        http.close()


def _by_search(client: Registry, term: str, limit: int) -> list[FoundRepository] | None:
    """None when the registry has no such search."""
    import json
    from urllib.parse import urlencode

    endpoint = client.endpoint
    address = _HUB_SEARCH
    if endpoint.registry != DEFAULT_REGISTRY:
        address = client.root.removesuffix("v2/") + "v1/search"
    response = client.http.request(
        "GET",
        f"{address}?{urlencode({'q': term, 'n': limit})}",
        {"Accept": "application/json"},
        insecure=endpoint.insecure,
        names=(endpoint.registry, endpoint.host),
    )
    if response.status == 429:
        raise failure_of(response, endpoint.registry)
    data = response.read(_ANSWER_BYTES)
    if response.status != 200:
        log.debug(f"registry '{endpoint.registry}' has no search: status {response.status}")
        return None
    try:
        results = json.loads(data)["results"]
        return [_parsed(result) for result in results or []][:limit]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        log.debug(f"registry '{endpoint.registry}' has no search: its answer is something else")
        return None


def _parsed(result: Any) -> FoundRepository:
    stars = result.get("star_count") or 0
    return FoundRepository(
        str(result["name"]),
        str(result.get("description") or ""),
        stars if isinstance(stars, int) else 0,
        result.get("is_official") is True,
        result.get("is_automated") is True,
    )


def _by_catalog(client: Registry, term: str, limit: int) -> list[FoundRepository]:
    found: list[str] = []
    for name in _catalog(client):
        if term not in name:
            continue
        if name == term:
            found.insert(0, name)
        else:
            found.append(name)
        if len(found) == limit:
            break
    return [FoundRepository(name) for name in found]


def _catalog(client: Registry) -> Iterator[str]:
    """The names of all repositories, page by page."""
    endpoint = client.endpoint
    query = ""
    for _ in range(_MAX_PAGES):
        try:
            response = client.ask(f"{client.root}_catalog{query}", {}, _CATALOG_SCOPE)
        except failures.Unauthorized as error:
            raise failures.SearchRefused(endpoint.registry, client.user) from error
        if response.status in (404, 405):
            response.close()
            raise failures.NoSearch(endpoint.registry)
        if response.status != 200:
            raise failure_of(response, endpoint.registry)
        link = response.header("Link")
        names = _names_in(response.read(_ANSWER_BYTES), endpoint)
        yield from names
        following = _next_query(link)
        if not following or following == query or not names:
            return
        query = following


def _names_in(data: bytes, endpoint: Endpoint) -> list[str]:
    import json

    try:
        names = json.loads(data).get("repositories") or []
        return [name for name in names if isinstance(name, str)]
    except (ValueError, RecursionError, AttributeError, TypeError) as error:
        raise failures.UnexpectedAnswer(endpoint.registry, "its catalogue is none") from error


def _next_query(link: str) -> str:
    """The query of the next page in a Link header, RFC 8288: `</v2/_catalog?last=x&n=100>; rel="next"`."""
    target, _, rest = link.partition(">")
    if "rel" not in rest or "next" not in rest:
        return ""
    _, mark, query = target.partition("?")
    return mark + query
