from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base.errors import InvalidValue
from pod.spec.devices import Device, DeviceRule, parse_device, parse_device_rule, parse_gpus

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("/dev/fuse", Device("/dev/fuse", "/dev/fuse")),
        ("/dev/sdc:/dev/xvdc", Device("/dev/sdc", "/dev/xvdc")),
        ("/dev/sdc:/dev/xvdc:rwm", Device("/dev/sdc", "/dev/xvdc")),
        ("/dev/sdc:r", Device("/dev/sdc", "/dev/sdc", "r")),
        ("/dev/sdc:/dev/xvdc:mr", Device("/dev/sdc", "/dev/xvdc", "rm")),
        ("/dev/dri/", Device("/dev/dri", "/dev/dri")),
        ("//dev/../dev/fuse", Device("/dev/fuse", "/dev/fuse")),
        ("nvidia.com/gpu=all", Device("nvidia.com/gpu=all", cdi=True)),
        ("vendor.com/class-1=a:b.c_d", Device("vendor.com/class-1=a:b.c_d", cdi=True)),
    ],
)
def test_device_is_read(text: str, device: Device) -> None:
    assert parse_device(text) == device
    assert Device.from_json(device.to_json()) == device


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fuse",
        "/dev/fuse:",
        "/dev/fuse:x",
        "/dev/fuse:rr",
        "/dev/fuse:/dev/a:/dev/b",
        "/dev/a:/dev/b:r:w",
        "/dev/fuse:dev/fuse",
        "/dev/fuse:/",
        "vendor.com/class=",
        "vendor.com/=x",
        "/class=x:rq",
        "vendor.com/class=-x",
        "/dev/\0",
    ],
)
def test_device_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="--device"):
        parse_device(text)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("all", ["nvidia.com/gpu=all"]),
        ("0,1", ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]),
        ('"device=0,GPU-3a"', ["nvidia.com/gpu=0", "nvidia.com/gpu=GPU-3a"]),
    ],
)
def test_gpus_are_cdi_devices(text: str, names: list[str]) -> None:
    assert [device.source for device in parse_gpus(text)] == names


@pytest.mark.parametrize("text", ["", "0,", "a b", "driver=nvidia"])
def test_gpus_are_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="--gpus"):
        parse_gpus(text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("c 189:* rwm", DeviceRule("c", 189, None, "rwm")),
        ("b 8:0 r", DeviceRule("b", 8, 0, "r")),
        ("a *:* m", DeviceRule("a", None, None, "m")),
    ],
)
def test_device_rule_is_read(text: str, rule: DeviceRule) -> None:
    assert parse_device_rule(text) == rule


@pytest.mark.parametrize(
    "text", ["", "c 1:3", "d 1:3 r", "c 1 r", "c 1:x r", "c 1:3 x", "c 1:3  r", "c -1:3 r"]
)
def test_device_rule_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="--device-cgroup-rule"):
        parse_device_rule(text)


@pytest.mark.parametrize("parse", [parse_device, parse_gpus, parse_device_rule])
@given(text=st.text() | st.text(alphabet="/dev:rwmc *1=."))
def test_any_text_is_read_or_refused(parse: Callable[[str], object], text: str) -> None:
    try:
        parse(text)
    except InvalidValue as error:
        assert error.message
