"""`pod history`: the layers of an image and how they came about."""

from __future__ import annotations

from pod.base.errors import UsageError
from pod.cli import human
from pod.cli.declare import Command, Option
from pod.cli.options.image import platform_in_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.engine.inspect_image import Step

_COLUMNS = ("ID", "Created", "CreatedBy", "Size", "Comment")
_MISSING = "<missing>"
_SHORT_COMMAND = 45


def show_history(arguments: Arguments, engine: Engine) -> None:
    from pod.cli.output import Listing, show
    from pod.engine.inspect_image import history

    form = arguments.text("format")
    if arguments.flag("quiet") and form:
        raise UsageError("--quiet and --format exclude each other")
    image, steps = history(engine, arguments.words[0], platform_in_list(arguments))
    whole = arguments.flag("no_trunc")
    digits = image.id.partition(":")[2]
    ids = [digits if whole else digits[:12], *[_MISSING] * (len(steps) - 1)]
    if arguments.flag("quiet"):
        print("".join(f"{one}\n" for one in ids[: len(steps)]), end="")
        return
    first = list(image.names)
    show(
        Listing(_COLUMNS),
        [
            _row(step, ids[number], [] if number else first, arguments)
            for number, step in enumerate(steps)
        ],
        form,
        documents=[
            _document(step, _MISSING if number else digits, [] if number else first)
            for number, step in enumerate(steps)
        ],
    )


def _row(step: Step, shown_id: str, tags: list[str], arguments: Arguments) -> dict[str, Any]:
    from pod.base.times import from_rfc3339

    is_human = arguments.flag("human")
    moment = from_rfc3339(step.created)
    since = human.ago(moment)
    command = step.created_by
    if not arguments.flag("no_trunc") and len(command) > _SHORT_COMMAND:
        command = f"{command[: _SHORT_COMMAND - 3]}..."
    return {
        "ID": shown_id,
        "Created": since if is_human else step.created,
        "CreatedAt": step.created,
        "CreatedBy": command,
        "CreatedSince": since,
        "CreatedTime": human.go_time(moment),
        "Size": human.size(step.size_bytes) if is_human else str(step.size_bytes),
        "Comment": step.comment,
        "Tags": tags,
    }


def _document(step: Step, shown_id: str, tags: list[str]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": shown_id,
        "created": step.created,
        "Created": step.created,
        "CreatedBy": step.created_by,
        "size": step.size_bytes,
        "comment": step.comment,
    }
    if tags:
        document["tags"] = tags
    return document


COMMAND = Command(
    show_history,
    "[OPTIONS] IMAGE",
    description=(
        "Shows the steps by which an image was made, the last one first. Sizes are those of unpacked layers; a step "
        "of 0 B has changed only the configuration."
    ),
    options=(
        Option(
            ("--platform",),
            "text",
            "Show the image for this platform, of a list of images",
            metavar="OS/ARCH[/VARIANT]",
        ),
        Option(("--format",), "text", "Show it as JSON, or by a Go template", metavar="FORMAT"),
        Option(("-H", "--human"), "flag", "Show sizes and ages for people", default=True),
        Option(("--no-trunc",), "flag", "Show whole ids and commands"),
        Option(("-q", "--quiet"), "flag", "Show only ids"),
    ),
    minimum=1,
    maximum=1,
    completes=("image",),
    examples=("pod history nginx", "pod history --no-trunc --format '{{.CreatedBy}}' nginx"),
)
