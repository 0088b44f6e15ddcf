"""Certificates of every kind a handshake can fail on, made for one test.

authority = Authority(tmp_path)
server = authority.issue("broker", names=["localhost", "127.0.0.1"], server=True)
device = authority.issue("ward-3")
late = authority.issue("ward-4", days=(-20, -10))     # expired ten days ago
context = authority.server_context(server)            # TLS 1.3 only, asks for a client certificate
"""

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


@dataclass(frozen=True)
class Issued:
    """Paths of PEM files: the certificate, and its private key."""

    certificate: str
    key: str


class Authority:
    """A certificate authority in a folder; `certificate` is the path of its own certificate."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(self._name, self._key.public_key(), (-1, 3650))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(signs=True), critical=True)
        self.certificate = self._write(f"{name}.pem", builder.sign(self._key, SHA256()))

    def issue(
        self,
        name: str,
        *,
        names: list[str] | None = None,
        server: bool = False,
        days: tuple[float, float] = (-1, 365),
        file: str | None = None,
    ) -> Issued:
        """A certificate with a new key. `days` from now: valid from and until; `names`: hosts and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(subject, key.public_key(), names or [], days, server=server)
        path = self._folder / f"{file or name}.key"
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        path.chmod(0o600)
        return Issued(self._write(f"{file or name}.crt", certificate), str(path))

    def answer(self, request: Path, file: Path, days: tuple[float, float] = (-1, 365)) -> None:
        """Issue a client certificate for a certificate request, as an operator does."""
        asked = x509.load_pem_x509_csr(request.read_bytes())
        assert asked.is_signature_valid
        certificate = self._sign(asked.subject, asked.public_key(), [], days, server=False)
        file.write_bytes(certificate.public_bytes(Encoding.PEM))

    def withdraw(self, issued: list[Issued], file: Path, days: tuple[float, float] = (-1, 30)) -> None:
        """A revocation list of these certificates, valid from and until, in days from now."""
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self._name)
        builder = builder.last_update(now + timedelta(days=days[0])).next_update(now + timedelta(days=days[1]))
        for each in issued:
            number = x509.load_pem_x509_certificate(Path(each.certificate).read_bytes()).serial_number
            entry = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now).build()
            builder = builder.add_revoked_certificate(entry)
        file.write_bytes(builder.sign(self._key, SHA256()).public_bytes(Encoding.PEM))

    def server_context(self, issued: Issued, *, version: str = "1.3", clients: bool = True) -> ssl.SSLContext:
        """What a server of this authority speaks TLS with, in exactly this version."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(issued.certificate, issued.key)
        context.minimum_version = context.maximum_version = {
            "1.3": ssl.TLSVersion.TLSv1_3,
            "1.2": ssl.TLSVersion.TLSv1_2,
        }[version]
        if clients:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.certificate)
        return context

    def _sign(self, subject, public, names, days, *, server):
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
        builder = self._builder(subject, public, days)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_usage(signs=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_named(name) for name in names]), False)
        return builder.sign(self._key, SHA256())

    def _builder(self, subject, public, days):
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(subject).issuer_name(self._name).public_key(public)
        builder = builder.serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(now + timedelta(days=days[0]))
        builder = builder.not_valid_after(now + timedelta(days=days[1]))
        identifier = x509.SubjectKeyIdentifier.from_public_key(public)
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return builder.add_extension(identifier, critical=False).add_extension(own, critical=False)

    def _write(self, name, certificate):
        path = self._folder / name
        path.write_bytes(certificate.public_bytes(Encoding.PEM))
        return str(path)


def _named(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, signs):
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )
