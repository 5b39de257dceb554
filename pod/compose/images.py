"""The images of a project: pulled or built before its containers are made."""

from __future__ import annotations

import os
import re

from pod.base.errors import PodError
from pod.base.records import Record
from pod.compose import identity
from pod.compose.errors import ComposeError, FileError
from pod.compose.tree import text_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from pod.build.options import BuildOptions, SshSource
    from pod.build.progress import Progress as BuildProgress
    from pod.compose.project import Project
    from pod.engine.context import Engine
    from pod.engine.images import PullOptions
    from pod.spec.container import ContainerConfig

BUILD, HERE = "build", "here"
_POLICIES = {
    "always": "always",
    "missing": "missing",
    "if_not_present": "missing",
    "never": "never",
    "build": "build",
}
_SECOND = 1_000_000_000
_UNITS = {  # nanoseconds
    "s": _SECOND, "m": 60 * _SECOND, "h": 3600 * _SECOND, "d": 86_400 * _SECOND, "w": 604_800 * _SECOND,
}  # fmt: skip
_LENGTH = re.compile(r"([0-9]+)([wdhms])")


class ImageOptions(Record):
    """How images come. `build` builds all that can be, False none; None what is missing. `policy` is of --pull."""

    pull: PullOptions
    progress: Callable[[], BuildProgress]
    build: bool | None = None
    policy: str = ""
    no_cache: bool = False
    build_pull: bool = False
    arguments: Mapping[str, str] = {}
    ssh: tuple[SshSource, ...] = ()
    memory: str = ""
    check: bool = False
    """Builds nothing, and raises ChecksFailed for a Dockerfile with something doubtful."""


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

    way, here = way_of(engine, project, name, options)
    if way == BUILD:
        build(engine, project, name, options)
        return images.find(engine, reference).id
    if way == HERE:
        return str(here.id)
    platform = str(project.service(name).get("platform") or "")
    try:
        image = images.ensure(
            engine, reference, options.pull.replace(policy=way, platform=platform)
        )
    except FileError:
        raise
    except PodError as error:
        error.message = f"service '{name}': {error.message}"
        raise
    return str(image.id)


def way_of(engine: Engine, project: Project, name: str, options: ImageOptions) -> tuple[str, Any]:
    """How the image of a service comes: BUILD, HERE, or the policy by which it is pulled; and the one that is here.

    Raises FileError, and ComposeError where it cannot come.
    """
    from pod.engine import images

    service = project.service(name)
    reference = identity.image_name(project, name)
    policy, age_ns = policy_of(project, name)
    policy = options.policy or policy
    here = images.find_if_here(engine, reference, str(service.get("platform") or ""))
    can_build = service.get("build") is not None
    wants_build = options.build or (options.build is None and policy == "build")
    if (
        can_build
        and options.build is not False
        and (wants_build or (here is None and policy in {"", "missing"}))
    ):
        return BUILD, here
    if here is not None and age_ns and _is_older(here, age_ns):
        policy = "always"
    if can_build and here is not None and policy in {"", "missing", "never"}:
        return HERE, here
    if can_build and here is None and options.build is False:
        raise ComposeError(
            f"service '{name}': image '{reference}' is not here, and --no-build keeps it from being built",
            hint=f"pod compose build {name}",
        )
    return (policy if policy in {"always", "missing", "never", "newer"} else "missing"), here


def pull(engine: Engine, project: Project, name: str, options: ImageOptions) -> None:
    """Pull the image of a service as the policy of `options` says. Raises what pulling raises."""
    from pod.engine import images

    platform = str(project.service(name).get("platform") or "")
    wanted = options.pull.replace(policy=options.policy, platform=platform)
    images.ensure(engine, identity.image_name(project, name), wanted)


def policy_of(project: Project, name: str) -> tuple[str, int]:
    """`pull_policy`: one of the words above or "", and the age in nanoseconds after which an image is pulled anew.

    Raises FileError.
    """
    service = project.service(name)
    text = service.get("pull_policy")
    if text is None:
        return "", 0
    if text in _POLICIES:
        return _POLICIES[text], 0
    wanted = {"daily": "1d", "weekly": "1w", "refresh": str(service.get("pull_refresh_after", ""))}
    length = wanted.get(text, text.removeprefix("every_"))
    parts = _LENGTH.findall(length)
    if not parts or "".join(number + unit for number, unit in parts) != length:
        key = "pull_refresh_after" if text == "refresh" else "pull_policy"
        raise FileError(
            service.place_of(key),
            ("services", name, key),
            f"'{length}' is not a time such as 12h, 3d or 1w",
        )
    return "missing", sum(int(number) * _UNITS[unit] for number, unit in parts)


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
        no_cache_stages=tuple(_listed(wanted.get("no_cache_filter"))),
        run=_run_options(project, name, options.memory),
        check=options.check,
        **_parsed(project, name, wanted, options.ssh),
        **changes,
    )


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def _parsed(project: Project, name: str, wanted: Any, ssh: Sequence[SshSource]) -> dict[str, Any]:
    """What has a grammar of its own: ssh, cache_from, cache_to. Raises FileError."""
    from pod.build import option_grammar as grammar
    from pod.compose.reading import Reading

    reading = Reading(project, name, project.service(name))
    found: dict[str, Any] = {}
    for key, parse in (
        ("cache_from", grammar.parse_cache_from),
        ("cache_to", grammar.parse_cache_to),
    ):
        if wanted.get(key):
            found[key] = tuple(
                reading.at(("build", key), parse, text) for text in _listed(wanted[key])
            )
    if ssh:
        found["ssh"] = tuple(ssh)
    elif wanted.get("ssh"):
        texts = [key if value is None else f"{key}={value}" for key, value in wanted["ssh"].items()]
        found["ssh"] = tuple(
            reading.at(("build", "ssh"), grammar.parse_ssh, text, project.variables)
            for text in texts
        )
    return found


def _run_options(project: Project, name: str, memory: str) -> ContainerConfig:
    """What the commands of a build get: network, hosts, /dev/shm, limits. Raises FileError."""
    from pod.compose.reading import Reading
    from pod.compose.service import parse_ulimits_of
    from pod.spec import hosts, namespace_option
    from pod.spec.container import ContainerConfig, Networking

    reading = Reading(project, name, project.service(name))
    wanted = project.service(name)["build"]
    changes: dict[str, Any] = {}
    networking: dict[str, Any] = {}
    if wanted.get("network"):
        key = wanted["network"]
        text = project.name_of("networks", key) if key in project.networks else key
        networking["network"] = reading.at(
            ("build", "network"), namespace_option.parse_network, text
        )
    if wanted.get("extra_hosts"):
        networking["hosts"] = tuple(
            reading.at(("build", "extra_hosts"), hosts.parse_added_host, f"{host}:{address}")
            for host, addresses in wanted["extra_hosts"].items()
            for address in addresses
        )
    if memory:
        from pod.spec.resource_options import parse_resources

        changes["resources"] = parse_resources(memory=memory)
    if networking:
        changes["networking"] = Networking(**networking)
    if wanted.get("shm_size"):
        from pod.base.units import parse_size

        changes["shm_size"] = reading.at(
            ("build", "shm_size"), parse_size, text_of(wanted["shm_size"])
        )
    if wanted.get("ulimits"):
        changes["ulimits"] = reading.at(("build", "ulimits"), parse_ulimits_of, wanted["ulimits"])
    return ContainerConfig(**changes)


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
