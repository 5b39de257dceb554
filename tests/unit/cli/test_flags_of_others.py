"""Every flag of podman and docker is known: it works, or it is refused with a sentence."""

from __future__ import annotations

import os

import pytest

from pod.base.errors import UsageError
from pod.cli import table
from pod.cli.declare import index_options
from pod.cli.globals import GLOBAL_OPTIONS
from pod.cli.main import load_command
from pod.cli.parse import parse_command, parse_options

LIST = os.path.join(os.path.dirname(__file__), "../../data/flags/others.txt")


def read_list() -> dict[str, set[str]]:
    flags: dict[str, set[str]] = {}
    name = ""
    with open(LIST, encoding="utf-8") as file:
        for line in file:
            if line.startswith("  "):
                flags[name] |= set(line.partition(":")[2].split())
            elif not line.startswith("#"):
                name = line.strip()
                flags[name] = set()
    return flags


OTHERS = read_list()


@pytest.mark.parametrize("name", table.COMMANDS)
def test_flags_of_podman_and_docker_are_known(name: str) -> None:
    command = load_command(table.COMMANDS[name][0])
    known = {*index_options(command.options), *index_options(GLOBAL_OPTIONS)}
    assert sorted(f"--{flag}" for flag in OTHERS[name] if f"--{flag}" not in known) == []


@pytest.mark.parametrize("name", table.COMMANDS)
def test_refused_flags_say_why_in_one_sentence(name: str) -> None:
    command = load_command(table.COMMANDS[name][0])
    for option in command.options:
        if not option.refused:
            continue
        options = parse_options(GLOBAL_OPTIONS, [], "pod", interspersed=False)
        with pytest.raises(UsageError) as caught:
            parse_command(command, [f"{option.flags[-1]}=1", "x", "y"], f"pod {name}", options)
        assert caught.value.message == (
            f"flag '{option.flags[-1]}' is not supported: {option.refused}"
        )
        assert caught.value.exit_status == 125
        assert "\n" not in option.refused and not option.refused.endswith(".")
