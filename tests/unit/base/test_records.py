from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base.records import Record


class Port(Record):
    container: int
    host: int = 0


class Host(Record):
    name: str
    port: Port = Port(1)
    ports: tuple[Port, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    labels: Mapping[str, str] = {}
    note: str | None = None

    nested: ClassVar = {"port": Port, "ports": Port}


class Named(Port):
    host: int = 7
    name: str = ""


def test_fields_come_in_order_by_position_and_by_name() -> None:
    assert Port(80, 8080) == Port(container=80, host=8080)
    assert (Port(80).container, Port(80).host) == (80, 0)


def test_a_subclass_adds_fields_and_changes_defaults() -> None:
    assert Named(80) == Named(80, 7, "")
    assert Named(80) != Port(80, 7)


@pytest.mark.parametrize(
    ("positional", "named"),
    [
        pytest.param((), {}, id="missing"),
        pytest.param((), {"host": 1}, id="required-one-missing"),
        pytest.param((80,), {"hots": 1}, id="unknown"),
        pytest.param((), {"hots": 1, "host": 2}, id="as-many-as-there-are-but-another"),
        pytest.param((80, 8080, 1), {}, id="too-many"),
        pytest.param((80,), {"container": 81}, id="twice"),
    ],
)
def test_other_values_are_refused(positional: tuple[Any, ...], named: dict[str, Any]) -> None:
    with pytest.raises(TypeError):
        Port(*positional, **named)


def test_a_record_is_frozen() -> None:
    port = Port(80)
    with pytest.raises(AttributeError):
        port.host = 1  # type: ignore[misc]
    with pytest.raises(AttributeError):
        del port.host
    assert port == Port(80)


def test_replace_leaves_the_original() -> None:
    port = Port(80)
    assert port.replace(host=9) == Port(80, 9)
    assert port == Port(80)
    with pytest.raises(TypeError):
        port.replace(hots=9)


def test_equal_records_have_equal_hashes() -> None:
    assert len({Port(80), Port(80, 0), Port(80, 1)}) == 2


def test_repr_shows_what_differs_from_the_defaults() -> None:
    assert repr(Port(80)) == "Port(container=80)"
    assert repr(Port(80, 1)) == "Port(container=80, host=1)"


def test_copies_are_equal() -> None:
    host = Host("a", ports=(Port(1),))
    assert copy.deepcopy(host) == host
    assert pickle.loads(pickle.dumps(host)) == host


def test_json_leaves_defaults_out() -> None:
    assert Host("a").to_json() == {"name": "a"}
    assert Host("a", Port(2), (Port(3, 4),)).to_json() == {
        "name": "a",
        "port": {"container": 2},
        "ports": [{"container": 3, "host": 4}],
    }


def test_unknown_fields_of_a_newer_version_are_left_out() -> None:
    assert Port.from_json({"container": 1, "speed": 3}) == Port(1)


def test_a_missing_field_is_an_error() -> None:
    with pytest.raises(TypeError):
        Port.from_json({"host": 1})


text = st.text(max_size=5)
ports = st.builds(Port, st.integers(0, 65535), st.integers(0, 65535))
hosts = st.builds(
    Host,
    text,
    ports,
    st.lists(ports, max_size=3).map(tuple),
    st.lists(st.tuples(text, text), max_size=2).map(tuple),
    st.dictionaries(text, text, max_size=2),
    st.none() | text,
)


@given(hosts)
def test_json_gives_the_same_record_back(host: Host) -> None:
    assert Host.from_json(json.loads(json.dumps(host.to_json()))) == host
