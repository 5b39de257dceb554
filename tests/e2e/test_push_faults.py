"""`pod push` when something goes wrong: uploads go on where they were, errors are one sentence, nothing is left."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_killed import killed, steps_of
from tests.integration.image.faulty import Reply
from tests.integration.image.taking import TakingRegistry
from tests.support.checks import nothing_wrong, one_error
from tests.support.engine import Engine
from tests.support.layout import Entry, Layout, layer_tar
from tests.support.proxy import DroppingProxy
from tests.support.registry import Registry
from tests.support.waiting import until

pytestmark = pytest.mark.not_podman("it sends a blob as one piece, and again from its beginning")

INSECURE = "--tls-verify=false"
MEBIBYTE = 1 << 20
PIECES = {"POD_TEST_PIECE_BYTES": str(MEBIBYTE)}
FAST = ("--retry-delay", "0s")
STEPS = ["push: begun", "push: piece", "push: blobs", "push: manifest"]
Break = Callable[[TakingRegistry], None]


@pytest.fixture
def taking() -> Generator[TakingRegistry]:
    with TakingRegistry() as started:
        yield started


@pytest.fixture(scope="session")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    """An image with a layer of three and a half mebibytes, which compression makes no smaller."""
    made = Layout(str(tmp_path_factory.mktemp("noise")))
    noise = Entry("noise", os.urandom(7 * MEBIBYTE // 2))
    made.add_image([made.add_layer(layer_tar([noise]))], {"Cmd": ["x"]})
    return made


@pytest.fixture
def noise(pod: Engine, layout: Layout) -> str:
    """That image in the store; its id."""
    return pod("pull", "-q", f"oci:{layout.path}:latest").out


def size_of_all(layout: Layout) -> int:
    manifest = layout.image().manifest()
    return int(manifest["config"]["size"]) + sum(layer["size"] for layer in manifest["layers"])


def arrived(layout: Layout, server: TakingRegistry) -> bool:
    manifest = layout.image().manifest()
    blobs = [manifest["config"], *manifest["layers"]]
    tagged = [path for path in server.manifests if path.endswith("/latest")]
    return bool(tagged) and all(blob["digest"] in server.blobs for blob in blobs)


def notes(pod: Engine) -> list[str]:
    path = f"{pod.root}/images/uploads"
    return os.listdir(path) if os.path.exists(path) else []


def _drop(server: TakingRegistry) -> None:
    server.drop_after = MEBIBYTE


def _drop_and_forget(server: TakingRegistry) -> None:
    server.drop_after, server.forgets = MEBIBYTE + 1000, True


def _drop_and_forget_late(server: TakingRegistry) -> None:
    """As docker's registry, when it is slow to see the end of a connection."""
    server.drop_after, server.forgets_late = MEBIBYTE + 1000, True


def _small_requests(server: TakingRegistry) -> None:
    server.most_bytes = MEBIBYTE


def _no_pieces(server: TakingRegistry) -> None:
    server.takes_pieces = False


def _lost_answer(server: TakingRegistry) -> None:
    """The blob arrives, and the answer that says so does not."""

    def answer(seen: Any) -> Reply | None:
        if seen.method == "PUT" and "/blobs/" in seen.path and not server.blobs:
            reply = server._usual(seen)
            assert reply.status == 201
            return Reply(503)
        return None

    server.answer = answer


def _busy(server: TakingRegistry) -> None:
    server.fault("/blobs/uploads/", Reply(429, {"Retry-After": "0"}), Reply(503))


@pytest.mark.parametrize(
    ("fault", "again"),
    [
        pytest.param(_drop, 0, id="drops"),
        pytest.param(_drop_and_forget, None, id="drops and forgets"),
        pytest.param(_drop_and_forget_late, MEBIBYTE + 1000, id="drops and forgets late"),
        pytest.param(_small_requests, None, id="413"),
        pytest.param(_no_pieces, MEBIBYTE, id="no pieces"),
        pytest.param(_lost_answer, 0, id="lost answer"),
        pytest.param(_busy, 0, id="429 and 503"),
    ],
)
def test_uploads_finish(
    pod: Engine, noise: str, layout: Layout, taking: TakingRegistry, fault: Break, again: int | None
) -> None:  # fmt: skip
    """`again`: how many bytes may be sent twice."""
    fault(taking)
    env = PIECES if fault is _no_pieces else {}
    pod("push", "-q", INSECURE, *FAST, noise, f"{taking.host}/me/noise", env=env)
    assert arrived(layout, taking)
    if again is not None:
        assert sum(taking.bodies) <= size_of_all(layout) + again
    assert notes(pod) == []


def test_real_registry_whose_connections_do_not_last(
    pod: Engine, noise: str, layout: Layout, registry_with: Callable[..., Registry]
) -> None:
    """docker-registry forgets an upload when a piece of it breaks off: pieces become smaller until they fit."""
    limit, registry = 250_000, registry_with()
    with DroppingProxy(registry.port, up_limit=limit) as proxy:
        pod("push", "-q", INSECURE, *FAST, noise, f"{proxy.host}/me/short-lived")
        assert proxy.dropped >= 1
        assert proxy.up <= size_of_all(layout) + proxy.dropped * limit + 100_000
    pod("rmi", "-f", noise)
    pod("pull", "-q", INSECURE, f"{registry.host}/me/short-lived")


def test_killed_in_the_middle(
    pod: Engine, noise: str, layout: Layout, taking: TakingRegistry
) -> None:
    """The next push sends the rest, and no byte twice."""
    begun, go_on = threading.Event(), threading.Event()
    taking.drop_after, taking.hold_bodies = 2 * MEBIBYTE, (begun, go_on)
    name = f"{taking.host}/me/noise"
    with pod.spawn("push", "-q", INSECURE, noise, name) as process:
        assert begun.wait(60)
        process.kill()
        process.wait()
    go_on.set()
    until(lambda: taking.bodies, "the registry has seen the end of the connection")
    assert len(notes(pod)) == 1
    nothing_wrong(pod, max_age="24h")
    taking.drop_after = taking.hold_bodies = None
    pod("push", "-q", INSECURE, noise, name)
    assert arrived(layout, taking)
    assert sum(taking.bodies) == size_of_all(layout)
    assert notes(pod) == []


def test_killed_at_every_step(pod: Engine, noise: str, layout: Layout, registry: Registry) -> None:
    digest = layout.image().digest
    words = ["push", "-q", INSECURE, noise]
    for number, step in enumerate(STEPS):
        name = f"{registry.host}/killed/at{number}"
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(pod.environment, "POD_TEST_PIECE_BYTES", PIECES["POD_TEST_PIECE_BYTES"])
            if not number:
                assert steps_of(pod, *words, f"{registry.host}/killed/not") >= set(STEPS)
            # From another root's point of view: nothing is known that could be mounted.
            places = f"{pod.root}/images/places.json"
            if os.path.exists(places):
                os.unlink(places)
            killed(pod, step, *words, name)
            nothing_wrong(pod, max_age="24h", after=step)
            pod(*words, name)
        answer = registry.request(
            "GET",
            f"/v2/killed/at{number}/manifests/latest",
            headers={"Accept": layout.image().manifest()["mediaType"]},
        )
        assert answer.headers["Docker-Content-Digest"] == digest
        assert notes(pod) == []
    nothing_wrong(pod, max_age="24h")


def always(part: str, status: int, code: str = "", **headers: str) -> Break:
    body = f'{{"errors": [{{"code": "{code}", "message": "words of its own"}}]}}'.encode()
    replies = [Reply(status, headers, body if code else b"") for _ in range(50)]
    return lambda server: server.fault(part, *replies)


def _lies(server: TakingRegistry) -> None:
    server.lies = True


UPLOADS = "/blobs/uploads/"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        pytest.param(always("/me/", 401), ["needs a login", "pod login"], id="401"),
        pytest.param(always(UPLOADS, 403, "DENIED"), ["words of its own", "pod login"], id="403"),
        pytest.param(always(UPLOADS, 404, "NAME_UNKNOWN"), ["me/noise", "make it"], id="unknown"),
        pytest.param(always(UPLOADS, 400, "NAME_INVALID"), ["does not accept"], id="name"),
        pytest.param(always(UPLOADS, 405), ["read-only"], id="405"),
        pytest.param(always(UPLOADS, 413), ["too large"], id="413"),
        pytest.param(always(UPLOADS, 429), ["more requests"], id="429"),
        pytest.param(
            always(UPLOADS, 429, **{"Retry-After": "3600"}), ["to wait 3600 seconds"], id="wait"
        ),
        pytest.param(always(UPLOADS, 507), ["no space"], id="507"),
        pytest.param(always(UPLOADS, 500), ["status 500"], id="500"),
        pytest.param(always(UPLOADS, 202), ["where to upload"], id="no location"),
        pytest.param(
            always("/manifests/", 400, "MANIFEST_INVALID"), ["words of its own"], id="manifest"
        ),
        pytest.param(_lies, ["lost the upload"], id="digest"),
    ],
)
def test_errors(
    pod: Engine, taking: TakingRegistry, fault: Break, said: list[str]
) -> None:  # fmt: skip
    fault(taking)
    once = ("--retry", "1", *FAST)
    result = pod("push", "-q", INSECURE, *once, "busybox", f"{taking.host}/me/noise", status=125)
    one_error(result)
    for words in said:
        assert words in result.stderr
    assert notes(pod) == [] or fault is not _lies
    nothing_wrong(pod, max_age="24h")


def test_registry_that_goes_away(pod: Engine, noise: str, layout: Layout) -> None:
    """In the middle of a blob, and does not come back."""
    with TakingRegistry() as server:
        begun, go_on = threading.Event(), threading.Event()
        server.drop_after, server.hold_bodies = MEBIBYTE, (begun, go_on)
        name = f"{server.host}/me/noise"
        with pod.spawn("push", "-q", INSECURE, *FAST, noise, name) as process:
            assert begun.wait(60)
            server.drop_after, server.hold_bodies = 0, None
            server._server.socket.close()  # nobody listens any more
            go_on.set()
            _, error = process.communicate(timeout=60)
    assert process.returncode == 125
    assert error.count(b"Error: ") == 1
    assert server.host.encode() in error


def test_damaged_blob_of_the_store(pod: Engine, taking: TakingRegistry, tmp_path: Path) -> None:
    """Is told apart from a registry that errs."""
    layout = Layout(str(tmp_path))
    image = layout.add_image([layout.add_layer(layer_tar([Entry("x", os.urandom(9000))]))])
    number = pod("pull", "-q", f"oci:{layout.path}:latest").out
    digest = image.manifest()["layers"][0]["digest"]
    path = Path(pod.root, "images", "blobs", "sha256", digest.partition(":")[2])
    good = path.read_bytes()
    path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    try:
        result = pod("push", "-q", INSECURE, *FAST, number, f"{taking.host}/me/bad", status=125)
    finally:
        path.write_bytes(good)
    assert "damaged" in one_error(result)
    assert digest in result.stderr
