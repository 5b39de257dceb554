"""The stages of a build file: where each begins, what it is based on, and which others it needs.

Source: Dockerfile reference, "FROM", "COPY --from", "RUN --mount"; multi-stage builds. A stage may be used by stages
before it (`COPY --from`, `--mount from=`), as long as no two need each other; FROM looks only at those before it.
"""

from __future__ import annotations

from pod.base.records import Record
from pod.base.suggest import closest, did_you_mean
from pod.build.dockerfile import instructions as kinds
from pod.build.dockerfile.errors import DockerfileError
from pod.build.dockerfile.run_options import parse_mounts
from pod.build.dockerfile.substitute import Substitution
from pod.build.dockerfile.variables import Variables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pod.build.dockerfile.instructions import From, Instruction, Place
    from pod.build.dockerfile.parser import Dockerfile

SCRATCH = "scratch"
_MOST_SHOWN = 20  # stages in a hint


class Source(Record):
    """Where files come from: exactly one of a stage (its number), a build context or an image (their names)."""

    stage: int | None = None
    context: str = ""
    image: str = ""


class Stage(Record):
    """`base.image` may be "scratch". `platform` is "" for that of the target. `instructions` are those after FROM.

    With a build context of the stage's own name, `replaced_by` is that name, and the instructions are not for doing.
    """

    number: int
    name: str
    start: From
    base: Source
    platform: str
    instructions: tuple[Instruction, ...]
    replaced_by: str = ""

    @property
    def shown(self) -> str:
        """What it is called in messages: its name, or its number."""
        return self.name or str(self.number)


class Stages(Record):
    """All stages of a build file, for one platform. `inherited` are the values that an ARG without a default takes."""

    file: str
    escape: str
    stages: tuple[Stage, ...]
    given: Mapping[str, str]
    inherited: Mapping[str, str]
    contexts: frozenset[str]

    def target(self, name: str) -> Stage:
        """The stage with this name or number, the last one for "". Raises DockerfileError."""
        if not name:
            return self.stages[-1]
        number = self._number(name.lower())
        if number is None:
            ending = did_you_mean(name, [stage.name for stage in self.stages if stage.name])
            raise DockerfileError(
                None, f"'{self.file}' has no stage '{name}'{ending}", hint=self._choices()
            )
        return self.stages[number]

    def similar(self, name: str) -> str:
        """The name of a stage that may be meant by `name`, which is none; or ""."""
        return next(iter(closest(name, [stage.name for stage in self.stages if stage.name])), "")

    def source(self, name: str, place: Place) -> Source:
        """What `--from=name` means: a build context, a stage by name or number, else an image."""
        if name in self.contexts:
            return Source(context=name)
        number = self._number(name.lower())
        if number is not None:
            return Source(stage=number)
        if name.isdecimal():
            raise DockerfileError(
                place, f"there is no stage {name}: the last one is {len(self.stages) - 1}"
            )
        return Source(image=name)

    def variables(self, environment: Mapping[str, str]) -> Variables:
        """The variables at the beginning of a stage whose base has this environment."""
        return Variables(self.given, self.inherited, environment)

    def sources(self, stage: Stage) -> list[Source]:
        """What `stage` needs, in order and each once: its base, and the sources of its instructions.

        Triggers that an image brings along are not known here: `sources_of` has theirs.
        """
        if stage.replaced_by:
            return [Source(context=stage.replaced_by)]
        found = [stage.base]
        for source in self.sources_of([*self._triggers(stage), *stage.instructions]):
            if source not in found:
                found.append(source)
        return found

    def sources_of(self, instructions: list[Instruction]) -> Iterator[Source]:
        """The sources of instructions of one stage."""
        variables = self.variables({})
        for instruction in instructions:
            substitution = Substitution(variables.known(), self.escape)
            for name in names_of_sources(instruction, substitution):
                yield self.source(name, instruction.place)
            _follow(instruction, variables, substitution)

    def needed(self, target: Stage) -> list[Stage]:
        """`target` and what it needs, such that each comes after all that it needs itself.

        Raises DockerfileError when stages need each other.
        """
        done: dict[int, Stage] = {}
        path: list[int] = []

        def visit(stage: Stage) -> None:
            # By hand on a stack of its own: hundreds of stages are no reason for a RecursionError.
            stack = [(stage, iter(self.sources(stage)))]
            path.append(stage.number)
            while stack:
                current, sources = stack[-1]
                following = next((source for source in sources if source.stage is not None), None)
                if following is None:
                    stack.pop()
                    path.pop()
                    done[current.number] = current
                    continue
                number = following.stage
                assert number is not None
                if number in done:
                    continue
                if number in path:
                    circle = [*path[path.index(number) :], number]
                    names = " -> ".join(f"'{self.stages[each].shown}'" for each in circle)
                    raise DockerfileError(
                        self.stages[number].start.place, f"stages need each other: {names}"
                    )
                path.append(number)
                stack.append((self.stages[number], iter(self.sources(self.stages[number]))))

        visit(target)
        return list(done.values())

    def _choices(self) -> str:
        """What may be the target: all names, and the numbers of stages without one."""
        shown = [stage.shown for stage in self.stages]
        more = f" and {len(shown) - _MOST_SHOWN} more" if len(shown) > _MOST_SHOWN else ""
        kind = "its stages are" if len(shown) > 1 else "its only stage is"
        return f"{kind} {', '.join(shown[:_MOST_SHOWN])}{more}"

    def _number(self, name: str) -> int | None:
        for stage in reversed(self.stages):
            if stage.name and stage.name == name:
                return stage.number
        if name.isdecimal() and len(name) < 7 and int(name) < len(self.stages):
            return int(name)
        return None

    def _triggers(self, stage: Stage) -> list[Instruction]:
        """ONBUILD of the stage that this one is based on."""
        if stage.base.stage is None:
            return []
        return [
            instruction.instruction
            for instruction in self.stages[stage.base.stage].instructions
            if isinstance(instruction, kinds.OnBuild)
        ]


def find_stages(
    dockerfile: Dockerfile,
    given: Mapping[str, str],
    platform: Mapping[str, str],
    contexts: Collection[str] = (),
) -> Stages:
    """The stages of `dockerfile`, with --build-arg `given` and `platform` as of `variables.platform_arguments`.

    `contexts` are the names of --build-context. Raises DockerfileError.
    """
    escape = dockerfile.directives.escape
    inherited = dict(platform)
    for name in platform:
        if name in given:
            inherited[name] = given[name]
    stages: list[Stage] = []
    starts = [
        index
        for index, instruction in enumerate(dockerfile.instructions)
        if isinstance(instruction, kinds.From)
    ]
    for instruction in dockerfile.instructions[: starts[0]]:
        _global_arguments(instruction, given, inherited, escape)
    for number, (begin, end) in enumerate(
        zip(starts, [*starts[1:], len(dockerfile.instructions)], strict=True)
    ):
        start = dockerfile.instructions[begin]
        assert isinstance(start, kinds.From)
        expanded = Substitution(inherited, escape).instruction(start)
        if not expanded.image:
            raise DockerfileError(
                start.place,
                f"the image of FROM is empty: '{start.image}' has a variable without a value",
                hint="an ARG before the first FROM, with a default, or --build-arg NAME=VALUE",
            )
        stages.append(
            Stage(
                number=number,
                name=start.name,
                start=expanded,
                base=_base(expanded, stages, contexts),
                platform=expanded.platform,
                instructions=dockerfile.instructions[begin + 1 : end],
                replaced_by=start.name if start.name and start.name in contexts else "",
            )
        )
    return Stages(
        file=dockerfile.name,
        escape=escape,
        stages=tuple(stages),
        given=given,
        inherited=inherited,
        contexts=frozenset(contexts),
    )


def names_of_sources(instruction: Instruction, substitution: Substitution) -> list[str]:
    """What `--from` and `--mount from=` of an instruction name. Raises DockerfileError."""
    place = instruction.place
    if isinstance(instruction, kinds.Copy) and instruction.from_:
        name = substitution.text(instruction.from_, place)
        if not name:
            raise DockerfileError(place, f"--from={instruction.from_} is empty")
        return [name]
    if isinstance(instruction, kinds.Run) and instruction.mounts:
        mounts = parse_mounts(instruction, lambda text: substitution.text(text, place))
        return [mount.from_ for mount in mounts if mount.from_]
    return []


def _base(start: From, before: list[Stage], contexts: Collection[str]) -> Source:
    for stage in reversed(before):
        if stage.name and stage.name == start.image.lower():
            return Source(stage=stage.number)
    if start.image in contexts:
        return Source(context=start.image)
    return Source(image=start.image)


def _global_arguments(
    instruction: Instruction, given: Mapping[str, str], values: dict[str, str], escape: str
) -> None:
    assert isinstance(instruction, kinds.Arg)
    for pair in instruction.pairs:
        substitution = Substitution(values, escape)
        if pair.name in given:
            values[pair.name] = given[pair.name]
        elif pair.value is not None:
            values[pair.name] = substitution.text(pair.value, instruction.place)


def _follow(instruction: Instruction, variables: Variables, substitution: Substitution) -> None:
    """What an ARG or ENV does to the variables after it."""
    if not isinstance(instruction, kinds.Arg | kinds.Env):
        return
    for pair in substitution.instruction(instruction).pairs:
        if isinstance(instruction, kinds.Arg):
            variables.declare(pair.name, pair.value)
        else:
            variables.set(pair.name, pair.value or "")
