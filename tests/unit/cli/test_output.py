"""Tables, JSON and templates for everything that lists something."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.cli import output
from pod.cli.output import Listing, align, render
from pod.cli.template.errors import TemplateError

LISTING = Listing(("ID", "CreatedAt", "Names"), {"ID": "CONTAINER ID"})
ROWS: list[dict[str, Any]] = [
    {"ID": "8ec8ed8ba9ed", "CreatedAt": "now", "Names": "web", "Labels": {"a": "1"}, "Size": 5},
    {
        "ID": "4089df24d4f3",
        "CreatedAt": lambda: "a while ago",
        "Names": "",
        "Labels": {},
        "Size": None,
    },
]


def never() -> str:
    raise AssertionError("a column that nobody asked for was computed")


@pytest.mark.parametrize("form", [None, "", "table"])
def test_plain_table(form: str | None) -> None:
    assert render(LISTING, ROWS, form) == (
        "CONTAINER ID  CREATED AT   NAMES\n"
        "8ec8ed8ba9ed  now          web\n"
        "4089df24d4f3  a while ago  \n"
    )


def test_no_column_but_the_last_is_narrower_than_twelve() -> None:
    listing = Listing(("Driver", "Name"), {"Name": "VOLUME NAME"})
    rows = [{"Driver": "local", "Name": "a"}]
    assert render(listing, rows) == "DRIVER      VOLUME NAME\nlocal       a\n"


def test_table_without_heading() -> None:
    assert render(LISTING, ROWS[:1], noheading=True) == "8ec8ed8ba9ed  now         web\n"


def test_table_without_rows_has_its_heading() -> None:
    assert render(LISTING, []) == "CONTAINER ID  CREATED AT  NAMES\n"
    assert render(LISTING, [], noheading=True) == ""


def test_columns_that_are_not_shown_are_not_computed() -> None:
    row = {"ID": "1", "CreatedAt": "x", "Names": "y", "Size": never}
    assert render(LISTING, [row], noheading=True).startswith("1 ")
    assert render(LISTING, [row], "{{.ID}}") == "1\n"
    with pytest.raises(AssertionError):
        render(LISTING, [row], "{{.Size}}")


@pytest.mark.parametrize("form", ["json", "{{json .}}", "{{ json }}", " {{json . }} "])
def test_json_is_one_array(form: str) -> None:
    text = render(LISTING, ROWS, form)
    assert json.loads(text)[1]["CreatedAt"] == "a while ago"
    assert text.startswith('[\n    {\n        "ID": "8ec8ed8ba9ed",\n') and text.endswith("\n]\n")


def test_json_of_documents_that_differ_from_the_rows() -> None:
    assert json.loads(render(LISTING, ROWS, "json", documents=[{"Id": "x"}])) == [{"Id": "x"}]
    assert json.loads(render(LISTING, ROWS, "json", documents=lambda: [{"Id": "x"}])) == [
        {"Id": "x"}
    ]
    assert render(LISTING, [], "json") == "[]\n"


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        pytest.param("{{.Names}}", "web\n\n", id="line-for-each-row"),
        pytest.param(
            "{{.ID}}\\t{{.Names}}\\n", "8ec8ed8ba9ed\tweb\n4089df24d4f3\t\n", id="escapes"
        ),
        pytest.param('{{"\\t"}}|', "\t|\n\t|\n", id="escapes-in-quotes-are-gos"),
        pytest.param(
            "{{range .}}{{.ID}};{{end}}", "8ec8ed8ba9ed;4089df24d4f3;\n", id="range-of-rows"
        ),
        pytest.param("{{- range $i, $r := . -}}{{$i}}{{end}}", "01\n", id="range-with-variables"),
        pytest.param("{{range $k, $v := .Labels}}{{$k}}{{end}}", "a\n\n", id="range-of-a-field"),
        pytest.param("{{json .Labels}}", '{"a":"1"}\n{}\n', id="json-of-a-field"),
        pytest.param("JSON", "JSON\nJSON\n", id="plain-text"),
        pytest.param(
            "table{{.ID}}", "table8ec8ed8ba9ed\ntable4089df24d4f3\n", id="no-blank-no-table"
        ),
        pytest.param(
            "table {{.Names}}\t{{.ID}}",
            "NAMES       CONTAINER ID\nweb         8ec8ed8ba9ed\n            4089df24d4f3\n",
            id="table",
        ),
        pytest.param(
            "table {{.Names}} {{.ID}}",
            "NAMES       CONTAINER ID\nweb         8ec8ed8ba9ed\n            4089df24d4f3\n",
            id="blanks-are-columns",
        ),
        pytest.param(
            "table {{upper .Names}}:{{.Size}}\\t{{if .Labels}}xy{{end}}",
            "NAMES:SIZE  LABELS\nWEB:5       xy\n:<nil>      \n",
            id="heading-of-functions",
        ),
    ],
)
def test_templates(form: str, expected: str) -> None:
    assert render(LISTING, ROWS, form) == expected


def test_table_template_without_heading() -> None:
    assert (
        render(LISTING, ROWS[:1], "table {{.ID}} {{.Names}}", noheading=True)
        == "8ec8ed8ba9ed  web\n"
    )


def test_mistake_in_a_template_is_told_also_without_rows() -> None:
    with pytest.raises(TemplateError):
        render(LISTING, [], "{{.ID")


def test_control_characters_neither_break_the_table_nor_reach_the_terminal() -> None:
    rows = [{"ID": "1\n2", "CreatedAt": "\x1b[31mred\t", "Names": "caf\u00e9 \udcff"}]
    assert render(LISTING, rows, noheading=True) == "1\\n2        \\x1b[31mred\\t  café \udcff\n"


def test_documents(capsys: pytest.CaptureFixture[str]) -> None:
    output.show_documents([{"Name": "a"}, {"Name": "b"}], "{{.Name}}")
    output.show_documents([{"Name": "é"}])
    output.show_document({"Name": "c"}, "json")
    output.show_document({"Name": "d"}, "{{.Name}}!")
    assert capsys.readouterr().out == (
        'a\nb\n[\n    {\n        "Name": "é"\n    }\n]\n{\n    "Name": "c"\n}\nd!\n'
    )


CELL = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20)


@given(
    st.integers(1, 5).flatmap(
        lambda n: st.lists(st.lists(CELL, min_size=n, max_size=n), max_size=6)
    )
)
def test_columns_begin_below_one_another(lines: list[list[str]]) -> None:
    text = align(lines).split("\n")[:-1] if lines else []
    assert len(text) == len(lines)
    columns = len(lines[0]) if lines else 0
    start = 0
    for column in range(columns):
        for cells, line in zip(lines, text, strict=True):
            assert line[start : start + len(cells[column])] == cells[column]
        start += max(12, *(len(cells[column]) + 2 for cells in lines))
