"""The checks that BuildKit documents, as warnings: what is allowed in a build file, and probably not meant.

`# check=skip=RULE,RULE;error=true;experimental=all` in the file chooses among them, and makes errors of them. Source:
Dockerfile reference, "check"; the pages of "Build checks" for each rule.
"""

from __future__ import annotations

from pod.base.records import Record
from pod.base.suggest import did_you_mean
from pod.build.dockerfile import instructions as kinds
from pod.build.dockerfile.errors import DockerfileError
from pod.build.dockerfile.match import has_wildcard
from pod.build.dockerfile.stages import SCRATCH, Stage, Stages
from pod.build.dockerfile.substitute import Substitution

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from pod.build.dockerfile.ignore import IgnoreRules
    from pod.build.dockerfile.instructions import Instruction, Place
    from pod.build.dockerfile.parser import Dockerfile
    from pod.build.dockerfile.variables import Variables

_EXPERIMENTAL = ("CopyIgnoredFile", "InvalidDefinitionDescription")
RULES = (
    "ConsistentInstructionCasing",
    "CopyIgnoredFile",
    "DuplicateStageName",
    "ExposeInvalidFormat",
    "ExposeProtoCasing",
    "FromAsCasing",
    "FromPlatformFlagConstDisallowed",
    "InvalidDefaultArgInFrom",
    "InvalidDefinitionDescription",
    "JSONArgsRecommended",
    "LegacyKeyValueFormat",
    "MaintainerDeprecated",
    "MultipleInstructionsDisallowed",
    "NoEmptyContinuation",
    "RedundantTargetPlatform",
    "ReservedStageName",
    "SecretsUsedInArgOrEnv",
    "StageNameCasing",
    "UndefinedArgInFrom",
    "UndefinedVar",
    "WorkdirRelativePath",
)
_SECRET_WORDS = frozenset(
    "apikey auth credential credentials key password pword passwd secret token".split()
)
_SYSTEM_ENVIRONMENT = {"PATH": ""}  # what RUN has in any case


class LintWarning(Record):
    """What one rule found. `text` is a sentence without its rule and place."""

    rule: str
    place: Place
    text: str

    def __str__(self) -> str:
        return f"{self.place.where}: {self.text} ({self.rule})"


class Checks(Record):
    """Which rules hold, and whether a warning ends the build."""

    skip: frozenset[str] = frozenset()
    error: bool = False
    experimental: frozenset[str] = frozenset()

    def wants(self, rule: str) -> bool:
        return rule not in self.skip and (rule not in _EXPERIMENTAL or rule in self.experimental)


def parse_checks(text: str) -> Checks:
    """What stands after `# check=`, or in the build argument BUILDKIT_DOCKERFILE_CHECK. Unknown rules mean nothing."""
    by_lower = {rule.lower(): rule for rule in RULES}
    names: dict[str, frozenset[str]] = {}
    error = False
    for part in text.split(";"):
        key, _, value = part.partition("=")
        key = key.strip().lower()
        if key == "error":
            error = value.strip().lower() in ("true", "1")
        elif key in ("skip", "experimental"):
            words = [word.strip().lower() for word in value.split(",")]
            chosen = RULES if "all" in words else [by_lower[w] for w in words if w in by_lower]
            names[key] = frozenset(chosen)
    return Checks(
        skip=names.get("skip", frozenset()),
        error=error,
        experimental=names.get("experimental", frozenset()),
    )


def lint(
    dockerfile: Dockerfile,
    stages: Stages,
    *,
    checks: Checks | None = None,
    rules: IgnoreRules | None = None,
    environments: Mapping[int, Mapping[str, str]] | None = None,
) -> list[LintWarning]:
    """The warnings, in the order of the file.

    `rules` are the ignore rules of the context. `environments` has the environment of the base image of a stage, by its
    number, where that is known; without it, nobody can say that a variable is undefined there.
    """
    wanted = checks or parse_checks(dockerfile.directives.check)
    found = [*_of_file(dockerfile), *_of_stages(dockerfile, stages)]
    known: dict[int, Variables | None] = {}
    for stage in stages.stages:
        found += _Stage(stage, stages, rules, environments or {}, known).warnings()
    found.sort(key=lambda warning: warning.place.first)
    return [warning for warning in found if wanted.wants(warning.rule)]


def _of_file(dockerfile: Dockerfile) -> Iterator[LintWarning]:
    words = [instruction.word for instruction in dockerfile.instructions]
    upper = sum(word.isupper() for word in words) >= sum(word.islower() for word in words)
    for instruction, line in zip(dockerfile.instructions, dockerfile.lines, strict=True):
        word, place = instruction.word, instruction.place
        if word != (word.upper() if upper else word.lower()):
            case = "upper" if upper else "lower"
            yield LintWarning(
                rule="ConsistentInstructionCasing",
                place=place,
                text=f"'{word}' is not in {case} case, as most instructions here",
            )
        if line.has_blank_continuation:
            yield LintWarning(
                rule="NoEmptyContinuation",
                place=place,
                text="a blank line interrupts the instruction",
            )
        if isinstance(instruction, kinds.Maintainer):
            yield LintWarning(
                rule="MaintainerDeprecated",
                place=place,
                text="MAINTAINER is out of use, LABEL org.opencontainers.image.authors=... is in its place",
            )
        described = _described(instruction)
        comment = line.comment.rpartition("\n")[2]
        if described and comment and comment.split(None, 1)[0] != described:
            yield LintWarning(
                rule="InvalidDefinitionDescription",
                place=place,
                text=f"the comment above is no description: '# {described} DESCRIPTION'",
            )


def _described(instruction: Instruction) -> str:
    if isinstance(instruction, kinds.From):
        return instruction.name_typed
    if isinstance(instruction, kinds.Arg) and len(instruction.pairs) == 1:
        return instruction.pairs[0].name
    return ""


def _of_stages(dockerfile: Dockerfile, stages: Stages) -> Iterator[LintWarning]:
    names: set[str] = set()
    global_names = {
        pair.name
        for instruction in dockerfile.instructions[: _first_from(dockerfile)]
        if isinstance(instruction, kinds.Arg)
        for pair in instruction.pairs
    }
    defaults = _defaults(dockerfile, stages)
    starts = [each for each in dockerfile.instructions if isinstance(each, kinds.From)]
    for start in starts:
        yield from _of_name(start, names)
        names.add(start.name)
        yield from _of_platform(start)
        substitution = Substitution(stages.inherited, stages.escape)
        substitution.instruction(start)
        known = global_names | stages.inherited.keys()
        for name in sorted(substitution.missing - known):
            yield LintWarning(
                rule="UndefinedArgInFrom",
                place=start.place,
                text=f"FROM uses '{name}', which no ARG before it declares{did_you_mean(name, known)}",
            )
        if "$" in start.image and not _is_image(start, defaults, stages.escape):
            yield LintWarning(
                rule="InvalidDefaultArgInFrom",
                place=start.place,
                text=f"without --build-arg, '{start.image}' is no valid image",
            )


def _first_from(dockerfile: Dockerfile) -> int:
    return next(
        index
        for index, instruction in enumerate(dockerfile.instructions)
        if isinstance(instruction, kinds.From)
    )


def _of_name(start: kinds.From, before: set[str]) -> Iterator[LintWarning]:
    if not start.name:
        return
    name = start.name_typed
    if start.name != name:
        yield LintWarning(
            rule="StageNameCasing",
            place=start.place,
            text=f"the name '{name}' is not in lower case",
        )
    if start.name in ("context", SCRATCH):
        yield LintWarning(
            rule="ReservedStageName", place=start.place, text=f"the name '{name}' is reserved"
        )
    if start.name in before:
        yield LintWarning(
            rule="DuplicateStageName",
            place=start.place,
            text=f"a stage before this one has the name '{name}', too",
        )
    if start.as_word.isupper() != start.word.isupper() or (
        start.as_word.islower() != start.word.islower()
    ):
        yield LintWarning(
            rule="FromAsCasing",
            place=start.place,
            text=f"'{start.word}' and '{start.as_word}' are not in the same case",
        )


def _of_platform(start: kinds.From) -> Iterator[LintWarning]:
    platform = start.platform
    if platform in ("$TARGETPLATFORM", "${TARGETPLATFORM}"):
        yield LintWarning(
            rule="RedundantTargetPlatform",
            place=start.place,
            text=f"--platform={platform} is what holds anyway",
        )
    elif platform and "$" not in platform:
        parts = platform.lower().split("/")[:2]
        if not any(start.name.startswith(part) or start.name.endswith(part) for part in parts):
            yield LintWarning(
                rule="FromPlatformFlagConstDisallowed",
                place=start.place,
                text=f"--platform={platform} makes the same of every platform",
            )


def _defaults(dockerfile: Dockerfile, stages: Stages) -> dict[str, str]:
    """The values of ARGs before the first FROM, if the command line says nothing."""
    from pod.build.dockerfile.variables import PLATFORM_ARGUMENTS

    values = {name: value for name, value in stages.inherited.items() if name in PLATFORM_ARGUMENTS}
    for instruction in dockerfile.instructions[: _first_from(dockerfile)]:
        assert isinstance(instruction, kinds.Arg)
        for pair in instruction.pairs:
            if pair.value is not None:
                substitution = Substitution(values, stages.escape)
                values[pair.name] = substitution.text(pair.value, instruction.place)
    return values


def _is_image(start: kinds.From, values: Mapping[str, str], escape: str) -> bool:
    from pod.base.errors import PodError
    from pod.spec import reference

    try:
        reference.parse(Substitution(values, escape).text(start.image, start.place))
    except PodError:
        return False
    return True


class _Stage:
    """The rules that need to know what came before in the same stage."""

    def __init__(
        self,
        stage: Stage,
        stages: Stages,
        rules: IgnoreRules | None,
        environments: Mapping[int, Mapping[str, str]],
        known: dict[int, Variables | None],
    ) -> None:
        self._stage = stage
        self._stages = stages
        self._rules = rules
        self._known = known
        self._has_shell = False
        self._has_workdir = False
        self._seen: dict[str, Place] = {}
        self._declared: set[str] = set()  # by ARG, with or without a value
        self._variables = self._at_start(environments)

    def _at_start(self, environments: Mapping[int, Mapping[str, str]]) -> Variables | None:
        """None if nobody knows what the base image has."""
        base = self._stage.base
        if base.stage is not None:
            before = self._known.get(base.stage)
            return None if before is None else self._stages.variables(before.environment)
        if base.image == SCRATCH:
            return self._stages.variables(_SYSTEM_ENVIRONMENT)
        environment = environments.get(self._stage.number)
        if environment is None:
            return None
        return self._stages.variables({**_SYSTEM_ENVIRONMENT, **environment})

    def warnings(self) -> list[LintWarning]:
        found: list[LintWarning] = []
        for instruction in self._stage.instructions:
            for rule, text in self._of(instruction):
                found.append(LintWarning(rule=rule, place=instruction.place, text=text))
            found += self._follow(instruction)
        self._known[self._stage.number] = self._variables
        return found

    def _of(self, instruction: Instruction) -> Iterator[tuple[str, str]]:
        function = _BY_KIND.get(type(instruction))
        if function is not None:
            yield from function(self, instruction)

    def _pairs(self, instruction: kinds.Env | kinds.Label) -> Iterator[tuple[str, str]]:
        if instruction.legacy:
            word = instruction.word
            yield (
                "LegacyKeyValueFormat",
                f"{word} NAME=VALUE is the form to use, not {word} NAME VALUE",
            )
        if isinstance(instruction, kinds.Env):
            yield from self._secrets(instruction)

    def _secrets(self, instruction: kinds.Arg | kinds.Env) -> Iterator[tuple[str, str]]:
        for pair in instruction.pairs:
            words = pair.name.lower().split("_")
            if not _SECRET_WORDS.isdisjoint(words) and "public" not in words:
                yield (
                    "SecretsUsedInArgOrEnv",
                    f"'{pair.name}' looks like a secret, and everybody who has the image can read it:"
                    " RUN --mount=type=secret keeps it out",
                )

    def _command(self, instruction: kinds.Cmd | kinds.Entrypoint) -> Iterator[tuple[str, str]]:
        yield from self._once(instruction)
        word = instruction.word
        if instruction.command.shell and not self._has_shell:
            yield (
                "JSONArgsRecommended",
                f'{word} ["A", "B"] lets signals reach the program; here a shell is in between',
            )

    def _once(self, instruction: Instruction) -> Iterator[tuple[str, str]]:
        word = instruction.word.upper()
        before = self._seen.get(word)
        if before is not None:
            yield (
                "MultipleInstructionsDisallowed",
                f"{word} is in this stage before (line {before.first}), and only the last one counts",
            )
        self._seen[word] = instruction.place

    def _workdir(self, instruction: kinds.Workdir) -> Iterator[tuple[str, str]]:
        if instruction.path.lstrip("'\"").startswith(("/", "$")):
            self._has_workdir = True
        elif not self._has_workdir and self._stage.base.image != SCRATCH:
            yield (
                "WorkdirRelativePath",
                f"'{instruction.path}' is relative to the working directory of the base image",
            )

    def _shell(self, _: kinds.Shell) -> Iterator[tuple[str, str]]:
        self._has_shell = True
        yield from ()

    def _expose(self, instruction: kinds.Expose) -> Iterator[tuple[str, str]]:
        for port in instruction.ports:
            if "$" in port:
                continue
            number, slash, protocol = port.rpartition("/")
            if slash and protocol != protocol.lower():
                yield "ExposeProtoCasing", f"the protocol of '{port}' is not in lower case"
            if ":" in (number or port):
                yield (
                    "ExposeInvalidFormat",
                    f"'{port}' has an address or a port of the host, and EXPOSE takes neither",
                )

    def _files(self, instruction: kinds.Copy | kinds.Add) -> Iterator[tuple[str, str]]:
        if self._rules is None or (isinstance(instruction, kinds.Copy) and instruction.from_):
            return
        for source in instruction.sources:
            path = source.strip("/").removeprefix("./")
            if "$" in path or "://" in path or path.startswith("<<") or has_wildcard(path):
                continue
            if path not in ("", ".") and self._rules.ignores(path):
                yield (
                    "CopyIgnoredFile",
                    f"'{source}' is hidden by {self._rules.name or 'ignore rules'}",
                )

    def _follow(self, instruction: Instruction) -> Iterator[LintWarning]:
        """What an instruction makes of the variables, and which it has used that are none."""
        if self._variables is None:
            return
        known = self._variables.known()
        substitution = Substitution(known, self._stages.escape)
        try:
            expanded = substitution.instruction(instruction)
        except DockerfileError:
            return  # the build says it, if it gets there
        for name in sorted(substitution.missing - self._declared):
            yield LintWarning(
                rule="UndefinedVar",
                place=instruction.place,
                text=f"the variable '{name}' is not defined{did_you_mean(name, known)}",
            )
        if isinstance(expanded, kinds.Arg):
            for pair in expanded.pairs:
                self._variables.declare(pair.name, pair.value)
                self._declared.add(pair.name)
        elif isinstance(expanded, kinds.Env):
            for pair in expanded.pairs:
                self._variables.set(pair.name, pair.value or "")


_BY_KIND: dict[type[Instruction], Callable[[_Stage, Any], Iterator[tuple[str, str]]]] = {
    kinds.Add: _Stage._files,
    kinds.Arg: _Stage._secrets,
    kinds.Cmd: _Stage._command,
    kinds.Copy: _Stage._files,
    kinds.Entrypoint: _Stage._command,
    kinds.Env: _Stage._pairs,
    kinds.Expose: _Stage._expose,
    kinds.Healthcheck: _Stage._once,
    kinds.Label: _Stage._pairs,
    kinds.Shell: _Stage._shell,
    kinds.Workdir: _Stage._workdir,
}
