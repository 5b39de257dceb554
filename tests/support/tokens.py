"""A token server, as docker's registry wants one: it knows users, and signs what they may do.

Source: the distribution project's "Token Authentication Specification" and its JWT format.
"""

from __future__ import annotations

import base64
import http.server
import json
import os
import subprocess
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

ISSUER, SERVICE = "pod tests", "pod registry"


class TokenServer:
    """Gives tokens for whatever is asked to each of `users` (name to password), and to nobody else.

    A context manager. `requests` has the query of each request, as a dictionary of lists.
    """

    def __init__(self, directory: str, users: Mapping[str, str]) -> None:
        os.makedirs(directory, exist_ok=True)
        self.users = dict(users)
        self.requests: list[dict[str, list[str]]] = []
        self._key = os.path.join(directory, "key.pem")
        self.certificate = os.path.join(directory, "cert.pem")
        command = (
            "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=tokens -keyout".split()
        )
        subprocess.run(
            [*command, self._key, "-out", self.certificate], capture_output=True, check=True
        )
        owner = self

        class Handler(_Handler):
            server_of_tokens = owner

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.realm = f"http://127.0.0.1:{self._server.server_address[1]}/token"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    def __enter__(self) -> TokenServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def configuration(self) -> dict[str, Any]:
        """The section `auth` of the registry's configuration."""
        return {
            "token": {
                "realm": self.realm,
                "service": SERVICE,
                "issuer": ISSUER,
                "rootcertbundle": self.certificate,
            }
        }

    def sign(self, user: str, scopes: list[str]) -> str:
        """A token that allows the user all of `scopes`, "repository:NAME:pull,push"."""
        with open(self.certificate) as file:
            lines = [line.strip() for line in file if not line.startswith("-")]
        access = [
            {"type": kind, "name": name, "actions": actions.split(",")}
            for kind, name, actions in (_split(scope) for scope in scopes)
        ]
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": user,
            "aud": SERVICE,
            "nbf": now - 60,
            "iat": now,
            "exp": now + 300,
            "jti": os.urandom(8).hex(),
            "access": access,
        }
        head = {"typ": "JWT", "alg": "RS256", "x5c": ["".join(lines)]}
        signed = ".".join(_encoded(json.dumps(part).encode()) for part in (head, claims))
        command = ["openssl", "dgst", "-sha256", "-sign", self._key]
        done = subprocess.run(command, input=signed.encode(), capture_output=True, check=True)
        return f"{signed}.{_encoded(done.stdout)}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server_of_tokens: TokenServer

    def do_GET(self) -> None:  # the base class calls it so
        tokens = self.server_of_tokens
        query = parse_qs(urlsplit(self.path).query)
        tokens.requests.append(query)
        given = self.headers.get("Authorization", "").removeprefix("Basic ")
        user, _, password = base64.b64decode(given).decode().partition(":")
        if user not in tokens.users or tokens.users[user] != password:
            self._answer(401, {"errors": [{"code": "UNAUTHORIZED", "message": "who are you"}]})
            return
        scopes = [one for text in query.get("scope", []) for one in text.split()]
        self._answer(200, {"token": tokens.sign(user, scopes)})

    def _answer(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class calls it so
        pass


def _split(scope: str) -> tuple[str, str, str]:
    kind, _, rest = scope.partition(":")
    name, _, actions = rest.rpartition(":")
    return kind, name, actions


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
