"""The registry client against a real docker-registry, and against servers that misbehave."""

from __future__ import annotations

import json
import os
import socket
import ssl
from collections.abc import Callable, Generator
from typing import Any

import pytest

from pod.image import failures, manifest, media_types
from pod.image.auth import Credentials
from pod.image.connections import Settings
from pod.image.http import HttpClient
from pod.image.names import Endpoint
from pod.image.registry import MAX_MANIFEST_BYTES, Registry
from tests.integration.image.faulty import FaultyRegistry, Reply, Seen, digest_of
from tests.support.certificates import certificate
from tests.support.registry import Registry as RealRegistry

QUICK = Settings(retry_delay_seconds=0, connect_seconds=5, idle_seconds=5)


@pytest.fixture
def server() -> Generator[FaultyRegistry]:
    with FaultyRegistry() as started:
        yield started


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def client(
    host: str,
    repository: str = "me/x",
    *,
    credentials: Credentials | None = None,
    settings: Settings = QUICK,
    notify: Callable[[str], None] = lambda text: None,
    **flags: bool,
) -> Registry:
    http = HttpClient(settings, notify)
    return Registry(http, Endpoint(host, repository, **flags), lambda: credentials)


# A real registry


def test_manifest_and_blobs_of_a_real_registry(registry: RealRegistry) -> None:
    registry.have("busybox")
    remote = client(registry.host, "library/busybox")
    fetched = remote.manifest("latest")
    parsed = manifest.parse_manifest(fetched.data, "x", fetched.media_type)
    assert isinstance(parsed, manifest.Manifest)
    assert remote.manifest_digest("latest") == fetched.digest
    assert remote.manifest(fetched.digest).data == fetched.data
    config = remote.small_blob(parsed.config.digest, parsed.config.size)
    assert digest_of(config) == parsed.config.digest
    layer = parsed.layers[0]
    whole = b"".join(remote.blob(layer.digest).chunks())
    assert digest_of(whole) == layer.digest
    rest = remote.blob(layer.digest, 1000)
    assert (rest.offset, rest.size) == (1000, layer.size)
    assert b"".join(rest.chunks()) == whole[1000:]
    assert remote.tags() == ["latest"]


def test_unknown_image_in_a_real_registry(registry: RealRegistry) -> None:
    registry.have("busybox")
    with pytest.raises(failures.ManifestUnknown, match="'library/busybox:nope'"):
        client(registry.host, "library/busybox").manifest("nope")
    with pytest.raises(failures.RegistryError) as error:
        client(registry.host, "nobody/nothing").tags()
    assert isinstance(error.value, failures.RepositoryUnknown)


def test_password_over_tls(
    registry_with: Callable[..., RealRegistry], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = registry_with(users={"alice": "secret"}, tls=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    with pytest.raises(failures.UnknownAuthority) as unknown:
        client(real.host).tags()
    assert f"certs.d/{real.host}/ca.crt" in (unknown.value.hint or "")

    directory = f"{tmp_path}/.config/containers/certs.d/{real.host}"
    os.makedirs(directory)
    assert real.certificate
    os.symlink(real.certificate, f"{directory}/ca.crt")
    with pytest.raises(failures.Unauthorized, match="needs a login") as nobody:
        client(real.host).tags()
    assert nobody.value.hint == f"pod login {real.host}"
    with pytest.raises(failures.LoginRefused, match="refused user 'alice': wrong name or password"):
        client(real.host, credentials=Credentials("alice", "wrong")).tags()
    with pytest.raises(failures.RepositoryUnknown):
        client(real.host, credentials=Credentials("alice", "secret")).tags()


def test_insecure_accepts_any_certificate(registry_with: Callable[..., RealRegistry]) -> None:
    real = registry_with(tls=True)
    with pytest.raises(failures.RepositoryUnknown):
        client(real.host, insecure=True).tags()


def test_strict_never_speaks_plain_http(registry: RealRegistry) -> None:
    with pytest.raises(failures.NoTls):
        client(registry.host, "library/busybox", strict=True).manifest("latest")


# Faults of a server


def test_nobody_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        with pytest.raises(failures.ConnectionRefused, match="nothing listens there"):
            client(f"127.0.0.1:{bound.getsockname()[1]}").manifest("x")


def test_unknown_host() -> None:
    with pytest.raises(failures.UnknownHost, match="'no-such-host\\.invalid' cannot be found"):
        client("no-such-host.invalid").manifest("x")


def test_silent_server_is_given_up() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        settings = QUICK.replace(idle_seconds=0.2, retries=1)
        with pytest.raises(failures.TimedOut, match="did not answer in time"):
            client(f"127.0.0.1:{silent.getsockname()[1]}", settings=settings).manifest("x")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_passing_faults_are_outlived(server: FaultyRegistry, status: int) -> None:
    server.add_image("me/x:latest", [])
    server.fault("/manifests/", Reply(status), Reply(status))
    said: list[str] = []
    assert client(server.host, notify=said.append).manifest("latest").data
    assert len(said) == 2
    assert "trying again" in said[0]


def test_lasting_fault_is_told_with_the_servers_words(server: FaultyRegistry) -> None:
    body = json.dumps({"errors": [{"code": "X", "message": "disk\x1b[31m full"}]}).encode()
    server.answer = lambda seen: Reply(500, {}, body) if "/manifests/" in seen.path else None
    with pytest.raises(failures.ServerFailed, match=r"failed with status 500: disk \[31m full"):
        client(server.host).manifest("latest")
    assert len(server.seen("/manifests/")) == QUICK.retries + 1


def test_too_long_a_wait_is_not_waited_for(server: FaultyRegistry) -> None:
    server.fault("/manifests/", Reply(429, {"Retry-After": "3600"}))
    with pytest.raises(failures.TooManyRequests, match="asks to wait 3600 seconds"):
        client(server.host).manifest("latest")
    assert len(server.seen("/manifests/")) == 1


@pytest.mark.parametrize("when", ["0", "Thu, 01 Jan 1970 00:00:00 GMT", "nonsense"])
def test_retry_after_is_a_number_or_a_date(server: FaultyRegistry, when: str) -> None:
    server.add_image("me/x:latest", [])
    server.fault("/manifests/", Reply(429, {"Retry-After": when}))
    client(server.host).manifest("latest")
    assert len(server.seen("/manifests/")) == 2


def test_lost_connection_is_tried_again(server: FaultyRegistry) -> None:
    server.add_image("me/x:latest", [])
    server.fault("/manifests/", Reply(200, {"Content-Length": "1000"}, b"", cut=0))
    with pytest.raises(failures.ConnectionLost):
        client(server.host).manifest("latest")  # in the middle of the body: the caller's to decide
    assert client(server.host).manifest("latest").data


def test_manifest_has_a_limit(server: FaultyRegistry) -> None:
    server.add_manifest("me/x:latest", b" " * (MAX_MANIFEST_BYTES + 1))
    with pytest.raises(failures.AnswerTooLarge):
        client(server.host).manifest("latest")


def test_manifest_must_have_the_digest_that_was_asked_for(server: FaultyRegistry) -> None:
    wrong = digest_of(b"something else")
    server.manifests[f"/v2/me/x/manifests/{wrong}"] = (media_types.OCI_MANIFEST, b"{}")
    with pytest.raises(failures.WrongManifestDigest):
        client(server.host).manifest(wrong)


def test_manifest_must_have_the_digest_that_the_server_says(server: FaultyRegistry) -> None:
    headers = {"Docker-Content-Digest": digest_of(b"something else")}
    server.fault("/manifests/", Reply(200, headers, b"{}"))
    with pytest.raises(failures.WrongManifestDigest):
        client(server.host).manifest("latest")


def test_codes_tell_repository_from_tag(server: FaultyRegistry) -> None:
    body = json.dumps({"errors": [{"code": "NAME_UNKNOWN"}]}).encode()
    server.fault("/manifests/", Reply(404, {}, body), Reply(404, {}, b"<html>"))
    with pytest.raises(failures.RepositoryUnknown):
        client(server.host).manifest("latest")
    with pytest.raises(failures.ManifestUnknown):
        client(server.host).manifest("latest")


def test_forbidden(server: FaultyRegistry) -> None:
    server.fault("/manifests/", Reply(403))
    with pytest.raises(failures.Unauthorized):
        client(server.host).manifest("latest")


def test_nonsense_status(server: FaultyRegistry) -> None:
    server.fault("/manifests/", Reply(418, {}, b"teapot"))
    with pytest.raises(failures.UnexpectedAnswer, match="status 418"):
        client(server.host).manifest("latest")


def test_server_that_cannot_continue_begins_again(server: FaultyRegistry) -> None:
    server.ranges = False
    digest = server.add_blob(b"0123456789")
    stream = client(server.host).blob(digest, 4)
    assert stream.offset == 0
    assert b"".join(stream.chunks()) == b"0123456789"


def test_offset_behind_the_end_begins_again(server: FaultyRegistry) -> None:
    digest = server.add_blob(b"0123456789")
    assert client(server.host).blob(digest, 10).offset == 0


def test_other_part_than_asked_is_refused(server: FaultyRegistry) -> None:
    digest = server.add_blob(b"0123456789")
    server.fault("/blobs/", Reply(206, {"Content-Range": "bytes 2-9/10"}, b"23456789"))
    with pytest.raises(failures.UnexpectedAnswer, match="another part"):
        client(server.host).blob(digest, 4)


def test_blob_that_breaks_off(server: FaultyRegistry) -> None:
    digest = server.add_blob(b"x" * 100_000)
    server.fault("/blobs/", Reply(usual=True, cut=50_000))
    with pytest.raises(failures.ConnectionLost):
        list(client(server.host).blob(digest).chunks())


def test_missing_blob(server: FaultyRegistry) -> None:
    with pytest.raises(failures.BlobUnknown):
        client(server.host).blob(digest_of(b"nowhere"))


@pytest.mark.parametrize("size", [9, 11])
def test_small_blob_must_have_its_size(server: FaultyRegistry, size: int) -> None:
    digest = server.add_blob(b"0123456789")
    with pytest.raises(failures.RegistryError):
        client(server.host).small_blob(digest, size)


def test_tags_come_in_pages(server: FaultyRegistry) -> None:
    def answer(seen: Seen) -> Reply | None:
        if "/tags/list" not in seen.path:
            return None
        if "last=b" in seen.path:
            return Reply(200, {}, b'{"tags": ["c"]}')
        link = '</v2/me/x/tags/list?last=b&n=2>; rel="next"'
        return Reply(200, {"Link": link}, b'{"tags": ["a", "b"]}')

    server.answer = answer
    assert client(server.host).tags() == ["a", "b", "c"]


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"tags": 5}', b"null"])
def test_malformed_tags(server: FaultyRegistry, body: bytes) -> None:
    server.fault("/tags/", Reply(200, {}, body))
    with pytest.raises(failures.UnexpectedAnswer):
        client(server.host).tags()


# Redirects


def test_other_host_never_sees_the_password(server: FaultyRegistry) -> None:
    with FaultyRegistry() as other:
        digest = other.add_blob(b"content")
        server.answer = lambda seen: (
            _basic(seen)
            or (
                Reply(307, {"Location": f"{other.url}/blobs/{digest}"})
                if "/blobs/" in seen.path
                else None
            )
        )
        remote = client(server.host, credentials=Credentials("u", "p"))
        assert b"".join(remote.blob(digest).chunks()) == b"content"
        assert "Authorization" in server.seen("/blobs/")[-1].headers
        assert "Authorization" not in other.seen("/blobs/")[-1].headers


def _basic(seen: Seen) -> Reply | None:
    if "Authorization" in seen.headers or seen.path == "/v2/":
        return None
    return Reply(401, {"WWW-Authenticate": 'Basic realm="x"'})


def test_same_host_goes_on_with_the_same_headers(server: FaultyRegistry) -> None:
    digest = server.add_blob(b"0123456789")
    moved = Reply(302, {"Location": f"/elsewhere/blobs/{digest}?x=1&y=a%20b"})
    server.fault("/v2/me/x/blobs/", moved)
    server.fault("/elsewhere/", Reply(206, {"Content-Range": "bytes 4-9/10"}, b"456789"))
    assert b"".join(client(server.host).blob(digest, 4).chunks()) == b"456789"
    assert server.seen("/elsewhere/")[0].headers["Range"] == "bytes=4-"
    assert server.seen("/elsewhere/")[0].path.endswith("?x=1&y=a%20b")


@pytest.mark.parametrize("location", ["/v2/me/x/manifests/latest", "ftp://x/", "http://[", "//"])
def test_bad_redirects(server: FaultyRegistry, location: str) -> None:
    server.answer = lambda seen: (
        Reply(307, {"Location": location}) if "/manifests/" in seen.path else None
    )
    with pytest.raises(failures.RegistryError):
        client(server.host).manifest("latest")


# Requests that are not sent, or sent early


def test_first_request_to_this_machine_is_the_one_that_is_wanted(server: FaultyRegistry) -> None:
    server.add_image("me/x:latest", [])
    client(server.host).manifest("latest")
    assert [seen.path for seen in server.requests] == ["/v2/me/x/manifests/latest"]


def test_answer_to_an_early_request_is_taken_once(server: FaultyRegistry) -> None:
    digest = server.add_blob(b"content")
    remote = client(server.host)
    remote.expect_blob(digest)
    for count in (1, 2):
        assert b"".join(remote.blob(digest).chunks()) == b"content"
        assert len(server.seen("/blobs/")) == count


def test_early_request_for_something_else_is_dropped(server: FaultyRegistry) -> None:
    digest = server.add_blob(b"0123456789")
    remote = client(server.host)
    remote.expect_blob(digest)
    assert b"".join(remote.blob(digest, 4).chunks()) == b"456789"
    assert sum("Range" in seen.headers for seen in server.seen("/blobs/")) == 1


def test_early_request_that_is_refused_is_sent_with_a_token(server: FaultyRegistry) -> None:
    TokenServer(server)
    digest = server.add_blob(b"content")
    remote = client(server.host)
    remote.expect_blob(digest)
    assert b"".join(remote.blob(digest).chunks()) == b"content"


# Tokens


class TokenServer:
    """Answers of a registry that wants bearer tokens, and of the server that gives them."""

    def __init__(self, server: FaultyRegistry, *, user: str = "", realm: str = "") -> None:
        self.server = server
        self.valid = "token-1"
        self.user = user
        self.realm = realm or f"{server.url}/token"
        server.answer = self.answer

    def answer(self, seen: Seen) -> Reply | None:
        if seen.path == "/v2/":
            return self.challenge()
        if seen.path.startswith("/token"):
            if self.user and self.user not in seen.headers.get("Authorization", ""):
                return Reply(401)
            return Reply(200, {}, json.dumps({"token": self.valid, "expires_in": 60}).encode())
        if seen.headers.get("Authorization") != f"Bearer {self.valid}":
            return self.challenge()
        return None

    def challenge(self) -> Reply:
        value = f'Bearer realm="{self.realm}",service="s v",scope="repository:me/x:pull"'
        return Reply(401, {"WWW-Authenticate": value})


def test_anonymous_token_is_fetched_once(server: FaultyRegistry) -> None:
    TokenServer(server)
    digest = server.add_image("me/x:latest", [b"layer"])
    remote = client(server.host)
    remote.manifest("latest")
    remote.manifest(digest)
    (asked,) = server.seen("/token")
    assert asked.path == "/token?service=s+v&scope=repository%3Ame%2Fx%3Apull"
    assert "Authorization" not in asked.headers


def test_token_that_ran_out_is_renewed(server: FaultyRegistry) -> None:
    tokens = TokenServer(server)
    server.add_image("me/x:latest", [])
    remote = client(server.host)
    remote.manifest("latest")
    tokens.valid = "token-2"
    remote.manifest("latest")
    assert len(server.seen("/token")) == 2


def test_password_goes_to_the_token_server_only(server: FaultyRegistry) -> None:
    TokenServer(server, user="dTpw")  # u:p in base64
    server.add_image("me/x:latest", [])
    client(server.host, credentials=Credentials("u", "p")).manifest("latest")
    assert server.seen("/token")[0].headers["Authorization"] == "Basic dTpw"
    assert "account=u" in server.seen("/token")[0].path
    assert all("Basic" not in seen.headers.get("Authorization", "") for seen in server.seen("/v2/"))


def test_wrong_password_and_missing_login(server: FaultyRegistry) -> None:
    TokenServer(server, user="dTpw")
    with pytest.raises(failures.LoginRefused, match="user 'u'"):
        client(server.host, credentials=Credentials("u", "q")).manifest("latest")
    with pytest.raises(failures.Unauthorized, match="needs a login"):
        client(server.host).manifest("latest")


def test_identity_token_is_posted(server: FaultyRegistry) -> None:
    TokenServer(server)
    server.add_image("me/x:latest", [])
    client(server.host, credentials=Credentials(identity_token="I D")).manifest("latest")
    (asked,) = server.seen("/token", "POST")
    assert b"grant_type=refresh_token&refresh_token=I+D" in asked.body


def test_permission_that_no_token_gives(server: FaultyRegistry) -> None:
    TokenServer(server)
    server.fault("/manifests/", *[Reply(401, {"WWW-Authenticate": "Bearer"})] * 3)
    with pytest.raises(failures.Unauthorized):
        client(server.host).manifest("latest")


@pytest.mark.parametrize("realm", ["http://tokens.example/", "ftp://x/", "nonsense"])
def test_password_never_leaves_the_machine_in_the_clear(server: FaultyRegistry, realm: str) -> None:
    TokenServer(server, realm=realm)
    with pytest.raises(failures.UnexpectedAnswer):
        client(server.host, credentials=Credentials("u", "p")).manifest("latest")


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"token": 1}', b'{"token": "a\\nb"}'])
def test_malformed_tokens(server: FaultyRegistry, body: bytes) -> None:
    TokenServer(server)
    server.fault("/token", Reply(200, {}, body))
    with pytest.raises(failures.UnexpectedAnswer):
        client(server.host).manifest("latest")


# TLS


@pytest.mark.parametrize(
    ("name", "end", "error"),
    [
        ("IP:127.0.0.1", "20210101000000Z", failures.CertificateExpired),
        ("DNS:other.example", "20990101000000Z", failures.CertificateForOtherName),
        ("IP:127.0.0.2", "20990101000000Z", failures.CertificateForOtherName),
    ],
    ids=["expired", "other name", "other address"],
)
def test_bad_certificates_are_told_apart(
    tmp_path: Any, name: str, end: str, error: type[failures.RegistryError]
) -> None:
    with FaultyRegistry(context=certificate(str(tmp_path), name, end)) as server:
        os.mkdir(f"{tmp_path}/certs")
        os.symlink(f"{tmp_path}/cert.pem", f"{tmp_path}/certs/ca.crt")
        settings = QUICK.replace(cert_dir=f"{tmp_path}/certs")
        with pytest.raises(error):
            client(server.host, settings=settings).manifest("x")


def test_cert_dir_is_trusted_and_shows_our_certificate(tmp_path: Any) -> None:
    context = certificate(str(tmp_path), "IP:127.0.0.1")
    context.load_verify_locations(f"{tmp_path}/cert.pem")
    context.verify_mode = ssl.CERT_REQUIRED  # the client's is the same certificate
    with FaultyRegistry(context=context) as server:
        server.add_image("me/x:latest", [])
        os.mkdir(f"{tmp_path}/certs")
        os.symlink(f"{tmp_path}/cert.pem", f"{tmp_path}/certs/ca.crt")
        settings = QUICK.replace(cert_dir=f"{tmp_path}/certs")
        with pytest.raises(failures.RegistryError):
            client(server.host, settings=settings.replace(retries=0)).manifest("latest")
        os.symlink(f"{tmp_path}/cert.pem", f"{tmp_path}/certs/me.cert")
        os.symlink(f"{tmp_path}/key.pem", f"{tmp_path}/certs/me.key")
        assert client(server.host, settings=settings).manifest("latest").data


@pytest.mark.parametrize(
    ("shown", "why"), [(False, "wants a certificate of yours"), (True, "refuses your certificate")]
)
def test_server_that_wants_another_certificate(tmp_path: Any, shown: bool, why: str) -> None:
    """What OpenSSL says then, without a network, on which the end of the connection could come first."""
    context = certificate(str(tmp_path), "DNS:t")
    context.verify_mode = ssl.CERT_REQUIRED  # by an authority that nobody has
    ours = ssl.create_default_context(cafile=f"{tmp_path}/cert.pem")
    if shown:
        ours.load_cert_chain(f"{tmp_path}/cert.pem", f"{tmp_path}/key.pem")
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_end = ours.wrap_bio(back, there, server_hostname="t")
    server_end = context.wrap_bio(there, back, server_side=True)
    with pytest.raises(ssl.SSLWantReadError):
        client_end.do_handshake()
    with pytest.raises(ssl.SSLWantReadError):
        server_end.do_handshake()
    client_end.do_handshake()
    with pytest.raises(ssl.SSLError):
        server_end.do_handshake()
    with pytest.raises(ssl.SSLError) as error:
        client_end.read()
    explained = failures.explain(error.value, "t:5000")
    assert why in explained.message
    assert "certs.d/t:5000/me.cert" in (explained.hint or "")


@pytest.mark.parametrize("name", ["ca.crt", "me.cert", "me.key"])
def test_unusable_certificate_files_are_named(tmp_path: Any, name: str) -> None:
    from pod.image.tls import CertificateUnusable, context_for

    (tmp_path / name).write_text("nonsense")
    with pytest.raises(CertificateUnusable, match=name):
        context_for(("h",), verify=True, directory=str(tmp_path))


# Proxies


def test_proxy_is_used_for_other_machines(
    server: FaultyRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.manifests["http://far.example/v2/me/x/manifests/latest"] = (
        media_types.OCI_MANIFEST,
        b"{}",
    )
    monkeypatch.setenv("http_proxy", server.url.replace("//", "//user:p%40ss@"))
    remote = client("far.example", insecure=True)
    remote._scheme = "http"
    assert remote.manifest("latest").data == b"{}"
    assert server.requests[0].headers["Proxy-Authorization"] == "Basic dXNlcjpwQHNz"


def test_broken_proxy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{bound.getsockname()[1]}"
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        with pytest.raises(failures.ProxyFailed, match=f"'{proxy}'") as error:
            client("far.example").manifest("latest")
        assert "nothing listens there" in error.value.message


def test_waits_double_unless_one_is_asked_for() -> None:
    told: list[str] = []
    waits = {None: ["1", "2", "4", "8"], 3.0: ["3", "3", "3", "3"]}
    for configured, expected in waits.items():
        client = HttpClient(Settings(retry_delay_seconds=configured), told.append)
        client.cancel()  # so that nobody waits
        for attempt in range(1, 5):
            with pytest.raises(failures.Cancelled):
                client.pause(attempt, failures.ConnectionRefused("here:1", "why"))
            assert told.pop().endswith(f"trying again in {expected[attempt - 1]} seconds")


def test_cancelled_client_sends_nothing(server: FaultyRegistry) -> None:
    remote = client(server.host)
    remote.http.cancel()
    with pytest.raises(failures.Cancelled):
        remote.manifest("latest")
    assert server.requests == []


@pytest.mark.parametrize("at_the_end", [True, False])
def test_an_answer_may_be_broken_off_whenever(server: FaultyRegistry, at_the_end: bool) -> None:
    """Another thread cancels all that is under way; an answer may have come to its end in that moment."""
    digest = server.add_blob(b"x" * 100_000)
    http = HttpClient(QUICK)
    response = http.request("GET", f"http://{server.host}/v2/me/x/blobs/{digest}", {})
    if at_the_end:
        assert b"".join(response.chunks()) == b"x" * 100_000
    else:
        assert response.read(10).startswith(b"x" * 10)
    http.cancel()
    http.cancel()
    response.close()
    http.close()
