"""`pod kube down`: remove what `pod kube play` has made of documents."""

from __future__ import annotations

from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def take_down(arguments: Arguments, engine: Engine) -> int:
    from pod.cli.commands import kube_play

    texts = kube_play.read_texts(arguments.words)
    return kube_play.take_down(engine, texts, force=arguments.flag("force"))


COMMAND = Command(
    take_down,
    "[OPTIONS] FILE|ADDRESS|- [FILE|ADDRESS|-...]",
    description=(
        "Stops and removes the pods that Kubernetes documents describe, with their secrets. The volumes of "
        "PersistentVolumeClaims stay unless --force is given."
    ),
    options=(Option(("--force",), "flag", "Remove the volumes, too"),),
    minimum=1,
    maximum=None,
    completes=("file",),
    examples=("pod kube down shop.yaml", "pod kube down --force shop.yaml"),
)
