"""A build file as a list of instructions, in order; nothing is expanded, and no other file is looked at.

Source: Dockerfile reference; Containerfile(5).
"""

from __future__ import annotations

from pod.base.records import Record
from pod.base.suggest import did_you_mean
from pod.build.dockerfile import instructions as kinds
from pod.build.dockerfile.errors import DockerfileError
from pod.build.dockerfile.flags import Flags
from pod.build.dockerfile.lines import Directives, LogicalLine, read_lines
from pod.build.dockerfile.run_options import (
    check_device,
    check_mount,
    check_network,
    check_security,
)
from pod.build.dockerfile.words import (
    BLANKS,
    first_word,
    json_words,
    lexed_words,
    pairs,
    split_blanks,
    split_flags,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pod.build.dockerfile.instructions import Instruction, Place


class Dockerfile(Record):
    """`instructions` begins with ARGs, if any, and then FROM. `lines` are what they were made from."""

    name: str
    directives: Directives
    instructions: tuple[Instruction, ...]
    lines: tuple[LogicalLine, ...]


class _Source(Record):
    """An instruction that has been cut into its parts, and whose arguments are not parsed yet."""

    name: str  # in upper case
    word: str
    rest: str  # after the flags
    flags: Flags
    line: LogicalLine
    escape: str

    @property
    def place(self) -> Place:
        return self.line.place

    @property
    def common(self) -> dict[str, Any]:
        return {"place": self.place, "text": self.line.text, "word": self.word}

    def refuse(self, problem: str, hint: str | None = None) -> DockerfileError:
        return DockerfileError(self.place, problem, hint=hint)


def parse(contents: bytes, name: str) -> Dockerfile:
    """Parse a build file that is called `name` in messages. Raises DockerfileError."""
    directives, lines = read_lines(contents, name)
    instructions = tuple(parse_line(line, directives.escape) for line in lines)
    if not instructions:
        raise DockerfileError(None, f"'{name}' has no instructions, FROM at least is needed")
    for instruction in instructions:
        if isinstance(instruction, kinds.From):
            break
        if not isinstance(instruction, kinds.Arg):
            raise DockerfileError(
                instruction.place,
                f"{instruction.word.upper()} stands before the first FROM, where only ARG may",
            )
    else:
        raise DockerfileError(None, f"'{name}' has no FROM")
    return Dockerfile(
        name=name, directives=directives, instructions=instructions, lines=tuple(lines)
    )


def parse_triggers(triggers: tuple[str, ...], image: str) -> tuple[Instruction, ...]:
    """The instructions that an image has from ONBUILD. Raises DockerfileError."""
    found: list[Instruction] = []
    for trigger in triggers:
        _, lines = read_lines(trigger.encode(errors="surrogateescape"), f"ONBUILD of {image}")
        for line in lines:
            instruction = parse_line(line, "\\")
            if instruction.word.upper() in _NOT_ON_BUILD:
                raise DockerfileError(
                    line.place, f"{instruction.word.upper()} is not possible as a trigger"
                )
            found.append(instruction)
    return tuple(found)


def parse_line(line: LogicalLine, escape: str) -> Instruction:
    """One instruction. Raises DockerfileError."""
    word, rest = first_word(line.text)
    function = _INSTRUCTIONS.get(word.upper())
    if function is None:
        ending = did_you_mean(word, _INSTRUCTIONS)
        raise DockerfileError(line.place, f"'{word}' is no instruction{ending}")
    flags, rest = split_flags(rest, escape)
    name = word.upper()
    source = _Source(
        name=name,
        word=word,
        rest=rest.strip(BLANKS),
        flags=Flags(flags, name, line.place),
        line=line,
        escape=escape,
    )
    return function(source)


def _from(source: _Source) -> Instruction:
    platform = source.flags.text("platform")
    source.flags.finish()
    words = split_blanks(source.rest)
    if len(words) not in (1, 3) or (len(words) == 3 and words[1].upper() != "AS"):
        raise source.refuse("FROM takes an image, or an image and a name: FROM IMAGE [AS NAME]")
    if len(words) == 1:
        return kinds.From(**source.common, image=words[0], platform=platform)
    name = words[2].lower()
    if not _is_stage_name(name):
        raise source.refuse(
            f"'{words[2]}' is no name for a stage: a letter, then letters, digits, '-', '_' and '.'"
        )
    return kinds.From(
        **source.common,
        image=words[0],
        name=name,
        name_typed=words[2],
        as_word=words[1],
        platform=platform,
    )


def _is_stage_name(name: str) -> bool:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return name[0] in letters and not name.strip(letters + "0123456789-_.")


def _command(source: _Source) -> kinds.Command:
    words = json_words(source.rest, source.name, source.place)
    if words is None:
        return kinds.Command(shell=True, words=(source.rest,))
    return kinds.Command(shell=False, words=words)


def _run(source: _Source) -> Instruction:
    mounts = source.flags.texts("mount")
    network = source.flags.text("network")
    security = source.flags.text("security")
    devices = source.flags.texts("device")
    source.flags.finish()
    for mount in mounts:
        check_mount(mount, source.place)
    check_network(network, source.place)
    check_security(security, source.place)
    for device in devices:
        check_device(device, source.place)
    command = _command(source)
    if not command.words or not command.words[0]:
        raise source.refuse("RUN needs a command")
    return kinds.Run(
        **source.common,
        command=command,
        heredocs=source.line.heredocs,
        mounts=mounts,
        network=network,
        security=security,
        devices=devices,
        is_heredoc=len(source.line.heredocs) == 1 and len(lexed_words(source.rest)) == 1,
    )


def _cmd(source: _Source) -> Instruction:
    source.flags.finish()
    if not source.rest:
        raise source.refuse("CMD needs a command, or [] for none")
    return kinds.Cmd(**source.common, command=_command(source))


def _entrypoint(source: _Source) -> Instruction:
    source.flags.finish()
    if not source.rest:
        raise source.refuse("ENTRYPOINT needs a command, or [] for none")
    return kinds.Entrypoint(**source.common, command=_command(source))


def _shell(source: _Source) -> Instruction:
    source.flags.finish()
    words = json_words(source.rest, source.name, source.place)
    if not words:
        raise source.refuse('SHELL needs the JSON form: SHELL ["/bin/sh", "-c"]')
    return kinds.Shell(**source.common, words=words)


def _paths(source: _Source) -> tuple[tuple[str, ...], str]:
    words = json_words(source.rest, source.name, source.place)
    if words is None:
        words = tuple(split_blanks(source.rest))
    if len(words) < 2:
        missing = "nothing" if not words else f"'{words[0]}' alone"
        raise source.refuse(
            f"{source.name} needs a source and a target, and has {missing}",
            hint=f"{source.name} SOURCE... TARGET",
        )
    if not all(words):
        raise source.refuse(f"a path of {source.name} is empty")
    for heredoc in source.line.heredocs:
        if "/" in heredoc.name or heredoc.name in (".", ".."):
            raise source.refuse(f"'{heredoc.name}' is no name for a file, which a heredoc becomes")
    return words[:-1], words[-1]


def _copy(source: _Source) -> Instruction:
    flags = source.flags
    from_, chown, chmod = flags.text("from"), flags.text("chown"), flags.text("chmod")
    link, parents = flags.boolean("link"), flags.boolean("parents")
    exclude = flags.texts("exclude")
    flags.finish()
    sources, target = _paths(source)
    if from_ and source.line.heredocs:
        raise source.refuse("a heredoc cannot be copied --from something")
    return kinds.Copy(
        **source.common,
        sources=sources,
        target=target,
        heredocs=source.line.heredocs,
        from_=from_,
        chown=chown,
        chmod=chmod,
        link=bool(link),
        parents=bool(parents),
        exclude=exclude,
    )


def _add(source: _Source) -> Instruction:
    flags = source.flags
    chown, chmod, checksum = flags.text("chown"), flags.text("chmod"), flags.text("checksum")
    link, keep_git_dir, unpack = (
        flags.boolean("link"),
        flags.boolean("keep-git-dir"),
        flags.boolean("unpack"),
    )
    exclude = flags.texts("exclude")
    flags.finish()
    sources, target = _paths(source)
    return kinds.Add(
        **source.common,
        sources=sources,
        target=target,
        heredocs=source.line.heredocs,
        chown=chown,
        chmod=chmod,
        link=bool(link),
        exclude=exclude,
        checksum=checksum,
        keep_git_dir=bool(keep_git_dir),
        unpack=unpack,
    )


def _env(source: _Source) -> Instruction:
    source.flags.finish()
    if not source.rest:
        raise source.refuse("ENV needs NAME=VALUE")
    found, legacy = pairs(source.rest, source.name, source.place, source.escape)
    return kinds.Env(**source.common, pairs=found, legacy=legacy)


def _label(source: _Source) -> Instruction:
    source.flags.finish()
    if not source.rest:
        raise source.refuse("LABEL needs NAME=VALUE")
    found, legacy = pairs(source.rest, source.name, source.place, source.escape)
    return kinds.Label(**source.common, pairs=found, legacy=legacy)


def _arg(source: _Source) -> Instruction:
    source.flags.finish()
    found = []
    for word in lexed_words(source.rest, source.escape):
        name, equals, value = word.partition("=")
        if not name:
            raise source.refuse(f"a name is missing in ARG before '{word}'")
        found.append(kinds.Pair(name=name, value=value if equals else None))
    if not found:
        raise source.refuse("ARG needs a name: ARG NAME[=DEFAULT]")
    return kinds.Arg(**source.common, pairs=tuple(found))


def _workdir(source: _Source) -> Instruction:
    source.flags.finish()
    if not source.rest:
        raise source.refuse("WORKDIR needs a path")
    return kinds.Workdir(**source.common, path=source.rest)


def _user(source: _Source) -> Instruction:
    source.flags.finish()
    if not source.rest:
        raise source.refuse("USER needs a user: USER NAME[:GROUP]")
    return kinds.User(**source.common, user=source.rest)


def _stop_signal(source: _Source) -> Instruction:
    source.flags.finish()
    if len(split_blanks(source.rest)) != 1:
        raise source.refuse("STOPSIGNAL takes one signal, such as SIGTERM or 15")
    return kinds.StopSignal(**source.common, signal=source.rest)


def _maintainer(source: _Source) -> Instruction:
    source.flags.finish()
    if not source.rest:
        raise source.refuse("MAINTAINER needs a name")
    return kinds.Maintainer(**source.common, name=source.rest)


def _expose(source: _Source) -> Instruction:
    source.flags.finish()
    ports = tuple(split_blanks(source.rest))
    if not ports:
        raise source.refuse("EXPOSE needs a port: EXPOSE 80 or EXPOSE 53/udp")
    return kinds.Expose(**source.common, ports=ports)


def _volume(source: _Source) -> Instruction:
    source.flags.finish()
    words = json_words(source.rest, source.name, source.place)
    paths = tuple(split_blanks(source.rest)) if words is None else words
    if not paths:
        raise source.refuse("VOLUME needs a path")
    if not all(path.strip() for path in paths):
        raise source.refuse("a path of VOLUME is empty")
    return kinds.Volume(**source.common, paths=paths)


def _on_build(source: _Source) -> Instruction:
    source.flags.finish()
    if not source.rest:
        raise source.refuse("ONBUILD needs an instruction: ONBUILD RUN make")
    word = first_word(source.rest)[0].upper()
    if word in _NOT_ON_BUILD:
        raise source.refuse(f"ONBUILD cannot be followed by {word}")
    inner = parse_line(source.line.replace(text=source.rest), source.escape)
    heredocs = "".join(f"\n{each.content}{each.name}" for each in source.line.heredocs)
    return kinds.OnBuild(**source.common, trigger=source.rest + heredocs, instruction=inner)


def _healthcheck(source: _Source) -> Instruction:
    from pod.build.dockerfile.healthcheck import parse_healthcheck  # few files have one

    return parse_healthcheck(source.rest, source.flags, source.common, source.place)


_NOT_ON_BUILD = ("ONBUILD", "FROM", "MAINTAINER")
_INSTRUCTIONS: dict[str, Callable[[_Source], Instruction]] = {
    "FROM": _from,
    "RUN": _run,
    "CMD": _cmd,
    "LABEL": _label,
    "MAINTAINER": _maintainer,
    "EXPOSE": _expose,
    "ENV": _env,
    "ADD": _add,
    "COPY": _copy,
    "ENTRYPOINT": _entrypoint,
    "VOLUME": _volume,
    "USER": _user,
    "WORKDIR": _workdir,
    "ARG": _arg,
    "ONBUILD": _on_build,
    "STOPSIGNAL": _stop_signal,
    "HEALTHCHECK": _healthcheck,
    "SHELL": _shell,
}
