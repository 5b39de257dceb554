"""Patterns of COPY and of ignore files, as Go has them."""

from __future__ import annotations

import pytest

from pod.base.errors import PodError
from pod.build.dockerfile.ignore import IgnoreRules
from pod.build.dockerfile.match import BadPattern, name_matcher, path_matcher


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("*.txt", ["a.txt", ".txt", "a b.txt"], ["a.txt.gz", "txt"]),
        ("a**b", ["ab", "axxb"], ["a/b"]),
        ("index.?s", ["index.js", "index.ts"], ["index.s", "index.css"]),
        ("arr[[]0].txt", ["arr[0].txt"], ["arr0.txt"]),
        ("[a-c]x", ["ax", "cx"], ["dx", "-x"]),
        ("[^a-c]x", ["dx", "!x"], ["ax", "/x"]),
        ("[!a]x", ["!x", "ax"], ["bx"]),
        ("\\*x", ["*x"], ["ax"]),
        ("a+(b).", ["a+(b)."], ["aab", "ab"]),
        ("*", [".hidden", "a"], ["a/b"]),
        ("x\ny*", ["x\ny\n"], ["x"]),
    ],
)
def test_names(pattern: str, matching: list[str], others: list[str]) -> None:
    matches = name_matcher(pattern)
    assert [name for name in matching if not matches(name)] == []
    assert [name for name in others if matches(name)] == []


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("**/*.go", ["a.go", "x/a.go", "x/y/a.go"], ["a.gox"]),
        ("a/**", ["a/b", "a/b/c"], ["a", "b/a/c"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a/xb", "ab"]),
        ("**", ["a", "a/b"], []),
        ("*/x", ["a/x"], ["x", "a/b/x"]),
    ],
)
def test_paths(pattern: str, matching: list[str], others: list[str]) -> None:
    matches = path_matcher(pattern)
    assert [path for path in matching if not matches(path)] == []
    assert [path for path in others if matches(path)] == []


@pytest.mark.parametrize("pattern", ["[", "[]a]", "[a", "[^", "[b-a]", "a\\", "[a-]", "[-a]"])
def test_what_is_no_pattern(pattern: str) -> None:
    with pytest.raises(BadPattern):
        name_matcher(pattern)


@pytest.mark.parametrize(
    ("lines", "ignored", "kept"),
    [
        pytest.param("a", ["a", "a/b/c"], ["b/a", "ab"], id="from-the-root-with-all-below"),
        pytest.param("/a/", ["a", "a/b"], ["b/a"], id="slashes-at-the-ends"),
        pytest.param("./x/../a", ["a"], ["x"], id="cleaned"),
        pytest.param("*/temp*", ["s/temporary", "s/temp"], ["temp", "a/b/temp"], id="one-down"),
        pytest.param("*.md\n!README.md", ["a.md"], ["README.md", "d/a.md"], id="taken-back"),
        pytest.param(
            "*.md\n!README*.md\nREADME-secret.md", ["README-secret.md"], ["README.md"], id="last"
        ),
        pytest.param("*\n!src", ["a", ".git/x"], ["src", "src/a/b"], id="all-but"),
        pytest.param("**/node_modules", ["node_modules", "a/node_modules/x"], ["a"], id="anywhere"),
        pytest.param("# a\n\n  b  \n", ["b"], ["a", "# a"], id="comments-and-blanks"),
        pytest.param("\ufeffa\r\nb\r\n", ["a", "b"], [], id="from-windows"),
        pytest.param("! \\!x", [], ["!x"], id="blank-after-the-mark"),
        pytest.param("a/b\n!a/b/c", ["a/b/d"], ["a", "a/b/c"], id="inside-of-an-ignored-one"),
        pytest.param(".\n/\n..", [], ["a"], id="the-root-stays"),
    ],
)
def test_ignored(lines: str, ignored: list[str], kept: list[str]) -> None:
    rules = IgnoreRules.parse(lines.encode(), ".dockerignore")
    assert [path for path in ignored if not rules.ignores(path)] == []
    assert [path for path in kept if rules.ignores(path)] == []


@pytest.mark.parametrize(
    ("lines", "directory", "may"),
    [
        ("*\n!a/b/*.c", "a", True),
        ("*\n!a/b/*.c", "a/b", True),
        ("*\n!a/b/*.c", "c", False),
        ("*\n!a/b/*.c", "a/bb", False),
        ("*\n!**/x", "c", True),
        ("*", "a", False),
        ("*\n!a", "a/b", True),
    ],
)
def test_an_ignored_directory_is_read_only_where_something_may_be_taken_back(
    lines: str, directory: str, may: bool
) -> None:
    assert IgnoreRules.parse(lines.encode(), "x").may_take_back_below(directory) is may


@pytest.mark.parametrize(
    ("line", "says"),
    [("a\n!", "'!' is no pattern: a path is missing"), ("a\n[x", r"'\[x' is no pattern")],
)
def test_a_bad_line_has_its_number(line: str, says: str) -> None:
    with pytest.raises(PodError, match=f".dockerignore:2: {says}"):
        IgnoreRules.parse(line.encode(), ".dockerignore")
