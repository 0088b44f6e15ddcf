import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from wire.exit import Exit
from wire.keys import read_private_key, read_public_key
from wire.settings import SettingsError

UNKNOWN_KIND = base64.b64encode(bytes.fromhex("300f300506032a03040306000102030405"))
ENCRYPTED = Ed25519PrivateKey.from_private_bytes(bytes(32)).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")
)


@pytest.mark.parametrize(
    ("read", "content"),
    [
        (read_public_key, b"-----BEGIN PUBLIC KEY-----\n" + UNKNOWN_KIND + b"\n-----END PUBLIC KEY-----\n"),
        (read_private_key, ENCRYPTED),
        (read_private_key, b"rubbish"),
    ],
)
def test_a_key_file_of_no_use_is_one_error_with_a_remedy(tmp_path, read, content):
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        read(path)
    assert caught.value.exit is Exit.CONFIG
    assert str(path) in caught.value.detail
    assert caught.value.remedy
