"""The table of commands is consistent in itself."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pod.cli import table
from pod.cli.absent import ABSENT
from pod.cli.help import _HEADINGS

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
FIRST_ISSUE = (
    "run create start stop restart kill rm ps logs exec attach wait inspect port top pull images rmi tag untag load "
    "save import history info version unshare completion"
).split()


@pytest.mark.parametrize("name", FIRST_ISSUE)
def test_every_command_of_the_main_job_has_a_row(name: str) -> None:
    assert table.find([name]) == (name, 1)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("container ls", "ps"),
        ("container list", "ps"),
        ("container ps", "ps"),
        ("container run", "run"),
        ("container rm", "rm"),
        ("container exists", "container exists"),
        ("image ls", "images"),
        ("image list", "images"),
        ("image rm", "rmi"),
        ("image pull", "pull"),
        ("volume list", "volume ls"),
        ("system info", "info"),
        ("system df", "system df"),
    ],
)
def test_second_names_lead_to_the_same_command(typed: str, name: str) -> None:
    assert table.find([*typed.split(), "argument"]) == (name, 2)


CONTAINER_COMMANDS = (
    "attach checkpoint cleanup clone commit cp create diff exec exists export init inspect kill list logs ls mount "
    "pause port prune ps rename restart restore rm run runlabel start stats stop top umount unmount unpause update wait"
).split()


@pytest.mark.parametrize("word", CONTAINER_COMMANDS)
def test_every_container_command_of_podman_is_there_or_explained(word: str) -> None:
    assert table.find(["container", word]) or ABSENT[f"container {word}"]


@pytest.mark.parametrize("typed", ["", "volume", "volume --help", "nope", "container nope", "ls"])
def test_what_is_no_command_is_not_found(typed: str) -> None:
    assert table.find(typed.split()) is None


def test_rows_are_complete() -> None:
    modules = [row[0] for row in table.COMMANDS.values()]
    assert len(set(modules)) == len(modules)
    helpers = dict.fromkeys(
        ("init", "run", "start", "restart", "pod start", "pod restart", "pod clone"), "monitor"
    ) | {"exec": "joiner"}
    for name, (module, heading, summary, helper) in table.COMMANDS.items():
        assert module.isidentifier()
        assert heading in _HEADINGS
        assert summary[0].isupper() and not summary.endswith(".") and len(summary) <= 60, name
        assert helper == helpers.get(name, False)
        group = name.rpartition(" ")[0]
        assert not group or group in table.GROUPS or group in table.SUBGROUPS


def test_groups_in_groups() -> None:
    assert table.find("image trust show quay.io".split()) == ("image trust show", 3)
    assert table.find("image trust".split()) is None
    assert table.find("image trust nope".split()) is None
    assert table.group_of("image trust nope".split()) == "image trust"
    assert table.group_of("image nope".split()) == "image"
    assert table.group_of(["ps"]) == ""
    assert "trust" in table.summaries("image")
    assert "trust" not in table.members("image")
    assert list(table.summaries("image trust")) == ["set", "show"]


def test_second_names_are_no_first_names() -> None:
    for name, to in {**table.ALIASES, **table.SILENT_ALIASES}.items():
        assert to in table.COMMANDS
        assert name not in table.COMMANDS
        assert name == "umount" or name.partition(" ")[0] in table.GROUPS
    assert not table.ALIASES.keys() & table.SILENT_ALIASES.keys()


def test_what_is_said_to_be_absent_is_absent() -> None:
    for name, why in ABSENT.items():
        assert table.find(name.split()) is None, name
        assert name not in table.GROUPS
        assert why


def test_lookup_imports_nothing() -> None:
    code = (
        "import sys; before = set(sys.modules)\n"
        "from pod.cli import table; table.find(['run'])\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    result = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert result.stdout.split() == ["__future__", "pod", "pod.cli", "pod.cli.table"]
