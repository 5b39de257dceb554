"""The grammar of the command line: that of Go's pflag, which podman and docker use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base.errors import Unsupported, UsageError
from pod.cli.declare import Arguments, Command, Option
from pod.cli.parse import (
    HelpRequested,
    UnknownOption,
    parse_command,
    parse_number,
    parse_options,
    split_commas,
)

OPTIONS = (
    Option(("-d", "--detach"), "flag"),
    Option(("-i", "--interactive"), "flag"),
    Option(("-t", "--tty"), "flag"),
    Option(("--rm",), "flag"),
    Option(("--sig-proxy",), "flag", default=True),
    Option(("-n", "--name"), "text"),
    Option(("--network",), "list", aliases=("--net",)),
    Option(("-p", "--publish"), "list"),
    Option(("-c", "--cap-add"), "comma"),
    Option(("--pids-limit",), "number", default=2048),
    Option(("--last",), "number", lowest=-1),
    Option(("--pull",), "optional", default="missing", no_value="always"),
    Option(("-o", "--order"), "optional", no_value="size"),
    Option(("--sort",), "text", choices=("size", "created"), default="created"),
    Option(("--oom-kill-disable",), "flag", refused="cgroup v2 cannot do it"),
    Option(("--rdt-class",), "text", refused="it needs root"),
)


def parse(*words: str, interspersed: bool = True, outer: Arguments | None = None) -> Arguments:
    return parse_options(OPTIONS, words, "pod run", interspersed=interspersed, outer=outer)


def nothing(arguments: Arguments, engine: None) -> None:
    """What a command does is not looked at here."""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(["--rm"], True, id="bare"),
        pytest.param(["--rm=true"], True, id="true"),
        pytest.param(["--rm=T"], True, id="T"),
        pytest.param(["--rm=1"], True, id="one"),
        pytest.param(["--rm=false"], False, id="false"),
        pytest.param(["--rm=0"], False, id="zero"),
        pytest.param(["--rm", "--rm=FALSE"], False, id="last-wins"),
        pytest.param([], False, id="absent"),
    ],
)
def test_flag_takes_its_value_only_behind_an_equals_sign(words: list[str], expected: bool) -> None:
    assert parse(*words).flag("rm") is expected


def test_word_after_a_flag_is_not_its_value() -> None:
    arguments = parse("--rm", "false")
    assert arguments.flag("rm") is True
    assert arguments.words == ["false"]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["--name", "web"], id="two-words"),
        pytest.param(["--name=web"], id="equals"),
        pytest.param(["-n", "web"], id="short-two-words"),
        pytest.param(["-nweb"], id="short-joined"),
        pytest.param(["-n=web"], id="short-equals"),
        pytest.param(["-dn", "web"], id="cluster-two-words"),
        pytest.param(["-itnweb"], id="cluster-joined"),
        pytest.param(["-dn=web"], id="cluster-equals"),
        pytest.param(["--name=db", "--name=web"], id="last-wins"),
    ],
)
def test_text_in_every_spelling(words: list[str]) -> None:
    assert parse(*words).text("name") == "web"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(["--name="], "", id="empty"),
        pytest.param(["--name=a=b"], "a=b", id="equals-in-value"),
        pytest.param(["--name", "--rm"], "--rm", id="looks-like-an-option"),
        pytest.param(["--name", "--"], "--", id="dashes"),
        pytest.param(["-n="], "=", id="lone-equals-is-the-value"),
        pytest.param(["-n", ""], "", id="empty-word"),
    ],
)
def test_odd_values_are_taken_as_pflag_takes_them(words: list[str], expected: str) -> None:
    arguments = parse(*words)
    assert arguments.text("name") == expected
    assert arguments.words == []


def test_value_in_a_cluster_belongs_to_its_last_letter() -> None:
    arguments = parse("-it=false")
    assert arguments.flag("interactive") is True
    assert arguments.flag("tty") is False


def test_lists_collect_and_keep_commas() -> None:
    assert parse("-p", "80:80", "--publish=1,2", "-p443").texts("publish") == [
        "80:80",
        "1,2",
        "443",
    ]


def test_comma_lists_split_and_collect() -> None:
    arguments = parse("--cap-add=net_raw,chown", "-c", '"a,b",c', "--cap-add=")
    assert arguments.texts("cap_add") == ["net_raw", "chown", "a,b", "c"]


def test_optional_value_is_never_the_next_word() -> None:
    arguments = parse("--pull", "newer", "-o", "name")
    assert arguments.text("pull") == "always"
    assert arguments.text("order") == "size"
    assert arguments.words == ["newer", "name"]
    assert parse("--pull=newer").text("pull") == "newer"
    assert parse("-o=name").text("order") == "name"
    assert parse("-do").text("order") == "size"


def test_defaults_and_what_was_given() -> None:
    arguments = parse("--rm")
    assert arguments.given("rm")
    assert not arguments.given("pull")
    assert arguments.text("pull") == "missing"
    assert arguments.number("pids_limit") == 2048
    assert arguments.flag("sig_proxy") is True
    assert arguments.text("name") is None
    assert arguments.texts("publish") == []


def test_list_that_is_returned_can_be_changed_without_harm() -> None:
    arguments = parse("-p1")
    arguments.texts("publish").append("2")
    assert arguments.texts("publish") == ["1"]


def test_alias_sets_the_same_option() -> None:
    assert parse("--net=none", "--network", "host").texts("network") == ["none", "host"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(
            ["image", "--rm", "x"], ["image", "--rm", "x"], id="command-keeps-its-options"
        ),
        pytest.param(["--", "--rm", "x"], ["--rm", "x"], id="dashes-end-options"),
        pytest.param(["image", "--", "x"], ["image", "--", "x"], id="later-dashes-are-kept"),
        pytest.param(["-", "--rm"], ["-", "--rm"], id="dash-is-a-word"),
        pytest.param(["", "--rm"], ["", "--rm"], id="empty-is-a-word"),
        pytest.param(["image", "--help"], ["image", "--help"], id="help-of-the-container"),
    ],
)
def test_options_end_at_the_first_word_where_a_command_follows(
    words: list[str], expected: list[str]
) -> None:
    arguments = parse(*words, interspersed=False)
    assert arguments.words == expected
    assert not arguments.flag("rm")


def test_options_may_follow_words_elsewhere() -> None:
    arguments = parse("a", "--rm", "b", "-d", "--", "-t")
    assert arguments.words == ["a", "b", "-t"]
    assert arguments.flag("rm") and arguments.flag("detach") and not arguments.flag("tty")


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["-dh"], ["a", "--help", "--bogus"]])
def test_help_is_asked_for(words: list[str]) -> None:
    with pytest.raises(HelpRequested):
        parse(*words)


def test_help_behind_the_dashes_is_a_word() -> None:
    assert parse("--", "--help").words == ["--help"]


def test_short_h_belongs_to_the_command_that_declares_it() -> None:
    options = (Option(("-h", "--hostname"), "text"),)
    assert (
        parse_options(options, ["-hbox"], "pod run", interspersed=False).text("hostname") == "box"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["--bogus"], "unknown flag: --bogus", id="long"),
        pytest.param(["--bogus=1"], "unknown flag: --bogus", id="long-with-value"),
        pytest.param(["--nam=x"], "unknown flag: --nam, did you mean '--name'?", id="no-prefixes"),
        pytest.param(
            ["--publsh=x"], "unknown flag: --publsh, did you mean '--publish'?", id="typo"
        ),
        pytest.param(["-x"], "unknown shorthand flag: 'x' in -x", id="short"),
        pytest.param(["-dxt"], "unknown shorthand flag: 'x' in -dxt", id="in-a-cluster"),
        pytest.param(
            ["-rm"], "unknown shorthand flag: 'r' in -rm, did you mean '--rm'?", id="lacks-a-dash"
        ),
        pytest.param(["-d="], "unknown shorthand flag: '=' in -d=", id="flag-with-lone-equals"),
    ],
)
def test_unknown_option_is_named(words: list[str], message: str) -> None:
    with pytest.raises(UnknownOption) as caught:
        parse(*words)
    assert caught.value.message == message
    assert caught.value.hint == "pod run --help"
    assert caught.value.exit_status == 125


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["--name"], "flag needs an argument: --name", id="long"),
        pytest.param(["-n"], "flag needs an argument: 'n' in -n", id="short"),
        pytest.param(["-dn"], "flag needs an argument: 'n' in -dn", id="cluster"),
        pytest.param(["--=x"], "bad flag syntax: --=x", id="no-name"),
        pytest.param(["---x"], "bad flag syntax: ---x", id="three-dashes"),
        pytest.param(
            ["--rm=maybe"],
            "invalid argument 'maybe' for '--rm': true or false is expected",
            id="bool",
        ),
        pytest.param(
            ["--rm="], "invalid argument '' for '--rm': true or false is expected", id="empty-bool"
        ),
        pytest.param(
            ["--last=x"], "invalid argument 'x' for '--last': an integer is expected", id="number"
        ),
        pytest.param(
            ["--last", "-2"],
            "invalid argument '-2' for '--last': the lowest number allowed is -1",
            id="too-low",
        ),
        pytest.param(
            ["--sort=sise"],
            "invalid argument 'sise' for '--sort': expected is one of size, created, did you mean 'size'?",
            id="choice",
        ),
        pytest.param(
            ['-ca"b'],
            "invalid argument 'a\"b' for '-c': a quote is not closed or not escaped",
            id="quote",
        ),
    ],
)
def test_wrong_value_is_explained(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(*words)
    assert caught.value.message == message
    assert caught.value.hint == "pod run --help"


@pytest.mark.parametrize("words", [["--oom-kill-disable"], ["--rdt-class", "x"], ["--rdt-class="]])
def test_refused_option_gives_its_reason(words: list[str]) -> None:
    with pytest.raises(Unsupported) as caught:
        parse(*words)
    assert "is not supported: " in caught.value.message
    assert caught.value.exit_status == 125


def test_refused_flag_that_is_switched_off_asks_for_nothing() -> None:
    assert parse("--oom-kill-disable=false").flag("oom_kill_disable") is False


@pytest.mark.parametrize(
    ("low", "high", "words", "message"),
    [
        pytest.param(0, 0, ["x"], "`pod x` takes no arguments, but got 'x'", id="none"),
        pytest.param(
            1, None, [], "`pod x` requires at least 1 argument, received none", id="least"
        ),
        pytest.param(2, None, ["a"], "`pod x` requires at least 2 arguments, received 1", id="two"),
        pytest.param(0, 1, ["a", "b"], "`pod x` accepts at most 1 argument, received 2", id="most"),
        pytest.param(2, 2, ["a"], "`pod x` accepts 2 arguments, received 1", id="exactly"),
    ],
)
def test_number_of_words_is_checked(
    low: int, high: int | None, words: list[str], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        parse_command(Command(nothing, minimum=low, maximum=high), words, "pod x")
    assert caught.value.message == message


def test_help_comes_before_the_count() -> None:
    with pytest.raises(HelpRequested):
        parse_command(Command(nothing, minimum=2), ["--help"], "pod x")


def test_options_of_the_program_are_found_behind_the_command() -> None:
    outer = parse_options(
        (Option(("--root",), "text"), Option(("-v", "--version"), "flag")),
        ["--root=/a"],
        "pod",
        interspersed=False,
    )
    arguments = parse("--root", "/b", "--rm", outer=outer)
    assert outer.text("root") == "/b"
    assert arguments.flag("rm")
    with pytest.raises(UnknownOption):
        parse("--version", outer=outer)
    with pytest.raises(UnknownOption):
        parse("-v", outer=outer)


@pytest.mark.parametrize("name", ["detach", "publish", "pids_limit", "name"])
def test_asking_for_the_wrong_kind_is_a_mistake_of_the_command(name: str) -> None:
    arguments = parse()
    questions = {
        "flag": arguments.flag,
        "text": arguments.text,
        "number": arguments.number,
        "list": arguments.texts,
    }
    option = arguments.option_for("--" + name.replace("_", "-"))
    assert option is not None
    for kind, ask in questions.items():
        if kind != option.kind:
            with pytest.raises(TypeError):
                ask(name)


def test_asking_for_what_is_not_declared_is_a_mistake_of_the_command() -> None:
    with pytest.raises(LookupError):
        parse().flag("bogus")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("0", 0),
        ("-1", -1),
        ("+7", 7),
        ("010", 8),
        ("0o17", 15),
        ("0x1F", 31),
        ("-0b11", -3),
        ("1_000", 1000),
        ("9223372036854775807", (1 << 63) - 1),
        ("9223372036854775808", None),
        ("-9223372036854775808", -(1 << 63)),
        ("08", None),
        ("1.5", None),
        ("", None),
        ("-", None),
        (" 1", None),
        ("1 ", None),
        ("1__0", None),
        ("٣", None),
        ("--1", None),
    ],
)
def test_numbers_as_go_reads_them(typed: str, expected: int | None) -> None:
    assert parse_number(typed) == expected


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", []),
        ("a", ["a"]),
        ("a,b", ["a", "b"]),
        (",", ["", ""]),
        ('"a,b",c', ["a,b", "c"]),
        ('"a ""b""",c', ['a "b"', "c"]),
        ('""', [""]),
        ('a,""', ["a", ""]),
        ('"a"b', None),
        ('"a', None),
        ('a"', None),
    ],
)
def test_commas_and_quotes(typed: str, expected: list[str] | None) -> None:
    assert split_commas(typed) == expected


@given(st.lists(st.text(alphabet='ab", \n')))
def test_quoted_values_come_back(values: list[str]) -> None:
    quoted = ",".join('"' + value.replace('"', '""') + '"' for value in values)
    assert split_commas(quoted) == values


WORDS = st.text(alphabet=st.characters(blacklist_categories=["Cs"]), max_size=8)
CHOSEN = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["detach", "interactive", "tty", "rm"]), st.booleans()),
        st.tuples(st.sampled_from(["name", "pull"]), WORDS),
        st.tuples(st.just("publish"), WORDS),
        st.tuples(st.sampled_from(["pids_limit"]), st.integers(-(1 << 63), (1 << 63) - 1)),
    ),
    max_size=12,
)


@given(CHOSEN, st.lists(WORDS, max_size=4), st.data())
def test_what_is_spelled_is_what_is_read(
    chosen: list[tuple[str, bool | str | int]], words: list[str], data: st.DataObject
) -> None:
    """Any set of options, in any spelling, with any words, comes back as it was meant."""
    spelled: list[str] = []
    expected: dict[str, object] = {}
    index = {option.name: option for option in OPTIONS}
    for name, value in chosen:
        spelled += data.draw(st.sampled_from(spellings(index[name], value)))
        if name == "publish":
            before = expected.get(name, [])
            assert isinstance(before, list)
            expected[name] = [*before, value]
        else:
            expected[name] = value
    interspersed = data.draw(st.booleans())
    arguments = parse(*spelled, "--", *words, interspersed=interspersed)
    assert arguments.words == words
    for name, meant in expected.items():
        option = index[name]
        if option.kind == "flag":
            assert arguments.flag(name) == meant
        elif option.kind == "number":
            assert arguments.number(name) == meant
        elif option.kind == "list":
            assert arguments.texts(name) == meant
        else:
            assert arguments.text(name) == meant


def spellings(option: Option, value: bool | str | int) -> list[list[str]]:
    """All ways to type one option with a value."""
    long, short = option.flags[-1], option.flags[0]
    if isinstance(value, bool):
        word = "true" if value else "false"
        ways = [[f"{long}={word}"]] + ([[long]] if value else [])
        if short != long:
            ways += [[f"{short}={word}"]] + ([[short]] if value else [])
        return ways
    ways = [[f"{long}={value}"]]
    if option.takes_value:
        ways.append([long, str(value)])
        if short != long:
            ways.append([short, str(value)])
            if value:
                ways.append([f"{short}={value}"])
                if not str(value).startswith("="):
                    ways.append([f"{short}{value}"])
    return ways


@given(st.lists(st.text(max_size=6), max_size=6), st.booleans())
def test_any_words_are_read_or_refused_with_a_sentence(
    words: list[str], interspersed: bool
) -> None:
    try:
        parse(*words, interspersed=interspersed)
    except HelpRequested:
        pass
    except UsageError as error:
        assert error.message and error.exit_status == 125
