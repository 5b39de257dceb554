"""Broken compose files, each with the sentence that is said of it: tests/data/compose/broken.txt."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pod.base.errors import PodError
from pod.compose import explain, images, project, support
from pod.compose.places import Asked
from pod.compose.service import config_of
from pod.compose.up import check_deploy
from pod.spec.container import ContainerConfig
from pod.spec.namespaces import Network

DATA = os.path.join(os.path.dirname(__file__), "../../data/compose/broken.txt")


class Case:
    """A file, others beside it, the sentence and the hint."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.files: dict[str, list[str]] = {"compose.yaml": []}
        self.sentence = self.hint = ""


def read_cases() -> list[Case]:
    cases: list[Case] = []
    current = "compose.yaml"
    with open(DATA, encoding="utf-8") as file:
        for line in file:
            if line.startswith("=== "):
                cases.append(Case(line[4:].strip()))
                current = "compose.yaml"
            elif line.startswith("--- "):
                current = line[4:].strip()
                cases[-1].files[current] = []
            elif line.startswith(">>> "):
                cases[-1].sentence = line[4:].rstrip("\n")
            elif line.startswith("??? "):
                cases[-1].hint = line[4:].rstrip("\n")
            elif cases:
                cases[-1].files[current].append(line)
    return cases


CASES = read_cases()


def fault(case: Case, directory: Path) -> PodError:
    """What `up` says of the files before it does anything."""
    for name, lines in case.files.items():
        (directory / name).write_text("".join(lines))
    base = ContainerConfig()
    base = base.replace(networking=base.networking.replace(network=Network("private")))
    with pytest.raises(PodError) as caught:
        loaded = project.load(Asked(), {"COMPOSE_PROJECT_NAME": ""})
        support.check(loaded)
        for name in loaded.services:
            images.policy_of(loaded, name)
            config_of(loaded, name, 1, base, names=lambda other: other, config_hash="")
            check_deploy(loaded, name)
        for error in explain.network_errors(loaded):
            raise error
    return caught.value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_file_is_refused_with_its_place_and_a_sentence(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, update_golden: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    error = fault(case, tmp_path)
    if update_golden:
        case.sentence, case.hint = error.message, error.hint or ""
        write_cases()
    assert (error.message, error.hint or "") == (case.sentence, case.hint)


def write_cases() -> None:
    with open(DATA, encoding="utf-8") as file:
        head = [line for line in file if line.startswith("#")][:3]
    parts = ["".join(head)]
    for case in CASES:
        parts.append(f"=== {case.name}\n")
        for name, lines in case.files.items():
            parts.append("" if name == "compose.yaml" else f"--- {name}\n")
            parts.append("".join(lines))
        parts.append(f">>> {case.sentence}\n" if case.sentence else "")
        parts.append(f"??? {case.hint}\n" if case.hint else "")
    with open(DATA, "w", encoding="utf-8") as file:
        file.write("".join(parts))


def test_there_are_as_many_as_promised() -> None:
    assert len(CASES) >= 80 and len({case.name for case in CASES}) == len(CASES)
