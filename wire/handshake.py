"""Why TLS with a broker did not come about: one line, with what to do."""

import contextlib
import ssl
from typing import Any

from wire.options import BrokerOptions

CLOCK = "or the clock of this machine is wrong"
"""A Raspberry Pi without a clock chip begins in the past, where no certificate is valid yet."""
_EXPIRED, _EARLY = {10}, {9}
_UNKNOWN = {2, 18, 19, 20, 21}
_OTHER_NAME = {62, 64}
"""Verify codes of OpenSSL (x509_vfy.h), which ssl.SSLCertVerificationError carries."""
_ALERTS = {
    "CERTIFICATE_REQUIRED": "the broker asks for a client certificate; name certificate_file and key_file",
    "UNKNOWN_CA": "the broker does not know the authority of our certificate; certificate_file must be signed by the "
    "authority that the broker trusts for clients",
    "CERTIFICATE_EXPIRED": f"the broker says that our certificate has expired; renew certificate_file, {CLOCK}",
    "CERTIFICATE_REVOKED": "the broker says that our certificate is revoked; ask whoever runs the broker for a new one",
    "PROTOCOL_VERSION": "the broker does not speak this version of TLS; let it speak TLS 1.3, or set tls_minimum",
    "UNSUPPORTED_PROTOCOL": "the broker does not speak this version of TLS; let it speak TLS 1.3, or set tls_minimum",
    "WRONG_VERSION_NUMBER": "what answers at this port does not speak TLS; correct the port, which is usually 8883",
    "RECORD_LAYER_FAILURE": "what answers at this port does not speak TLS; correct the port, which is usually 8883",
    "HANDSHAKE_FAILURE": "the broker refuses the handshake; it may ask for a client certificate: certificate_file",
    "CERTIFICATE": "the broker refuses our certificate; see the broker's log, and renew certificate_file",
}
"""Parts of the names of TLS alerts (RFC 8446, section 6.2), as OpenSSL spells them; the last one stands for the rest
of those about certificates."""
_NOT_YET = (ssl.SSLWantReadError, ssl.SSLWantWriteError)


class WatchedSocket(ssl.SSLSocket):
    """A TLS socket that keeps its first error and leaves no open end behind a handshake that failed.

    In TLS 1.3 our side of the handshake is over before the broker looks at our certificate, so that its refusal comes
    with the first read; whoever reads there says only that the connection was lost.
    """

    trouble: ssl.SSLError | None = None

    def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 (the signature of ssl)
        """Close the socket where the handshake fails. Raises OSError, as ssl does."""
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Keep an error of TLS. Raises OSError, as ssl does."""
        try:
            return super().recv(buflen, flags)
        except ssl.SSLError as error:
            self._keep(error)
            raise

    def send(self, data: Any, flags: int = 0) -> int:
        """Keep an error of TLS: rather the refusal that may lie behind a connection that broke. Raises OSError."""
        try:
            return super().send(data, flags)
        except _NOT_YET:
            raise
        except OSError as error:
            with contextlib.suppress(OSError):
                self.recv(1)
            if isinstance(error, ssl.SSLError):
                self._keep(error)
            raise

    def _keep(self, error: ssl.SSLError) -> None:
        if self.trouble is None and not isinstance(error, _NOT_YET):
            self.trouble = error


def explain(error: ssl.SSLError, options: BrokerOptions) -> str:
    """What was wrong with a handshake, and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _unverified(error, options)
    reason = error.reason or ""
    for part, words in _ALERTS.items():
        if part in reason:
            return words
    if isinstance(error, ssl.SSLEOFError):
        return "the connection was closed during the TLS handshake; see the broker's log"
    words = reason.lower().replace("_", " ") or "no reason given"
    return f"TLS failed: {words}; see the broker's log"


def _unverified(error: ssl.SSLCertVerificationError, options: BrokerOptions) -> str:
    code = error.verify_code
    if code in _EXPIRED:
        return f"the broker's certificate has expired; renew it on the broker, {CLOCK}"
    if code in _EARLY:
        return f"the broker's certificate is not valid yet, {CLOCK}; wait for the time service, or set the clock"
    if code in _UNKNOWN:
        remedy = "correct ca_file" if options.ca_file else "name the certificate of its authority as ca_file"
        return f"the broker's certificate is not of an authority that is trusted here; {remedy}"
    if code in _OTHER_NAME:
        return f"the broker's certificate is not for {options.host}; set host to a name that stands in it"
    return f"the broker's certificate is refused: {error.verify_message}; correct it on the broker, or ca_file"
