"""`pod system df`: how much disk space is used."""

from __future__ import annotations

import time

from pod.cli import human
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.build_cache import Entry
    from pod.engine.context import Engine
    from pod.engine.df import ContainerUsage, DiskUsage, ImageUsage, Row

_SHORT = 12
_COLUMNS = ("Type", "Total", "Active", "Size", "Reclaimable")
_IMAGES = (
    "Repository",
    "Tag",
    "ImageID",
    "Created",
    "Size",
    "SharedSize",
    "UniqueSize",
    "Containers",
)
_CONTAINERS = (
    "ContainerID",
    "Image",
    "Command",
    "LocalVolumes",
    "Size",
    "Created",
    "Status",
    "Names",
)
_VOLUMES = ("VolumeName", "Links", "Size")
_CACHE = ("CacheID", "CacheType", "Size", "Created", "LastUsed", "Shared", "Why")
_LEFTOVERS = ("Size", "Path", "Why")


def show_usage(arguments: Arguments, engine: Engine) -> None:
    from pod.cli.output import Listing, show
    from pod.engine.df import measure

    usage = measure(engine)
    form = arguments.text("format")
    if arguments.flag("verbose"):
        _show_all(usage, form)
        return
    rows = usage.rows()
    show(
        Listing(_COLUMNS),
        [_row(row) for row in rows],
        form,
        documents=lambda: [_row(row) for row in rows],
    )


def _size(size_bytes: int) -> str:
    return human.size(size_bytes, digits=4, space=False)


def _row(row: Row) -> dict[str, Any]:
    share = round(100 * row.reclaimable_bytes / row.bytes) if row.bytes else 0
    return {
        "Type": row.kind,
        "Total": row.total,
        "TotalCount": row.total,  # docker's name
        "Active": row.active,
        "Size": _size(row.bytes),
        "Reclaimable": f"{_size(row.reclaimable_bytes)} ({share}%)",
        "RawSize": row.bytes,
        "RawReclaimable": row.reclaimable_bytes,
    }


def _show_all(usage: DiskUsage, form: str | None) -> None:
    from pod.cli.output import Listing, align, is_json, json_text, render, show_document, write

    tables = {
        "Images": (_IMAGES, [row for it in usage.images for row in _image_rows(it)]),
        "Containers": (_CONTAINERS, [_container_row(it) for it in usage.containers]),
        "Volumes": (
            _VOLUMES,
            [
                {"VolumeName": it.name, "Links": it.links, "Size": _size(it.bytes)}
                for it in usage.volumes
            ],
        ),
        "BuildCache": (_CACHE, [_cache_row(it) for it in usage.cache]),
        "PartialDownloads": (
            _LEFTOVERS,
            [
                {"Size": _size(size), "Path": path, "Why": "it is not complete yet"}
                for path, size in usage.partials
            ],
        ),
        "Garbage": (
            _LEFTOVERS,
            [{"Size": _size(size), "Path": it.path, "Why": it.what} for it, size in usage.garbage],
        ),
    }
    documents = {name: rows for name, (_, rows) in tables.items()}
    if form and is_json(form):
        write(json_text(documents))
        return
    if form:
        show_document(documents, form)
        return
    headings = {
        "Images": "Images",
        "Containers": "Containers",
        "Volumes": "Local Volumes",
        "BuildCache": "Build Cache",
        "PartialDownloads": "Partial Downloads",
        "Garbage": "Garbage",
    }
    parts = []
    for name, (columns, rows) in tables.items():
        if not rows and name in ("BuildCache", "PartialDownloads", "Garbage"):
            continue
        parts.append(f"{headings[name]} space usage:\n\n{render(Listing(columns), rows)}")
    parts.append(align([["Metadata space usage:", _size(usage.metadata_bytes)]]))
    write("\n".join(parts))


def _image_rows(it: ImageUsage) -> list[dict[str, Any]]:
    from pod.base.times import from_rfc3339
    from pod.engine.image_list import split_name

    rows = []
    for name in it.image.names or ("",):
        repository, tag = split_name(name) if name else ("<none>", "<none>")
        rows.append(
            {
                "Repository": repository,
                "Tag": tag,
                "ImageID": it.image.id.partition(":")[2][:_SHORT],
                "Created": human.ago(from_rfc3339(it.image.created)),
                "Size": _size(it.bytes),
                "SharedSize": _size(it.shared_bytes),
                "UniqueSize": _size(it.bytes - it.shared_bytes),
                "Containers": it.containers,
            }
        )
    return rows


def _cache_row(it: Entry) -> dict[str, Any]:
    """`Why` says what the entry is of: an instruction, or the place of a cache mount."""
    return {
        "CacheID": it.id[:_SHORT],
        "CacheType": it.kind,
        "Size": _size(it.bytes),
        "Created": human.ago(it.created_ns),
        "LastUsed": human.ago(it.used_ns),
        "Shared": it.is_shared,
        "Why": it.text,
    }


def _container_row(it: ContainerUsage) -> dict[str, Any]:
    summary = it.listed.summary
    words = [*(it.listed.config.get("entrypoint") or ()), *it.listed.config.get("command", ())]
    return {
        "ContainerID": summary.id[:_SHORT],
        "Image": it.listed.config.get("image", ""),
        "Command": " ".join(words),
        "LocalVolumes": len(it.listed.config.get("volumes", ())),
        "Size": _size(it.bytes),
        "Created": human.ago(summary.created_ns, time.time_ns()),
        "Status": it.listed.state,
        "Names": summary.name,
    }


COMMAND = Command(
    show_usage,
    "[OPTIONS]",
    description=(
        "Shows where the disk space below pod's root directory goes. Sizes are those on the disk, as du counts "
        "them, and their sum is that of the directory. Of an image that is both the blobs as they were pulled and "
        "the files."
    ),
    options=(
        Option(("--format",), "text", "Show it as JSON, or by a Go template", metavar="FORMAT"),
        Option(
            ("-v", "--verbose"),
            "flag",
            "Show every image, container, volume and entry of the build cache",
        ),
    ),
    examples=("pod system df", "pod system df --verbose"),
)
