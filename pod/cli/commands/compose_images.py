"""`pod compose images`: list the images that the containers of a project are made from."""

from __future__ import annotations

from pod.cli.declare import Command, Option
from pod.cli.options import compose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def list_images(arguments: Arguments, engine: Engine) -> None:
    from pod.cli import human
    from pod.cli.output import Listing, show

    _, _, found = compose.chosen_members(arguments, engine)
    if arguments.flag("quiet"):
        numbers = dict.fromkeys(member.image_id.rpartition(":")[2] for member in found)
        print("".join(f"{number}\n" for number in numbers), end="")
        return
    known = {image.id: image for image in engine.store.images.list()}
    rows = []
    for member in found:
        image = known.get(member.image_id)
        name = str(member.listed.config.get("image", ""))
        repository, _, tag = (
            name.rpartition(":") if ":" in name.rpartition("/")[2] else (name, "", "")
        )
        rows.append(
            {
                "Container": member.name,
                "Repository": repository,
                "Tag": tag or "<none>",
                "Platform": image.platform if image else "",
                "ID": member.image_id.rpartition(":")[2][:12],
                "Size": human.size(image.size) if image else "",
            }
        )
    form = arguments.text("format")
    columns = ("Container", "Repository", "Tag", "Platform", "ID", "Size")
    listing = Listing(columns, {"ID": "IMAGE ID"})
    show(listing, rows, None if form == "table" else form, documents=lambda: rows)


COMMAND = Command(
    list_images,
    "[OPTIONS] [SERVICE...]",
    description="Lists the containers of the services with the images that they are made from.",
    options=(
        Option(("--format",), "text", "Show it as table, json, or by a template of Go", metavar="FORMAT"),
        Option(("-q", "--quiet"), "flag", "Show ids of images only"),
    ),
    maximum=None,
    completes=("service",),
    examples=("pod compose images", "pod compose images --quiet web"),
)  # fmt: skip
