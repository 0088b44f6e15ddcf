from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from collector.ingest import Ingest
from collector.keys import DeviceKeys
from collector.store import Store

EPOCH = bytes(range(16))
NOW = 1_760_000_000_000


@pytest.fixture
def clock() -> Callable[[], int]:
    ticks = iter(range(NOW, NOW + 10**9))
    return lambda: next(ticks)


@pytest.fixture
def store(tmp_path: Path, clock: Callable[[], int]) -> Iterator[Store]:
    store = Store(tmp_path / "collector.db", clock=clock)
    yield store
    store.close()


@pytest.fixture(scope="session")
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(b"d" * 32)


@pytest.fixture(scope="session")
def collector_key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(b"c" * 32)


@pytest.fixture
def enrol(tmp_path: Path) -> Callable[..., Path]:
    directory = tmp_path / "devices"
    directory.mkdir()

    def write(device: str, key: Ed25519PrivateKey) -> Path:
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        path = directory / f"{device}.pub"
        path.write_bytes(pem)
        return path

    return write


@pytest.fixture
def reports() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def ingest(
    store: Store,
    tmp_path: Path,
    enrol: Callable[..., Path],
    key: Ed25519PrivateKey,
    collector_key: Ed25519PrivateKey,
    reports: list[tuple[str, str]],
) -> Ingest:
    enrol("cam-1", key)
    return Ingest(
        store,
        DeviceKeys(tmp_path / "devices"),
        root="speckled",
        key=collector_key,
        report=lambda device, why: reports.append((device, why.reason.value)),
    )
