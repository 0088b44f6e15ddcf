"""Everything that crosses a port of the loopback, as packets (packet(7)); root only."""

import contextlib
import socket
import struct
import threading
from collections import defaultdict

ETH_P_ALL = 3
PACKET_STATISTICS, SOL_PACKET, PACKET_OUTGOING = 6, 263, 4
SO_RCVBUFFORCE = 33
ETHERNET = 14


class PacketCapture:
    """Collects packets from or to `port` until it is closed. Raises PermissionError.

    packets: raw, headers included. streams: what TCP carried, by (from, to), in the order in which it was sent; on the
    loopback nothing is sent twice or overtaken.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 28)
        self._socket.bind(("lo", 0))
        self._socket.settimeout(0.2)
        self._stop = threading.Event()
        self.packets: list[bytes] = []
        self.streams: dict[tuple[int, int], bytearray] = defaultdict(bytearray)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> int:
        """End; how many packets the kernel could not keep for us. Nothing happens the second time."""
        if self._stop.is_set():
            return 0
        self._stop.set()
        self._thread.join()
        _, dropped = struct.unpack("II", self._socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        self._socket.close()
        return dropped

    def _run(self) -> None:
        while not self._stop.is_set():
            with contextlib.suppress(TimeoutError):
                packet, (_, _, kind, *_) = self._socket.recvfrom(1 << 17)
                if kind == PACKET_OUTGOING:  # each one is seen again when it arrives
                    self._take(packet)

    def _take(self, packet: bytes) -> None:
        head = packet[ETHERNET:]
        if len(head) < 40 or head[0] >> 4 != 4 or head[9] != socket.IPPROTO_TCP:
            return
        tcp = head[4 * (head[0] & 15) : int.from_bytes(head[2:4], "big") or None]
        here, there = struct.unpack(">HH", tcp[:4])
        if self._port in (here, there):
            self.packets.append(packet)
            self.streams[here, there] += tcp[4 * (tcp[12] >> 4) :]
