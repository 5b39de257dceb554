from __future__ import annotations

import json
import shutil
import subprocess
import typing
from pathlib import Path
from typing import Any

import pytest

from pod.spec import oci


def types() -> dict[str, Any]:
    """The names that the type checker sees: the module run with TYPE_CHECKING taken for true."""
    source = Path(oci.__file__).read_text(encoding="utf-8")
    namespace: dict[str, Any] = {"__name__": "oci_types"}
    exec(source.replace("TYPE_CHECKING = False", "TYPE_CHECKING = True"), namespace)
    return namespace


def unknown_fields(document: Any, kind: Any, names: dict[str, Any], where: str = "") -> list[str]:
    """The fields of `document` that the TypedDict `kind` does not have, with their paths."""
    if typing.get_origin(kind) is list:
        (item,) = typing.get_args(kind)
        return [
            bad for entry in document for bad in unknown_fields(entry, item, names, where + "[]")
        ]
    if not typing.is_typeddict(kind):
        return []
    hints = typing.get_type_hints(kind, names)
    found = [f"{where}.{field}" for field in document if field not in hints]
    for field, value in document.items():
        if field in hints:
            found += unknown_fields(value, hints[field], names, f"{where}.{field}")
    return found


@pytest.mark.skipif(shutil.which("crun") is None, reason="crun is not installed")
def test_the_configuration_that_crun_writes_has_only_known_fields(tmp_path: Path) -> None:
    subprocess.run(["crun", "spec"], cwd=tmp_path, check=True)
    document = json.loads((tmp_path / "config.json").read_bytes())
    names = types()
    assert document["process"]["args"]
    assert unknown_fields(document, names["RuntimeConfig"], names) == []


def test_a_field_that_does_not_exist_is_found() -> None:
    names = types()
    document = {"ociVersion": "1.0.2", "linux": {"namespaces": [{"type": "pid", "colour": "blue"}]}}
    assert unknown_fields(document, names["RuntimeConfig"], names) == [".linux.namespaces[].colour"]


def test_the_types_cost_nothing_at_run_time() -> None:
    assert [name for name in vars(oci) if not name.startswith("__")] == [
        "annotations",
        "TYPE_CHECKING",
    ]
