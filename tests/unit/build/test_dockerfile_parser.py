"""What the instructions of a build file say, as values."""

from __future__ import annotations

import pytest

from pod.build.dockerfile import instructions as kinds
from pod.build.dockerfile.parser import parse


def first(text: str) -> kinds.Instruction:
    """The instruction after `FROM scratch`."""
    return parse(b"FROM scratch\n" + text.encode(), "Dockerfile").instructions[1]


def test_lines_are_joined_without_comments_and_blank_lines() -> None:
    run = first("RUN one \\\n  # not this\n\n  && two \\ \n && three\nUSER me\n")
    assert isinstance(run, kinds.Run)
    assert run.command == kinds.Command(shell=True, words=("one   && two  && three",))
    assert (run.place.first, run.place.last) == (2, 6)


def test_a_doubled_escape_continues_nothing() -> None:
    parsed = parse(b"FROM a\nRUN dir c:\\\\\nUSER b\n", "Dockerfile")
    assert [each.word for each in parsed.instructions] == ["FROM", "RUN", "USER"]


def test_the_escape_can_be_a_backtick() -> None:
    parsed = parse(b"# escape=`\nFROM a\nCOPY x c:\\\nRUN a `\n  b\n", "Dockerfile")
    assert parsed.instructions[1].text == "COPY x c:\\"
    assert parsed.instructions[2].text == "RUN a   b"


@pytest.mark.parametrize(
    ("top", "escape"),
    [
        pytest.param("# escape=`\n", "`", id="plain"),
        pytest.param("  #  Escape = `  \n", "`", id="blanks-and-case"),
        pytest.param("# syntax=docker/dockerfile:1\n# escape=`\n", "`", id="second"),
        pytest.param("# a comment\n# escape=`\n", "\\", id="after-a-comment"),
        pytest.param("\n# escape=`\n", "\\", id="after-a-blank-line"),
        pytest.param("# unknown=1\n# escape=`\n", "\\", id="after-an-unknown-one"),
        pytest.param("\ufeff# escape=`\n", "`", id="after-a-byte-order-mark"),
        pytest.param("#!/usr/bin/env docker\n# escape=`\n", "`", id="after-an-interpreter"),
    ],
)
def test_directives_stand_at_the_very_top(top: str, escape: str) -> None:
    assert parse((top + "FROM a\n").encode(), "Dockerfile").directives.escape == escape


@pytest.mark.parametrize(
    ("text", "script"),
    [
        pytest.param("RUN <<EOF\na\nb\nEOF\n", "a\nb\n", id="alone"),
        pytest.param("RUN <<-EOF\n\ta\n\tEOF\n", "a\n", id="without-tabs"),
        pytest.param("RUN <<EOF cat\na\nEOF\n", "<<EOF cat\na\nEOF", id="for-a-command"),
        pytest.param("RUN cat <<A <<B\n1\nA\n2\nB\n", "cat <<A <<B\n1\nA\n2\nB", id="two"),
        pytest.param("RUN echo '<<A'\n", "echo '<<A'", id="quoted"),
        pytest.param("RUN a <<< word\n", "a <<< word", id="here-string"),
    ],
)
def test_the_script_of_a_heredoc(text: str, script: str) -> None:
    run = first(text)
    assert isinstance(run, kinds.Run)
    assert run.script == script


def test_a_heredoc_with_an_interpreter_is_a_file() -> None:
    run = first("RUN <<EOF\n#!/usr/bin/python3\nprint(1)\nEOF\n")
    assert isinstance(run, kinds.Run)
    assert run.interpreted is not None
    assert run.interpreted.text.startswith("#!/usr/bin/python3\n")


@pytest.mark.parametrize(
    ("name", "expand"),
    [("EOF", True), ("'EOF'", False), ('"EOF"', False), ('E"O"F', False), ("\\EOF", False)],
)
def test_a_quoted_name_keeps_variables_in_a_heredoc(name: str, expand: bool) -> None:
    copy = first(f"COPY <<{name} /x\n$A\nEOF\n")
    assert isinstance(copy, kinds.Copy)
    assert copy.heredocs == (kinds.Heredoc(name="EOF", content="$A\n", expand=expand),)


def test_options_may_be_quoted() -> None:
    run = first('RUN --mount="type=bind,target=/a b" --network=none -- --really\n')
    assert isinstance(run, kinds.Run)
    assert run.mounts == ("type=bind,target=/a b",)
    assert run.network == "none"
    assert run.command.words == ("--really",)


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        pytest.param("ENV a=1 b=2", [("a", "1"), ("b", "2")], id="several"),
        pytest.param('ENV a="x y" b=x\\ y', [("a", '"x y"'), ("b", "x\\ y")], id="raw"),
        pytest.param("ENV a x y=z", [("a", "x y=z")], id="old-form"),
        pytest.param("ENV a= b=c=d", [("a", ""), ("b", "c=d")], id="empty-and-equals"),
        pytest.param("LABEL a.b=1 \\\n c=2", [("a.b", "1"), ("c", "2")], id="label"),
        pytest.param("ARG a b=1", [("a", None), ("b", "1")], id="arg"),
    ],
)
def test_pairs(text: str, pairs: list[tuple[str, str | None]]) -> None:
    read = first(text)
    assert isinstance(read, kinds.Env | kinds.Label | kinds.Arg)
    assert [(pair.name, pair.value) for pair in read.pairs] == pairs


@pytest.mark.parametrize(
    ("text", "shell", "words"),
    [
        pytest.param('CMD ["a", "b c"]', False, ("a", "b c"), id="json"),
        pytest.param("CMD []", False, (), id="nothing"),
        pytest.param("CMD ['a']", True, ("['a']",), id="no-json-is-for-the-shell"),
        pytest.param("CMD [ -f x ] && y", True, ("[ -f x ] && y",), id="a-test"),
    ],
)
def test_commands(text: str, shell: bool, words: tuple[str, ...]) -> None:
    read = first(text)
    assert isinstance(read, kinds.Cmd)
    assert read.command == kinds.Command(shell=shell, words=words)


def test_a_trigger_keeps_its_heredoc() -> None:
    read = first("ONBUILD COPY <<A /a\nx\nA\n")
    assert isinstance(read, kinds.OnBuild)
    assert read.trigger == "COPY <<A /a\nx\nA"
    assert isinstance(read.instruction, kinds.Copy)


def test_names_of_stages_are_in_lower_case() -> None:
    parsed = parse(b"FROM --platform=linux/arm64 a As Builder\n", "Dockerfile").instructions[0]
    assert isinstance(parsed, kinds.From)
    assert (parsed.name, parsed.name_typed, parsed.as_word) == ("builder", "Builder", "As")
