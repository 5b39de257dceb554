"""The image's defaults under what the user asked for: pure, done once, when a container is created.

Source: the OCI image specification, config.md, "Properties"; podman-run(1) for what replaces what.
"""

from __future__ import annotations

import posixpath

from pod.spec import environment
from pod.spec.mounts import Mount
from pod.spec.ports import parse_expose

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pod.spec.container import ContainerConfig
    from pod.spec.health import HealthConfig
    from pod.spec.oci import ExecutionConfig
    from pod.spec.ports import PortMapping

DEFAULT_STOP_SIGNAL = "SIGTERM"


def with_image_defaults(
    config: ContainerConfig, image: ExecutionConfig, defaults: Mapping[str, str]
) -> ContainerConfig:
    """`config` completed by the `config` object of an image configuration.

    An entry point of the user's also replaces the image's command. `defaults` are variables of the engine. Volumes of
    the image become mounts unless the user has mounted something there.
    """
    entrypoint, command = config.entrypoint, config.command
    if entrypoint is None:
        entrypoint = tuple(image.get("Entrypoint") or ())
        command = command or tuple(image.get("Cmd") or ())
    merged = environment.merge_environment(
        defaults,
        image.get("Env") or (),
        environment.image_environment(config.environment),
        merges=config.merged_environment,
        unset=config.unset_environment,
        unset_all=config.unset_all_environment,
    )
    return config.replace(
        entrypoint=entrypoint,
        command=command,
        environment=environment.as_entries(merged),
        working_directory=config.working_directory or image.get("WorkingDir") or "/",
        user=config.user or image.get("User") or "",
        stop_signal=config.stop_signal or image.get("StopSignal") or DEFAULT_STOP_SIGNAL,
        labels={**(image.get("Labels") or {}), **config.labels},
        health=_health(config, image),
        mounts=(*config.mounts, *_image_volumes(config, image.get("Volumes") or {})),
        networking=config.networking.replace(
            expose=_exposed(config.networking.expose, image.get("ExposedPorts") or {})
        ),
    )


def _health(config: ContainerConfig, image: ExecutionConfig) -> HealthConfig | None:
    of_image = image.get("Healthcheck")
    if config.health is None and not of_image:
        return None
    from pod.spec import health  # few containers have one

    return health.complete(config.health, of_image)


def _image_volumes(config: ContainerConfig, volumes: Iterable[str]) -> list[Mount]:
    if config.image_volumes == "ignore":
        return []
    taken = {mount.target for mount in config.mounts}
    kind = "tmpfs" if config.image_volumes == "tmpfs" else "volume"
    found = []
    for volume in volumes:
        target = posixpath.normpath(f"/{volume.strip('/')}")
        if target not in taken and target != "/":
            taken.add(target)
            found.append(
                Mount(
                    kind, target, options=("nosuid", "nodev"), origin=f"the image's volume {volume}"
                )
            )
    return found


def _exposed(asked: Iterable[PortMapping], image: Iterable[str]) -> tuple[PortMapping, ...]:
    return tuple(dict.fromkeys([*asked, *(parse_expose(text) for text in image)]))
