"""A project as one file in long forms, for `config`: what pod works with, and what another program can load again."""

from __future__ import annotations

from pod.compose import identity
from pod.compose.tree import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pod.compose.project import Project


def document(
    project: Project, *, resolve_env: bool = True, escape: bool = True, complete: bool = True
) -> dict[str, Any]:
    """The project as plain values, keys in order. With `escape` a dollar sign is doubled, as files have it.

    Unless it shall be `complete`, what follows from nothing being said is not there: the default network, names.
    """
    services = {
        name: _service(project, name, resolve_env=resolve_env, complete=complete)
        for name in sorted(project.services)
    }
    found: dict[str, Any] = {"name": project.name, "services": services}
    for kind in ("networks", "volumes", "secrets", "configs"):
        resources = {
            key: _resource(project, kind, key, complete=complete)
            for key in sorted(getattr(project, kind))
        }
        if (
            complete
            and kind == "networks"
            and _uses_default(project)
            and "default" not in resources
        ):
            resources["default"] = {"name": f"{project.name}_default"}
        if resources:
            found[kind] = resources
    if project.models:
        found["models"] = {key: plain(project.models[key]) for key in sorted(project.models)}
    found.update(plain(project.extensions))
    return _escaped(found) if escape else found


def text(value: Any, form: str) -> str:
    """As YAML or JSON."""
    if form == "json":
        import json

        return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    from pod.spec.yaml_text import written

    return written([value])


def _service(project: Project, name: str, *, resolve_env: bool, complete: bool) -> dict[str, Any]:
    service = plain(project.service(name))
    if resolve_env:
        environment = identity.environment(project, name)
        service.pop("env_file", None)
        service.pop("environment", None)
        if environment:
            service["environment"] = dict(sorted(environment.items()))
    networks = identity.networks_of(project, name)
    if networks and complete:
        service["networks"] = plain(networks)
    return {key: service[key] for key in sorted(service)}


def _resource(project: Project, kind: str, key: str, *, complete: bool) -> dict[str, Any]:
    found = plain(getattr(project, kind)[key])
    return {"name": project.name_of(kind, key), **found} if complete else found


def _uses_default(project: Project) -> bool:
    return any("default" in identity.networks_of(project, name) for name in project.services)


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: _escaped(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_escaped(inner) for inner in value]
    return value
