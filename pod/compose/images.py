"""The images of a project: pulled or built before its containers are made."""

from __future__ import annotations

import os

from pod.base.errors import PodError
from pod.base.records import Record
from pod.compose import identity
from pod.compose.errors import ComposeError, FileError
from pod.compose.tree import text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from pod.build.options import BuildOptions
    from pod.build.progress import Progress as BuildProgress
    from pod.compose.project import Project
    from pod.engine.context import Engine
    from pod.engine.images import PullOptions

_POLICIES = {
    "always": "always",
    "missing": "missing",
    "if_not_present": "missing",
    "never": "never",
    "newer": "newer",
    "build": "build",
}
_DAY = 86_400_000_000_000  # nanoseconds


class ImageOptions(Record):
    """How images come. `build` builds all that can be, False none; None what is missing. `policy` is of --pull."""

    pull: PullOptions
    progress: Callable[[], BuildProgress]
    build: bool | None = None
    policy: str = ""
    no_cache: bool = False
    build_pull: bool = False
    arguments: Mapping[str, str] = {}


def provide(
    engine: Engine, project: Project, services: Iterable[str], options: ImageOptions
) -> dict[str, str]:
    """Have the images of these services; their ids by name. Raises FileError and what pulling and building raise."""
    found: dict[str, str] = {}
    for name in services:
        reference = identity.image_name(project, name)
        if reference not in found:
            found[reference] = _provide(engine, project, name, reference, options)
    return found


def present(engine: Engine, project: Project, services: Iterable[str]) -> dict[str, str]:
    """The ids of those images that are here, by name; "" for those that would have to come first."""
    from pod.engine import images

    found = {}
    for name in services:
        reference = identity.image_name(project, name)
        image = images.find_if_here(engine, reference)
        found[reference] = "" if image is None else image.id
    return found


def _provide(
    engine: Engine, project: Project, name: str, reference: str, options: ImageOptions
) -> str:
    from pod.engine import images

    service = project.service(name)
    policy, age_ns = policy_of(project, name)
    policy = options.policy or policy
    platform = str(service.get("platform") or "")
    here = images.find_if_here(engine, reference, platform)
    can_build = service.get("build") is not None
    wants_build = options.build or (options.build is None and policy == "build")
    if (
        can_build
        and options.build is not False
        and (wants_build or (here is None and policy in {"", "missing"}))
    ):
        build(engine, project, name, options)
        return images.find(engine, reference).id
    if here is not None and age_ns and _is_older(here, age_ns):
        policy = "always"
    if can_build and here is not None and policy in {"", "missing", "never"}:
        return str(here.id)
    if can_build and here is None and options.build is False:
        raise ComposeError(
            f"service '{name}': image '{reference}' is not here, and --no-build keeps it from being built",
            hint=f"pod compose build {name}",
        )
    chosen = policy if policy in {"always", "missing", "never", "newer"} else "missing"
    try:
        image = images.ensure(
            engine, reference, options.pull.replace(policy=chosen, platform=platform)
        )
    except FileError:
        raise
    except PodError as error:
        error.message = f"service '{name}': {error.message}"
        raise
    return str(image.id)


def policy_of(project: Project, name: str) -> tuple[str, int]:
    """`pull_policy`: one of the words above or "", and the age in nanoseconds after which an image is pulled anew."""
    from pod.base.units import parse_duration_ns

    service = project.service(name)
    text = service.get("pull_policy")
    if text is None:
        return "", 0
    if text in _POLICIES:
        return _POLICIES[text], 0
    if text in {"daily", "weekly"}:
        return "missing", _DAY if text == "daily" else 7 * _DAY
    if text == "refresh" or text.startswith("every_"):
        wanted = service.get("pull_refresh_after") if text == "refresh" else text[6:]
        if wanted:
            days, _, rest = str(wanted).partition("d") if "d" in str(wanted) else ("0", "", wanted)
            if days.isdecimal():
                return "missing", int(days) * _DAY + (parse_duration_ns(rest) if rest else 0)
    raise FileError(
        service.place_of("pull_policy"),
        ("services", name, "pull_policy"),
        f"'{text}' is none of {', '.join(_POLICIES)}, daily, weekly, every_DURATION",
    )


def _is_older(image: Any, age_ns: int) -> bool:
    import time

    return time.time_ns() - os.stat(image.blobs.path(image.digest)).st_mtime_ns > age_ns


def build(engine: Engine, project: Project, name: str, options: ImageOptions) -> str:
    """Build the image of a service; its id."""
    from pod.engine import build as building

    built = build_options(project, name, options)
    inline = (project.service(name).get("build") or {}).get("dockerfile_inline")
    progress = options.progress()
    try:
        if inline is None:
            return str(building.build(engine, built, progress).id)
        import tempfile

        with tempfile.NamedTemporaryFile("w", suffix=".Dockerfile", encoding="utf-8") as file:
            file.write(inline)
            file.flush()
            return str(building.build(engine, built.replace(files=(file.name,)), progress).id)
    except PodError as error:
        error.message = f"service '{name}': {error.message}"
        raise
    finally:
        progress.finish()


def build_options(project: Project, name: str, options: ImageOptions) -> BuildOptions:
    """What `pod build` would be asked for a service. Raises FileError."""
    from pod.build.options import BuildOptions, NamedContext, SecretSource
    from pod.image.names import name_for_new_image
    from pod.spec.reference import parse

    service = project.service(name)
    wanted = service["build"]
    references = [identity.image_name(project, name), *(wanted.get("tags") or ())]
    arguments = {
        key: project.variables.get(key, "") if text is None else text
        for key, text in (wanted.get("args") or {}).items()
        if text is not None or key in project.variables
    }
    context = wanted["context"]
    file = wanted.get("dockerfile")
    changes: dict[str, Any] = {}
    if file:
        is_local = os.path.isabs(context)
        changes["files"] = (os.path.join(context, file) if is_local else file,)
    if wanted.get("platforms") or service.get("platform"):
        changes["platforms"] = tuple(wanted.get("platforms") or [service["platform"]])
    named = []
    for key, value in (wanted.get("additional_contexts") or {}).items():
        kind, place = _context(project, value)
        named.append(NamedContext(key, kind, place))
    secrets = []
    for use in wanted.get("secrets") or ():
        secrets.append(_secret(project, name, use, SecretSource))
    for key, sentence in _UNBUILT.items():
        if wanted.get(key):
            from pod.compose.errors import Refused

            raise Refused(wanted.place_of(key), ("services", name, "build", key), sentence)
    return BuildOptions(
        context=context,
        tags=tuple(str(name_for_new_image(parse(text))) for text in references),
        arguments={**arguments, **options.arguments},
        labels=dict(wanted.get("labels") or {}),
        target=wanted.get("target", ""),
        use_cache=not (options.no_cache or wanted.get("no_cache") in {True, "true"}),
        pull="always" if options.build_pull or wanted.get("pull") in {True, "true"} else "missing",
        contexts=tuple(named),
        secrets=tuple(secrets),
        **changes,
    )


_UNBUILT = {
    "entitlements": "builds run without privileges",
    "isolation": "it belongs to Windows",
    "privileged": "builds run without privileges",
    "cache_from": "this version of pod does not read it yet from compose files; pod build --cache-from does",
    "cache_to": "this version of pod does not read it yet from compose files; pod build --cache-to does",
    "network": "this version of pod does not read it yet from compose files; pod build --network does",
    "shm_size": "this version of pod does not read it yet from compose files; pod build --shm-size does",
    "ssh": "this version of pod does not read it yet from compose files; pod build --ssh does",
    "ulimits": "this version of pod does not read it yet from compose files; pod build --ulimit does",
    "extra_hosts": "this version of pod does not read it yet from compose files; pod build --add-host does",
}


def _context(project: Project, value: str) -> tuple[Any, str]:
    if value.startswith("docker-image://"):
        return "image", value.removeprefix("docker-image://")
    if value.startswith("oci-layout://"):
        return "oci-layout", value.removeprefix("oci-layout://")
    if value.startswith("service:"):
        return "image", identity.image_name(project, value.removeprefix("service:"))
    if value.startswith(("http://", "https://")):
        return "git" if ".git" in value else "url", value
    if value.startswith(("git://", "ssh://", "git@")):
        return "git", value
    return "directory", value


def _secret(project: Project, name: str, use: Any, kind: Any) -> Any:
    resource = project.secrets[use["source"]]
    identifier = text_of(use.get("target") or use["source"])
    if "file" in resource:
        return kind(identifier, "file", resource["file"])
    if "environment" in resource:
        return kind(identifier, "env", resource["environment"])
    raise FileError(
        project.service(name)["build"].place_of("secrets"),
        ("services", name, "build", "secrets"),
        f"secret '{use['source']}' of a build comes from a file or a variable",
    )
