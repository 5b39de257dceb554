"""Help texts."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from pod.cli import table
from pod.cli.declare import Option
from pod.cli.help import help_text, option_help, option_term

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.parametrize(
    ("option", "term"),
    [
        (Option(("-d", "--detach"), "flag"), "-d, --detach"),
        (Option(("--rm",), "flag"), "    --rm"),
        (Option(("-p", "--publish"), "list", metavar="PORT"), "-p, --publish PORT"),
        (Option(("--pull",), "optional", metavar="POLICY"), "    --pull[=POLICY]"),
        (Option(("--pids-limit",), "number"), "    --pids-limit N"),
        (Option(("--name",), "text"), "    --name VALUE"),
    ],
)
def test_spelling_of_an_option(option: Option, term: str) -> None:
    assert option_term(option) == term


@pytest.mark.parametrize(
    ("option", "text"),
    [
        (Option(("--a",), "flag", "Do it"), "Do it"),
        (Option(("--a",), "flag", "Do it", default=False), "Do it"),
        (Option(("--a",), "flag", "Do it", default=True), "Do it (default: true)"),
        (
            Option(("--a",), "text", "Sort", choices=("x", "y"), default="x"),
            "Sort (x, y) (default: x)",
        ),
        (Option(("--a",), "comma", "Caps", default=("x", "y")), "Caps (default: x, y)"),
        (Option(("--a",), "number", "Count", default=0), "Count (default: 0)"),
    ],
)
def test_help_of_an_option(option: Option, text: str) -> None:
    assert option_help(option) == text


def test_root_help_has_every_command_and_group() -> None:
    words = help_text([]).split()
    for name in (*table.COMMANDS, *table.GROUPS):
        assert name in words or " " in name


@pytest.mark.parametrize("group", [*table.GROUPS, *table.SUBGROUPS])
def test_group_help_has_every_member(group: str) -> None:
    text = help_text(group.split())
    for word, name in table.members(group).items():
        assert f"  {word} " in text
        assert table.COMMANDS[name][2][:30] in text


def test_help_of_a_command() -> None:
    text = help_text(["completion"])
    assert text.startswith(
        "Usage: pod completion [OPTIONS] bash|zsh|fish\n\nPrint a completion script"
    )
    assert "\n  -f, --file FILE  Write the script to a file" in text
    assert "\n      --help       Show this text\n" in text
    assert "\nExamples:\n  source <(pod completion bash)\n" in text


@pytest.mark.parametrize("columns", [20, 60, 80, 200])
def test_help_is_as_wide_as_the_terminal(program: Run, columns: int) -> None:
    text = program("--help", env={"COLUMNS": str(columns)}).stdout
    longest = max(len(line) for line in text.splitlines())
    assert longest <= max(columns, 52)
    assert columns != 200 or longest > 90


@pytest.mark.parametrize(
    ("words", "like"),
    [
        (["help"], ["--help"]),
        (["help", "version"], ["version", "--help"]),
        (["help", "volume"], ["volume", "--help"]),
        (["-h"], ["--help"]),
    ],
)
def test_help_command_shows_the_same(program: Run, words: list[str], like: list[str]) -> None:
    first, second = program(*words), program(*like)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == second.stdout
    assert first.stdout.startswith("Usage: pod")


def test_help_of_nothing_known(program: Run) -> None:
    result = program("help", "xyzzy")
    assert (result.returncode, result.stdout) == (125, "")
    assert result.stderr == "Error: no help for 'pod xyzzy'\nHint: pod --help\n"


def test_root_help_imports_no_command(program: Run) -> None:
    result = program("--help", env={"PYTHONPROFILEIMPORTTIME": "1"})
    imported = [line.rpartition("|")[2].strip() for line in result.stderr.splitlines()]
    assert "pod.cli.help" in imported
    assert not [name for name in imported if name.startswith("pod.cli.commands")]
    assert not [name for name in imported if name.startswith("pod.engine")]
