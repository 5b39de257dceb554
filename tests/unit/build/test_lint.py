"""The checks that BuildKit documents, each with what it finds and what it leaves alone."""

from __future__ import annotations

import os
from collections.abc import Mapping

import pytest

from pod.build.dockerfile.ignore import IgnoreRules
from pod.build.dockerfile.lint import RULES, Checks, lint, parse_checks
from pod.build.dockerfile.parser import parse
from pod.build.dockerfile.stages import find_stages
from pod.build.dockerfile.variables import platform_arguments

EVERYTHING = Checks(experimental=frozenset(RULES))


def found(
    text: str, checks: Checks | None = EVERYTHING, environment: Mapping[str, str] | None = None
) -> list[tuple[str, int]]:
    dockerfile = parse(text.encode(), "Dockerfile")
    stages = find_stages(dockerfile, {}, platform_arguments("linux/amd64", "linux/amd64"))
    warnings = lint(
        dockerfile,
        stages,
        checks=checks,
        rules=IgnoreRules(["hidden"], ".dockerignore"),
        environments={} if environment is None else {0: environment},
    )
    assert all(str(warning).startswith("Dockerfile:") for warning in warnings)
    return [(warning.rule, warning.place.first) for warning in warnings]


BAD = {
    "ConsistentInstructionCasing": ["FROM a\nrun x\nUSER b", "from a\nrun x\nUSER b", "From a"],
    "CopyIgnoredFile": ["FROM a\nCOPY hidden/x /y", "FROM a\nADD ./hidden /y"],
    "DuplicateStageName": ["FROM a AS b\nFROM c AS b"],
    "ExposeInvalidFormat": ["FROM a\nEXPOSE 127.0.0.1:80:80", "FROM a\nEXPOSE 80:80/tcp"],
    "ExposeProtoCasing": ["FROM a\nEXPOSE 80/TCP"],
    "FromAsCasing": ["FROM a as b"],
    "FromPlatformFlagConstDisallowed": ["FROM --platform=linux/amd64 a AS b"],
    "InvalidDefaultArgInFrom": ["ARG T\nFROM a:$T", "ARG I=\nARG T=$I\nFROM a:${T}"],
    "InvalidDefinitionDescription": ["# it does\nFROM a AS b", "FROM a\n# X\n# what\nARG B=1"],
    "JSONArgsRecommended": ["FROM a\nCMD run it", "FROM a\nENTRYPOINT run it"],
    "LegacyKeyValueFormat": ["FROM a\nENV a b", "FROM a\nLABEL a b"],
    "MaintainerDeprecated": ["FROM a\nMAINTAINER me"],
    "MultipleInstructionsDisallowed": [
        'FROM a\nCMD ["a"]\nCMD ["b"]',
        'FROM a\nHEALTHCHECK NONE\nHEALTHCHECK CMD ["b"]',
    ],
    "NoEmptyContinuation": ["FROM a\nRUN a \\\n\n  b"],
    "RedundantTargetPlatform": ["FROM --platform=$TARGETPLATFORM a"],
    "ReservedStageName": ["FROM a AS context", "FROM a AS scratch"],
    "SecretsUsedInArgOrEnv": ["FROM a\nARG API_TOKEN", "FROM a\nENV a=1 PASSWORD=2"],
    "StageNameCasing": ["FROM a AS Base"],
    "UndefinedArgInFrom": ["FROM a:${T:-1}$U", "ARG A=1\nFROM a$B"],
    "UndefinedVar": ["FROM scratch\nLABEL a=$B", "FROM scratch\nENV B=1 C=$B"],
    "WorkdirRelativePath": ["FROM a\nWORKDIR b"],
}


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_finds_what_it_is_about(rule: str) -> None:
    for text in BAD[rule]:
        others = {"InvalidDefaultArgInFrom"} if rule == "UndefinedArgInFrom" else set()
        names = {name for name, _ in found(text)} - others
        assert names == {rule}, text


@pytest.mark.parametrize(
    "text",
    [
        "from a as b\nrun x",
        "FROM a\nCOPY --from=b hidden /y\nCOPY hid* ./other $X /y/",
        "ARG T=1\nFROM a:$T\nFROM $TARGETARCH",
        "FROM --platform=linux/amd64 a AS build-amd64\nFROM --platform=$BUILDPLATFORM b",
        "# b does this\nFROM a AS b\n\n# a remark\n\nARG C=1",
        'FROM a\nSHELL ["/bin/bash", "-c"]\nCMD run it',
        'FROM a\nCMD ["a"]\nFROM b\nCMD ["b"]',
        "FROM a\nARG PUBLIC_KEY TOKENIZER\nENV KEYBOARD=1",
        "FROM a\nWORKDIR /a\nWORKDIR b",
        "FROM a\nWORKDIR $HOME\nWORKDIR b",
        "FROM scratch\nWORKDIR b\nARG X\nENV A=1 Y=${Z:-1}$X\nLABEL a=$A$PATH b='$Q'",
        "FROM a AS a\nENV X=1\nFROM a\nLABEL a=$X$PATH$HOME",
        "FROM a\nEXPOSE 80 $PORT/$PROTO 53/udp 1-2",
    ],
)
def test_nothing_to_complain_about(text: str) -> None:
    assert found(text) == []


def test_variables_of_the_base_image_are_defined_if_it_is_known() -> None:
    text = "FROM a AS one\nLABEL a=$JAVA_HOME\nFROM one\nLABEL b=$JAVA_HOME c=$JAVA_HOM"
    assert found(text) == []
    assert found(text, environment={"JAVA_HOME": "/j"}) == [("UndefinedVar", 4)]


@pytest.mark.parametrize(
    ("directive", "rules"),
    [
        ("# check=skip=StageNameCasing", ["FromAsCasing"]),
        ("# check=skip=stagenamecasing,FromAsCasing;error=true", []),
        ("# check=skip=all", []),
        ("# check=skip=NoSuchRule", ["FromAsCasing", "StageNameCasing"]),
        ("# check=experimental=all", ["FromAsCasing", "StageNameCasing"]),
    ],
)
def test_the_file_chooses_rules(directive: str, rules: list[str]) -> None:
    text = f"{directive}\nFROM a as Base\nCOPY x /y"
    assert sorted(name for name, _ in found(text, checks=None)) == rules


def test_experimental_rules_have_to_be_asked_for() -> None:
    text = "FROM a\nCOPY hidden /x"
    assert found(text, checks=None) == []
    assert found(f"# check=experimental=CopyIgnoredFile\n{text}", checks=None) == [
        ("CopyIgnoredFile", 3)
    ]


def test_error_makes_the_build_fail() -> None:
    assert parse_checks("error=true").error
    assert not parse_checks("skip=all").error


def test_the_manual_page_has_the_rules() -> None:
    page = os.path.join(os.path.dirname(__file__), "../../../man/pod-dockerfile.5.md")
    with open(page, encoding="utf-8") as file:
        checks = file.read().partition("## CHECKS")[2].partition("## ERRORS")[0]
    rows = [line.split("|")[1].strip() for line in checks.splitlines() if line.startswith("|")]
    assert [row.removesuffix(" *") for row in rows[2:]] == sorted(RULES)
