"""Projects as people have them, from their files: of today, and of versions 2 and 3 over what is there already."""

from __future__ import annotations

import http.client
import os
import shutil
import subprocess
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import certificate
from tests.support.engine import Engine, Result
from tests.support.waiting import until

pytestmark = [
    pytest.mark.not_podman("podman hands compose over to another program"),
    pytest.mark.timeout(
        300
    ),  # databases are made and started three times: 10 s where nothing else runs
]

SAMPLES = Path(__file__).parent.parent / "data" / "compose" / "samples"
OF_TODAY = "compose.yaml"
FILES = (OF_TODAY, "compose.2.yaml", "compose.3.yaml")


class Sample:
    """A copy of a sample project, and `pod compose` called in it with one of its files."""

    def __init__(self, pod: Engine, directory: Path) -> None:
        self.pod = pod
        self.directory = directory
        self.file = OF_TODAY

    def __call__(self, *words: str, status: int | None = 0, **more: Any) -> Result:
        return self.pod(
            "compose", "-f", self.file, *words, status=status, cwd=str(self.directory), **more
        )  # fmt: skip

    def up(self, file: str, *words: str) -> None:
        self.file = file
        self("up", "-d", "-t", "30", "--remove-orphans", *words, timeout=85)

    def port(self, service: str, port: int) -> int:
        return int(self("port", service, str(port)).out.rpartition(":")[2])

    def page(self, service: str, port: int, path: str = "/") -> str:
        """What a service answers over HTTP, as soon as it does."""
        number = self.port(service, port)

        def ask() -> str:
            connection = http.client.HTTPConnection("127.0.0.1", number, timeout=10)
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                return answer.read().decode() if answer.status == 200 else ""
            except OSError:
                return ""
            finally:
                connection.close()

        return until(ask, f"an answer of '{service}'", seconds=60)


@pytest.fixture
def sample(pod: Engine, tmp_path: Path) -> Generator[Callable[[str], Sample]]:
    made: list[Sample] = []

    def make(name: str) -> Sample:
        pod.have("stack")
        directory = tmp_path / name
        shutil.copytree(SAMPLES / name, directory)
        made.append(Sample(pod, directory))
        return made[-1]

    yield make
    for one in made:
        one("down", "--volumes", "--remove-orphans", "--rmi", "local", "-t", "0", status=None)


def test_python_and_redis_count_hits(sample: Callable[[str], Sample], pod: Engine) -> None:
    pod.have("redis")
    counter = sample("counter")
    for count, file in enumerate(FILES, 1):
        counter.up(file)
        assert counter.page("web", 8000) == f"hits: {count}\n", file


def test_web_application_with_postgres(sample: Callable[[str], Sample], pod: Engine) -> None:
    pod.have("postgres")
    shop = sample("shop")
    shop.up(OF_TODAY)
    shop("run", "--rm", "-T", "web", "python3", "manage.py", "add", "thing")
    shop("run", "--rm", "-T", "--no-deps", "web", "python3", "manage.py", "startapp", "app")
    facts = os.stat(shop.directory / "app" / "models.py")
    assert (facts.st_uid, facts.st_gid) == (os.getuid(), os.getgid())
    assert set(shop("logs", "--no-log-prefix", "migrate").lines) == {"migrated"}
    assert shop.page("web", 8000) == "thing\n"
    for file in FILES[1:]:
        shop.up(file)
        assert shop.page("web", 8000) == "thing\n", file


def test_php_with_mariadb_alone_and_behind_nginx(
    sample: Callable[[str], Sample], pod: Engine
) -> None:
    pod.have("nginx")
    blog = sample("blog")
    titles = ""
    for number, file in enumerate(FILES):
        blog.up(file)
        titles += f"post-{number}\n"
        assert blog.page("blog", 80, f"/?title=post-{number}") == f"cli-server\n{titles}", file
        assert blog.page("nginx", 80) == f"fpm-fcgi\n{titles}", file


def test_registry_with_tls_and_users(sample: Callable[[str], Sample], pod: Engine) -> None:
    registry = sample("registry")
    certificate(str(registry.directory), "IP:127.0.0.1")
    shutil.copy(registry.directory / "cert.pem", registry.directory / "ca.crt")
    made = subprocess.run(
        ["htpasswd", "-nbB", "ann", "secret"], capture_output=True, text=True, check=True
    )
    (registry.directory / "users").write_text(made.stdout)
    for number, file in enumerate(FILES):
        registry.up(file)
        image = f"127.0.0.1:{registry.port('registry', 5000)}/sample:{number}"
        trust = ("--cert-dir", str(registry.directory))

        def pushed(user: str, image: str = image, trust: tuple[str, ...] = trust) -> Result:
            return pod("push", "-q", *trust, "--creds", user, "busybox", image, status=None)

        until(lambda: "refused user 'ann'" in pushed("ann:wrong").stderr, "a refusal", seconds=60)
        assert pushed("ann:secret").status == 0, file
        pod("pull", "-q", *trust, "--creds", "ann:secret", image)


def test_three_nodes_of_etcd_on_fixed_addresses(sample: Callable[[str], Sample]) -> None:
    cluster = sample("etcd")
    addresses = [f"http://10.213.77.1{number}:2380" for number in (1, 2, 3)]
    cluster.up(OF_TODAY, "--wait")
    until(
        lambda: cluster("exec", "-T", "etcd1", "etcdctl", "put", "key", "one", status=None).status == 0,
        "a leader",
        seconds=60,
    )  # fmt: skip
    cluster("kill", "etcd1")
    until(
        lambda: cluster("exec", "-T", "etcd2", "etcdctl", "put", "key", "two", status=None).status == 0,
        "a leader among two",
        seconds=60,
    )  # fmt: skip
    for file in FILES:
        cluster.up(file)
        until(
            lambda: cluster("exec", "-T", "etcd1", "etcdctl", "get", "--print-value-only", "key", status=None).out
            == "two",
            f"what all nodes know, by {file}",
            seconds=60,
        )  # fmt: skip

        def members() -> str:
            return cluster("exec", "-T", "etcd3", "etcdctl", "member", "list", status=None).out

        until(
            lambda: all(it in members() for it in addresses), f"all members, by {file}", seconds=60
        )
