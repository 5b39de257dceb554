from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.base.errors import InvalidValue, PodError, UsageError
from pod.spec.users import (
    GroupNotFound,
    User,
    UserNotFound,
    UserSpec,
    lookup,
    lookup_group,
    parse_group_add,
    parse_user,
    with_group,
    with_user,
)

PASSWD = """root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
# a comment

broken
nobody-knows:x:abc:1::/:
www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin
app:x:1000:1000:The App,,,:/home/app:/bin/sh
app-twin:x:1000:50::/twin:
7:x:77:78:a name of digits::
short:x:9:10
"""
GROUP = """root:x:0:
daemon:x:1:
audio:x:29:app,www-data
video:x:44:app
app:x:1000:app
video-again:x:44:app
broken:x
78:x:79:
"""


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("", UserSpec()),
        ("root", UserSpec("root")),
        ("1000", UserSpec("1000")),
        ("1000:33", UserSpec("1000", "33")),
        (":33", UserSpec("", "33")),
        ("1000:", UserSpec("1000")),
        ("www-data:www-data", UserSpec("www-data", "www-data")),
        ("4294967294", UserSpec("4294967294")),
        ("first.last@realm", UserSpec("first.last@realm")),
        ("DOMAIN\\user", UserSpec("DOMAIN\\user")),
    ],
)
def test_user_is_read(text: str, spec: UserSpec) -> None:
    assert parse_user(text) == spec


@pytest.mark.parametrize(
    "text",
    [
        "a:b:c",
        "-1",
        "1000:-1",
        "4294967295",
        "1:4294967295",
        "a b",
        "a\nb",
        "+x",
    ],
)
def test_user_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="--user"):
        parse_user(text)


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("", User(0, 0, (), "root", "/root", "/bin/bash")),
        ("root", User(0, 0, (), "root", "/root", "/bin/bash")),
        ("app", User(1000, 1000, (29, 44), "app", "/home/app", "/bin/sh")),
        ("1000", User(1000, 1000, (29, 44), "app", "/home/app", "/bin/sh")),
        ("app:root", User(1000, 0, (), "app", "/home/app", "/bin/sh")),
        ("app:4000", User(1000, 4000, (), "app", "/home/app", "/bin/sh")),
        ("app-twin", User(1000, 50, (), "app-twin", "/twin", "")),
        ("www-data", User(33, 33, (29,), "www-data", "/var/www", "/usr/sbin/nologin")),
        ("5000", User(5000, 0, is_known=False)),
        ("5000:audio", User(5000, 29, is_known=False)),
        ("7", User(77, 78, (), "7", "/", "")),
        ("short", User(9, 10, (), "short", "/", "")),
    ],
)
def test_user_is_looked_up_in_the_files_of_the_container(text: str, user: User) -> None:
    assert lookup(text, PASSWD, GROUP) == user


def test_an_image_without_files_has_a_root() -> None:
    assert lookup("", "", "") == User(0, 0, is_known=False)
    assert lookup("root", "", "").uid == 0
    assert lookup("33:44", "", "") == User(33, 44, is_known=False)


@pytest.mark.parametrize("text", ["nobody", "nobody-knows", "broken", "APP"])
def test_an_unknown_name_is_an_error(text: str) -> None:
    with pytest.raises(UserNotFound, match=f"'{text}'"):
        lookup(text, PASSWD, GROUP)


def test_an_unknown_group_is_an_error() -> None:
    with pytest.raises(GroupNotFound, match="'wheel'"):
        lookup("app:wheel", PASSWD, GROUP)
    with pytest.raises(GroupNotFound, match="'broken'"):
        lookup_group("broken", GROUP)


def test_group_is_looked_up_by_name_before_number() -> None:
    assert [lookup_group(text, GROUP) for text in ("audio", "78", "79", "5000")] == [
        29,
        79,
        79,
        5000,
    ]


def test_group_add_keeps_the_order_and_drops_repetitions() -> None:
    assert parse_group_add(["video", "29", "video"]) == ("video", "29")
    assert parse_group_add(["keep-groups"]) == ("keep-groups",)
    assert parse_group_add([]) == ()


@pytest.mark.parametrize("texts", [[""], ["a:b"], ["4294967295"], ["-1"], ["keep-groups", "audio"]])
def test_group_add_is_refused(texts: list[str]) -> None:
    with pytest.raises(UsageError):
        parse_group_add(texts)


def test_an_unknown_user_gets_a_line() -> None:
    user = lookup("5000:7", PASSWD, GROUP).replace(home="/srv")
    assert with_user(PASSWD, user) == PASSWD + "5000:*:5000:7:5000:/srv:/bin/sh\n"
    assert with_user(PASSWD, user, name="me").endswith("\nme:*:5000:7:me:/srv:/bin/sh\n")


def test_a_known_user_gets_no_second_line() -> None:
    assert with_user(PASSWD, lookup("app", PASSWD, GROUP), name="other") == PASSWD


def test_a_line_of_ones_own_has_its_variables_filled() -> None:
    user = User(5000, 7, home="/srv", is_known=False)
    entry = "$USERNAME-x:*:$UID:$GID:$NAME:$HOME:/bin/zsh"
    assert with_user("a:x:1:1::/:", user, name="me", entry=entry) == (
        "a:x:1:1::/:\nme-x:*:5000:7:me:/srv:/bin/zsh\n"
    )


def test_a_hostile_home_adds_no_second_user() -> None:
    user = User(5000, 7, home="/x\nroot2:x:0:0:", is_known=False)
    contents = with_user("", user)
    assert contents.count("\n") == 1
    assert lookup("5000", contents, "").uid == 5000


def test_a_group_gets_a_line_unless_it_is_known() -> None:
    assert with_group(GROUP, 1000, name="me") == GROUP
    assert with_group("", 5000, name="me", members="me") == "me:x:5000:me\n"
    assert with_group("", 5000) == "5000:x:5000:\n"
    assert with_group("", 5000, members="a", entry="g$GID:x:$GID:$USERLIST") == "g5000:x:5000:a\n"


@given(text=st.text(), passwd=st.text(alphabet="ax0:\n#-"), group=st.text(alphabet="ax0:\n,-"))
def test_any_text_is_looked_up_or_refused(text: str, passwd: str, group: str) -> None:
    try:
        user = lookup(text, passwd, group)
    except PodError as error:
        assert error.message
    else:
        assert user.uid >= 0
        assert user.gid >= 0
