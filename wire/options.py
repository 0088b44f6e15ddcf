"""How to reach a broker, and the files that takes."""

import ssl
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct

from wire.settings import SettingsError


class BrokerOptions(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How to reach a broker.

    password_file: its first line is the password. tls: with the system's authorities; ca_file, or certificate_file
    and key_file for a client certificate, switch TLS on by themselves. keepalive: seconds. session_expiry: seconds
    that the broker keeps the session of an absent client; 0 starts clean each time.
    """

    host: Annotated[str, Meta(min_length=1)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535)] = 1883
    protocol: Literal["5", "3.1.1"] = "5"
    username: str | None = None
    password_file: str | None = None
    tls: bool = False
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
        lines = Path(options.password_file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a text file"
        raise SettingsError(f"password_file {options.password_file}: {why}", "name a readable file") from None
    if not lines:
        raise SettingsError(f"password_file {options.password_file}: empty", "put the password on its first line")
    return lines[0]


def tls_context(options: BrokerOptions) -> ssl.SSLContext | None:
    """What TLS is spoken with, if it is. Raises SettingsError where a file cannot be used."""
    if not (options.tls or options.ca_file or options.certificate_file):
        return None
    try:
        context = ssl.create_default_context(cafile=options.ca_file)
        if options.certificate_file:
            context.load_cert_chain(options.certificate_file, options.key_file)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        why = getattr(error, "strerror", None) or type(error).__name__
        remedy = "name PEM files that can be read in ca_file, certificate_file and key_file"
        raise SettingsError(f"TLS files: {why}", remedy) from None
    return context
