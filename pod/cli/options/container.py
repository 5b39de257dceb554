"""The options of `run` and `create` together: what they declare, and the configuration that they make."""

from __future__ import annotations

import os
import sys

from pod.base.errors import UsageError
from pod.cli.declare import Option
from pod.cli.options import health, image, lifetime, limits, network, places, process, refused
from pod.engine.presets import container_preset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pod.cli.declare import Arguments
    from pod.engine.context import Engine
    from pod.spec.container import ContainerConfig
    from pod.spec.health import HealthConfig

OPTIONS = (
    *health.OPTIONS,
    *image.OPTIONS,
    *lifetime.OPTIONS,
    *limits.OPTIONS,
    *network.OPTIONS,
    *places.OPTIONS,
    *process.OPTIONS,
    *refused.OPTIONS,
    Option(
        ("--init-ctr",),
        "text",
        "Run to its end before the pod's other containers start: always, or once",
        metavar="KIND",
    ),
    Option(
        ("--pod",),
        "text",
        "Be part of this pod, or of a new one: new:NAME",
        metavar="POD",
        completes="pod",
    ),
    Option(
        ("--pod-id-file",),
        "text",
        "Be part of the pod whose id is in a file",
        metavar="FILE",
        completes="file",
        empty_is_none=True,
    ),
)
_IN_POD = ("pod", "pod_id_file", "init_ctr")


def read_container(arguments: Arguments, engine: Engine) -> ContainerConfig:
    """The configuration of a new container. What was typed comes before what containers.conf says.

    Everything is checked here, as far as it can be without looking for the image and other containers.
    """
    settings = engine.settings
    base = container_preset(settings)
    config = base.replace(
        **process.process_changes(arguments, settings, base),
        **places.place_changes(arguments, base),
        **limits.limit_changes(arguments, settings, base),
        **lifetime.lifetime_changes(arguments, base),
        health=_health(arguments),
        networking=network.networking_of(arguments, base.networking),
        command=tuple(arguments.words[1:]),
        create_command=("pod", *sys.argv[1:]),
        create_directory=working_directory(),
        platform=image.read_platform(arguments),
    )
    if unit := os.environ.get("PODMAN_SYSTEMD_UNIT"):
        config = config.replace(labels={**config.labels, "PODMAN_SYSTEMD_UNIT": unit})
    places.check_namespaces(arguments, config)
    lifetime.check_lifetime(arguments, config)
    if any(arguments.given(option) for option in _IN_POD):
        from pod.cli.options import pods

        config = pods.with_pod(arguments, engine, config)
    name = arguments.words[0]
    if not name:
        raise UsageError("the name of the image is empty")
    if arguments.flag("rootfs"):
        return config.replace(rootfs=_root_directory(arguments, name))
    return config.replace(image=name)


def working_directory() -> str:
    """Where the command was typed; "" where there is no such directory any more."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def _health(arguments: Arguments) -> HealthConfig | None:
    changes = health.read_health(arguments)
    return None if changes is None else changes.on(None)


def _root_directory(arguments: Arguments, path: str) -> str:
    """The directory that --rootfs takes in the image's place."""
    for name in ("pull", "platform", "arch", "os", "variant", "image_volume"):
        if arguments.given(name):
            raise UsageError(f"--rootfs excludes --{name.replace('_', '-')}: there is no image")
    directory, _, option = (
        path.rpartition(":") if path.endswith((":O", ":idmap")) else (path, "", "")
    )
    if option:
        from pod.base.errors import Unsupported

        raise Unsupported(
            f"option '{option}' of --rootfs", "the container uses the directory as it is"
        )
    if not os.path.isdir(directory):
        raise UsageError(f"'{directory}' of --rootfs is not a directory")
    return os.path.abspath(directory)
