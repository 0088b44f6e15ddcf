"""How to reach a broker, and the files that takes."""

import ipaddress
import ssl
from typing import Annotated, Literal

from msgspec import Meta, Struct

from wire.credentials import locate
from wire.settings import SettingsError

_MINIMUM = {"1.3": ssl.TLSVersion.TLSv1_3, "1.2": ssl.TLSVersion.TLSv1_2}


class BrokerOptions(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to reach a broker.

    password_file: its first line is the password. tls: with the system's authorities; ca_file, or certificate_file
    and key_file for a client certificate, switch TLS on by themselves. keepalive: seconds. session_expiry: seconds
    that the broker keeps the session of an absent client; 0 starts clean each time. tls_minimum: what is older is
    refused.
    """

    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    protocol: Literal["5", "3.1.1"] = "5"
    username: str | None = None
    password_file: str | None = None
    tls: bool = False
    tls_minimum: Literal["1.3", "1.2"] = "1.3"
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    keepalive: Annotated[int, Meta(ge=5, le=3600)] = 30
    session_expiry: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 7 * 86400


def read_password(options: BrokerOptions) -> str | None:
    """The first line of the password file, if there is one. Raises SettingsError."""
    if options.password_file is None:
        return None
    try:
        lines = locate(options.password_file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a text file"
        raise SettingsError(f"password_file {options.password_file}: {why}", "name a readable file") from None
    if not lines:
        raise SettingsError(f"password_file {options.password_file}: empty", "put the password on its first line")
    return lines[0]


def tls_context(options: BrokerOptions) -> ssl.SSLContext | None:
    """What TLS is spoken with, if it is. Raises SettingsError where a file cannot be used."""
    if not speaks_tls(options):
        return None
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
        context.minimum_version = _MINIMUM[options.tls_minimum]
        if options.certificate_file:
            key = None if options.key_file is None else str(locate(options.key_file))
            context.load_cert_chain(str(locate(options.certificate_file)), key)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        why = getattr(error, "strerror", None) or type(error).__name__
        remedy = "name PEM files that can be read in ca_file, certificate_file and key_file"
        raise SettingsError(f"TLS files: {why}", remedy) from None
    return context


def warnings(options: BrokerOptions) -> list[str]:
    """What works and should be otherwise, a sentence each."""
    if speaks_tls(options) or is_local(options.host):
        return []
    secret = "the password and what" if options.password_file else "what"
    return [f"{secret} is sent to {options.host} can be read and changed on the way: name ca_file, or set tls = true"]


def speaks_tls(options: BrokerOptions) -> bool:
    """Whether TLS is spoken."""
    return bool(options.tls or options.ca_file or options.certificate_file)


def is_local(host: str) -> bool:
    """Whether the broker is on this machine, as far as its name tells."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
