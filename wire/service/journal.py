"""Where log lines go: to the journal with fields where a service's output ends there, else to standard error."""

import faulthandler
import logging
import os
import socket
import struct
import sys
from collections.abc import Mapping

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
SOCKET = "/run/systemd/journal/socket"
PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""Levels of syslog(3) for those of `logging`; what is below INFO is debugging, 7."""


def begin_service(name: str, environment: Mapping[str, str] = os.environ) -> None:
    """Log as `name` from now on, and let a fatal signal write the stacks of all threads to standard error.

    The stacks hold files, lines and names of functions, no values (faulthandler). SIGABRT is the watchdog's signal.
    """
    faulthandler.enable(all_threads=True)
    if leads_to_journal(environment):
        logging.basicConfig(handlers=[JournalHandler(name)], level=logging.INFO)
    else:
        logging.basicConfig(stream=sys.stderr, level=logging.INFO, format=FORMAT)


def leads_to_journal(environment: Mapping[str, str], descriptor: int = 2) -> bool:
    """Whether standard error is the stream that systemd connected to the journal (JOURNAL_STREAM, systemd.exec(5))."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return environment.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


class JournalHandler(logging.Handler):
    """Sends records to the journal by its native protocol (systemd's JOURNAL_NATIVE_PROTOCOL).

    A record's `fields` (of `extra=`) become fields of their own, such as SPECKLED_LEVEL. Where the journal does not
    take a record, the line goes to standard error.
    """

    def __init__(self, identifier: str, path: str = SOCKET) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter("%(message)s"))  # else basicConfig puts level and name before each
        self._identifier = identifier
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)

    def emit(self, record: logging.LogRecord) -> None:
        """As logging.Handler.emit; never raises."""
        try:
            self._socket.sendto(encode(self._fields(record)), self._path)
        except OSError:
            sys.stderr.write(self.format(record) + "\n")
        except Exception:  # a log line must never end the service that writes it
            self.handleError(record)

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()
        super().close()

    def _fields(self, record: logging.LogRecord) -> dict[str, str]:
        fields = {
            "MESSAGE": self.format(record),
            "PRIORITY": str(next((number for level, number in PRIORITIES if record.levelno >= level), 7)),
            "SYSLOG_IDENTIFIER": self._identifier,
            "LOGGER": record.name,
            "THREAD_NAME": record.threadName or "",
        }
        return fields | {name: str(value) for name, value in getattr(record, "fields", {}).items()}


def encode(fields: Mapping[str, str]) -> bytes:
    """One datagram: NAME=value lines; a value with a line feed as NAME, its length (64 bits, little-endian) and it."""
    parts = []
    for name, value in fields.items():
        data = value.encode("utf-8", "backslashreplace")
        if b"\n" in data:
            parts.append(name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n")
        else:
            parts.append(name.encode() + b"=" + data + b"\n")
    return b"".join(parts)
