"""What the command line says about an image beyond its Dockerfile: --label, --env, --annotation and the like.

Source: podman-build(1). --env and --unsetlabel change what a stage begins with, the others what comes out in the end.
"""

from __future__ import annotations

from pod.base.version import VERSION
from pod.build import history
from pod.build.dockerfile import instructions as kinds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pod.build.dockerfile.parser import Dockerfile
    from pod.build.options import BuildOptions
    from pod.build.state import StageState

_IDENTITY = "io.pod.version"
_CREATED = "org.opencontainers.image.created"


def with_base(dockerfile: Dockerfile, options: BuildOptions) -> Dockerfile:
    """The Dockerfile with the image of --from in its first FROM."""
    if not options.base:
        return dockerfile
    found = list(dockerfile.instructions)
    for index, instruction in enumerate(found):
        if isinstance(instruction, kinds.From):
            found[index] = instruction.replace(image=options.base)
            break
    return dockerfile.replace(instructions=tuple(found))


def begun(config: Mapping[str, Any], options: BuildOptions) -> dict[str, Any]:
    """The configuration of a base image as a stage begins with it."""
    result = dict(config)
    if options.unset_labels or not options.inherit_labels:
        labels = result.pop("Labels", None) or {}
        if options.inherit_labels:
            kept = {key: labels[key] for key in labels if key not in options.unset_labels}
            result["Labels"] = kept
    if options.environment:
        variables = dict(entry.partition("=")[::2] for entry in result.get("Env") or ())
        for name, value in options.environment.items():
            if value is None:
                variables.pop(name, None)
            else:
                variables[name] = value
        result["Env"] = [f"{name}={value}" for name, value in variables.items()]
    return result


def finished(state: StageState, options: BuildOptions) -> StageState:
    """The state that becomes an image."""
    config = dict(state.config)
    labels = {**(config.get("Labels") or {}), **options.layer_labels, **options.labels}
    if options.identity_label:
        labels[_IDENTITY] = VERSION
    config["Labels"] = labels
    if options.unset_environment:
        config["Env"] = [
            entry
            for entry in config.get("Env") or ()
            if entry.partition("=")[0] not in options.unset_environment
        ]
    state = state.replace(config=config)
    for entry in history.of_labels(options.labels):
        state = history.added(state, entry)
    return state.replace(history=()) if options.omit_history else state


def in_document(document: dict[str, Any], options: BuildOptions) -> dict[str, Any]:
    """The configuration file of the image, with what it says of its operating system."""
    more: dict[str, Any] = {}
    if options.os_version:
        more["os.version"] = options.os_version
    if options.os_features:
        more["os.features"] = list(options.os_features)
    return {**document, **more}


def of_manifest(state: StageState, own: Mapping[str, str], options: BuildOptions) -> dict[str, str]:
    """Those of the manifest. `own` are those that a build adds of itself."""
    found = dict(state.annotations) if options.inherit_annotations else {}
    for key in options.unset_annotations:
        found.pop(key, None)
    found |= own
    if options.created_annotation:
        found[_CREATED] = state.created
    found.update(options.annotations)
    return found
