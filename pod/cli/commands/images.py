"""`pod images`: list images."""

from __future__ import annotations

import time

from pod.base import log
from pod.base.errors import PodError, UsageError
from pod.base.times import rfc3339
from pod.cli import human
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.engine.image_list import Listed

_COLUMNS = ("Repository", "Tag", "ID", "Created", "Size")
_HEADINGS = {"ID": "IMAGE ID", "Id": "IMAGE ID", "ReadOnly": "R/O"}
_SORT_KEYS = ("created", "id", "repository", "size", "tag")
_SHORT = 12


def list_images(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import image_list

    if len(arguments.words) == 1 and arguments.flag("all"):
        raise UsageError(f"--all excludes a name, '{arguments.words[0]}'")
    found = image_list.all_images(engine, _filters(arguments, engine))
    form = arguments.text("format")
    if arguments.flag("quiet") and not form:
        ids = dict.fromkeys(_shown_id(it, arguments) for it in _sorted(arguments, found))
        print("".join(f"{image_id}\n" for image_id in ids), end="")
        return
    _print(arguments, engine, [(it, name) for it in found for name in (it.names or ("",))], form)


def _filters(arguments: Arguments, engine: Engine) -> Any:
    if not arguments.words and not arguments.given("filter"):
        return None
    from pod.engine.image_filters import Filters

    filters = Filters(engine, arguments.texts("filter"))
    if arguments.words:
        filters.add(engine, "reference", arguments.words[0])
    return filters


def _shown_id(it: Listed, arguments: Arguments) -> str:
    return it.image.id if arguments.flag("no_trunc") else it.image.id.partition(":")[2][:_SHORT]


def _sorted(arguments: Arguments, found: list[Listed]) -> list[Listed]:
    key = arguments.text("sort")
    if key == "id":
        return sorted(found, key=lambda it: it.image.id)
    if key == "size":
        return sorted(found, key=lambda it: it.image.size)
    return found


def _print(
    arguments: Arguments, engine: Engine, pairs: list[tuple[Listed, str]], form: str | None
) -> None:
    from pod.cli.output import Listing, show
    from pod.engine.image_list import split_name

    key = arguments.text("sort")
    keys: dict[str, Callable[[tuple[Listed, str]], Any]] = {
        "id": lambda pair: pair[0].image.id,
        "size": lambda pair: pair[0].image.size,
        "repository": lambda pair: split_name(pair[1])[0],
        "tag": lambda pair: split_name(pair[1])[1],
    }
    if key in keys:
        pairs = sorted(pairs, key=keys[key])
    columns = list(_COLUMNS)
    if arguments.flag("digests"):
        columns.insert(2, "Digest")
    if arguments.flag("history"):
        columns.append("History")
    counts = _Counts(engine)
    now = time.time_ns()
    rows = [_row(it, name, arguments, counts, now) for it, name in pairs]
    show(
        Listing(tuple(columns), _HEADINGS),
        rows,
        form,
        noheading=arguments.flag("noheading"),
        documents=lambda: [document(it, counts) for it, _ in pairs],
    )


class _Counts:
    """How many containers use each image; asked for only when it is shown."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._counts: Mapping[str, int] | None = None

    def of(self, image_id: str) -> int:
        if self._counts is None:
            from pod.engine.image_list import user_counts

            self._counts = user_counts(self._engine)
        return self._counts.get(image_id, 0)


def _row(
    it: Listed, name: str, arguments: Arguments, counts: _Counts, now: int
) -> Mapping[str, Any]:
    from pod.engine.image_list import repository_digests, split_name

    image = it.image
    repository, tag = split_name(name) if name else ("<none>", "<none>")
    digits = image.id.partition(":")[2]
    return {
        "Arch": image.architecture,
        "Containers": lambda: counts.of(image.id),
        "Created": lambda: human.ago(it.created_ns, now),
        "CreatedAt": lambda: human.go_time(it.created_ns),
        "CreatedSince": lambda: human.ago(it.created_ns, now),
        "CreatedTime": lambda: human.go_time(it.created_ns),
        "Dangling": not it.names,
        "Digest": image.digest,
        "History": ", ".join(reversed(image.names)),
        "ID": image.id if arguments.flag("no_trunc") else digits[:_SHORT],
        "Id": digits,
        "Labels": lambda: _labels(it),
        "Names": list(image.names),
        "Os": image.os,
        "Parent": "",
        "ParentId": "",
        "ReadOnly": False,
        "RepoDigests": lambda: repository_digests(image),
        "RepoTags": lambda: [one for one in image.names if "@" not in one],
        "Repository": repository,
        "SharedSize": 0,
        "Size": lambda: human.size(image.size),
        "Tag": tag,
        "User": lambda: (image.config().get("config") or {}).get("User") or "",
        "VirtualSize": lambda: human.size(image.size),
    }


def _labels(it: Listed) -> Mapping[str, str]:
    """None for a damaged image, which must not keep anybody from seeing the others."""
    from pod.engine.image_filters import labels_of

    try:
        return labels_of(it.image)
    except PodError as error:
        log.warning(f"the labels of image '{it.image.id}' cannot be read: {error.message}")
        return {}


def document(it: Listed, counts: _Counts) -> dict[str, Any]:
    """What `--format json` says about an image."""
    from pod.engine.image_list import repository_digests

    image = it.image
    return {
        "Id": image.id.partition(":")[2],
        "ParentId": "",
        "RepoTags": [name for name in image.names if "@" not in name],
        "RepoDigests": repository_digests(image),
        "Size": image.size,
        "SharedSize": 0,
        "VirtualSize": image.size,
        "Labels": dict(_labels(it)) or None,
        "Containers": counts.of(image.id),
        "Arch": image.architecture,
        "Os": image.os,
        "Dangling": not image.names,
        "Names": list(image.names),
        "Digest": image.digest,
        "History": list(reversed(image.names)),
        "Created": it.created_ns // 1_000_000_000,
        "CreatedAt": rfc3339(it.created_ns),
    }


COMMAND = Command(
    list_images,
    "[OPTIONS] [IMAGE]",
    description="Lists images, the youngest first, with a line for each name; of IMAGE alone when it is given.",
    options=(
        Option(
            ("--tree",),
            "flag",
            refused="`pod manifest inspect` shows the images of a list, `pod image tree` layers",
        ),
        Option(
            ("-a", "--all"), "flag", "Show all images; those that builds leave are none of pod's"
        ),
        Option(("--digests",), "flag", "Show the digests of the manifests"),
        Option(
            ("-f", "--filter"),
            "list",
            "Choose by what images are, such as dangling=true",
            metavar="KEY=VALUE",
        ),
        Option(("--format",), "text", "Show them as JSON, or by a Go template", metavar="FORMAT"),
        Option(("--history",), "flag", "Show all names of each image"),
        Option(("--no-trunc",), "flag", "Show whole ids"),
        Option(("-n", "--noheading"), "flag", "Show no headings"),
        Option(("-q", "--quiet"), "flag", "Show only ids"),
        Option(
            ("--sort",),
            "text",
            "Sort by this",
            metavar="KEY",
            default="created",
            choices=_SORT_KEYS,
        ),
    ),
    maximum=1,
    completes=("image",),
    examples=(
        "pod images",
        "pod images --filter dangling=true -q",
        "pod images --format '{{.Repository}}:{{.Tag}} {{.Size}}'",
    ),
)
