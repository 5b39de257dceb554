"""Image configurations: the parts the store needs, and wrong types refused before the engine sees them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pod.image.configuration import ImageConfig, check_layer_count, parse_image_config
from pod.image.document import InvalidImage
from pod.image.platform import Platform

WHAT = "configuration of 'x'"
DIFF = "sha256:" + "ab" * 32


def config(**changes: Any) -> dict[str, Any]:
    return {
        "os": "linux",
        "architecture": "arm",
        "variant": "v7",
        "created": "2023-11-14T22:13:20Z",
        "config": {"Cmd": ["a"], "Env": None, "Labels": {"a": "b", "c": None}},
        "rootfs": {"type": "layers", "diff_ids": [DIFF]},
        "history": [{"created_by": "x", "empty_layer": True}],
        **changes,
    }


def parse(document: Any) -> ImageConfig:
    return parse_image_config(json.dumps(document).encode(), WHAT)


def test_what_the_store_needs() -> None:
    parsed = parse(config())
    assert parsed.platform == Platform("linux", "arm", "v7")
    assert parsed.diff_ids == (DIFF,)


def test_everything_may_be_missing_but_types() -> None:
    assert parse({}).diff_ids == ()
    assert parse(config(config=None, history=None)).diff_ids == (DIFF,)


@pytest.mark.parametrize(
    ("document", "field"),
    [
        (config(rootfs={"diff_ids": ["x"]}), "rootfs.diff_ids"),
        (config(rootfs={"type": "tree"}), "rootfs.type"),
        (config(rootfs=[]), "rootfs"),
        (config(os=5), "os"),
        (config(config={"Cmd": "sh"}), "config.Cmd"),
        (config(config={"Env": [1]}), "config.Env"),
        (config(config={"Labels": {"a": 1}}), "config.Labels.a"),
        (config(config={"ExposedPorts": ["80"]}), "config.ExposedPorts"),
        (config(config={"Volumes": "x"}), "config.Volumes"),
        (config(config={"User": 0}), "config.User"),
        (config(config={"WorkingDir": "a\0b"}), "config.WorkingDir"),
        (config(config={"Healthcheck": {"Interval": "1s"}}), "config.Healthcheck.Interval"),
        (config(history=[1]), "history[0]"),
        (config(history=[{"empty_layer": 1}]), "history[0].empty_layer"),
    ],
)
def test_wrong_types_are_named(document: Any, field: str) -> None:
    with pytest.raises(InvalidImage) as error:
        parse(document)
    assert f"'{field}'" in error.value.message


def test_layers_and_diff_ids_must_match_in_number() -> None:
    with pytest.raises(InvalidImage, match="has 2 layers, and its configuration names 1"):
        check_layer_count(parse(config()), 2, WHAT)
