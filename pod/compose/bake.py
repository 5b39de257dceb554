"""What the services of a project build, as a file for `docker buildx bake`: `compose build --print`."""

from __future__ import annotations

from pod.compose.images import build_options
from pod.compose.tree import plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pod.compose.images import ImageOptions
    from pod.compose.project import Project

_SAME = {
    # key of the compose file: key of bake's, where the values have the same form
    "cache_from": "cache-from",
    "cache_to": "cache-to",
    "dockerfile_inline": "dockerfile-inline",
    "entitlements": "entitlements",
    "network": "network",
    "no_cache_filter": "no-cache-filter",
    "shm_size": "shm-size",
}


def document(
    project: Project, names: Sequence[str], options: ImageOptions, *, push: bool
) -> dict[str, Any]:
    """One target for each service, and a group of all. Raises FileError."""
    targets = {name: _target(project, name, options, push=push) for name in names}
    return {"group": {"default": {"targets": list(names)}}, "target": targets}


def _target(project: Project, name: str, options: ImageOptions, *, push: bool) -> dict[str, Any]:
    built = build_options(project, name, options)
    wanted = plain(project.service(name)["build"])
    found: dict[str, Any] = {
        "context": built.context,
        "dockerfile": wanted.get("dockerfile"),
        "args": dict(built.arguments),
        "labels": dict(built.labels),
        "tags": list(built.tags),
        "target": built.target,
        "platforms": list(built.platforms),
        "contexts": wanted.get("additional_contexts"),
        "extra-hosts": {
            host: ",".join(addresses)
            for host, addresses in (wanted.get("extra_hosts") or {}).items()
        },
        "secret": [
            f"id={it.id},{'env' if it.kind == 'env' else 'src'}={it.source}" for it in built.secrets
        ],
        "ssh": [f"{it.id}={','.join(it.paths)}" for it in built.ssh],
        "no-cache": not built.use_cache,
        "pull": built.pull == "always",
        "output": [f"type={'registry' if push else 'docker'}"],
    }
    found |= {other: wanted.get(key) for key, other in _SAME.items()}
    return {key: value for key, value in found.items() if value not in (None, "", False, [], {})}
