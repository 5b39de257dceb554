"""What the shell is told when somebody presses TAB."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.cli.commands.save import _FORMATS
from pod.cli.completion import script, split_line, suggest
from pod.cli.table import COMMANDS

Run = Callable[..., "subprocess.CompletedProcess[str]"]
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))


def words(line: str) -> list[str]:
    finished, incomplete = split_line(line)
    return [suggestion.word for suggestion in suggest(finished, incomplete)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("pod vol", ["volume"], id="group"),
        pytest.param("pod compl", ["completion"], id="command"),
        pytest.param("pod compose do", ["down"], id="in-compose"),
        pytest.param(
            "pod compose -f x.yaml --project-n", ["--project-name"], id="option-of-a-group"
        ),
        pytest.param("pod compose -p shop dow", ["down"], id="behind-options-of-a-group"),
        pytest.param("pod volume r", ["rm"], id="in-a-group"),
        pytest.param("pod image rm", ["rm"], id="second-name"),
        pytest.param("pod --log-l", ["--log-level"], id="global-option"),
        pytest.param("pod save --format ", list(_FORMATS), id="choices"),
        pytest.param(
            "pod ps --sort=st",
            ["--sort=status"],
            id="choices-behind-an-equals-sign",
        ),
        pytest.param("pod --log-level debug vers", ["version"], id="behind-global-options"),
        pytest.param("pod -l debug vers", ["version"], id="behind-a-short-option"),
        pytest.param("pod completion ", ["bash", "zsh", "fish"], id="argument"),
        pytest.param("pod completion --no-desc z", ["zsh"], id="argument-behind-an-option"),
        pytest.param("pod completion bash ", [], id="no-more-arguments"),
        pytest.param("pod completion --", ["--file", "--no-desc", "--help"], id="options"),
        pytest.param("pod completion --no-desc=", ["--no-desc=true", "--no-desc=false"], id="flag"),
        pytest.param("pod help vers", ["version"], id="help"),
        pytest.param("pod help volume pr", ["prune"], id="help-in-a-group"),
        pytest.param("pod nonsense ", [], id="unknown-command"),
        pytest.param("pod --nonsense vers", ["version"], id="unknown-option"),
        pytest.param("pod --conm", [], id="refused-options-are-not-offered"),
        pytest.param("pod -D", [], id="hidden-options-are-not-offered"),
        pytest.param('pod "ver', ["version"], id="open-quote"),
        pytest.param("pod completion -- b", ["bash"], id="behind-the-dashes"),
        pytest.param("pod completion -- -", [], id="no-options-behind-the-dashes"),
    ],
)
def test_suggestions(line: str, expected: list[str]) -> None:
    assert words(line) == expected


@pytest.mark.parametrize("name", [name for name in COMMANDS if name.startswith("compose ")])
def test_commands_of_compose_and_their_options(name: str) -> None:
    """Each word of the name on its own, behind options of the group, and each option that there is to give."""
    group, _, last = name.rpartition(" ")
    assert last in words(f"pod {group} {last[:1]}")
    behind = name.replace("compose", "compose -f x.yaml --profile more", 1)
    command = importlib.import_module(f"pod.cli.commands.{COMMANDS[name][0]}").COMMAND
    options = [option for option in command.options if not (option.hidden or option.refused)]
    wanted = {flag for option in options for flag in option.flags if flag.startswith("--")}
    assert set(words(f"pod {behind} --")) == wanted | {"--help"}
    for option in options:
        if option.choices:
            assert words(f"pod {behind} {option.flags[-1]} ") == list(option.choices)


@pytest.mark.parametrize(
    ("line", "kind", "word"),
    [
        ("pod completion -f ab", "file", "ab"),
        ("pod completion --file=ab", "file", "--file=ab"),
        ("pod --root /va", "dir", "/va"),
    ],
)
def test_files_are_left_to_the_shell(line: str, kind: str, word: str) -> None:
    (suggestion,) = suggest(*split_line(line))
    assert (suggestion.kind, suggestion.word) == (kind, word)


@given(
    st.lists(st.sampled_from(["volume", "help", "completion", "-f", "--", "-", "--root=", "x", ""]))
)
def test_any_line_is_answered(typed: list[str]) -> None:
    assert isinstance(suggest(typed, ""), list)
    assert isinstance(suggest(typed, "-"), list)


@given(st.text(max_size=30))
def test_any_text_is_split(line: str) -> None:
    finished, incomplete = split_line(line)
    assert isinstance(incomplete, str) and isinstance(finished, list)


@pytest.fixture
def on_path(tmp_path: object) -> dict[str, str]:
    """An environment in which `pod` is the command line under test."""
    path = f"{tmp_path}/pod"
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {ROOT!r})\n"
            "from pod.cli.main import main\nsys.exit(main(sys.argv[1:]))\n"
        )
    os.chmod(path, 0o755)
    return {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path)}


BASH = r"""
source <(pod completion bash)
compopt() { echo "compopt $*"; }
COMP_LINE=$1 COMP_POINT=${#1}
_pod_completion pod
echo "${COMPREPLY[*]}"
"""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("pod vol", "volume"),
        ("pod completion ", "bash zsh fish"),
        ("pod ps --sort=n", "names"),
        ("pod completion -f ", "compopt -o default"),
        ("pod --root ", "compopt -o dirnames"),
    ],
)
def test_bash_is_answered(on_path: dict[str, str], line: str, expected: str) -> None:
    result = subprocess.run(
        ["bash", "-c", BASH, "bash", line], capture_output=True, text=True, env=on_path, timeout=60
    )
    assert result.stderr == ""
    assert result.stdout.strip() == expected


FISH = 'pod completion fish | source; complete -C "$argv[1]"'


@pytest.mark.skipif(shutil.which("fish") is None, reason="the shell fish is not installed")
def test_fish_is_answered(on_path: dict[str, str]) -> None:
    result = subprocess.run(
        ["fish", "-c", FISH, "pod vol"], capture_output=True, text=True, env=on_path, timeout=60
    )
    assert result.stdout == "volume\tManage volumes\n"


ZSH = r"""
autoload -U compinit; compinit -u
source <(pod completion zsh)
_describe() { print -l "${(P)3}" }
words=(pod vol); CURRENT=2; _pod_completion
"""


@pytest.mark.skipif(shutil.which("zsh") is None, reason="the shell zsh is not installed")
def test_zsh_is_answered(on_path: dict[str, str]) -> None:
    result = subprocess.run(
        ["zsh", "-fc", ZSH], capture_output=True, text=True, env=on_path, timeout=60
    )
    assert result.stdout == "volume:Manage volumes\n"


def test_answers_without_descriptions(program: Run) -> None:
    assert "=fish_plain" in script("fish", descriptions=False)
    assert "=zsh_plain" in script("zsh", descriptions=False)
    environment = {"_POD_COMPLETE": "zsh_complete", "COMP_WORDS": "pod vol", "COMP_CWORD": "1"}
    described = program(env=environment).stdout
    plain = program(env={**environment, "_POD_COMPLETE": "zsh_plain"}).stdout
    assert described == "plain\nvolume\nManage volumes\n"
    assert plain == "plain\nvolume\n_\n"


def test_unknown_instruction_fails(program: Run) -> None:
    result = program(env={"_POD_COMPLETE": "tcsh_complete"})
    assert (result.returncode, result.stdout) == (1, "")


@pytest.mark.parametrize("shell", ["powershell", "tcsh"])
def test_other_shells_are_refused(program: Run, shell: str) -> None:
    result = program("completion", shell)
    assert result.returncode == 125
    assert shell in result.stderr


def test_services_of_the_project_are_suggested(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(
        "services: {web: {image: x}, worker: {image: x}, db: {image: x}}"
    )
    begin = f"pod compose --project-directory {tmp_path}"
    assert words(f"{begin} logs w") == ["web", "worker"]
    assert words(f"{begin} exec d") == ["db"]
    assert words(f"{begin}/gone logs w") == []
