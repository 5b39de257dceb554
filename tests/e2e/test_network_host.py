"""The host changes its network: an interface goes down and comes up with another address, the name server is another.

The host is a network namespace of the test's, beside that of a peer with a web and a name server, so that no packet
leaves the machine. It is in a user namespace with one id, which needs no privileges.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.engine import TREE, Engine
from tests.support.waiting import PATIENCE

pytestmark = [pytest.mark.not_podman("it wants subordinate ids"), pytest.mark.timeout(300)]

PEER = """
import os, socketserver, sys, threading
import dnslib
ANSWERS = {"192.0.2.2": "192.0.2.50", "198.51.100.2": "198.51.100.50"}
class Web(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(4096)
        self.request.sendall(b"HTTP/1.0 200 OK\\r\\n\\r\\n" + self.server.server_address[0].encode())
class Names(socketserver.BaseRequestHandler):
    def handle(self):
        data, sock = self.request
        reply = dnslib.DNSRecord.parse(data).reply()
        if reply.q.qtype == dnslib.QTYPE.A:
            address = ANSWERS[self.server.server_address[0]]
            reply.add_answer(dnslib.RR(reply.q.qname, rdata=dnslib.A(address)))
        sock.sendto(reply.pack(), self.client_address)
for address in ANSWERS:
    for server in (
        socketserver.TCPServer((address, 80), Web), socketserver.UDPServer((address, 53), Names),
    ):
        threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
"""
HOST = """
set -e
mount --bind /dev/null /etc/subuid; mount --bind /dev/null /etc/subgid
echo nameserver 192.0.2.2 > "$1/resolv.conf"; mount --bind "$1/resolv.conf" /etc/resolv.conf
mkfifo "$1/ready" "$1/end"
unshare --net sh -ec '
    ip link set lo up
    ip link add p0 type veth peer name d0 netns $2
    ip addr add 192.0.2.2/24 dev p0; ip addr add 198.51.100.2/24 dev p0; ip link set p0 up
    exec "$3" -c "$4" < "$1/end" > "$1/ready"' sh "$1" $$ "$2" "$3" &
peer=$!
exec 9> "$1/end"
read ready < "$1/ready"
ip link set lo up
ip addr add 192.0.2.1/24 dev d0; ip link set d0 up; ip route add default via 192.0.2.2
"""
CHANGES = """
pod network create back >&2
pod run -d --name web --network back busybox sh -c 'echo web > index.html; exec httpd -f' >&2
pod run -d --name asker --network back busybox sleep 1000 >&2
pod exec web sh -c 'until wget -q -O /dev/null http://127.0.0.1; do sleep 0.1; done' >&2
get() { pod exec asker timeout "${2:-20}" wget -q -O - "http://$1/" || echo nothing; }
name() { pod exec asker nslookup host.example.test | grep -o "[0-9.]*[.]50$" || echo none; }
get 192.0.2.2; echo; name
ip link set d0 down
get 192.0.2.2 1; get web; name
ip addr flush dev d0; ip addr add 198.51.100.1/24 dev d0; ip link set d0 up
ip route add default via 198.51.100.2
echo nameserver 198.51.100.2 > "$1/resolv.conf"
get 198.51.100.2; echo; name; get web
"""
CLIENTS = """
pod network create back >&2
serve() {
    pod run -d "$@" -v /usr:/usr:ro -v /usr/lib:/lib:ro -v /usr/lib64:/lib64:ro \
        busybox /usr/bin/python3 -c "$tell" >&2
}
serve --network back -p 8080:80 -p 8007:7/udp
serve --network bridge -p 8082:80 -p 8009:7/udp
serve --network private -p 8081:80 -p 8008:7/udp
for port in 8080 8082 8081; do nsenter --net=/proc/$peer/ns/net "$2" -c "$ask" tcp $port; done
for port in 8007 8009 8008; do nsenter --net=/proc/$peer/ns/net "$2" -c "$ask" udp $port; done
"""
TELL = """
import select, socket
tcp, udp = socket.create_server(("", 80)), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("", 7))
while True:
    for ready in select.select([tcp, udp], [], [])[0]:
        if ready is tcp:
            client, address = tcp.accept()
            client.recv(100)
            client.sendall(address[0].encode())
            client.close()
        else:
            _, address = udp.recvfrom(100)
            udp.sendto(address[0].encode(), address)
"""
ASK = """
import socket, sys, time
deadline = time.monotonic() + 20
found = b""
while not found and time.monotonic() < deadline:
    kind = socket.SOCK_STREAM if sys.argv[1] == "tcp" else socket.SOCK_DGRAM
    client = socket.socket(socket.AF_INET, kind)
    client.settimeout(5)
    try:
        client.connect(("192.0.2.1", int(sys.argv[2])))
        client.send(b"who")  # else pasta 2023-05 tells the server of the connection after a second
        found = client.recv(100)
    except OSError:
        time.sleep(0.05)  # the server is not there yet
print(found.decode() or "nothing")
"""
END = """
pod rm -f -t 0 -a >&2
pod network rm back >&2
exec 9>&-
wait
"""


def lines(pod: Engine, directory: Path, body: str) -> list[str]:
    """The lines that a script says which has `pod` and the peer's process, $peer."""
    pod.have("busybox")
    program = shlex.join(pod.full_command())
    without_capabilities = "setpriv --inh-caps=-all --ambient-caps=-all"
    start = f'pod() {{ {without_capabilities} {program} "$@"; }}\nask={shlex.quote(ASK)} tell={shlex.quote(TELL)}'
    done = subprocess.run(
        ["unshare", "--map-current-user", "--keep-caps", "--net", "--mount",
         "sh", "-c", f"{start}\n{HOST}{body}{END}", "sh", str(directory), sys.executable, PEER],
        env=pod.environment, cwd=TREE, capture_output=True, text=True, timeout=200 * PATIENCE, check=False,
    )  # fmt: skip
    print(done.stderr)
    assert done.returncode == 0, done.stdout
    return done.stdout.split()


def test_the_hosts_interface_goes_and_another_network_comes(
    fresh_pod: Engine, tmp_path: Path
) -> None:
    """Running containers reach the world again, and are answered by the new name server; each other all the time."""
    assert lines(fresh_pod, tmp_path, CHANGES) == [
        "192.0.2.2", "192.0.2.50", "nothing", "web", "none", "198.51.100.2", "198.51.100.50", "web",
    ]  # fmt: skip


def test_published_ports_show_a_client_of_another_machine(
    fresh_pod: Engine, tmp_path: Path
) -> None:
    """By TCP and UDP, on a network of one's own, on the default bridge, and without others (pasta)."""
    assert lines(fresh_pod, tmp_path, CLIENTS) == ["192.0.2.2"] * 6
