"""Shell completion: what can follow the words typed so far.

The scripts and the way to talk to the shells are click's (bash has a script of its own here, since image names have
colons, at which bash cuts words). What is suggested comes from the same declarations that the parser reads.
"""

from __future__ import annotations

import os

from pod.cli import table
from pod.cli.declare import index_options
from pod.cli.globals import GLOBAL_OPTIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from click.shell_completion import CompletionItem, ShellComplete

    from pod.cli.declare import Command, Option

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_POD_COMPLETE"

_BASH = """\
_pod_completion() {
    local type value
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("$value") ;;
        esac
    done < <(env COMP_WORDS="${COMP_LINE:0:COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" \\
        _POD_COMPLETE=bash_complete "$1" 2>/dev/null)
}

complete -o nosort -F _pod_completion pod
"""


class Suggestion:
    """A word that can stand where the cursor is; `kind` is "plain", "file" or "dir"."""

    __slots__ = ("help", "kind", "word")

    def __init__(self, word: str, text: str = "", kind: str = "plain") -> None:
        self.word = word
        self.help = text
        self.kind = kind


def script(shell: str, *, descriptions: bool = True) -> str:
    """The script that makes `shell` ask pod for completions."""
    if shell == "bash":
        return _BASH  # bash shows no descriptions
    text = _click_class(shell)(_no_command(), {}, "pod", VARIABLE).source()
    if not descriptions:
        text = text.replace(f"{VARIABLE}={shell}_complete", f"{VARIABLE}={shell}_plain")
    return text


def answer(instruction: str) -> int:
    """Print what can follow the words in the environment; `instruction` is the value of the variable in the script."""
    shell, _, how = instruction.partition("_")
    if shell not in SHELLS or how not in ("complete", "plain"):
        return 1
    if shell == "bash":
        _answer_bash()
        return 0
    complete = _click_class(shell)(_no_command(), {}, "pod", VARIABLE)
    words, incomplete = complete.get_completion_args()
    lines = [
        complete.format_completion(_item(suggestion, described=how == "complete"))
        for suggestion in suggest(words, incomplete)
    ]
    print("\n".join(lines))
    return 0


def _answer_bash() -> None:
    """Bash replaces only what stands behind the last of its word breaks, so that is all it may get."""
    words, incomplete = split_line(os.environ.get("COMP_WORDS", ""))
    cut = 0
    for letter in os.environ.get("COMP_WORDBREAKS", ":="):
        if letter in ":=":
            cut = max(cut, incomplete.rfind(letter) + 1)
    for suggestion in suggest(words, incomplete):
        print(f"{suggestion.kind},{suggestion.word[cut:]}")


def split_line(line: str) -> tuple[list[str], str]:
    """The finished words behind the program's name, and the unfinished one, which may be empty."""
    from shlex import shlex

    lexer = shlex(line, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        for word in lexer:
            words.append(word)
    except ValueError:
        words.append(lexer.token or "")  # an open quote: the word is what follows it
        return words[1:-1], words[-1]
    if line[-1:].isspace() or not words:
        return words[1:], ""
    return words[1:-1], words[-1]


def suggest(words: Sequence[str], incomplete: str) -> list[Suggestion]:
    """What can stand in place of `incomplete`, behind `words`. Never fails: a line that makes no sense gets nothing."""
    line = _Line(words)
    if line.over:
        return []
    if line.pending is not None:
        return _values(line.pending, incomplete, "", words)
    if incomplete.startswith("-") and not line.dashed:
        name, equals, value = incomplete.partition("=")
        option = line.index.get(name)
        if equals and option is not None:
            return _values(option, value, name + "=", words)
        return [
            Suggestion(flag, option.help)
            for flag, option in line.index.items()
            if flag.startswith(incomplete) and flag in option.flags and not _is_secret(option)
        ] + ([Suggestion("--help", "Show help")] if "--help".startswith(incomplete) else [])
    if line.command is None:
        return _commands(line.group, incomplete)
    kinds, count = line.command.completes, len(line.words)
    if not kinds or (line.command.maximum is not None and count >= line.command.maximum):
        return []
    return _of_kind(kinds[min(count, len(kinds) - 1)], incomplete, "", words)


class _Line:
    """The finished words of a line, read as far as they make sense."""

    def __init__(self, words: Sequence[str]) -> None:
        self.index = index_options(GLOBAL_OPTIONS)
        self.group = ""
        self.command: Command | None = None
        self.words: list[str] = []
        self.pending: Option | None = None
        """The option whose value comes next."""
        self.dashed = False
        self.over = False
        """Whether what follows is nothing that pod knows about."""
        for word in words:
            if self.over:
                break
            if self.pending is not None:
                self.pending = None
            elif word == "--" and not self.dashed:
                self.dashed = True
            elif word.startswith("-") and word != "-" and not self.dashed:
                self.pending = _waiting(self.index, word)
            else:
                self._word(word)

    def _word(self, word: str) -> None:
        if self.command is not None:
            self.words.append(word)
            if not self.command.interspersed:
                self.dashed = True  # options are those of the container's command now
            return
        words = [*self.group.split(), word]
        if " ".join(words) == table.group_of(words):
            self.group = " ".join(words)
            if self.group in table.GROUP_OPTIONS:
                from pod.cli.main import group_options

                self.index = index_options(group_options(self.group))
            return
        found = table.find(words)
        if found is None:
            self.over = True
            return
        from pod.cli.main import load_command

        self.command = load_command(table.COMMANDS[found[0]][0])
        self.index = index_options(self.command.options)
        self.dashed = False


def _waiting(index: dict[str, Option], word: str) -> Option | None:
    """The option in `word` whose value is the next word."""
    if word.startswith("--"):
        option = index.get(word)
        return option if option is not None and option.takes_value else None
    for position, letter in enumerate(word[1:], 1):
        option = index.get("-" + letter)
        if option is None:
            return None
        if option.takes_value:
            return option if position == len(word) - 1 else None
    return None


def _is_secret(option: Option) -> bool:
    return option.hidden or bool(option.refused)


def _commands(group: str, incomplete: str) -> list[Suggestion]:
    if group:
        rows = table.summaries(group)
    else:
        rows = {name: row[2] for name, row in table.COMMANDS.items() if " " not in name}
        rows.update(table.GROUPS)
    return [
        Suggestion(word, text) for word, text in sorted(rows.items()) if word.startswith(incomplete)
    ]


def _values(option: Option, incomplete: str, prefix: str, words: Sequence[str]) -> list[Suggestion]:
    if option.choices:
        return _starting(option.choices, incomplete, prefix)
    if option.kind == "flag":
        return _starting(("true", "false"), incomplete, prefix)
    return _of_kind(option.completes, incomplete, prefix, words)


def _of_kind(kind: str, incomplete: str, prefix: str, words: Sequence[str]) -> list[Suggestion]:
    """Suggestions of a kind: files, commands, fixed words ("bash|zsh"), or what the engine has."""
    if not kind:
        return []
    if kind in ("file", "directory"):
        return [Suggestion(prefix + incomplete, kind="file" if kind == "file" else "dir")]
    if kind == "command":
        line = _Line([word for word in words if word != "help"])
        return _commands(line.group, incomplete) if line.command is None else []
    if kind == "service":
        return _starting(_services(words), incomplete, prefix)
    if "|" in kind:
        return _starting(kind.split("|"), incomplete, prefix)
    return [
        Suggestion(prefix + name, text)
        for name, text in _from_engine(kind, words)
        if name.startswith(incomplete)
    ]


def _starting(known: Iterable[str], incomplete: str, prefix: str) -> list[Suggestion]:
    return [Suggestion(prefix + word) for word in known if word.startswith(incomplete)]


def _from_engine(kind: str, words: Sequence[str]) -> Sequence[tuple[str, str]]:
    """Names of containers, images, volumes, registries, each with a line about it."""
    from pod.cli.engine import open_engine
    from pod.cli.parse import HelpRequested, parse_options
    from pod.engine.names import names

    try:
        options = parse_options(GLOBAL_OPTIONS, words, "pod", interspersed=False)
        return names(open_engine(options), kind)
    except (Exception, HelpRequested):  # noqa: BLE001 — a message would end up in the middle of the person's line
        return ()


def _services(words: Sequence[str]) -> Sequence[str]:
    """The services of the project that the line is about."""
    from pod.cli.main import take_group_options
    from pod.cli.parse import HelpRequested, parse_options

    try:
        options = parse_options(GLOBAL_OPTIONS, words, "pod", interspersed=False)
        rest, group = take_group_options(options.words, options)
        if not rest or group is None:
            return ()
        from pod.cli.options.compose import asked_of
        from pod.compose import project

        loaded = project.load(asked_of(group))
    except (Exception, HelpRequested):  # noqa: BLE001 — a message would end up in the middle of the person's line
        return ()
    return [*loaded.services, *loaded.inactive]


def _click_class(shell: str) -> type[ShellComplete]:
    from click.shell_completion import get_completion_class  # heavy

    found = get_completion_class(shell)
    assert found is not None
    return found


def _no_command() -> Any:
    """click asks for a command of its own; what it would tell, `suggest` tells."""
    from click import Command as ClickCommand  # heavy

    return ClickCommand("pod")


def _item(suggestion: Suggestion, *, described: bool) -> CompletionItem[str]:
    from click.shell_completion import CompletionItem  # heavy

    text = suggestion.help if described else ""
    return CompletionItem(suggestion.word, type=suggestion.kind, help=text or None)
