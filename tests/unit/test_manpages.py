"""Every command has its files, and its manual page explains exactly the options that `--help` lists."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
from types import ModuleType

import pytest

from pod.cli import table
from pod.cli.declare import Command, Option
from pod.cli.globals import GLOBAL_OPTIONS
from pod.cli.help import option_term
from pod.cli.main import load_command

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
MAN = os.path.join(ROOT, "man")


def load_renderer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("render", os.path.join(MAN, "render.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


render = load_renderer()
PAGES = sorted(name for name in os.listdir(MAN) if name.endswith(".md"))


def page_of(name: str) -> str:
    return f"pod-{name.replace(' ', '-')}.1.md"


def has_module(name: str) -> bool:
    return os.path.exists(os.path.join(ROOT, "pod/cli/commands", f"{table.COMMANDS[name][0]}.py"))


def test_every_row_of_the_table_has_a_module() -> None:
    assert [name for name in table.COMMANDS if not has_module(name)] == []


@pytest.mark.parametrize("name", table.COMMANDS)
def test_declaration_is_sound(name: str) -> None:
    command = load_command(table.COMMANDS[name][0])
    assert isinstance(command, Command)
    seen: set[str] = set()
    for option in command.options:
        check_option(option)
        spellings = {*option.flags, *option.aliases}
        assert not spellings & seen, f"{spellings & seen} is declared twice"
        seen |= spellings
    assert "--help" not in seen, "every command has it"
    for example in command.examples:
        assert "pod " in example


@pytest.mark.parametrize("option", GLOBAL_OPTIONS, ids=lambda option: option.name)
def test_global_option_is_sound(option: Option) -> None:
    check_option(option)


def check_option(option: Option) -> None:
    long = option.flags[-1]
    assert long.startswith("--") and len(long) > 2, f"{option.flags}: the long flag comes last"
    assert all(len(flag) == 2 for flag in option.flags[:-1]), f"{option.flags}: one short flag"
    assert not option.refused or not option.refused.endswith("."), long
    if option.refused or option.hidden:
        return
    assert option.help[:1].isupper() and not option.help.endswith("."), f"{long}: {option.help!r}"
    if option.kind == "optional":
        assert option.no_value, f"{long}: what does it mean without a value?"
    if option.kind == "flag":
        assert isinstance(option.default, bool | None), long
    if option.choices and option.kind == "text":
        assert option.default is None or option.default in option.choices, long


@pytest.mark.parametrize("name", table.COMMANDS)
def test_manual_page_explains_what_help_lists(name: str) -> None:
    command = load_command(table.COMMANDS[name][0])
    page = render.read_page(page_of(name))
    assert sorted(render.options_of(page)) == terms(command.options)
    assert f"{page_of(name).removesuffix('.1.md')} - {table.COMMANDS[name][2]}\n" in page


def test_manual_page_of_pod_explains_its_options() -> None:
    assert sorted(render.options_of(render.read_page("pod.1.md"))) == terms(GLOBAL_OPTIONS)


def terms(options: tuple[Option, ...]) -> list[str]:
    return sorted(
        option_term(option).strip()
        for option in options
        if not option.hidden and not option.refused
    )


def test_shared_paragraphs_are_used() -> None:
    folder = os.path.join(MAN, "options")
    text = ""
    for name in PAGES:
        with open(os.path.join(MAN, name), encoding="utf-8") as file:
            text += file.read()
    shared = [name.removesuffix(".md") for name in os.listdir(folder) if name.endswith(".md")]
    assert [name for name in shared if f"@@option {name}\n" not in text] == []


@pytest.mark.parametrize("name", PAGES)
def test_page_can_be_read_by_man(name: str, tmp_path: object) -> None:
    text = render.roff(render.read_page(name))
    assert text.startswith(f'.TH "{name.partition(".")[0].upper()}" ')
    if shutil.which("groff") is None:
        return
    result = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww"], input=text, capture_output=True, text=True, check=True
    )
    assert result.stderr == ""


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("% x(1)\n\n## NAME\n\nx - y\n", [".SH NAME", ".PP", "x \\- y"]),
        (
            "% x(1)\n## O\n#### **-a**\n\nText\n\nMore *it*\n",
            [".TP", "\\fB\\-a\\fR", "Text", ".IP", "More \\fIit\\fR"],
        ),
        ("% x(1)\n```\n.a \\b\n```\n", [".PP", ".RS 4", ".nf", "\\&.a \\eb", ".fi", ".RE"]),
        ("% x(1)\n- one `two`\n", [".IP \\(bu 2", "one \\fBtwo\\fR"]),
    ],
)
def test_markdown_becomes_roff(page: str, expected: list[str]) -> None:
    lines = render.roff(page).splitlines()
    assert lines[-len(expected) :] == expected


@pytest.mark.parametrize("page", ["", "x\n", "% x(1)\n```\nopen\n"])
def test_page_that_breaks_the_rules_is_refused(page: str) -> None:
    with pytest.raises(render.PageError):
        render.roff(page)


def test_shared_paragraph_stands_in_its_place(tmp_path: object) -> None:
    os.mkdir(f"{tmp_path}/options")
    with open(f"{tmp_path}/options/rm.md", "w", encoding="utf-8") as file:
        file.write("#### **--rm**\n\nRemove it.\n")
    with open(f"{tmp_path}/pod-x.1.md", "w", encoding="utf-8") as file:
        file.write("% pod-x(1)\n\n## OPTIONS\n\n@@option rm\n\n## SEE ALSO\n\n#### no option\n")
    page = render.read_page("pod-x.1.md", str(tmp_path))
    assert "Remove it." in page and "@@" not in page
    assert render.options_of(page) == ["--rm"]
    with pytest.raises(render.PageError):
        render.read_page("pod-y.1.md", str(tmp_path))
