"""A device's key and certificate for TLS, and the request by which it gets one."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from wire.keys import write_new
from wire.settings import SettingsError

REMEDY = "name a PEM file in certificate_file and key_file of [mqtt]; `speckled keys request` makes a key and a request"


@dataclass(frozen=True, slots=True)
class Certificate:
    """What people ask of a certificate. name: its common name, which is the device's id at the broker."""

    name: str
    issuer: str
    begins: datetime
    ends: datetime


def make_tls_key(path: Path) -> None:
    """A new ECDSA key on P-256, readable by its owner only. Never overwrites. Raises SettingsError."""
    key = ec.generate_private_key(ec.SECP256R1())
    write_new(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)


def make_request(key_file: Path, request: Path, name: str) -> None:
    """A certificate request (PKCS #10) for this name, signed with the key. Never overwrites.

    It asks for a client's certificate (RFC 5280, 4.2.1.12: clientAuth).

    Raises:
        SettingsError: the key cannot be used, or the request exists or cannot be written.
    """
    try:
        key = load_pem_private_key(key_file.read_bytes(), password=None)
    except OSError as error:
        raise SettingsError(f"{key_file}: {error.strerror}", REMEDY) from None
    except (ValueError, TypeError):
        raise SettingsError(f"{key_file}: not an unencrypted PEM key", REMEDY) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise SettingsError(f"{key_file}: not an ECDSA key", REMEDY)
    asked = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, SHA256())
    )
    write_new(request, asked.public_bytes(Encoding.PEM), 0o644)


def read_certificate(path: Path) -> Certificate:
    """The first certificate of a PEM file. Raises SettingsError."""
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}", REMEDY) from None
    except ValueError:
        raise SettingsError(f"{path}: not a PEM certificate", REMEDY) from None
    names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return Certificate(
        name=str(names[0].value) if names else "",
        issuer=found.issuer.rfc4514_string(),
        begins=found.not_valid_before_utc,
        ends=found.not_valid_after_utc,
    )
