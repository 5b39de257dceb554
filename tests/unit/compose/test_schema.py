"""The schema: our words against the verdicts of jsonschema, and the table of keys against the schema."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import jsonschema
import pytest

from pod.compose import schema_check, support, tree, validity
from pod.compose.errors import FileError
from tests.unit.compose.test_broken import CASES

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
SCHEMA = schema_check.load()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

MORE = [
    "services: {a: {image: x, ports: [80, '80:80', {target: 80, published: 8000, x-a: 1}]}}",
    "services: {a: {image: x, environment: [A, A]}}",
    "services: {a: {image: x, build: {context: ., args: [A]}, cpus: 0.5, oom_score_adj: 2000}}",
    "services: {a: {image: x, oom_score_adj: 100, cap_add: [A, A]}}",
    "services: {a: {image: x, networks: {b: {ipv4_address: 5}}}}",
    "services: {a: {image: x, networks: {b: , c: {aliases: [d]}}}}",
    "services: {a: {image: x, extra_hosts: {b: [c, d]}, depends_on: {b: {condition: service_started}}}}",
    "services: {a: {image: x, volumes: [a, {type: bind, target: b, bind: {selinux: q}}]}}",
    "services: {a: {image: x, ulimits: {nofile: 5, core: {soft: 1, hard: 2}}}}",
    "services: {a: {image: x, env_file: [a, {path: b, required: false}]}}",
    "services: {a: {image: x, secrets: [a, {source: b, mode: 5}]}}",
    "services: {a: {image: x, healthcheck: {test: [CMD, a], retries: 3}}}",
    "services: {a: {image: x, command: }}",
    "services: {a: {image: x, user: }}",
    "services: {a: {image: x, init: 1}}",
    "services: {a: {image: x, gpus: all}, b: {image: x, gpus: some}}",
    "services: {}\nnetworks: {a: , b: {external: true}}\nvolumes: {c: }\nx-d: 5",
    "include: [a, {path: [b, c]}]",
    "include: {a: b}",
    "name: 5",
    "services: {a: {image: x, deploy: {replicas: 2, resources: {limits: {cpus: 1, pids: 5}}}}}",
    "services: {a: {image: x, develop: {watch: [{path: a, action: sync, target: b}]}}}",
    "services: {a: {image: x, develop: {watch: [{path: a, action: sink}]}}}",
]
# What is found before, by the reader of YAML.
NOT_FOR_THE_SCHEMA = (
    "tabs",
    "open-",
    "duplicate",
    "empty",
    "merge-key",
    "alias",
    "tag",
    "not-a",
    "text-alone",
)


def has_words_for(value: Any) -> bool:
    """Whether we find something wrong, without asking the package."""
    checker = schema_check.Checker(SCHEMA)
    try:
        checker._value(value, SCHEMA, (), ("x", 1))
    except FileError:
        return True
    return False


@pytest.mark.parametrize(
    "text",
    [
        *MORE,
        *(
            "".join(case.files["compose.yaml"])
            for case in CASES
            if not case.name.startswith(NOT_FOR_THE_SCHEMA)
        ),
    ],
)
def test_there_are_words_for_what_is_not_valid(text: str) -> None:
    (value,) = tree.parse(text.encode(), "x", [])
    wrong = validity.problem(value, SCHEMA)
    assert (wrong is None) == VALIDATOR.is_valid(tree.plain(value))
    assert has_words_for(value) == (wrong is not None), wrong


def test_where_there_are_no_words_those_of_jsonschema_are_shown() -> None:
    (value,) = tree.parse(b"services:\n  a: {image: x}\nnot: here\n", "x", [])
    schema = {"type": "object", "properties": {"not": {"const": "there"}}}
    with pytest.raises(FileError, match="'there' was expected"):
        schema_check.check(value, schema)


@pytest.mark.parametrize(
    ("kind", "value", "valid"),
    [
        ("boolean", "true", True),
        ("boolean", "yes", False),
        ("integer", "5", True),
        ("integer", "5.5", False),
        ("number", "5.5", True),
        ("string", "5", True),
        ("array", "5", False),
    ],
)
def test_variables_may_be_numbers(kind: str, value: str, valid: bool) -> None:
    """A text as it stands may not; one that variables were filled into may, as with docker."""
    schema = {"type": kind, "minimum": 7, "maximum": 3}
    assert (validity.problem(validity.Filled(value), schema) is None) == valid
    assert (validity.problem(value, schema) is None) == (kind == "string")


def test_what_is_reset_is_not_there() -> None:
    (value,) = tree.parse(
        b"services: {a: {image: x, ports: !reset 5, dns: !override [a]}}", "x", []
    )
    schema_check.check(value, SCHEMA)


def test_every_key_of_a_service_has_a_row() -> None:
    paths = support.schema_paths(SCHEMA)
    services = [
        path
        for path in paths
        if path.startswith("services.*.") and path.count(".") == 2 and "[" not in path
    ]
    assert len(services) >= 92
    assert [path for path in services if path not in support.TABLE] == []
    top = [path for path in paths if "." not in path]
    assert [path for path in top if path not in support.TABLE] == []


def test_every_row_is_a_key_of_the_schema() -> None:
    paths = support.schema_paths(SCHEMA)
    assert [path for path in support.TABLE if path not in paths] == []


def test_refusals_and_what_is_ignored_say_why() -> None:
    for path, row in support.TABLE.items():
        assert row.verdict == support.HONOURED or row.note, path
        assert not row.note.endswith("."), path


def test_page_has_the_table() -> None:
    spec = importlib.util.spec_from_file_location("compose_keys", f"{ROOT}/man/compose_keys.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.main(["--check"]) == 0, "run: python3 man/compose_keys.py"
