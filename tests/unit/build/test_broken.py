"""Broken build files, and the sentence that is said of each: `tests/data/dockerfile/broken.txt`.

A case begins with `=== NAME`; from `---` on it has what is expected. `--update-golden` writes that anew.
"""

from __future__ import annotations

import os

import pytest

from pod.build.dockerfile import instructions as kinds
from pod.build.dockerfile.errors import DockerfileError
from pod.build.dockerfile.parser import parse
from pod.build.dockerfile.stages import find_stages
from pod.build.dockerfile.substitute import Substitution
from pod.build.dockerfile.variables import platform_arguments

CORPUS = os.path.join(os.path.dirname(__file__), "../../data/dockerfile/broken.txt")


def cases() -> dict[str, tuple[str, str]]:
    """Name -> the file, and what is said of it."""
    with open(CORPUS, encoding="utf-8") as file:
        parts = file.read().split("=== ")[1:]
    found = {}
    for part in parts:
        name, _, rest = part.partition("\n")
        text, _, says = rest.partition("---\n")
        assert name not in found
        found[name] = (text, says)
    return found


CASES = cases()


def said_of(text: str) -> str:
    """The error, as the command would print it, with the hint."""
    try:
        dockerfile = parse(text.encode(), "Dockerfile")
        stages = find_stages(dockerfile, {}, platform_arguments("linux/amd64", "linux/amd64"))
        stages.needed(stages.target(""))
        for stage in stages.stages:
            variables = stages.variables({})
            for instruction in stage.instructions:
                expanded = Substitution(variables.known()).instruction(instruction)
                if isinstance(expanded, kinds.Arg):
                    for pair in expanded.pairs:
                        variables.declare(pair.name, pair.value)
    except DockerfileError as error:
        return f"{error.message}\n" + (f"hint: {error.hint}\n" if error.hint else "")
    return "nothing\n"


def test_every_error_says_where_and_what(request: pytest.FixtureRequest) -> None:
    said = {name: said_of(text) for name, (text, _) in CASES.items()}
    if request.config.getoption("--update-golden"):
        with open(CORPUS, "w", encoding="utf-8") as file:
            file.writelines(
                f"=== {name}\n{text}---\n{said[name]}" for name, (text, _) in CASES.items()
            )
        return
    assert said == {name: says for name, (_, says) in CASES.items()}
    assert len(said) >= 60
