"""An application of two containers, a database and a web server in front of it, both of the distribution's packages."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Iterator

import pytest

from tests.support.engine import Engine
from tests.support.waiting import free_port, until, until_http

pytestmark = [
    pytest.mark.not_podman("Debian's podman has no server for names"),
    pytest.mark.timeout(300),  # an image of 130 MB, and a database that is made and started twice
]

# perl and psql are packages of the image; every visit is a row, and the page says how many there are.
APPLICATION = r"""
use IO::Socket::INET;
my $server = IO::Socket::INET->new(LocalPort => 80, Listen => 16, ReuseAddr => 1) or die $@;
while (my $client = $server->accept) {
    while (<$client>) { last if /^\r?$/ }
    my @visit = (
        "-c", "CREATE TABLE IF NOT EXISTS visits (id serial)",
        "-c", "INSERT INTO visits DEFAULT VALUES", "-c", "SELECT count(*) FROM visits",
    );
    open(my $psql, "-|", "psql", "-qAt", "-h", "database", "-U", "postgres", @visit) or die $!;
    my $count = join "", <$psql>;
    my $status = close($psql) ? "200 OK" : "503 Not yet";
    print $client "HTTP/1.0 $status\r\nContent-Type: text/plain\r\n\r\nvisit $count";
    close $client;
}
"""
SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


@pytest.fixture
def network(pod: Engine) -> Iterator[str]:
    pod.have("postgres")
    pod("network", "create", "shop")
    yield "shop"
    pod("rm", "-f", "-v", "-a", "-t", "0")
    pod("network", "rm", "shop")


def speaks_postgres(port: int) -> bool:
    """Whether the database of a published port answers as its protocol says."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
            client.sendall(SSL_REQUEST)
            return client.recv(1) in (b"S", b"N")
    except OSError:
        return False


def visit(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as reply:
        return str(reply.read().decode().strip())


def number(page: str) -> int:
    """The number of a visit. A page that came too late for the one who asked was a visit, too."""
    word, count = page.split()
    assert word == "visit"
    return int(count)


def test_a_database_and_a_web_application(pod: Engine, network: str) -> None:
    """They talk by name, are reached from the host, and go on when the database comes back elsewhere."""
    data_port, web_port = free_port(), free_port()
    secret = ("-e", "POSTGRES_PASSWORD=s3cret", "-e", "PGPASSWORD=s3cret")
    joined = ("--network", network)
    published = ("-p", f"127.0.0.1:{data_port}:5432")
    pod(
        "run", "-d", "--name", "database", *joined, *published, *secret, "-v", "rows:/var/lib/postgresql/data",
        "postgres",
    )  # fmt: skip
    pod(
        "run", "-d", "--name", "web", *joined, "-p", f"127.0.0.1:{web_port}:80", *secret,
        "--entrypoint", "perl", "postgres", "-e", APPLICATION,
    )  # fmt: skip
    first = number(until_http(f"http://127.0.0.1:{web_port}/", 60))
    assert number(visit(web_port)) == first + 1
    assert until(lambda: speaks_postgres(data_port), "answered")
    # Another container has the address of the database when that comes back; its name leads to the new one.
    pod("rm", "-f", "database")
    pod("run", "-d", "--name", "other", *joined, "busybox", "sleep", "1000")
    pod(
        "run",
        "-d",
        "--name",
        "database",
        *joined,
        *secret,
        "-v",
        "rows:/var/lib/postgresql/data",
        "postgres",
    )
    assert number(until_http(f"http://127.0.0.1:{web_port}/", 60)) > first + 1
