"""Blobs: verified before they have their name, resumed where an attempt stopped, shared by those who fetch the same."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import threading

import pytest

from pod.linux import processes
from storage.blobs import BlobNotFound, BlobStore, DigestMismatch, WrongSize, digest_of

DATA = b"0123456789" * 1000
DIGEST = "sha256:" + hashlib.sha256(DATA).hexdigest()
OTHER = "sha256:" + hashlib.sha256(b"other").hexdigest()


@pytest.fixture
def blobs(tmp_path: object) -> BlobStore:
    return BlobStore(f"{tmp_path}/images")


def partials(blobs: BlobStore) -> list[int]:
    return [size for _, size in blobs.partials()]


def test_added_data_is_found_by_its_digest(blobs: BlobStore) -> None:
    assert not blobs.has(DIGEST)
    assert blobs.add(DATA) == DIGEST
    assert blobs.add(DATA) == DIGEST
    assert (blobs.has(DIGEST), blobs.size(DIGEST), blobs.read(DIGEST)) == (True, 10_000, DATA)
    assert list(blobs.list()) == [DIGEST]


def test_a_missing_blob_has_a_name(blobs: BlobStore) -> None:
    for ask in (blobs.size, blobs.open, blobs.read):
        with pytest.raises(BlobNotFound, match=OTHER):
            ask(OTHER)
    assert blobs.remove(OTHER) == 0


def test_damage_on_the_disk_is_noticed(blobs: BlobStore) -> None:
    blobs.add(DATA)
    with open(blobs.path(DIGEST), "r+b") as file:
        file.write(b"X")
    with pytest.raises(DigestMismatch):
        blobs.read(DIGEST)


def test_a_large_blob_is_not_read_into_memory(blobs: BlobStore) -> None:
    blobs.add(DATA)
    with pytest.raises(WrongSize):
        blobs.read(DIGEST, limit=9_999)


def test_removing_says_what_was_set_free(blobs: BlobStore) -> None:
    blobs.add(DATA)
    assert blobs.remove(DIGEST) == 10_000
    assert not blobs.has(DIGEST)


def test_a_download_becomes_a_blob_when_it_is_complete(blobs: BlobStore) -> None:
    with blobs.receive(DIGEST, 10_000) as partial:
        for start in range(0, 10_000, 3000):
            assert not blobs.has(DIGEST)
            partial.write(DATA[start : start + 3000])
        assert partial.commit() == DIGEST
    assert blobs.read(DIGEST) == DATA
    assert partials(blobs) == []


def test_an_interrupted_download_goes_on_where_it_was(blobs: BlobStore) -> None:
    with pytest.raises(ConnectionError), blobs.receive(DIGEST, 10_000) as partial:
        partial.write(DATA[:4000])
        raise ConnectionError
    assert partials(blobs) == [4000]
    with blobs.receive(DIGEST, 10_000) as partial:
        assert partial.offset == 4000
        partial.write(DATA[4000:])
        partial.commit()
    assert blobs.read(DIGEST) == DATA


def test_a_blob_that_is_here_needs_no_download(blobs: BlobStore) -> None:
    blobs.add(DATA)
    with blobs.receive(DIGEST, 10_000) as partial:
        assert partial.already_here
    assert partials(blobs) == []


def test_more_bytes_than_announced_are_refused(blobs: BlobStore) -> None:
    with blobs.receive(DIGEST, 10_000) as partial:
        partial.write(DATA[:9000])
        with pytest.raises(WrongSize):
            partial.write(DATA[:1001])
        assert partial.offset == 9000
        partial.write(DATA[9000:])
        partial.commit()


def test_fewer_bytes_than_announced_stay_for_the_next_attempt(blobs: BlobStore) -> None:
    with pytest.raises(WrongSize), blobs.receive(DIGEST, 10_000) as partial:
        partial.write(DATA[:100])
        partial.commit()
    assert partials(blobs) == [100]


def test_wrong_bytes_are_deleted(blobs: BlobStore) -> None:
    with pytest.raises(DigestMismatch) as caught, blobs.receive(DIGEST, 10_000) as partial:
        partial.write(bytes(10_000))
        partial.commit()
    assert not caught.value.resumed
    assert partials(blobs) == []
    assert not blobs.has(DIGEST)


def test_a_mismatch_says_when_old_bytes_may_be_to_blame(blobs: BlobStore) -> None:
    with blobs.receive(DIGEST, 10_000) as partial:
        partial.write(bytes(5000))
    with pytest.raises(DigestMismatch) as caught, blobs.receive(DIGEST, 10_000) as partial:
        partial.write(DATA[5000:])
        partial.commit()
    assert caught.value.resumed


def test_a_partial_that_is_too_long_starts_again(blobs: BlobStore) -> None:
    with blobs.receive(DIGEST, 20_000) as partial:
        partial.write(bytes(15_000))
    with blobs.receive(DIGEST, 10_000) as partial:
        assert partial.offset == 0


def test_a_server_that_cannot_resume_starts_again(blobs: BlobStore) -> None:
    with blobs.receive(DIGEST, 10_000) as partial:
        partial.write(DATA[:5000])
        partial.restart()
        assert partial.offset == 0
        partial.write(DATA)
        partial.commit()
    assert blobs.read(DIGEST) == DATA


def test_nothing_is_left_of_a_download_that_did_not_begin(blobs: BlobStore) -> None:
    with blobs.receive(DIGEST, 10_000):
        pass
    assert partials(blobs) == []


def test_content_may_get_its_digest_at_the_end(blobs: BlobStore) -> None:
    with blobs.new() as partial:
        partial.write(DATA)
        assert partial.commit() == DIGEST
    with blobs.new() as partial:
        partial.write(DATA)
    assert list(blobs.list()) == [DIGEST]
    assert partials(blobs) == []


def test_sha512_is_verified_too(blobs: BlobStore) -> None:
    digest = "sha512:" + hashlib.sha512(DATA).hexdigest()
    with blobs.receive(digest, 10_000) as partial:
        partial.write(DATA)
        assert partial.commit() == digest
    assert blobs.read(digest) == DATA


def test_a_second_receiver_waits_and_finds_the_blob(blobs: BlobStore) -> None:
    seen = []
    entered = threading.Event()

    def second() -> None:
        entered.set()
        with blobs.receive(DIGEST, 10_000) as partial:
            seen.append(partial.already_here)

    with blobs.receive(DIGEST, 10_000) as partial:
        thread = threading.Thread(target=second)
        thread.start()
        entered.wait()
        partial.write(DATA)
        partial.commit()
    thread.join()
    assert seen == [True]
    assert partials(blobs) == []


def test_a_second_receiver_goes_on_when_the_first_gives_up(blobs: BlobStore) -> None:
    offsets = []

    def second() -> None:
        with blobs.receive(DIGEST, 10_000) as partial:
            offsets.append(partial.offset)

    with blobs.receive(DIGEST, 10_000) as partial:
        thread = threading.Thread(target=second)
        thread.start()
        partial.write(DATA[:100])
    thread.join()
    assert offsets == [100]


def test_a_killed_receiver_leaves_its_bytes_and_no_lock(blobs: BlobStore) -> None:
    ready, tell = os.pipe()

    def work() -> None:
        with blobs.receive(DIGEST, 10_000) as partial:
            partial.write(DATA[:5000])
            os.write(tell, b"x")
            signal.pause()

    child = processes.fork(work, what="receive", keep={tell})
    os.read(ready, 1)
    child.kill()
    os.close(ready)
    os.close(tell)
    with blobs.receive(DIGEST, 10_000) as partial:
        assert partial.offset == 5000
        partial.write(DATA[5000:])
        partial.commit()


def test_a_sweep_leaves_running_and_young_downloads_alone(blobs: BlobStore) -> None:
    with blobs.receive(OTHER, 5) as abandoned:
        abandoned.write(b"oth")
    with blobs.receive(DIGEST, 10_000) as running:
        running.write(DATA[:100])
        assert blobs.sweep(older_than_seconds=3600) == 0
        assert sorted(partials(blobs)) == [3, 100]
        assert blobs.sweep() == 3
        assert partials(blobs) == [100]


def test_digests_are_the_same_without_the_small_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fedora's Python has no SHA-256 but that of OpenSSL."""
    for name in ("_sha2", "_sha256"):
        monkeypatch.setitem(sys.modules, name, None)
    assert digest_of(DATA) == DIGEST
