"""Are the keys there, may only the right people read them, and do they fit together?"""

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from edge.doctor.device import Device
from edge.doctor.finding import Outcome, fail, ok, skip, warn
from wire.keys import read_private_key, read_public_key
from wire.settings import SettingsError

STORES = ("/etc/credstore.encrypted", "/etc/credstore")
"""Where the service manager looks for credentials by name (systemd.exec(5))."""
SOON = timedelta(days=30)
MAKE = "`speckled init` makes one; bring an old one back from its copy, as the collector knows the device by it"
RENEW = "`speckled keys` renews it"


def device_key(device: Device) -> Outcome:
    """What every observation is signed with: readable by its owner alone."""
    path = Path(device.known.device.key)
    found = _look_at(device, path)
    if isinstance(found, Outcome):
        return found
    if stat.S_IMODE(found) & 0o077:
        return fail(f"{path} has mode {stat.S_IMODE(found):o}: others may read it", f"sudo chmod 600 {path}")
    if not os.access(device.system.tree.at(str(path)), os.R_OK, effective_ids=True):
        return skip(f"{path}, mode {stat.S_IMODE(found):o}: only root may read it")
    try:
        read_private_key(device.system.tree.at(str(path)))
    except SettingsError as error:
        return fail(error.detail, MAKE)
    return ok(f"{path}, mode {stat.S_IMODE(found):o}")


def key_pair(device: Device) -> Outcome:
    """The relay and the collector verify with the public key what capture signs with the other."""
    tree, known = device.system.tree, device.known.device
    try:
        public = read_public_key(tree.at(known.public_key))
    except SettingsError as error:
        return fail(error.detail, f"{MAKE}; from the key alone: openssl pkey -in device.key -pubout -out device.pub")
    try:
        private = read_private_key(tree.at(known.key))
    except SettingsError:
        return skip(f"{known.public_key} is a key; the other half cannot be read")
    if _raw(private.public_key()) != _raw(public):
        return fail(
            f"{known.public_key} is not the public half of {known.key}",
            "make it anew: openssl pkey -in device.key -pubout -out device.pub, and give it to the collector",
        )
    return ok("public and private key belong together")


def collector_key(device: Device) -> Outcome:
    """Only the collector's signed word frees the outbox."""
    path = device.known.mqtt.collector_key
    try:
        key = read_public_key(device.system.tree.at(path))
    except SettingsError as error:
        return fail(error.detail, "copy collector.pub from the collector, and name it as collector_key in [mqtt]")
    try:
        if _raw(key) == _raw(read_public_key(device.system.tree.at(device.known.device.public_key))):
            return fail(f"{path} is the device's own key", "copy collector.pub from the collector")
    except SettingsError:
        pass
    return ok(path)


def client_certificate(device: Device) -> Outcome:
    """Where the broker asks for one: it names this device, is valid now, and its key fits."""
    mqtt = device.known.mqtt
    if mqtt.certificate_file is None:
        return skip("[mqtt] names none")
    certificates = _certificates(device, mqtt.certificate_file)
    if isinstance(certificates, Outcome):
        return certificates
    found = certificates[0]
    names = [str(each.value) for each in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if device.known.identified and names != [device.known.device.id]:
        named, wanted = ", ".join(names) or "nobody", device.known.device.id
        return fail(f"it names {named}, and the device is {wanted}: the broker lets it write nothing", RENEW)
    if mqtt.key_file is not None and (wrong := _does_not_fit(device, found, mqtt.key_file)) is not None:
        return wrong
    return _valid(device, found)


def certificate_chain(device: Device) -> Outcome:
    """Whether the authority in ca_file, valid itself, has signed the client certificate."""
    mqtt = device.known.mqtt
    if mqtt.ca_file is None:
        return skip("[mqtt] names no ca_file")
    authorities = _certificates(device, mqtt.ca_file)
    if isinstance(authorities, Outcome):
        return authorities
    valid = [_valid(device, authority) for authority in authorities]
    worst = next((each for each in valid if each.status != "ok"), valid[0])
    if mqtt.certificate_file is None or worst.status == "fail":
        return worst
    chain = _certificates(device, mqtt.certificate_file)
    if isinstance(chain, Outcome):
        return skip("the client certificate cannot be read")
    if any(_issued(chain[-1], authority) for authority in authorities):
        return (
            worst
            if worst.status != "ok"
            else ok(f"signed by {authorities[0].subject.rfc4514_string()}, {worst.detail}")
        )
    return warn(
        "the client certificate is not signed by the authority in ca_file; the broker may know another",
        "ask whoever runs the broker which authority it trusts for devices",
    )


def _look_at(device: Device, path: Path) -> int | Outcome:
    try:
        return device.system.tree.at(str(path)).stat().st_mode
    except PermissionError:
        return skip(f"{path}: only root may look")
    except OSError as error:
        sealed = [store for store in STORES if device.system.tree.at(f"{store}/{path.name}").exists()]
        return skip(f"handed over from {sealed[0]}") if sealed else fail(f"{path}: {error.strerror}", MAKE)


def _certificates(device: Device, name: str) -> list[x509.Certificate] | Outcome:
    try:
        return x509.load_pem_x509_certificates(device.system.tree.at(name).read_bytes())
    except PermissionError:
        return skip(f"{name}: only root may look")
    except OSError as error:
        return fail(f"{name}: {error.strerror}", "name a file that is there, or `speckled keys` for a request")
    except ValueError:
        return fail(f"{name}: no certificate in PEM", "put the certificate there as the authority sent it, in PEM")


def _does_not_fit(device: Device, certificate: x509.Certificate, name: str) -> Outcome | None:
    path = device.system.tree.at(name)
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        key = load_pem_private_key(path.read_bytes(), password=None)
    except PermissionError:
        return None
    except OSError as error:
        return fail(f"{name}: {error.strerror}", "name the key of the certificate as key_file in [mqtt]")
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return fail(f"{name}: not an unencrypted private key in PEM", "name the key of the certificate as key_file")
    if _info(key.public_key()) != _info(certificate.public_key()):
        return fail(f"{name} is not the key of the certificate", "name the key that the request was made with")
    if mode & 0o007:
        return fail(f"{name} has mode {mode:o}: everybody may read it", f"sudo chmod o-rwx {name}")
    return None


def _valid(device: Device, certificate: x509.Certificate) -> Outcome:
    now = datetime.fromtimestamp(device.system.now(), UTC)
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    name = certificate.subject.rfc4514_string()
    if now < first:
        return fail(f"{name} is valid from {first:%Y-%m-%d} on", "see that the clock is right, or wait")
    if now > last:
        return fail(f"{name} was valid until {last:%Y-%m-%d}", RENEW)
    if now + SOON > last:
        return warn(f"{name} is valid until {last:%Y-%m-%d} only", RENEW)
    return ok(f"valid until {last:%Y-%m-%d}")


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _raw(key: object) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)  # type: ignore[attr-defined,no-any-return]  # Ed25519 only


def _info(key: object) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined,no-any-return]
