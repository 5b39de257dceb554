"""A command line that pod has taken, taken apart to be typed again."""

from __future__ import annotations

import pytest

from pod.base.errors import PodError
from pod.cli import replay


def words_of(line: str) -> tuple[str, list[tuple[str, ...]], list[tuple[str, ...]], list[str]]:
    found = replay.take_apart(line.split())
    return (
        found.command,
        [it.words for it in found.program],
        [it.words for it in found.options],
        list(found.words),
    )


@pytest.mark.parametrize(
    ("line", "program", "options", "words"),
    [
        ("pod run -d --name c i sh -c x", [], [("-d",), ("--name", "c")], ["i", "sh", "-c", "x"]),
        ("pod run -itde A=b i", [], [("-i",), ("-t",), ("-d",), ("-e", "A=b")], ["i"]),
        ("pod run -p80:80 i", [], [("-p", "80:80")], ["i"]),
        ("pod run -e=A i", [], [("-e=A",)], ["i"]),
        ("pod --root /r run --name=c i", [("--root", "/r")], [("--name=c",)], ["i"]),
        ("pod run --log-level debug --rm i", [("--log-level", "debug")], [("--rm",)], ["i"]),
        ("pod container create --init -- i --x", [], [("--init",)], ["i", "--x"]),
        ("pod run --tls-verify=false i -d", [], [("--tls-verify=false",)], ["i", "-d"]),
    ],
)
def test_options_keep_the_words_they_were_typed_with(
    line: str, program: list[tuple[str, ...]], options: list[tuple[str, ...]], words: list[str]
) -> None:
    command = "create" if " create " in line else "run"
    assert words_of(line) == (command, program, options, words)


def test_the_long_name_and_the_value_are_known() -> None:
    (option,) = replay.take_apart(["pod", "pod", "create", "-p", "80:80"]).options
    assert (option.name, option.value) == ("publish", "80:80")


@pytest.mark.parametrize("line", ["python3 -c x", "pod", "pod frobnicate", "pod run --none-such i"])
def test_what_is_no_command_cannot_be_typed_again(line: str) -> None:
    with pytest.raises(PodError):
        replay.take_apart(line.split())
