"""The instructions of a build file as values: one Record each, as they were written.

Words are not expanded yet (`substitute.py` does that, when the variables are known), but everything that can be checked
without their values has been checked by the parser.
"""

from __future__ import annotations

from pod.base.records import Record


class Place(Record):
    """Lines of a build file; `first` and `last` count from 1."""

    file: str
    first: int
    last: int
    lines: tuple[str, ...]

    @property
    def where(self) -> str:
        """`Dockerfile:3`, or `Dockerfile:3-5`."""
        lines = str(self.first) if self.first == self.last else f"{self.first}-{self.last}"
        return f"{self.file}:{lines}"


class Heredoc(Record):
    """`<<NAME` and the lines up to NAME. `content` is as written; `text` is without the tabs that `<<-` takes away."""

    name: str
    content: str
    expand: bool = True
    chomp: bool = False

    @property
    def text(self) -> str:
        if not self.chomp:
            return self.content
        return "".join(line.lstrip("\t") for line in self.content.splitlines(keepends=True))


class Command(Record):
    """`shell`: one word, a line for the shell of the image; otherwise the words of the JSON form."""

    shell: bool
    words: tuple[str, ...]


class Pair(Record):
    """One NAME=VALUE, not expanded. `value` is None where ARG has only a name."""

    name: str
    value: str | None


class Instruction(Record):
    """What all have. `text` is the instruction as one line, without the lines of heredocs; `word` is as typed."""

    place: Place
    text: str
    word: str


class From(Instruction):
    """`name` is in lower case, "" without `AS`; `as_word` is "AS" as it was written."""

    image: str
    name: str = ""
    name_typed: str = ""
    as_word: str = ""
    platform: str = ""


class Run(Instruction):
    """`mounts` are texts of --mount (`run_options.parse_mounts`), in order.

    With heredocs, `command.words` is the line without them; `script` is what the shell gets. `is_heredoc`: it is one
    heredoc and nothing else.
    """

    command: Command
    heredocs: tuple[Heredoc, ...] = ()
    mounts: tuple[str, ...] = ()
    network: str = ""
    security: str = ""
    devices: tuple[str, ...] = ()
    is_heredoc: bool = False

    @property
    def script(self) -> str:
        """The line for the shell: a heredoc alone is the script itself, others are left to the shell."""
        line = self.command.words[0]
        if not self.heredocs:
            return line
        if self.is_heredoc:
            return self.heredocs[0].text
        return line + "".join(f"\n{each.content}{each.name}" for each in self.heredocs)

    @property
    def interpreted(self) -> Heredoc | None:
        """The heredoc that begins with `#!`: a file to be run, not a script for the shell."""
        if self.is_heredoc and self.heredocs[0].text.startswith("#!"):
            return self.heredocs[0]
        return None


class Copy(Instruction):
    """`sources` of heredocs are their `<<NAME`s as written, with `heredocs` in the same order."""

    sources: tuple[str, ...]
    target: str
    heredocs: tuple[Heredoc, ...] = ()
    from_: str = ""
    chown: str = ""
    chmod: str = ""
    link: bool = False
    parents: bool = False
    exclude: tuple[str, ...] = ()


class Add(Instruction):
    """As Copy. `unpack` is None where it was not said: then what is in the context is unpacked, and URLs are not."""

    sources: tuple[str, ...]
    target: str
    heredocs: tuple[Heredoc, ...] = ()
    chown: str = ""
    chmod: str = ""
    link: bool = False
    exclude: tuple[str, ...] = ()
    checksum: str = ""
    keep_git_dir: bool = False
    unpack: bool | None = None


class Env(Instruction):
    pairs: tuple[Pair, ...]
    legacy: bool = False


class Label(Instruction):
    pairs: tuple[Pair, ...]
    legacy: bool = False


class Arg(Instruction):
    pairs: tuple[Pair, ...]


class Workdir(Instruction):
    path: str


class User(Instruction):
    user: str


class Expose(Instruction):
    ports: tuple[str, ...]


class Volume(Instruction):
    paths: tuple[str, ...]


class StopSignal(Instruction):
    signal: str


class Maintainer(Instruction):
    name: str


class Cmd(Instruction):
    command: Command


class Entrypoint(Instruction):
    command: Command


class Shell(Instruction):
    words: tuple[str, ...]


class Healthcheck(Instruction):
    """`command` is None for NONE. Durations are in nanoseconds; None where the option was not given."""

    command: Command | None
    interval_ns: int | None = None
    timeout_ns: int | None = None
    start_period_ns: int | None = None
    start_interval_ns: int | None = None
    retries: int | None = None


class OnBuild(Instruction):
    """`trigger` is the text of the instruction for later, as it is stored in the image (heredocs included)."""

    trigger: str
    instruction: Instruction
