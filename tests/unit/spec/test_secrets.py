"""The grammar of --secret, and names of secrets."""

from __future__ import annotations

import pytest

from pod.base.errors import InvalidValue
from pod.spec.container import SecretUse
from pod.spec.secrets import check_name, parse_secret


@pytest.mark.parametrize(
    ("text", "use"),
    [
        ("db", SecretUse("db", target="/run/secrets/db")),
        ("source=db,target=pw", SecretUse("db", target="/run/secrets/pw")),
        ("db,target=/etc//pw", SecretUse("db", target="/etc/pw")),
        ("db,target=sub/pw", SecretUse("db", target="/run/secrets/sub/pw")),
        (
            "db,type=mount,uid=1,gid=2,mode=0400",
            SecretUse("db", target="/run/secrets/db", uid=1, gid=2, mode=0o400),
        ),
        ("db,type=env", SecretUse("db", kind="env", target="db")),
        ("db,target=PW,type=env", SecretUse("db", kind="env", target="PW")),
    ],
)
def test_reads(text: str, use: SecretUse) -> None:
    assert parse_secret(text) == use


@pytest.mark.parametrize(
    "text",
    [
        "", ",", "db,", "db,type", "db,type=", "db,type=file", "db,db2", "db,uid=-1", "db,uid=x",
        "db,mode=8", "db,mode=77777", "db,target=..", "db,target=a/../../b", "db,target=/",
        "db,target=.", "db,type=env,uid=0", "db,type=env,target=A=B", "db,uid=1,uid=2",
        "type=env", "db,uid=99999999999",
    ],
)  # fmt: skip
def test_refuses(text: str) -> None:
    with pytest.raises(InvalidValue, match="--secret"):
        parse_secret(text)


@pytest.mark.parametrize("name", ["a", "a.b-c_d", "with blank", "ö", "-rf", "x" * 253])
def test_good_names(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a,b", "a=b", "a\0b", "a\nb", "\x1b[2J", "x" * 254, "ö" * 130]
)
def test_bad_names(name: str) -> None:
    with pytest.raises(InvalidValue):
        check_name(name)
