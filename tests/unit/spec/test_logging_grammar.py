from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base.errors import InvalidValue, Unsupported, UsageError
from pod.spec.log_option import parse_log_driver, parse_log_options
from pod.spec.logging import LogConfig


@pytest.mark.parametrize(
    ("text", "driver"),
    [
        ("", "k8s-file"),
        ("k8s-file", "k8s-file"),
        ("json-file", "json-file"),
        ("local", "k8s-file"),
        ("journald", "journald"),
        ("none", "none"),
        ("passthrough", "passthrough"),
        ("passthrough-tty", "passthrough"),
    ],
)
def test_driver_is_read(text: str, driver: str) -> None:
    assert parse_log_driver(text) == driver


def test_unknown_drivers_are_refused() -> None:
    with pytest.raises(InvalidValue, match="--log-driver 'files'"):
        parse_log_driver("files")
    with pytest.raises(Unsupported, match="--log-driver fluentd"):
        parse_log_driver("fluentd")


@pytest.mark.parametrize(
    ("texts", "config"),
    [
        ([], LogConfig("json-file")),
        (["path=/var/log/x/../mine.json"], LogConfig("json-file", path="/var/log/mine.json")),
        (["max-size=10mb"], LogConfig("json-file", max_size=10_000_000)),
        (["max-size=10MiB"], LogConfig("json-file", max_size=10 << 20)),
        (["max-size=5", "max-size=-1"], LogConfig("json-file")),
        (["max-file=3"], LogConfig("json-file", max_files=3)),
        (["tag={{.ImageName}}=x"], LogConfig("json-file", tag="{{.ImageName}}=x")),
        (["mode=blocking"], LogConfig("json-file")),
    ],
)
def test_options_are_read(texts: list[str], config: LogConfig) -> None:
    assert parse_log_options("json-file", texts) == config


def test_options_override_the_configuration() -> None:
    defaults = LogConfig("journald", max_size=5, tag="t")
    assert parse_log_options("k8s-file", ["max-size=7"], defaults) == LogConfig(
        "k8s-file", max_size=7, tag="t"
    )


@pytest.mark.parametrize(
    ("driver", "text", "part"),
    [
        ("k8s-file", "", "KEY=VALUE"),
        ("k8s-file", "path", "KEY=VALUE"),
        ("k8s-file", "path=", "KEY=VALUE"),
        ("k8s-file", "path=relative", "absolute path"),
        ("k8s-file", "path=/directory/", "absolute path"),
        ("k8s-file", "max-size=big", "unit"),
        ("k8s-file", "max-file=0", "between 1"),
        ("k8s-file", "colour=blue", "KEY=VALUE"),
        ("journald", "path=/x", "the driver journald has no 'path'"),
        ("none", "tag=x", "the driver none has no 'tag'"),
    ],
)
def test_option_is_refused(driver: str, text: str, part: str) -> None:
    with pytest.raises(InvalidValue, match=part):
        parse_log_options(driver, [text])


@pytest.mark.parametrize("text", ["compress=true", "labels=a,b", "mode=non-blocking"])
def test_options_of_docker_are_refused_with_the_reason(text: str) -> None:
    with pytest.raises(Unsupported):
        parse_log_options("json-file", [text])


@given(
    st.text()
    | st.sampled_from(["path=", "max-size=", "max-file="]).flatmap(
        lambda key: st.text().map(key.__add__)
    )
)
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_log_driver, lambda value: parse_log_options("k8s-file", [value])):
        try:
            parse(text)
        except UsageError as error:
            assert error.message
