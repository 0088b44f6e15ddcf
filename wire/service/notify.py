import os
import socket
from collections.abc import Mapping


class Notifier:
    """What a service tells the service manager about itself (sd_notify(3)); silent where there is none."""

    def __init__(self, address: str | None = None) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._ready = False

    def ready(self) -> None:
        """The service does its work. Said once; later calls do nothing."""
        if not self._ready:
            self._ready = True
            self._tell("READY=1")

    def status(self, text: str) -> None:
        """Show one line `text` in `systemctl status`."""
        self._tell(f"STATUS={text}")

    def alive(self) -> None:
        """Wind the service manager's watchdog up again."""
        self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """The service has begun to end."""
        self._tell("STOPPING=1")

    def _tell(self, word: str) -> None:
        """Losing a word loses nothing but that word, so no error leaves this function."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)
                sock.sendto(word.encode(), self._address)
        except OSError:
            return


def watchdog_seconds(environment: Mapping[str, str]) -> float | None:
    """Within how many seconds the service manager expects a sign of life; None where it expects none.

    sd_watchdog_enabled(3): WATCHDOG_USEC holds for the process that WATCHDOG_PID names, or for any where it is unset.
    """
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = environment.get("WATCHDOG_USEC", "")
    return int(microseconds) / 1e6 if microseconds.isdigit() and int(microseconds) > 0 else None
