import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from factories import make_observation

from wire.schema import Observation
from wire.topics import Topics


@pytest.fixture(scope="session")
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(b"d" * 32)


@pytest.fixture(scope="session")
def topic() -> str:
    return Topics("speckled", "cam-1").observation


@pytest.fixture(scope="session")
def signed(key: Ed25519PrivateKey) -> tuple[Observation, bytes]:
    """One fixed observation of two keypoints and its envelope."""
    return make_observation("cam-1", 3, bytes(range(16)), key, keypoints=2)
