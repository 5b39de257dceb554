"""The checks of a build file as warnings of `pod build`, and the whole of `pod build --check`."""

from __future__ import annotations

import os

from pod.base import log
from pod.base.errors import PodError
from pod.build.dockerfile.errors import quoted
from pod.build.dockerfile.ignore import IgnoreRules
from pod.build.dockerfile.lint import lint, parse_checks
from pod.build.dockerfile.parser import parse_triggers
from pod.build.dockerfile.stages import SCRATCH
from pod.build.dockerfile.variables import unused
from pod.build.effects import environment
from pod.engine import images

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from pod.build.contexts import BuildContext
    from pod.build.dockerfile.instructions import Instruction
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
) -> bool:
    """Tell `warn` what is doubtful; whether `check_arguments` is still to be called, when base images are here.

    Raises ChecksFailed for warnings after --check, or if they are to be errors.
    """
    checks = parse_checks(options.arguments.get(_CHECK_ARGUMENT) or dockerfile.directives.check)
    if options.quiet and not checks.error and not options.check:
        return False
    bases = _bases(engine, stages)
    warnings = lint(
        dockerfile,
        stages,
        checks=checks,
        rules=IgnoreRules(context.ignored, context.ignore_name),
        environments={number: environment(it) for number, it in bases.items() if it is not None},
    )
    for warning in warnings:
        warn(f"{warning}{quoted(warning.place)}" if options.check else str(warning))
    are_all_here = None not in bases.values()
    if are_all_here or options.check:
        triggers = [text for it in bases.values() if it for text in it.get("OnBuild") or ()]
        check_arguments(options, dockerfile, _readable(triggers), warn)
    if warnings and (options.check or checks.error):
        count = f"{len(warnings)} warnings" if len(warnings) > 1 else "a warning"
        raise ChecksFailed(f"'{dockerfile.name}' has {count}")
    return not are_all_here


def check_arguments(
    options: BuildOptions,
    dockerfile: Dockerfile,
    triggers: Iterable[Instruction],
    warn: Callable[[str], None],
) -> None:
    """Tell `warn` of --build-arg that nobody asks for, the `triggers` of base images included."""
    for name in unused(options.arguments, _declared([*dockerfile.instructions, *triggers])):
        warn(f"no ARG declares '{name}', which --build-arg gives")


def check_devices(options: BuildOptions) -> None:
    """Whether those of --device are there, also where no command is executed. Raises PodError."""
    for device in options.run.devices:
        if not device.cdi and not os.path.exists(device.source):
            raise PodError(
                f"device '{device.source}' of --device is not there", hint=f"ls -l {device.source}"
            )


def _bases(engine: Engine, stages: Stages) -> dict[int, Mapping[str, Any] | None]:
    """The configurations of base images by stage; None for those that are not here: none is fetched for a warning."""
    found: dict[int, Mapping[str, Any] | None] = {}
    for stage in stages.stages:
        name = stage.base.image
        if stage.base.context:
            found[stage.number] = None
        if not name or name == SCRATCH:
            continue
        try:
            image = images.find_if_here(engine, name)
            found[stage.number] = None if image is None else image.config().get("config") or {}
        except PodError:
            continue  # the build will say it
    return found


def _readable(triggers: list[str]) -> tuple[Instruction, ...]:
    try:
        return parse_triggers(tuple(triggers), "")
    except PodError:
        return ()  # the build will say it


def _declared(instructions: Iterable[Instruction]) -> set[str]:
    from pod.build.dockerfile.instructions import Arg, OnBuild

    names: set[str] = set()
    for instruction in instructions:
        inner = instruction.instruction if isinstance(instruction, OnBuild) else instruction
        if isinstance(inner, Arg):
            names |= {pair.name for pair in inner.pairs}
    return names
