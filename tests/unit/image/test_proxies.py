"""Proxies from the environment, and what is this machine."""

from __future__ import annotations

import pytest

from pod.base.errors import Unsupported
from pod.image.proxies import is_loopback, proxy_for, split_host, without_password


@pytest.fixture(autouse=True)
def proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "https://secure:1")
    monkeypatch.setenv("http_proxy", "plain:2")


def test_scheme_decides() -> None:
    assert proxy_for("https", "quay.io", 443) == "https://secure:1"
    assert proxy_for("http", "quay.io", 80) == "http://plain:2"


@pytest.mark.parametrize(
    ("exceptions", "host", "direct"),
    [
        ("quay.io", "quay.io", True),
        ("quay.io", "cdn.quay.io", True),
        ("quay.io", "notquay.io", False),
        (".quay.io", "quay.io", False),
        (".quay.io", "cdn.quay.io", True),
        ("*.quay.io", "cdn.quay.io", True),
        ("other.io, QUAY.io ", "quay.io", True),
        ("quay.io:443", "quay.io", True),
        ("quay.io:80", "quay.io", False),
        ("*", "quay.io", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/99", "10.1.2.3", False),
        ("10.0.0.0/8", "quay.io", False),
        ("2001:db8::1", "2001:db8::1", True),
        ("[2001:db8::1]:443", "2001:db8::1", True),
        ("2001:db8::/32", "2001:db8::1", True),
        ("", "quay.io", False),
    ],
)
def test_exceptions(
    exceptions: str, host: str, direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", exceptions)
    assert (proxy_for("https", host, 443) == "") is direct


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.", "127.0.0.1", "127.9.9.9", "::1", "[::1]"]
)
def test_this_machine_needs_no_proxy(host: str) -> None:
    assert is_loopback(host)
    assert proxy_for("https", host, 443) == ""


@pytest.mark.parametrize(
    "host", ["localhost.evil.io", "127.0.0.1.evil.io", "127.evil.0.1", "128.0.0.1", "127.1"]
)
def test_what_only_looks_like_this_machine(host: str) -> None:
    assert not is_loopback(host)


def test_other_kinds_of_proxy_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://x:1")
    with pytest.raises(Unsupported):
        proxy_for("https", "quay.io", 443)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("a.io", "a.io", 9), ("a.io:5", "a.io", 5), ("[::1]", "::1", 9), ("[::1]:5", "::1", 5)],
)
def test_split_host(text: str, host: str, port: int) -> None:
    assert split_host(text, 9) == (host, port)


@pytest.mark.parametrize(
    ("proxy", "shown"),
    [
        ("http://me:p@ss@proxy:3128", "http://proxy:3128"),
        ("https://proxy", "https://proxy"),
        ("socks5://me:pass@proxy", "socks5://proxy"),
    ],
)
def test_the_password_is_not_shown(proxy: str, shown: str) -> None:
    assert without_password(proxy) == shown


def test_a_proxy_of_another_kind_is_refused_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://me:secret@proxy")
    with pytest.raises(Unsupported, match="'socks5://proxy'"):
        proxy_for("https", "far.example", 443)
