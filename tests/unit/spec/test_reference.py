"""References: good and bad examples, and that nothing but InvalidReference ever comes out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pod.spec.reference import InvalidReference, Reference, parse

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "digest"),
    [
        ("nginx", "", "nginx", "", ""),
        ("nginx:1.25", "", "nginx", "1.25", ""),
        ("user/tool:V2", "", "user/tool", "V2", ""),
        ("docker.io/nginx", "docker.io", "library/nginx", "", ""),
        ("index.docker.io/a/b", "docker.io", "a/b", "", ""),
        ("localhost/mine", "localhost", "mine", "", ""),
        ("localhost:5000/mine:x", "localhost:5000", "mine", "x", ""),
        ("127.0.0.1:5000/a/b/c:d", "127.0.0.1:5000", "a/b/c", "d", ""),
        ("[::1]:5000/a", "[::1]:5000", "a", "", ""),
        ("[2001:db8::1]/a", "[2001:db8::1]", "a", "", ""),
        ("Host/a", "Host", "a", "", ""),
        ("quay.io/a-b/c__d.e_f---g", "quay.io", "a-b/c__d.e_f---g", "", ""),
        ("xn--n3h.example/a", "xn--n3h.example", "a", "", ""),
        (f"a@sha256:{HEX}", "", "a", "", f"sha256:{HEX}"),
        (f"r.io/a:t@sha256:{HEX}", "r.io", "a", "t", f"sha256:{HEX}"),
        (f"a@sha512:{HEX}{HEX}", "", "a", "", f"sha512:{HEX}{HEX}"),
        ("a:_", "", "a", "_", ""),
        ("a:" + "t" * 128, "", "a", "t" * 128, ""),
        ("b" * 254, "", "b" * 254, "", ""),
        (HEX[:63], "", HEX[:63], "", ""),
        (f"localhost/{HEX}", "localhost", HEX, "", ""),
    ],
)
def test_parts_of_a_reference(
    text: str, registry: str, repository: str, tag: str, digest: str
) -> None:
    assert parse(text) == Reference(registry, repository, tag, digest)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("Nginx", "lower-case"),
        ("docker.io/Library/nginx", "lower-case"),
        ("nginx:", "tag after ':' is empty"),
        ("nginx:-x", "begin with"),
        ("nginx:a b", "' ' is not allowed in a tag"),
        ("nginx:" + "t" * 129, "128"),
        ("b" * 256, "255"),
        (HEX, "an id, not a name"),
        ("https://quay.io/a", "scheme"),
        ("a//b", "empty part"),
        ("/a", "empty part"),
        ("a/", "empty part"),
        ("quay.io/", "empty part"),
        ("a..b", "'..' is not allowed"),
        ("a___b", "'___' is not allowed"),
        ("a._b", "'._' is not allowed"),
        ("a-_b", "'-_' is not allowed"),
        ("-a", "must begin and end"),
        ("a_", "must begin and end"),
        ("a b", "' ' is not allowed in a name"),
        ("a\nb", "not allowed in a name"),
        ("ä", "must begin and end"),
        ("host:port/a", "'port' is not a port"),
        ("host:/a", "'' is not a port"),
        ("host:70000/a", "'70000' is not a port"),
        ("ho_st.io/a", "not a host name"),
        ("-host.io/a", "not a host name"),
        ("a..io/b", "not a host name"),
        ("[zz]:1/a", "IPv6"),
        ("[::1/a", "IPv6"),
        ("[::1]x/a", "not a port"),
        ("a@", "not a digest"),
        ("a@sha256:12", "not a digest"),
        (f"a@sha256:{HEX.upper()}", "not a digest"),
        (f"a@md5:{HEX[:32]}", "not a digest"),
        (f"a@sha256:{HEX}@sha256:{HEX}", "not a digest"),
        (f"@sha256:{HEX}", "empty part"),
        ("../etc/passwd", "not a host name"),
    ],
)
def test_error_says_what_is_wrong(text: str, why: str) -> None:
    with pytest.raises(InvalidReference) as error:
        parse(text)
    assert why in error.value.message
    assert f"'{text}'" in error.value.message


def test_capitals_are_answered_with_the_right_spelling() -> None:
    with pytest.raises(InvalidReference) as error:
        parse("quay.io/Me/Tool:Big")
    assert error.value.hint == "quay.io/me/tool:Big"


@pytest.mark.parametrize(
    ("text", "full", "familiar"),
    [
        ("nginx", "docker.io/library/nginx:latest", "nginx:latest"),
        ("me/x:1", "docker.io/me/x:1", "me/x:1"),
        ("docker.io/x", "docker.io/library/x:latest", "x:latest"),
        ("quay.io/x", "quay.io/x:latest", "quay.io/x:latest"),
        (f"x@sha256:{HEX}", f"docker.io/library/x@sha256:{HEX}", f"x@sha256:{HEX}"),
        ("localhost/x", "localhost/x:latest", "localhost/x:latest"),
    ],
)
def test_normalized_and_familiar(text: str, full: str, familiar: str) -> None:
    reference = parse(text).normalized()
    assert str(reference) == full
    assert reference.familiar() == familiar
    assert not reference.is_short


def test_version_prefers_the_digest() -> None:
    assert parse(f"a:t@sha256:{HEX}").version == f"sha256:{HEX}"
    assert parse("a:t").version == "t"
    assert parse("a").version == "latest"


COMPONENT = st.from_regex(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+){0,2}", fullmatch=True)
HOST = st.from_regex(r"[a-z][a-z0-9]{0,5}\.[a-z]{2,4}(:[1-9][0-9]{0,3})?", fullmatch=True)
TAG = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)


@given(st.none() | HOST, st.lists(COMPONENT, min_size=1, max_size=3), st.none() | TAG)
def test_good_references_come_back_as_written(
    host: str | None, components: list[str], tag: str | None
) -> None:
    repository = "/".join(components)
    if len(repository) > 200 or (
        host is None
        and (components[0] == "localhost" or ("/" in repository and "." in components[0]))
    ):
        return
    text = (f"{host}/" if host else "") + repository + (f":{tag}" if tag else "")
    if len(repository) == 64:
        return
    reference = parse(text)
    assert reference == Reference(host or "", repository, tag or "")
    assert str(reference) == text
    assert parse(str(reference.normalized())) == reference.normalized()


@given(st.text(alphabet="aB0.:/@_-[]% \n\x00é²sha256", max_size=80) | st.text(max_size=80))
def test_any_text_is_a_reference_or_invalid(text: str) -> None:
    try:
        reference = parse(text)
    except InvalidReference:
        return
    assert parse(str(reference)) == reference


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("docker.io/Library/Nginx:V1", "docker.io/library/nginx:V1"),
        ("BAD NAME", None),
        ("Two__._Signs", None),
    ],
)
def test_lower_case_is_offered_where_that_is_a_name(text: str, hint: str | None) -> None:
    with pytest.raises(InvalidReference) as caught:
        parse(text)
    assert caught.value.hint == hint
