"""Whatever a build file has in it: an answer or a DockerfileError with a place, never another exception."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pod.base.errors import PodError
from pod.build.dockerfile.errors import DockerfileError
from pod.build.dockerfile.expand import ExpansionError, expand, expand_heredoc, expand_words
from pod.build.dockerfile.ignore import IgnoreRules
from pod.build.dockerfile.lint import RULES, lint, parse_checks
from pod.build.dockerfile.parser import Dockerfile, parse, parse_triggers
from pod.build.dockerfile.run_options import parse_mount
from pod.build.dockerfile.stages import find_stages
from pod.build.dockerfile.substitute import Substitution
from pod.build.dockerfile.variables import platform_arguments

LOADED = [HealthCheck.too_slow]  # a machine under load is no fault of ours
PLATFORM = platform_arguments("linux/amd64", "linux/arm64/v8")
WORDS = (
    "FROM RUN CMD LABEL MAINTAINER EXPOSE ENV ADD COPY ENTRYPOINT VOLUME USER WORKDIR ARG ONBUILD STOPSIGNAL "
    "HEALTHCHECK SHELL from AS as scratch a b --from=a --from=0 --from=$A --mount=type=cache,target=/x "
    "--mount=type=bind,from=a,target=$A --mount=type=secret --chown=1:2 --chmod=u+x --link --parents --platform=$A "
    "--interval=1s CMD NONE [] [\"a\"] [1] <<EOF <<-\"E\" EOF E $A ${A:-b} ${A ${A/b/c} ${A##*/} ' \" \\ ` \\\n \n "
    "\n# # escape=` # check=skip=all;error=true A=1 B= =x 80/tcp /x/ \t \r\n \0 \ufeff é $ -- --x"
).split(" ")  # fmt: skip

texts = st.one_of(
    st.text(max_size=80),
    st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join),
    st.lists(st.sampled_from(WORDS), max_size=25).map("\n".join).map("FROM a AS a\n".__add__),
)
contents = st.one_of(st.binary(max_size=80), texts.map(lambda text: text.encode()))


def parsed(content: bytes) -> Dockerfile | None:
    try:
        return parse(content, "Dockerfile")
    except DockerfileError as error:
        assert error.place is None or error.place.first >= 1
        assert not error.problem.endswith(".")
        return None


@settings(max_examples=300, deadline=None, suppress_health_check=LOADED)
@given(contents)
def test_files(content: bytes) -> None:
    dockerfile = parsed(content)
    if dockerfile is None:
        return
    for instruction in dockerfile.instructions:
        assert instruction.place.first <= instruction.place.last
        assert instruction.text.startswith(instruction.word)
    try:
        stages = find_stages(dockerfile, {"A": "a b"}, PLATFORM)
        stages.needed(stages.target(""))
        lint(dockerfile, stages, rules=IgnoreRules(["*"]), environments={0: {"A": "1"}})
        for instruction in dockerfile.instructions:
            Substitution({"A": "x y"}, dockerfile.directives.escape).instruction(instruction)
    except DockerfileError as error:
        assert error.message


@settings(max_examples=150, deadline=None, suppress_health_check=LOADED)
@given(texts, st.sampled_from(["\\", "`"]))
def test_words(text: str, escape: str) -> None:
    for function in (expand, expand_words, expand_heredoc):
        try:
            function(text, {"A": "x y"}, escape)
        except ExpansionError as error:
            assert error.message


@settings(max_examples=150, deadline=None, suppress_health_check=LOADED)
@given(texts)
def test_smaller_grammars(text: str) -> None:
    place = parse(b"FROM a", "Dockerfile").instructions[0].place
    assert parse_checks(text).skip <= frozenset(RULES)
    for function in (
        lambda: parse_mount(text, place, lambda value: value),
        lambda: parse_triggers((text,), "image"),
        lambda: IgnoreRules.parse(text.encode(), ".dockerignore").ignores("a/b"),
    ):
        try:
            function()
        except PodError as error:
            assert error.message


@settings(max_examples=100, deadline=None, suppress_health_check=LOADED)
@given(
    st.text(alphabet="ab/*?[]^-!\\. ", max_size=12), st.text(alphabet="ab/", min_size=1, max_size=8)
)
def test_ignored_directories_hide_what_is_in_them(line: str, path: str) -> None:
    try:
        rules = IgnoreRules([line])
    except PodError:
        return
    path = path.strip("/") or "a"
    if not line.strip().startswith("!") and rules.ignores(path):
        assert rules.ignores(f"{path}/below")
