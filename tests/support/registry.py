"""A real registry on loopback: docker-registry on a free port, and pushing to it by plain HTTP.

python -m tests.support.registry PORT NAME...     serve these images (see images.py) until interrupted
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping
from typing import IO, Any

from tests.support import images
from tests.support.layout import Image
from tests.support.tokens import TokenServer

_TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_START_SECONDS = 20


def program() -> str:
    """docker-registry of Debian and Ubuntu, registry of Fedora, or what machine.sh unpacked."""
    places = f"/usr/bin:/usr/local/bin:{_TREE}/.venv/tools/usr/bin"
    for name in ("docker-registry", "registry"):
        if found := shutil.which(name, path=places):
            return found
    raise RuntimeError("docker-registry is not installed: tests/support/machine.sh run")


class Registry:
    """A running registry; a context manager that ends it.

    `directory` takes its configuration, log and content. With `users` (name to password) it asks for basic
    authentication, with `tokens` for what that token server gives; with `tls` it speaks HTTPS with a certificate of
    its own, whose file is `certificate`. With `schema1` it also takes manifests of that version.
    """

    def __init__(
        self,
        directory: str,
        *,
        port: int = 0,
        users: Mapping[str, str] | None = None,
        tokens: TokenServer | None = None,
        tls: bool = False,
        schema1: bool = False,
    ) -> None:
        os.makedirs(directory, exist_ok=True)
        self.tokens = tokens
        self.directory = directory
        self.content = os.path.join(directory, "content")
        self.log = os.path.join(directory, "log")
        self.users = dict(users or {})
        self.certificate = self._make_certificate() if tls else None
        self._pushed: dict[str, str] = {}
        configuration = self._configuration(port, schema1=schema1)
        path = os.path.join(directory, "config.yml")
        with open(path, "w") as file:
            json.dump(configuration, file)  # JSON is YAML
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [program(), "serve", path],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": "/usr/bin:/bin", "OTEL_TRACES_EXPORTER": "none"},
                start_new_session=True,
            )
        try:
            self.port = self._await_port()
        except BaseException:
            self.close()
            raise

    @property
    def host(self) -> str:
        """HOST:PORT, as image references have it."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the registry; its content stays."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)  # it has nothing to finish
        self.process.wait()

    def have(self, name: str) -> str:
        """Push the image `name` of images.py once, as library/NAME:latest; its reference here."""
        if name not in self._pushed:
            self._pushed[name] = self.push(images.image(name), f"library/{name}")
        return f"{self.host}/library/{name}:latest"

    def push(self, image: Image, repository: str, tag: str = "latest") -> str:
        """Push an image; the digest of its manifest."""
        manifest = image.manifest()
        for descriptor in (*manifest["layers"], manifest["config"]):
            self.push_blob(
                repository, descriptor["digest"], image.layout.blob_path(descriptor["digest"])
            )
        return self.push_manifest(
            repository, tag, image.layout.blob(image.digest), manifest["mediaType"]
        )

    def push_index(
        self, image: Image, descriptor: Mapping[str, Any], repository: str, tag: str = "latest"
    ) -> str:
        """Push a list of images, and those it names, from the layout of `image`; see Layout.add_index."""
        data = image.layout.blob(descriptor["digest"])
        for item in json.loads(data)["manifests"]:
            self.push(Image(image.layout, item["digest"]), repository, item["digest"])
        return self.push_manifest(repository, tag, data, descriptor["mediaType"])

    def push_blob(self, repository: str, digest: str, path: str) -> None:
        if self.request("HEAD", f"/v2/{repository}/blobs/{digest}").status == 200:
            return
        started = self.request("POST", f"/v2/{repository}/blobs/uploads/", body=b"")
        _expect(started, 202)
        location = started.headers["Location"]
        location = location[location.index("/v2/") :]
        joint = "&" if "?" in location else "?"
        with open(path, "rb") as file:
            headers = {
                "Content-Length": str(os.path.getsize(path)),
                "Content-Type": "application/octet-stream",
            }
            _expect(
                self.request(
                    "PUT", f"{location}{joint}digest={digest}", body=file, headers=headers
                ),
                201,
            )

    def push_manifest(self, repository: str, reference: str, data: bytes, media_type: str) -> str:
        """Push a manifest under a tag or its digest; the digest that the registry gave it."""
        answer = self.request(
            "PUT",
            f"/v2/{repository}/manifests/{reference}",
            body=data,
            headers={"Content-Type": media_type},
        )
        _expect(answer, 201)
        return str(answer.headers["Docker-Content-Digest"])

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | IO[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request with the first user's password, read to its end."""
        connection: http.client.HTTPConnection
        if self.certificate:
            context = ssl.create_default_context(cafile=self.certificate)
            connection = http.client.HTTPSConnection(
                "127.0.0.1", self.port, context=context, timeout=60
            )
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        sent = dict(headers or {})
        for user, password in list(self.users.items())[:1]:
            sent["Authorization"] = (
                "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
            )
        if self.tokens is not None and path.startswith("/v2/"):
            repository = "/".join(path.split("/")[2:4])
            token = self.tokens.sign("test", [f"repository:{repository}:pull,push"])
            sent["Authorization"] = f"Bearer {token}"
        try:
            connection.request(method, path, body=body, headers=sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def requests_seen(self) -> list[str]:
        """ "METHOD PATH" of every request so far, from the access log."""
        with open(self.log, errors="replace") as file:
            quoted = [line.split('"') for line in file if line.startswith("127.0.0.1")]
        return [parts[1].rpartition(" ")[0] for parts in quoted if len(parts) > 1]

    def _configuration(self, port: int, *, schema1: bool) -> dict[str, Any]:
        http_section: dict[str, Any] = {"addr": f"127.0.0.1:{port}", "secret": "of no use here"}
        if self.certificate:
            http_section["tls"] = {
                "certificate": self.certificate,
                "key": os.path.join(self.directory, "key.pem"),
            }
        configuration: dict[str, Any] = {
            "version": 0.1,
            "log": {"level": "info", "accesslog": {"disabled": False}},
            "storage": {"filesystem": {"rootdirectory": self.content}, "delete": {"enabled": True}},
            "http": http_section,
            "compatibility": {"schema1": {"enabled": schema1}},
        }
        if self.users:
            path = os.path.join(self.directory, "htpasswd")
            with open(path, "w") as file:
                for user, password in self.users.items():
                    command = ["htpasswd", "-inB", user]
                    done = subprocess.run(
                        command, input=password, capture_output=True, text=True, check=True
                    )
                    file.write(done.stdout.strip() + "\n")
            configuration["auth"] = {"htpasswd": {"realm": "pod tests", "path": path}}
        if self.tokens is not None:
            configuration["auth"] = self.tokens.configuration
        return configuration

    def _make_certificate(self) -> str:
        path = os.path.join(self.directory, "cert.pem")
        key = os.path.join(self.directory, "key.pem")
        command = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ]
        command += ["-days", "30", "-subj", "/CN=pod tests", "-keyout", key, "-out", path]
        command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
        subprocess.run(command, capture_output=True, check=True)
        return path

    def _await_port(self) -> int:
        """The port it listens on, from its log; it says so once, after the socket is open."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            ended = self.process.poll() is not None
            with open(self.log, errors="replace") as file:
                text = file.read()
            for line in text.splitlines(keepends=True):
                _, found, after = line.partition("listening on 127.0.0.1:")
                if found and line.endswith("\n"):
                    return int(
                        "".join(c for c in after.partition('"')[0].partition(",")[0] if c.isdigit())
                    )
            if ended:
                raise RuntimeError(f"{program()} ended at once:\n{text}")
            time.sleep(0.01)
        raise RuntimeError(f"{program()} did not listen within {_START_SECONDS} s; see {self.log}")


class Answer:
    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body


def _expect(answer: Answer, status: int) -> None:
    if answer.status != status:
        raise RuntimeError(
            f"the registry answered {answer.status} instead of {status}: {answer.body!r}"
        )


def main(arguments: list[str]) -> int:
    directory = os.path.join(images.cache_directory(), "registry")
    with Registry(directory, port=int(arguments[0])) as registry:
        for name in arguments[1:]:
            digest = registry.push(images.image(name), name)
            print(f"{registry.host}/{name}:latest {digest}", flush=True)
        print("ready", flush=True)
        try:
            registry.process.wait()
        except KeyboardInterrupt:
            pass
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
