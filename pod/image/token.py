"""Permission to use a registry: challenges, basic authentication and bearer tokens.

A registry answers 401 and says in WWW-Authenticate what it wants; we get that, and the request is sent again. Nothing
is sent unasked. Source: RFC 9110, 11.6.1; the distribution project's token authentication specification.
"""

from __future__ import annotations

from _thread import allocate_lock

from pod.base.records import Record
from pod.image import failures
from pod.image.connections import parse_url
from pod.image.http import failure_of, is_local

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from pod.image.auth import Credentials
    from pod.image.http import HttpClient
    from pod.image.names import Endpoint

_TOKEN_BYTES = 1 << 20
_CLIENT_ID = "pod"


class Challenge(Record):
    """One scheme of a WWW-Authenticate header, in lower case, with its parameters."""

    scheme: str
    parameters: Mapping[str, str]


class Authorizer:
    """Gets and remembers Authorization headers for one endpoint, by scope. Used by several threads at once."""

    def __init__(
        self,
        http: HttpClient,
        endpoint: Endpoint,
        find_credentials: Callable[[], Credentials | None],
    ) -> None:
        self._http = http
        self._endpoint = endpoint
        self._find = find_credentials
        self._headers: dict[str, str] = {}
        self._lock = allocate_lock()
        self._found: tuple[Credentials | None] | None = None

    @property
    def user(self) -> str:
        """Who the last answer was for; empty for nobody."""
        known = self._found[0] if self._found else None
        if known is None:
            return ""
        return known.username or "of the identity token"

    def header(self, scope: str) -> str | None:
        """The Authorization header to send, if there is one already."""
        return self._headers.get(scope)

    def renew(self, scope: str, refused: str | None, challenges: list[str]) -> str | None:
        """A new header, after an answer 401 to a request with the header `refused`; None when there is no other way.

        `challenges` are the WWW-Authenticate headers of the answer. Raises LoginRefused, RegistryError.
        """
        with self._lock:
            current = self._headers.get(scope)
            if current is not None and current != refused:
                return current  # another thread was faster
            offered = parse_challenges(challenges)
            header = self._bearer(offered, scope) or self._basic(offered)
            if header is None:
                return None
            if header == refused and not header.startswith("Bearer "):
                # 403 would be about what the user may do; RFC 9110, 15.5.2.
                raise failures.LoginRefused(self._endpoint.registry, self.user)
            self._headers[scope] = header
            return header

    def _credentials(self) -> Credentials | None:
        if self._found is None:
            self._found = (self._find(),)
        return self._found[0]

    def _basic(self, offered: list[Challenge]) -> str | None:
        if not any(challenge.scheme == "basic" for challenge in offered):
            return None
        credentials = self._credentials()
        if credentials is None or not credentials.username:
            return None
        return _basic_header(credentials)

    def _bearer(self, offered: list[Challenge], scope: str) -> str | None:
        for challenge in offered:
            if challenge.scheme == "bearer" and challenge.parameters.get("realm"):
                return f"Bearer {self._token(challenge.parameters, scope)}"
        return None

    def _token(self, parameters: Mapping[str, str], scope: str) -> str:
        from urllib.parse import urlencode

        endpoint, credentials = self._endpoint, self._credentials()
        realm = parameters["realm"]
        target = parse_url(realm)
        if target.scheme != "https" and not endpoint.insecure and not is_local(target.authority):
            raise failures.UnexpectedAnswer(
                endpoint.registry, "it asks to send the password over plain HTTP"
            )
        # What the registry asks for, and what we shall need: a challenge to a HEAD does not speak of push.
        scopes = list(dict.fromkeys(f"{parameters.get('scope', '')} {scope}".split()))
        asked = [("service", parameters["service"])] if parameters.get("service") else []
        headers = {"Accept": "application/json"}
        if credentials is not None and credentials.identity_token:
            response = self._http.request(
                "POST",
                realm,
                headers,
                insecure=endpoint.insecure,
                fields={
                    "grant_type": "refresh_token",
                    "refresh_token": credentials.identity_token,
                    "client_id": _CLIENT_ID,
                    "scope": " ".join(scopes),
                    **dict(asked),
                },
            )
        else:
            if credentials is not None:
                headers["Authorization"] = _basic_header(credentials)
                asked.append(("account", credentials.username))
            query = urlencode([*asked, *(("scope", one) for one in scopes)])
            joint = "&" if "?" in realm else "?"
            response = self._http.request(
                "GET", f"{realm}{joint}{query}", headers, insecure=endpoint.insecure
            )
        if response.status in (400, 401, 403):
            if credentials is not None:
                response.close()
                raise failures.LoginRefused(endpoint.registry, credentials.username)
            response.close()
            raise failures.Unauthorized(endpoint.name, endpoint.registry, "")
        if response.status != 200:
            raise failure_of(response, endpoint.registry)
        return _token_in(response.read(_TOKEN_BYTES), endpoint.registry)


def _token_in(data: bytes, registry: str) -> str:
    import json

    try:
        document: Any = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise failures.UnexpectedAnswer(registry, "its token is not JSON") from error
    for name in ("token", "access_token"):
        token = document.get(name) if isinstance(document, dict) else None
        if isinstance(token, str) and token and token.isascii() and token.isprintable():
            return token
    raise failures.UnexpectedAnswer(registry, "it gives no token")


def _basic_header(credentials: Credentials) -> str:
    import base64

    pair = f"{credentials.username}:{credentials.password}".encode()
    return "Basic " + base64.b64encode(pair).decode()


def parse_challenges(headers: list[str]) -> list[Challenge]:
    """The challenges in WWW-Authenticate headers, each of which may hold several. What is malformed is left out."""
    found: list[Challenge] = []
    for header in headers:
        rest = header
        while rest := rest.lstrip(" \t,"):
            word, rest = _word(rest)
            if not word:
                break
            rest = rest.lstrip(" \t")
            if rest.startswith("="):
                value, rest = _value(rest[1:].lstrip(" \t"))
                if found:
                    found[-1] = found[-1].replace(
                        parameters={**found[-1].parameters, word.lower(): value}
                    )
            else:
                found.append(Challenge(word.lower(), {}))
    return found


def _word(text: str) -> tuple[str, str]:
    end = 0
    while end < len(text) and text[end] not in ' \t,="':
        end += 1
    return text[:end], text[end:]


def _value(text: str) -> tuple[str, str]:
    """A parameter's value, quoted or not, and what follows it."""
    if not text.startswith('"'):
        return _word(text)
    value, position = "", 1
    while position < len(text) and text[position] != '"':
        if text[position] == "\\" and position + 1 < len(text):
            position += 1
        value += text[position]
        position += 1
    return value, text[position + 1 :]
