"""`pod search`: images in registries, and the tags of one."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli.declare import Command, Option
from pod.cli.options.image import REGISTRY_OPTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.engine.images import PullOptions
    from pod.engine.search import Hit

_COLUMNS = ("Name", "Description")
_COMPATIBLE = ("Name", "Description", "Stars", "Official", "Automated")
_SHORT = 44  # characters of a description
_YES = "[OK]"
_FIELDS = ("Index", "Name", "Description", "Stars", "Official", "Automated", "Tag")
_RETRY_OPTIONS = ("--retry", "--retry-delay")


def search(arguments: Arguments, engine: Engine) -> None:
    from pod.cli.output import Listing, show
    from pod.engine import search as engine_search

    limit = arguments.number("limit") or engine_search.MOST
    filters = engine_search.parse_filters(arguments.texts("filter"))
    if arguments.flag("list_tags"):
        if arguments.texts("filter"):
            raise UsageError("--filter and --list-tags exclude each other")
        _show_tags(arguments, engine, limit)
        return
    hits = engine_search.search(
        engine, arguments.words[0], _options(arguments), limit=limit, filters=filters
    )
    form = arguments.text("format")
    whole = arguments.flag("no_trunc")
    show(
        Listing(_COMPATIBLE if arguments.flag("compatible") else _COLUMNS),
        [_row(hit, whole=whole) for hit in hits],
        form,
        noheading=not hits and not form,
        documents=[_document(hit) for hit in hits],
    )


def _show_tags(arguments: Arguments, engine: Engine, limit: int) -> None:
    from pod.cli.output import Listing, show
    from pod.engine import search as engine_search

    found = engine_search.tags(engine, arguments.words[0], _options(arguments), limit=limit)
    rows = [
        {**dict.fromkeys(_FIELDS, ""), "Index": one.index, "Name": one.name, "Stars": 0, "Tag": tag}
        for one in found
        for tag in one.tags
    ]
    documents = [{"Name": one.name, "Tags": list(one.tags)} for one in found]
    show(Listing(("Name", "Tag")), rows, arguments.text("format"), documents=documents)


def _row(hit: Hit, *, whole: bool) -> dict[str, Any]:
    document = _document(hit)
    description = document["Description"]
    if not whole and len(description) > _SHORT:
        description = f"{description[:_SHORT]}..."
    return {
        **document,
        "Description": description,
        # docker's names
        "StarCount": hit.found.stars,
        "IsOfficial": document["Official"],
        "IsAutomated": document["Automated"],
    }


def _document(hit: Hit) -> dict[str, Any]:
    found = hit.found
    values = (
        hit.index,
        hit.name,
        found.description.replace("\n", " "),
        found.stars,
        _YES if found.is_official else "",
        _YES if found.is_automated else "",
        "",
    )
    return dict(zip(_FIELDS, values, strict=True))


def _options(arguments: Arguments) -> PullOptions:
    from pod.cli.options.image import read_credentials
    from pod.engine.images import PullOptions

    return PullOptions(
        authfile=arguments.text("authfile") or "",
        credentials=read_credentials(arguments),
        certificates=arguments.text("cert_dir") or "",
        tls_verify=arguments.flag("tls_verify") if arguments.given("tls_verify") else None,
    )


COMMAND = Command(
    search,
    "[OPTIONS] TERM",
    description=(
        "Searches registries for images whose names or descriptions fit TERM. REGISTRY/TERM searches one registry, "
        "TERM alone those that are searched for short names.\n\n"
        "A registry without a search is asked for its catalogue, from which the names that contain TERM are taken."
    ),
    options=(
        Option(("--compatible",), "flag", "Show stars, official and automated images, too"),
        Option(
            ("-f", "--filter"),
            "comma",
            "Show only what fits: stars=NUMBER, is-official, is-automated",
            metavar="FILTER",
        ),
        Option(("--format",), "text", "Show it as JSON, or by a Go template", metavar="FORMAT"),
        Option(
            ("--limit",),
            "number",
            "Show at most so many of each registry; 25 when not given",
            metavar="N",
            lowest=0,
        ),
        Option(("--list-tags",), "flag", "List the tags of the repository TERM"),
        Option(("--no-trunc",), "flag", "Show whole descriptions"),
        *(option for option in REGISTRY_OPTIONS if option.flags[-1] not in _RETRY_OPTIONS),
    ),
    minimum=1,
    maximum=1,
    examples=(
        "pod search nginx",
        "pod search --filter is-official --limit 5 docker.io/python",
        "pod search --list-tags registry.example.com/team/app",
    ),
)
