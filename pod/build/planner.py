"""Which stages a build for one platform needs, and the steps that they have."""

from __future__ import annotations

from pod.base.records import Record
from pod.build.dockerfile.stages import Stages, find_stages
from pod.build.dockerfile.variables import platform_arguments
from pod.build.progress import Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from pod.build.dockerfile.instructions import Instruction
    from pod.build.dockerfile.parser import Dockerfile
    from pod.build.dockerfile.stages import Stage
    from pod.build.options import BuildOptions
    from pod.image.platform import Platform


class PlannedStage(Record):
    """A stage with its steps: that of FROM, then one for each instruction."""

    stage: Stage
    steps: tuple[Step, ...]
    platform: str
    is_left_out: bool = False
    """Whether none of its results may come from the cache."""

    @property
    def task(self) -> str:
        """The name of the task that builds it."""
        return f"stage {self.stage.number} for {self.platform}"


class Plan(Record):
    """The stages that the target needs, such that each comes after those that it needs itself."""

    stages: Stages
    needed: tuple[PlannedStage, ...]
    target: PlannedStage
    platform: Platform

    @property
    def steps(self) -> tuple[Step, ...]:
        """Of all stages that are needed, in the order of the Dockerfile."""
        steps = [step for planned in self.needed for step in planned.steps]
        return tuple(sorted(steps, key=lambda step: step.number))

    def planned(self, number: int) -> PlannedStage:
        """The stage with this number, which is needed."""
        return next(it for it in self.needed if it.stage.number == number)


def plan(
    dockerfile: Dockerfile,
    options: BuildOptions,
    platform: Platform,
    own: Platform,
    *,
    shows_platform: bool,
) -> Plan:
    """What has to be done for `platform` on a machine with the platform `own`. Raises DockerfileError."""
    stages = find_stages(
        dockerfile,
        options.arguments,
        platform_arguments(str(own), str(platform)),
        [context.name for context in options.contexts],
    )
    target = stages.target(options.target)
    needed = stages.needed(target) if options.skip_unused_stages else _all_below(stages, target)
    total = sum(1 + len(stage.instructions) for stage in needed)
    is_only_one = len(stages.stages) == 1
    numbers = _numbers(needed)
    left_out = {stages.target(name).number for name in options.no_cache_stages if name}
    planned = []
    for stage in needed:
        name = "" if is_only_one else stage.shown
        steps = [
            step_of(
                instruction,
                next(numbers[stage.number]),
                total,
                name,
                str(platform) * shows_platform,
            )
            for instruction in (stage.start, *stage.instructions)
        ]
        is_left_out = stage.number in left_out
        planned.append(PlannedStage(stage, tuple(steps), str(platform), is_left_out))
    return Plan(stages, tuple(planned), next(it for it in planned if it.stage is target), platform)


def step_of(instruction: Instruction, number: int, total: int, stage: str, platform: str) -> Step:
    """An instruction as it is shown."""
    place = instruction.place
    return Step(
        number=number,
        total=total,
        stage=stage,
        text=instruction.text,
        platform=platform,
        file=place.file,
        first_line=place.first,
        last_line=place.last,
        lines=place.lines,
    )


def _numbers(needed: list[Stage]) -> dict[int, Iterator[int]]:
    """The numbers of the steps of each stage: in the order of the Dockerfile, without gaps."""
    found: dict[int, Iterator[int]] = {}
    following = 1
    for stage in sorted(needed, key=lambda stage: stage.number):
        count = 1 + len(stage.instructions)
        found[stage.number] = iter(range(following, following + count))
        following += count
    return found


def _all_below(stages: Stages, target: Stage) -> list[Stage]:
    """With --skip-unused-stages=false: the target and every stage before it, and what these need."""
    found: dict[int, Stage] = {}
    for stage in stages.stages[: target.number + 1]:
        for needed in stages.needed(stage):
            found.setdefault(needed.number, needed)
    return list(found.values())
