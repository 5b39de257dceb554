"""Go templates. `tests/data/template/go.json` holds templates without data and what Go's own text/template makes of
them (podman 4.3.1, `podman version --format`); no text means that Go refuses the template.
"""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pod.base.records import Record
from pod.cli.template.errors import TemplateError
from pod.cli.template.render import Template

DATA = os.path.join(os.path.dirname(__file__), "../../data/template/go.json")
with open(DATA, encoding="utf-8") as file:
    GO = json.load(file)


class Health(Record):
    status: str
    failing_streak: int = 0


ROW: dict[str, Any] = {
    "ID": "4089df24d4f3",
    "Names": ["web", "www"],
    "Pid": 42,
    "Running": True,
    "Labels": {"b": "2", "a": "1", "com.example.x": "dots"},
    "State": {"Status": "running", "Health": None, "ExitCode": 0},
    "Mounts": [
        {"Type": "bind", "Source": "/a", "RW": True},
        {"Type": "volume", "Source": "/b", "RW": False},
    ],
    "NetworkSettings": {
        "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "443/tcp": None}
    },
    "Empty": [],
    "Nothing": None,
    "Health": Health("healthy", failing_streak=3),
    "RunningFor": lambda: "2 minutes ago",
    "Label": lambda name: ROW["Labels"].get(name, ""),
}


def fill(template: str, data: Any = ROW) -> str:
    return Template(template).render(data)


@pytest.mark.parametrize("case", GO, ids=[case["template"] for case in GO])
def test_the_same_text_as_go(case: dict[str, str | None]) -> None:
    template = case["template"]
    assert template is not None
    if case["text"] is None:
        with pytest.raises(TemplateError):
            fill(template)
    else:
        assert fill(template) == case["text"]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        pytest.param("{{.ID}}", "4089df24d4f3", id="field"),
        pytest.param(
            "{{ .ID }}: {{.State.Status}}!", "4089df24d4f3: running!", id="fields-and-text"
        ),
        pytest.param("plain { text }", "plain { text }", id="no-action"),
        pytest.param("", "", id="empty"),
        pytest.param("{{.Names}}", "[web www]", id="list"),
        pytest.param("{{.Labels}}", "map[a:1 b:2 com.example.x:dots]", id="map-is-sorted"),
        pytest.param("{{.State}}", "{running <nil> 0}", id="struct"),
        pytest.param(
            '{{printf "%+v" .State}}', "{Status:running Health:<nil> ExitCode:0}", id="named"
        ),
        pytest.param("{{.Mounts}}", "[{bind /a true} {volume /b false}]", id="list-of-structs"),
        pytest.param("{{.Labels.a}}", "1", id="map-entry-as-field"),
        pytest.param("{{.Labels.nope}}", "<no value>", id="no-such-map-entry"),
        pytest.param("{{.Labels.nope.deeper}}", "<no value>", id="below-no-value"),
        pytest.param('{{index .Labels "com.example.x"}}', "dots", id="index-with-dots"),
        pytest.param('{{index .Labels "nope"}}|', "|", id="index-of-nothing-is-the-zero-value"),
        pytest.param("{{.Nothing}}", "<nil>", id="null"),
        pytest.param("{{.State.Health.Status}}", "<no value>", id="below-null"),
        pytest.param("{{if .State.Health}}has{{else}}has none{{end}}", "has none", id="if-null"),
        pytest.param("{{.Running}} {{.Pid}}", "true 42", id="bool-and-number"),
        pytest.param(
            '{{(index (index .NetworkSettings.Ports "80/tcp") 0).HostPort}}',
            "8080",
            id="docker-idiom",
        ),
        pytest.param(
            "{{range $p, $conf := .NetworkSettings.Ports}}{{$p}}->{{with $conf}}{{(index . 0).HostPort}}"
            "{{else}}closed{{end}} {{end}}",
            "443/tcp->closed 80/tcp->8080 ",
            id="docker-port-list",
        ),
        pytest.param(
            "{{range .Mounts}}{{.Type}}:{{.Source}} {{end}}",
            "bind:/a volume:/b ",
            id="range-structs",
        ),
        pytest.param(
            '{{range .Mounts}}{{if eq .Type "volume"}}{{.Source}}{{end}}{{end}}',
            "/b",
            id="range-if",
        ),
        pytest.param("{{range .Empty}}x{{else}}none{{end}}", "none", id="range-else"),
        pytest.param("{{range .Nothing}}x{{else}}none{{end}}", "none", id="range-null"),
        pytest.param(
            "{{range $k, $v := .Labels}}{{$k}}={{$v}} {{end}}",
            "a=1 b=2 com.example.x=dots ",
            id="range-map",
        ),
        pytest.param(
            "{{with .State}}{{.Status}} {{$.ID}}{{end}}", "running 4089df24d4f3", id="with-and-root"
        ),
        pytest.param('{{join .Names ","}}', "web,www", id="join"),
        pytest.param('{{ .Names | join "," }}', ",", id="join-takes-the-list-first"),
        pytest.param('{{.ID | upper | printf "%.4s"}}', "4089", id="pipes"),
        pytest.param("{{len .Names}} {{len .Labels}}", "2 3", id="len"),
        pytest.param("{{json .Names}}", '["web","www"]', id="json-list"),
        pytest.param("{{json .Labels}}", '{"a":"1","b":"2","com.example.x":"dots"}', id="json-map"),
        pytest.param(
            "{{json .Health}}", '{"Status":"healthy","FailingStreak":3}', id="json-record"
        ),
        pytest.param("{{json .Nothing}} {{json .Labels.nope}}", "null null", id="json-null"),
        pytest.param("{{.Health.Status}} {{.Health.FailingStreak}}", "healthy 3", id="record"),
        pytest.param("{{.Health}}", "{healthy 3}", id="record-as-struct"),
        pytest.param("{{.RunningFor}}", "2 minutes ago", id="function-as-field"),
        pytest.param('{{.Label "a"}}{{"b" | .Label}}', "12", id="method-with-arguments"),
        pytest.param("{{range 3}}{{.}}{{end}}", "012", id="range-number"),
        pytest.param(
            "{{- range .Names}}\n* {{.}}\n{{- end}}", "\n* web\n* www", id="trimmed-lines"
        ),
        pytest.param(
            '{{define "n"}}<{{.}}>{{end}}{{range .Names}}{{template "n" .}}{{end}}',
            "<web><www>",
            id="define",
        ),
    ],
)
def test_values_of_a_container(template: str, expected: str) -> None:
    assert fill(template) == expected


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        pytest.param(
            "{{.Statu}}", "column 3: there is no field 'Statu', did you mean 'State'?", id="typo"
        ),
        pytest.param(
            "{{.State.Foo}}",
            "column 3: there is no field 'Foo', known are ExitCode, Health, Status",
            id="unknown-field",
        ),
        pytest.param(
            "a\nb {{.ID.x}}", "line 2, column 5: there is no field 'x' in string", id="line"
        ),
        pytest.param(
            "{{if .Pid.x}}{{end}}", "column 10: there is no field 'x' in int", id="no-struct"
        ),
        pytest.param(
            "{{.ID 1}}", "column 3: '.ID' is no function and takes no arguments", id="no-function"
        ),
        pytest.param(
            '{{.Label "a" "b"}}', "column 3: '.Label' takes 1 arguments, not 2", id="arguments"
        ),
        pytest.param(
            "{{jsn .}}", "column 3: there is no function 'jsn', did you mean 'json'?", id="function"
        ),
        pytest.param(
            "{{range .ID}}{{end}}", "column 3: range cannot go through string", id="range-string"
        ),
        pytest.param("{{if .ID}}", "column 3: 'if' has no 'end'", id="no-end"),
        pytest.param("{{.ID", "column 1: the action is not closed with '}}'", id="not-closed"),
        pytest.param(
            "{{index .Nothing 0}}",
            "column 3: 'index': there is nothing to take the entry 0 of",
            id="index-of-null",
        ),
        pytest.param(
            '{{define "a"}}{{template "a"}}{{end}}{{template "a"}}',
            "column 17: templates use one another too deeply",
            id="endless",
        ),
        pytest.param(
            "{{" + "(" * 100 + "1", "column 1: the action is not closed with '}}'", id="open"
        ),
        pytest.param(
            "{{" + "(" * 100 + "1" + ")" * 100 + "}}",
            "the parentheses are nested too deeply",
            id="deep-parentheses",
        ),
        pytest.param(
            "{{if 1}}" * 100 + "{{end}}" * 100, "the blocks are nested too deeply", id="deep-blocks"
        ),
        pytest.param(
            "{{if 0}}" + "{{else if 0}}" * 100 + "{{end}}",
            "the blocks are nested too deeply",
            id="deep-else",
        ),
    ],
)
def test_mistakes_are_named_with_their_place(template: str, problem: str) -> None:
    with pytest.raises(TemplateError) as caught:
        fill(template)
    assert caught.value.message.endswith(problem)
    assert caught.value.message.startswith("template '")
    assert caught.value.exit_status == 125


def test_private_attributes_are_out_of_reach() -> None:
    for name in ("_fields", "__class__", "Class__", "ToJson.__globals__"):
        with pytest.raises(TemplateError):
            fill("{{.Health." + name + "}}")


def test_labels_are_a_map_however_they_are_written() -> None:
    row = {"ID": "x", "Labels": {"Maintainer": "me"}}
    assert fill("{{.Labels}}", row) == "map[Maintainer:me]"
    assert fill("{{.Labels.Version}}", row) == "<no value>"
    assert fill("{{.}}", row) == "{x map[Maintainer:me]}"


def test_headings_name_the_first_field_of_each_action() -> None:
    template = Template('{{.ID}}\t{{join .Names ","}}\t{{if .State.Status}}x{{end}} {{"text"}}')
    assert template.headings() == [".ID", "\t", ".Names", "\t", ".Status", " ", None]
    assert Template("{{.ID}}\t{{.State.Status}}").headings() == [".ID", "\t", ".Status"]


def test_names_that_are_not_utf8_are_kept() -> None:
    assert fill("{{.}}", "a\udcff") == "a\udcff"
    assert fill('{{printf "%s %x" . .}}', "\udcff") == "\udcff ff"


def test_methods_are_no_part_of_a_row() -> None:
    assert fill("{{.}}", {"ID": "x", "Label": lambda name: name, "Age": lambda: "old"}) == "{x old}"
    assert fill("{{json .}}", {"ID": "x", "Label": lambda name: name}) == '{"ID":"x"}'


PIECES = st.sampled_from(
    "{{ }} {{- -}} if else end range with define template block break . .ID .Names .Labels .x $ $x $i, := = | ( ) "
    '"a" `b` \'c\' 1 -1 0x1f 1.5e3 nil true false and or not eq lt len index slice print printf json join "%d" "%5.2f" '
    '/* */ text , \\ " \n \t'.split(" ")
)


@given(st.lists(PIECES, max_size=25), st.sampled_from(["", " "]))
@example(
    ["{{", "range", "$i,", "$x", ":=", ".Names", "}}", "{{", "$x", "}}", "{{", "end", "}}"], " "
)
def test_any_words_give_text_or_a_sentence(pieces: list[str], between: str) -> None:
    try:
        assert isinstance(fill(between.join(pieces)), str)
    except TemplateError as error:
        assert error.message


@given(st.text(max_size=40))
def test_any_text_gives_text_or_a_sentence(text: str) -> None:
    for template in (text, "{{" + text + "}}", '{{printf "%' + text + '" 1 "a" .Names}}'):
        try:
            assert isinstance(fill(template), str)
        except TemplateError as error:
            assert error.message


@given(st.text())
def test_text_without_braces_is_itself(text: str) -> None:
    if "{{" not in text:
        assert fill(text) == text


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_any_value_has_a_text_and_json_brings_it_back(value: Any) -> None:
    assert isinstance(fill('{{.}}{{printf "%v%+v%#v%s%d%q%x" . . . . . . .}}', value), str)
    again = json.loads(fill("{{json .}}", value))
    assert again == json.loads(json.dumps(value)) or "NaN" in json.dumps(value)
