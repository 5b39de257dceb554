"""A build for one platform: stages as tasks, instructions one after the other, each from the cache or executed."""

from __future__ import annotations

from pod.base.errors import PodError
from pod.build import asked, effects, files, history, keys
from pod.build.cache import Cache
from pod.build.dockerfile import instructions as kinds
from pod.build.dockerfile.errors import DockerfileError
from pod.build.dockerfile.ignore import IgnoreRules
from pod.build.dockerfile.parser import parse_triggers
from pod.build.dockerfile.stages import SCRATCH
from pod.build.dockerfile.substitute import Substitution
from pod.build.failure import StepFailed, StepImpossible, StepRefused, place_of
from pod.build.planner import step_of
from pod.build.sources import ClosedSource
from pod.build.state import StageState
from pod.build.steps import copying

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from pod.build.contexts import BuildContext
    from pod.build.dockerfile.instructions import Instruction
    from pod.build.dockerfile.stages import Source
    from pod.build.dockerfile.variables import Variables
    from pod.build.host import Host
    from pod.build.options import BuildOptions
    from pod.build.planner import Plan, PlannedStage
    from pod.build.progress import Progress, Step
    from pod.build.tasks import Task, Tasks
    from storage.collect import Hold

    Steps = Generator[Any, Any, StageState]


class Builder:
    """Its parts are for the modules in `steps`.

    `hold` keeps what it uses from being collected; `triggers` gets what base images have in ONBUILD.
    """

    def __init__(
        self,
        host: Host,
        options: BuildOptions,
        progress: Progress,
        plan: Plan,
        context: BuildContext,
        hold: Hold,
        triggers: list[Instruction],
    ) -> None:
        self.host = host
        self.store = host.store
        self.options = options
        self.progress = progress
        self.plan = plan
        self.context = context
        self.hold = hold
        self.triggered = triggers
        self.nest = host.nest
        left_out = {step.number for it in plan.needed if it.is_left_out for step in it.steps}
        self.cache = Cache(host.store, options, progress, hold, frozenset(left_out))
        self.rules = IgnoreRules(context.ignored, context.ignore_name)
        self.told: set[str] = set()  # limits of which a warning was given
        self._described: dict[copying.Part, tuple[str, bool]] = {}

    def add_to(self, tasks: Tasks) -> None:
        """Begin all stages that are needed. What they have become is the result of the tasks."""
        self._tasks = tasks
        for planned in self.plan.needed:
            tasks.add(planned.task, self._stage(planned))

    def _stage(self, planned: PlannedStage) -> Steps:
        """The task of a stage."""
        state = yield from self._watched(planned.steps[0], self._begin(planned))
        variables = self.plan.stages.variables(effects.environment(state.config))
        state, triggers = self._triggers(planned, state)
        instructions = () if planned.stage.replaced_by else planned.stage.instructions
        doings = [*triggers, *zip(instructions, planned.steps[1:], strict=False)]
        for instruction, step in doings:
            doing = self._execute(step, state, instruction, variables)
            state = yield from self._watched(step, doing)
        return state

    def _watched(self, step: Step, doing: Steps) -> Steps:
        """What `doing` does, with its end told to whoever watches."""
        self.progress.start(step)
        try:
            return (yield from doing)
        except GeneratorExit:
            self.progress.cancelled(step)
            raise
        except DockerfileError as error:
            self.progress.failed(step, None, error.problem)
            raise
        except PodError as error:
            status = error.status if isinstance(error, StepFailed) else None
            self.progress.failed(step, status, error.message)
            if not step.first_line or error.message.startswith(place_of(step)):
                raise
            raise StepImpossible(step, error) from error
        except BrokenPipeError:
            raise  # nobody listens to us
        except OSError as error:
            refused = StepRefused(step, error)
            self.progress.failed(step, None, error.strerror or str(error))
            raise refused from error

    def _triggers(
        self, planned: PlannedStage, state: StageState
    ) -> tuple[StageState, list[tuple[Instruction, Step]]]:
        """The instructions that the base has from ONBUILD, which it has no more then."""
        triggers = tuple(state.config.get("OnBuild") or ())
        config = {key: it for key, it in state.config.items() if key != "OnBuild" and key[0] != "_"}
        instructions = parse_triggers(triggers, planned.stage.start.image)
        self.triggered += instructions
        first = planned.steps[0]
        steps = [
            step_of(it, first.number, first.total, first.stage, first.platform)
            for it in instructions
        ]
        if steps:
            self.progress.begin(steps)
        return state.replace(config=config), list(zip(instructions, steps, strict=True))

    # FROM

    def _begin(self, planned: PlannedStage) -> Steps:
        stage, plan = planned.stage, self.plan
        if stage.replaced_by:
            state = yield from self.context_state(stage.replaced_by)
        elif stage.base.stage is not None:
            state = yield plan.planned(stage.base.stage).task
        elif stage.base.context:
            state = yield from self.context_state(stage.base.context)
        elif stage.base.image == SCRATCH:
            state = StageState(
                files.FileSystem(keys.of("scratch", {"platform": str(plan.platform)})),
                config=asked.begun({"Env": [effects.DEFAULT_PATH]}, self.options),
                os=plan.platform.os,
                architecture=plan.platform.architecture,
                variant=plan.platform.variant,
            )
        else:
            platform = stage.platform or str(plan.platform)
            state = yield from self.image_state(stage.base.image, platform)
        self.progress.done(planned.steps[0])
        return state

    def image_state(self, name: str, platform: str) -> Steps:
        """What a stage is that has nothing but an image."""
        try:
            image = yield from self._once(
                f"image {name} for {platform}", self.host.image(name, platform)
            )
        except PodError as error:
            meant = self.plan.stages.similar(name)
            if meant:
                error.hint = f"did you mean the stage '{meant}'?"
            raise
        self.hold.add(*image.blob_digests, *image.diff_ids)
        document = image.config()
        system = files.FileSystem(
            key=keys.of("image", {"layers": keys.digest("\n".join(image.diff_ids))}),
            diff_ids=tuple(image.diff_ids),
            layers=tuple(image.layers),
        )
        return StageState(
            system,
            config=asked.begun(document.get("config") or {}, self.options),
            annotations=image.manifest().get("annotations") or {},
            history=tuple(document.get("history") or ()),
            os=document.get("os") or "linux",
            architecture=document.get("architecture") or "",
            variant=document.get("variant") or "",
            author=document.get("author") or "",
            base_name=image.names[0] if name not in image.names and image.names else name,
            base_digest=image.digest,
            created=document.get("created") or "",
        )

    def context_state(self, name: str) -> Steps:
        """As image_state, for a --build-context that is an image."""
        platform = str(self.plan.platform)
        image = yield from self._once(
            f"context {name} for {platform}", self.host.context_image(name, platform)
        )
        return (yield from self.image_state(image, platform))

    def context_directory(self, name: str) -> Generator[Any, Any, str]:
        """The directory of a --build-context; "" for one that is an image."""
        found: str = yield from self._once(f"files of {name}", self.host.context_directory(name))
        return found

    def _once(self, name: str, task: Task) -> Generator[Any, Any, Any]:
        """The result of `task`, which is done once for all stages of all platforms that want what has this `name`."""
        if not self._tasks.has(name):
            self._tasks.add(name, _attempt(task))
        result, error = yield name
        if error is not None:
            raise error
        return result

    def files_of(self, source: Source) -> Generator[Any, Any, files.FileSystem]:
        """The file system that `--from` means: that of a stage or of an image."""
        if source.stage is not None:
            state: StageState = yield self.plan.planned(source.stage).task
        elif source.context:
            state = yield from self.context_state(source.context)
        else:
            state = yield from self.image_state(source.image, str(self.plan.platform))
        return state.files

    def describe(self, part: copying.Part) -> tuple[str, bool]:
        """copying.describe of files of the host, once for all steps that take the same."""
        found = self._described.get(part)
        if found is None:
            try:
                found = copying.describe(part)
            except ClosedSource:
                # A container has left it here, as one of its users. Root of the id map, which copies, may read it.
                child = self.nest.start(lambda: copying.describe(part), what="read the context")
                found = child.result()
            self._described[part] = found
        return found

    # The other instructions

    def _execute(
        self, step: Step, state: StageState, given: Instruction, variables: Variables
    ) -> Steps:
        substitution = Substitution(variables.known(), self.plan.stages.escape)
        instruction = substitution.instruction(given)
        if isinstance(instruction, kinds.Run):
            from pod.build.steps import run

            return (yield from run.run(self, step, state, instruction, variables))
        if isinstance(instruction, kinds.Copy | kinds.Add):
            from pod.build.steps import copy

            assert isinstance(given, kinds.Copy | kinds.Add)
            return (yield from copy.copy(self, step, state, instruction, given))
        if isinstance(instruction, kinds.Arg):
            for pair in instruction.pairs:
                variables.declare(pair.name, pair.value)
        elif isinstance(instruction, kinds.Maintainer):
            state = state.replace(author=instruction.name)
        else:
            state = state.replace(config=effects.apply(state.config, instruction))
            if isinstance(instruction, kinds.Env):
                for pair in instruction.pairs:
                    variables.set(pair.name, pair.value or "")
        self.progress.done(step)
        return history.added(state, history.nothing_done(given, variables))


def _attempt(task: Task) -> Task:
    """What came of `task`, and what went wrong, which is an error of those who wanted it."""
    try:
        return (yield from task), None
    except (PodError, OSError) as error:
        return None, error
