"""`compose publish`: a project as an artifact of a registry, as docker compose makes it, so that both can read it.

What is published is one file: all files of the project merged, in long forms, with variables as they are written. What
only this machine has is refused rather than published without.
"""

from __future__ import annotations

import os

from pod.compose.errors import FileError, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from pod.compose.project import Project
    from pod.engine.context import Engine
    from pod.engine.images import PullOptions

CONFIG_TYPE = "application/vnd.docker.compose.config.empty.v1+json"
ARTIFACT_TYPE = "application/vnd.docker.compose.project"
FILE_TYPE = "application/vnd.docker.compose.file+yaml"
ENV_TYPE = "application/vnd.docker.compose.envfile"
FILE = "com.docker.compose.file"
ENV = "com.docker.compose.envfile"


def check(project: Project, *, with_environment: bool, yes: bool) -> None:
    """Raise FileError for what somebody else could not use, or might not be meant to see."""
    for name in project.services:
        service = project.service(name)
        if "image" not in service:
            raise FileError(
                service.place_of("build"), ("services", name), "it has no image that others can pull",
                hint="image: REGISTRY/NAME, and pod compose build",
            )  # fmt: skip
        if service.get("env_file") and not with_environment:
            raise Refused(
                service.place_of("env_file"), ("services", name, "env_file"),
                "what is in these files may be secret; --with-env publishes them",
            )  # fmt: skip
        for index, mount in enumerate(service.get("volumes") or ()):
            if mount["type"] == "bind" and not yes:
                raise Refused(
                    service.place_of("volumes"), ("services", name, "volumes", index),
                    f"'{mount['source']}' is only on this machine; --yes publishes the project nevertheless",
                )  # fmt: skip
    for kind in ("secrets", "configs"):
        for key, resource in getattr(project, kind).items():
            if "file" in resource and not yes:
                raise Refused(
                    resource.place_of("file"), (kind, key, "file"),
                    f"'{resource['file']}' is only on this machine; --yes publishes the project nevertheless",
                )  # fmt: skip


def publish(
    engine: Engine,
    project: Project,
    name: str,
    options: PullOptions,
    *,
    digests: Mapping[str, str],
    oci_version: str = "1.1",
) -> str:
    """Publish a project that was checked and loaded without filling in variables; the digest of the artifact.

    `digests` pin images: by service. Version 1.0 of OCI has no types of artifacts, so that of the configuration tells.
    """
    import tempfile

    from pod.base.version import VERSION
    from pod.compose import canonical
    from pod.engine import artifacts

    document = canonical.document(project, resolve_env=False, escape=False)
    environment = _files_of(project, document)
    _make_relative(document, f"{project.directory}/")
    for service, image in digests.items():
        document["services"][service]["image"] = image
    for service in document["services"].values():
        service.pop("build", None)
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/compose.yaml"
        with open(path, "w", encoding="utf-8") as file:
            file.write(canonical.text(document, "yaml"))
        version = {"com.docker.compose.version": VERSION}
        parts = [(path, FILE_TYPE, {**version, FILE: "compose.yaml"})]
        parts += [(file, ENV_TYPE, {**version, ENV: short}) for file, short in environment]
        return artifacts.publish(
            engine,
            name,
            parts,
            ARTIFACT_TYPE,
            options,
            config_type="" if oci_version == "1.1" else CONFIG_TYPE,
        )


def _files_of(project: Project, document: dict[str, Any]) -> Sequence[tuple[str, str]]:
    """The env_files of services, each with the name by which the document calls it from now on."""
    found: dict[str, str] = {}
    for service in document["services"].values():
        for entry in service.get("env_file") or ():
            path = entry["path"]
            if not os.path.isfile(path):
                continue
            if path not in found:
                name = os.path.basename(path)
                found[path] = name if name not in found.values() else f"{len(found)}-{name}"
            entry["path"] = found[path]
    return list(found.items())


def _make_relative(value: Any, directory: str) -> None:
    """Paths below the directory of the project are relative to it again: nobody else has it in the same place."""
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        if isinstance(inner, str) and inner.startswith(directory):
            value[key] = f"./{inner.removeprefix(directory)}"
        elif isinstance(inner, (dict, list)):
            _make_relative(inner, directory)


def pinned(engine: Engine, project: Project) -> dict[str, str]:
    """Service -> its image with the digest that it has here. Raises ImageNotFound."""
    from pod.compose import identity, lockfile

    names = [name for name in sorted(project.services) if project.service(name).get("image")]
    digests = lockfile.digests(engine, project, names)
    found = {}
    for name in names:
        reference = identity.image_name(project, name)
        found[name] = reference if "@" in reference else f"{reference}@{digests[reference]}"
    return found
