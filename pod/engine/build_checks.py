"""The checks of a build file as warnings of `pod build`, and the whole of `pod build --check`."""

from __future__ import annotations

import os

from pod.base import log
from pod.base.errors import PodError
from pod.build.dockerfile.errors import quoted
from pod.build.dockerfile.ignore import IgnoreRules
from pod.build.dockerfile.lint import lint, parse_checks
from pod.build.dockerfile.stages import SCRATCH
from pod.build.dockerfile.variables import unused
from pod.build.effects import environment
from pod.engine import images

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pod.build.contexts import BuildContext
    from pod.build.dockerfile.parser import Dockerfile
    from pod.build.dockerfile.stages import Stages
    from pod.build.options import BuildOptions
    from pod.engine.context import Engine

_CHECK_ARGUMENT = "BUILDKIT_DOCKERFILE_CHECK"


class ChecksFailed(PodError):
    """There are warnings, and they were to be errors; or --check has found some."""

    exit_status = 1


def check(
    engine: Engine,
    options: BuildOptions,
    dockerfile: Dockerfile,
    stages: Stages,
    context: BuildContext,
    warn: Callable[[str], None] = log.warning,
) -> None:
    """Tell `warn` what is doubtful. Raises ChecksFailed for warnings after --check, or if they are to be errors."""
    checks = parse_checks(options.arguments.get(_CHECK_ARGUMENT) or dockerfile.directives.check)
    if options.quiet and not checks.error and not options.check:
        return
    warnings = lint(
        dockerfile,
        stages,
        checks=checks,
        rules=IgnoreRules(context.ignored, context.ignore_name),
        environments=_environments(engine, stages),
    )
    for warning in warnings:
        warn(f"{warning}{quoted(warning.place)}" if options.check else str(warning))
    for name in unused(options.arguments, _declared(dockerfile)):
        warn(f"no ARG declares '{name}', which --build-arg gives")
    if warnings and (options.check or checks.error):
        count = f"{len(warnings)} warnings" if len(warnings) > 1 else "a warning"
        raise ChecksFailed(f"'{dockerfile.name}' has {count}")


def check_devices(options: BuildOptions) -> None:
    """Whether those of --device are there, also where no command is executed. Raises PodError."""
    for device in options.run.devices:
        if not device.cdi and not os.path.exists(device.source):
            raise PodError(
                f"device '{device.source}' of --device is not there", hint=f"ls -l {device.source}"
            )


def _environments(engine: Engine, stages: Stages) -> dict[int, Mapping[str, str]]:
    """Those of base images that are here already; none is fetched for a warning."""
    found: dict[int, Mapping[str, str]] = {}
    for stage in stages.stages:
        name = stage.base.image
        if not name or name == SCRATCH:
            continue
        try:
            image = images.find_if_here(engine, name)
            config = image.config().get("config") if image is not None else None
        except PodError:
            continue  # the build will say it
        if config is not None:
            found[stage.number] = environment(config)
    return found


def _declared(dockerfile: Dockerfile) -> set[str]:
    from pod.build.dockerfile.instructions import Arg, OnBuild

    names: set[str] = set()
    for instruction in dockerfile.instructions:
        inner = instruction.instruction if isinstance(instruction, OnBuild) else instruction
        if isinstance(inner, Arg):
            names |= {pair.name for pair in inner.pairs}
    return names
