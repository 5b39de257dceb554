"""Which stages a build file has, and which of them a target needs."""

from __future__ import annotations

import pytest

from pod.build.dockerfile.errors import DockerfileError
from pod.build.dockerfile.parser import parse
from pod.build.dockerfile.stages import Source, Stages, find_stages
from pod.build.dockerfile.variables import Variables, platform_arguments, unused


def stages(text: str, contexts: tuple[str, ...] = (), **given: str) -> Stages:
    platform = platform_arguments("linux/amd64", "linux/arm/v7")
    return find_stages(parse(text.encode(), "Dockerfile"), given, platform, contexts)


def needed(text: str, target: str = "", **given: str) -> list[str]:
    found = stages(text, **given)
    return [stage.shown for stage in found.needed(found.target(target))]


WEB = """FROM node AS front
RUN npm
FROM debian AS deps
RUN apt
FROM deps AS app
COPY --from=front /a /b
FROM nginx AS unused
FROM scratch
COPY --from=2 / /
"""


@pytest.mark.parametrize(
    ("target", "names"),
    [("", ["deps", "front", "app", "4"]), ("APP", ["deps", "front", "app"]), ("0", ["front"])],
)
def test_only_what_the_target_needs(target: str, names: list[str]) -> None:
    assert needed(WEB, target) == names


def test_from_looks_at_earlier_stages_only_and_copy_at_all() -> None:
    found = stages("FROM b AS a\nCOPY --from=b / /\nFROM x AS b\n")
    assert found.stages[0].base == Source(image="b")
    assert found.sources(found.stages[0]) == [Source(image="b"), Source(stage=1)]


def test_the_last_stage_of_a_name_counts() -> None:
    found = stages("FROM x AS a\nFROM a AS a\nFROM y\nCOPY --from=a / /\n")
    assert found.stages[1].base == Source(stage=0)
    assert found.sources(found.stages[2])[1] == Source(stage=1)


def test_mounts_need_stages_too_and_variables_name_them() -> None:
    text = "FROM a AS tool\nFROM b\nARG X=no\nRUN --mount=from=$X,target=/x true\n"
    assert needed(text, X="tool") == ["tool", "1"]


def test_a_trigger_of_a_stage_brings_its_sources() -> None:
    text = "FROM a AS files\nFROM b AS base\nONBUILD COPY --from=files /x /x\nFROM base\n"
    assert needed(text) == ["base", "files", "2"]
    assert needed(text, "base") == ["base"]


def test_a_build_context_replaces_stages_and_images() -> None:
    found = stages("FROM a AS one\nFROM two\nCOPY --from=one / /\n", contexts=("one", "two"))
    assert found.sources(found.stages[0]) == [Source(context="one")]
    assert found.sources(found.stages[1]) == [Source(context="two"), Source(context="one")]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param(
            "FROM a AS x\nCOPY --from=y a b\nFROM x AS y\n", "'y' -> 'x' -> 'y'", id="two"
        ),
        pytest.param("FROM a\nCOPY --from=0 a b\n", "'0' -> '0'", id="itself"),
    ],
)
def test_stages_that_need_each_other_are_refused(text: str, names: str) -> None:
    with pytest.raises(DockerfileError, match=f"stages need each other: {names}"):
        needed(text)


def test_many_stages_are_no_depth() -> None:
    text = "FROM a AS s0\n" + "".join(f"FROM s{n} AS s{n + 1}\n" for n in range(2000))
    assert len(needed(text)) == 2001


def test_from_takes_arguments_before_it() -> None:
    text = "ARG V=1\nARG I=deb:$V\nFROM --platform=$BUILDPLATFORM $I\nARG V\nFROM $TARGETARCH$V\n"
    found = stages(text, V="2")
    assert found.stages[0].base == Source(image="deb:2")
    assert found.stages[0].platform == "linux/amd64"
    assert found.stages[1].base == Source(image="arm2")


@pytest.mark.parametrize(
    ("text", "target", "says"),
    [
        ("FROM $NOTHING\n", "", r"the image of FROM is empty: '\$NOTHING'"),
        ("FROM a AS build\n", "biuld", "no stage 'biuld', did you mean 'build'"),
        ("FROM a\nCOPY --from=3 a b\n", "", "there is no stage 3: the last one is 0"),
        ("FROM a\nCOPY --from=$A a b\n", "", r"--from=\$A is empty"),
    ],
)
def test_refused(text: str, target: str, says: str) -> None:
    with pytest.raises(DockerfileError, match=says):
        needed(text, target)


def test_an_argument_has_the_value_of_the_nearest_place() -> None:
    variables = Variables({"given": "command"}, {"given": "top", "top": "top"}, {"env": "image"})
    assert variables.declare("given", "default") == "command"
    assert variables.declare("top", None) == "top"
    assert variables.declare("top", "default") == "default"
    assert variables.declare("nothing", None) is None
    variables.declare("env", "hidden")
    assert variables.known()["env"] == "image"
    assert variables.arguments == {"given": "command", "top": "default"}


def test_arguments_that_nobody_asked_for() -> None:
    assert unused(["a", "b", "HTTP_PROXY", "TARGETARCH"], ["a"]) == ["b"]
