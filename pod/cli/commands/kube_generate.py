"""`pod kube generate`: containers, pods and volumes as Kubernetes documents."""

from __future__ import annotations

import os
import sys

from pod.base.errors import PodError, UsageError
from pod.cli.declare import Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine


def generate(arguments: Arguments, engine: Engine) -> None:
    from pod.kube import generate as generating
    from pod.spec import yaml_text

    kind = arguments.text("type") or "pod"
    if kind not in generating.TYPES:
        raise UsageError(
            f"invalid argument '{kind}' for '--type': expected is one of {', '.join(generating.TYPES)}"
        )
    replicas = arguments.number("replicas")
    if replicas is not None and kind != "deployment":
        raise UsageError("--replicas needs --type deployment")
    options = generating.GenerateOptions(
        kind=kind,
        replicas=1 if replicas is None else replicas,
        service=arguments.flag("service"),
        podman_only=arguments.flag("podman_only"),
    )
    text = yaml_text.written(generating.documents(engine, arguments.words, options))
    path = arguments.text("filename")
    if path is None or path == "-":
        sys.stdout.write(text)
        return
    _write(path, text)


def _write(path: str, text: str) -> None:
    from pod.base import files

    if os.path.lexists(path):
        raise PodError(
            f"there is a file '{path}' already", hint=f"rm '{path}', or give another name"
        )
    try:
        files.write_atomic(path, text.encode(), mode=0o644)
    except OSError as error:
        raise PodError(
            f"file '{path}' of --filename cannot be written: {error.strerror}"
        ) from error


COMMAND = Command(
    generate,
    "[OPTIONS] CONTAINER|POD|VOLUME [CONTAINER|POD|VOLUME...]",
    description=(
        "Prints Kubernetes documents of containers, pods and volumes, which `pod kube play` makes the same of and a "
        "cluster accepts. Containers that are in no pod become one pod together."
    ),
    options=(
        Option(("-f", "--filename"), "text", "Write them into a new file", metavar="FILE", completes="file"),
        Option(("--podman-only",), "flag", "Add annotations for what Kubernetes has no field for"),
        Option(("-r", "--replicas"), "number", "How many pods a deployment has", metavar="N", lowest=0),
        Option(("-s", "--service"), "flag", "Add a Service with the published ports"),
        Option(("-t", "--type"), "text", "Kind of document: pod, deployment, daemonset, job", metavar="KIND"),
    ),
    minimum=1,
    maximum=None,
    completes=("container", "pod", "volume"),
    examples=("pod kube generate shop >shop.yaml", "pod kube generate --type deployment --service web"),
)  # fmt: skip
