"""`--change`: good and bad instructions."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base.errors import PodError
from pod.image.change import apply_changes

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("changes", "config"),
    [
        (['CMD ["nginx", "-g", "daemon off;"]'], {"Cmd": ["nginx", "-g", "daemon off;"]}),
        (["CMD nginx -g x"], {"Cmd": ["/bin/sh", "-c", "nginx -g x"]}),
        (["CMD=/bin/bash"], {"Cmd": ["/bin/sh", "-c", "/bin/bash"]}),
        (["cmd [ -e x ]"], {"Cmd": ["/bin/sh", "-c", "[ -e x ]"]}),
        (["ENTRYPOINT []"], {"Entrypoint": []}),
        (
            ["ENV A=1 B='two words' C=\"a $A\" D=x\\ y"],
            {"Env": ["A=1", "B=two words", "C=a ", "D=x y"]},
        ),
        (["ENV A=1", "ENV B=${A}2"], {"Env": ["A=1", "B=12"]}),
        (["ENV A=1", "ENV A=2"], {"Env": ["A=2"]}),
        (["ENV A some words"], {"Env": ["A=some words"]}),
        (["ENV=A=b=c"], {"Env": ["A=b=c"]}),
        (["LABEL=blue=image"], {"Labels": {"blue": "image"}}),
        (['LABEL a="x y" b='], {"Labels": {"a": "x y", "b": ""}}),
        (
            ["EXPOSE 80 53/udp", "EXPOSE 8000-8002/tcp"],
            {
                "ExposedPorts": {
                    f"{p}": {} for p in ("80/tcp", "53/udp", "8000/tcp", "8001/tcp", "8002/tcp")
                }
            },
        ),
        (["VOLUME /a /b"], {"Volumes": {"/a": {}, "/b": {}}}),
        (['VOLUME ["/a b"]'], {"Volumes": {"/a b": {}}}),
        (["STOPSIGNAL SIGQUIT"], {"StopSignal": "SIGQUIT"}),
        (["USER web:web"], {"User": "web:web"}),
        (["WORKDIR /srv/", "WORKDIR sub"], {"WorkingDir": "/srv/sub"}),
        (["ONBUILD RUN make", "ONBUILD COPY . ."], {"OnBuild": ["RUN make", "COPY . ."]}),
        (["HEALTHCHECK NONE"], {"Healthcheck": {"Test": ["NONE"]}}),
        (
            ["HEALTHCHECK --interval=5s --retries=3 CMD curl -f http://x"],
            {
                "Healthcheck": {
                    "Test": ["CMD-SHELL", "curl -f http://x"],
                    "Interval": 5 * SECOND,
                    "Retries": 3,
                }
            },
        ),
        (
            ['HEALTHCHECK --start-period=1m CMD ["a"]'],
            {"Healthcheck": {"Test": ["CMD", "a"], "StartPeriod": 60 * SECOND}},
        ),
    ],
)
def test_changes(changes: list[str], config: dict[str, Any]) -> None:
    assert apply_changes({}, changes) == config


def test_what_was_there_stays() -> None:
    before = {"Env": ["A=1"], "Labels": {"a": "b"}, "Cmd": ["x"], "Shell": ["/bin/bash", "-c"]}
    after = apply_changes(before, ["ENV B=$A", "LABEL c=d", "CMD y"])
    assert after["Env"] == ["A=1", "B=1"]
    assert after["Labels"] == {"a": "b", "c": "d"}
    assert after["Cmd"] == ["/bin/bash", "-c", "y"]
    assert before["Env"] == ["A=1"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("", "must begin with one of CMD, ENTRYPOINT"),
        ("RUN make", "must begin with one of"),
        ("CMD", "CMD needs a value"),
        ("CMD=", "CMD needs a value"),
        ("CMD [1]", "a list of texts"),
        ("ENV A", "NAME=VALUE"),
        ("ENV A=1 B", "'B' is not NAME=VALUE"),
        ("ENV A=1 =2", "'=2' is not NAME=VALUE"),
        ('LABEL a="x', "is not closed"),
        ("EXPOSE http", "http"),
        ("EXPOSE 99999", "99999"),
        ("STOPSIGNAL NOPE", "NOPE"),
        ('VOLUME [""]', "a volume is a path"),
        ("ONBUILD ONBUILD RUN x", "cannot be followed"),
        ("HEALTHCHECK curl", "NONE, or [OPTIONS] CMD"),
        ("HEALTHCHECK CMD", "NONE, or [OPTIONS] CMD"),
        ("HEALTHCHECK --often=1 CMD x", "'--often' is no option"),
        ("HEALTHCHECK --interval=x CMD x", "duration"),
        ("HEALTHCHECK --retries=0 CMD x", "--retries"),
    ],
)
def test_errors_say_what_is_wrong(change: str, why: str) -> None:
    with pytest.raises(PodError) as error:
        apply_changes({}, [change])
    assert why in error.value.message
    assert error.value.message.startswith("--change")


@given(
    st.sampled_from("CMD ENV LABEL EXPOSE VOLUME HEALTHCHECK ONBUILD USER".split()),
    st.text(alphabet="ab=\" '\\$[]{},/-1", max_size=30),
)
def test_any_value_is_applied_or_refused(instruction: str, value: str) -> None:
    try:
        apply_changes({}, [f"{instruction} {value}"])
    except PodError as error:
        assert error.message
