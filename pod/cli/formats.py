"""`--format` with a template: for each row, or as a table whose heading is made of the names of the fields."""

from __future__ import annotations

from pod.cli.template.render import Template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from pod.cli.output import Listing, Row


def plain_rows(rows: Sequence[Any], form: str) -> str:
    """The template filled in for each row, a line each; one that goes through the rows itself gets them all."""
    text = _outside_actions(form, _escapes)
    if not text.endswith("\n"):
        text += "\n"
    template = Template(text)
    if _goes_through_rows(form):
        return template.render(list(rows))
    return "".join(template.render(row) for row in rows)


def template_of(form: str) -> Template:
    """The template of a command whose rows come one by one, a line each."""
    text = _outside_actions(form, _escapes)
    return Template(text if text.endswith("\n") else f"{text}\n")


def one_row(document: Any, form: str) -> str:
    """The same for a single document."""
    return plain_rows([document], form)


def table_rows(
    listing: Listing, rows: Sequence[Row], form: str, *, noheading: bool
) -> list[list[str]]:
    """The cells of "table TEMPLATE", where tabs and blanks outside of braces stand between columns."""
    from pod.base.log import visible
    from pod.cli.output import heading

    template = Template(_outside_actions(form.removeprefix("table ").strip(" "), _separators))
    lines = [template.render(row) for row in rows]
    if not noheading:
        words = [
            heading(listing, part[1:]) if part is not None and part.startswith(".") else part or ""
            for part in template.headings()
        ]
        lines.insert(0, "".join(words))
    return [
        [visible(cell) for cell in line.split("\t")]
        for text in lines
        for line in text.removesuffix("\n").split("\n")
    ]


def _escapes(text: str) -> str:
    r"""People type \t and \n in quotes of the shell."""
    return text.replace("\\t", "\t").replace("\\n", "\n")


def _separators(text: str) -> str:
    return _escapes(text).replace(" ", "\t")


def _outside_actions(form: str, change: Callable[[str], str]) -> str:
    """The template with `change` made to the text between its actions."""
    out, position = [], 0
    while True:
        left = form.find("{{", position)
        if left < 0:
            out.append(change(form[position:]))
            return "".join(out)
        right = form.find("}}", left)
        right = len(form) if right < 0 else right + 2
        out.append(change(form[position:left]))
        out.append(form[left:right])
        position = right


def _goes_through_rows(form: str) -> bool:
    """Whether the template begins with "range .", or "range $x := .", and so wants the list and not a row."""
    begin = form.lstrip()
    if not begin.startswith("{{"):
        return False
    words = begin[2 : begin.find("}}")].strip(" -\t").split()
    return words[:1] == ["range"] and words[-1] == "."
