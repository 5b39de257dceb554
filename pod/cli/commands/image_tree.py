"""`pod image tree`: the layers of an image, drawn as a tree."""

from __future__ import annotations

from pod.cli import human
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.engine.image_tree import Node


def show_tree(arguments: Arguments, engine: Engine) -> None:
    from pod.engine import image_tree

    name = arguments.words[0]
    nodes: Sequence[Node]
    if arguments.flag("whatrequires"):
        image, top = image_tree.dependents(engine, name)
        # As podman draws it: what is directly upon the image stands beside its own layer.
        nodes = () if top is None else (top.replace(children=()), *top.children)
    else:
        image, nodes = image_tree.layers(engine, name)
    tags = " ".join(name for name in image.names if "@" not in name)
    print(f"Image ID: {image.id.partition(':')[2][:12]}")
    print(f"Tags:     [{tags}]")
    print(f"Size:     {_size(image.size)}")
    print("Image Layers" if nodes else "No Image Layers")
    for line in _lines(nodes, ""):
        print(line)


def _size(size_bytes: int) -> str:
    return human.size(size_bytes, digits=4, space=False)


def _lines(nodes: Sequence[Node], before: str) -> Iterator[str]:
    for number, node in enumerate(nodes, 1):
        is_last = number == len(nodes)
        names = f" Top Layer of: [{' '.join(node.names)}]" if node.names else ""
        branch = "└── " if is_last else "├── "
        yield f"{before}{branch}ID: {node.id[:12]} Size: {_size(node.size):>7}{names}"
        yield from _lines(node.children, before + ("    " if is_last else "│   "))


COMMAND = Command(
    show_tree,
    "[OPTIONS] IMAGE",
    description=(
        "Shows the layers of an image from the bottom up, with the images that end at each. Sizes are those of "
        "unpacked layers."
    ),
    options=(
        Option(("--whatrequires",), "flag", "Show what other images have put upon the image"),
    ),
    minimum=1,
    maximum=1,
    completes=("image",),
    examples=("pod image tree nginx", "pod image tree --whatrequires debian:12"),
)
