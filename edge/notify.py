import os
import socket


class Notifier:
    """One human line of status for the service manager (sd_notify(3)); silent where there is none."""

    def __init__(self, address: str | None = None) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = "\0" + address[1:] if address.startswith("@") else address

    def status(self, text: str) -> None:
        """Show `text` in `systemctl status`. Losing it loses nothing, so no error leaves this function."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
                sock.setblocking(False)
                sock.sendto(f"STATUS={text}".encode(), self._address)
        except OSError:
            return
