"""What commands print: tables, JSON, and templates, by one rule for every command that lists something.

A row is a dictionary with podman's field names, the ones that templates use. A value may be a function without
arguments; it is called when the column is shown or a template names it, so that a list pays only for what it shows.
"""

from __future__ import annotations

import sys

from pod.base.log import visible
from pod.base.records import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    Row = Mapping[str, Any]
    Documents = Sequence[Any] | Callable[[], Sequence[Any]]

_GAP = 2  # between columns
_NARROWEST = 12  # of all columns but the last, with the gap: what podman's tables have


class Listing(Record):
    """How a command shows its rows.

    `columns` are the fields of the plain table, `headings` those words that do not follow from the names of their
    fields ("ID": "CONTAINER ID").
    """

    columns: tuple[str, ...]
    headings: Mapping[str, str] = {}


def show(
    listing: Listing,
    rows: Sequence[Row],
    form: str | None = None,
    *,
    noheading: bool = False,
    documents: Documents | None = None,
) -> None:
    """Print `rows` as `--format` (`form`) wants it: no format or "table" is the plain table, "json" is `documents` (or
    the rows) as one array, "table TEMPLATE" a table, and anything else a template for each row.

    Raises TemplateError before anything is printed.
    """
    write(render(listing, rows, form, noheading=noheading, documents=documents))


def render(
    listing: Listing,
    rows: Sequence[Row],
    form: str | None = None,
    *,
    noheading: bool = False,
    documents: Documents | None = None,
) -> str:
    """What `show` prints."""
    if form is not None and is_json(form):
        if documents is None:
            documents = rows
        return json_text(list(documents() if callable(documents) else documents))
    if not form or form.strip() == "table":
        cells = [[_cell(row, name) for name in listing.columns] for row in rows]
        if not noheading:
            cells.insert(0, [heading(listing, name) for name in listing.columns])
        return align(cells)
    from pod.cli.formats import plain_rows, table_rows

    if form.startswith("table "):
        return align(table_rows(listing, rows, form, noheading=noheading))
    return plain_rows(rows, form)


def show_documents(documents: Sequence[Any], form: str | None = None) -> None:
    """Print what `inspect` found: an array of JSON, or a template for each document."""
    if not form or is_json(form):
        write(json_text(list(documents)))
        return
    from pod.cli.formats import plain_rows
    from pod.cli.template.documents import Struct

    write(plain_rows([Struct(document) for document in documents], form))


def show_document(document: Any, form: str | None = None) -> None:
    """Print one document, for the commands that have only one, such as `info`."""
    if not form or is_json(form):
        write(json_text(document))
        return
    from pod.cli.formats import one_row

    write(one_row(document, form))


def is_json(form: str) -> bool:
    """Whether a format asks for JSON of everything: "json" or "{{json .}}"."""
    if form == "json":
        return True
    words = form.strip().removeprefix("{{").removesuffix("}}").split()
    return words in (["json"], ["json", "."])


def json_text(value: Any) -> str:
    """JSON for people and programs, with a newline at its end."""
    from json import dumps

    from pod.cli.template.values import json_ready

    return dumps(json_ready(value), indent=4, ensure_ascii=False) + "\n"


def write(text: str) -> None:
    """Write to standard output. Whether it arrived is checked once, when the command has ended."""
    sys.stdout.write(text)


def heading(listing: Listing, name: str) -> str:
    """The heading of a column: the words of its field's name in capitals ("CREATED AT"), if `listing` has no other."""
    known = listing.headings.get(name)
    if known is not None:
        return known
    from pod.cli.template.values import snake_case

    return snake_case(name).replace("_", " ").upper()


def align(lines: Sequence[Sequence[str]]) -> str:
    """Lines of cells as text with columns; the last cell of a line is not padded."""
    widths: list[int] = []
    for cells in lines:
        for column, cell in enumerate(cells[:-1]):
            if column == len(widths):
                widths.append(_NARROWEST)
            widths[column] = max(widths[column], len(cell) + _GAP)
    out = []
    for cells in lines:
        for column, cell in enumerate(cells[:-1]):
            out.append(cell.ljust(widths[column]))
        out.append(f"{cells[-1] if cells else ''}\n")
    return "".join(out)


def _cell(row: Row, name: str) -> str:
    value = row[name]
    if callable(value):
        value = value()
    if not isinstance(value, str):
        from pod.cli.template.values import plain

        value = "" if value is None else plain(value)
    return visible(value)
