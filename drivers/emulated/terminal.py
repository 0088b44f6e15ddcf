import contextlib
import os
import pty
import select
import threading
import tty
from types import TracebackType
from typing import Self

from drivers.emulated.qcicada import EmulatedQCicada

_TURN = 0.005


class EmulatedTerminal:
    """A pseudo-terminal with an emulated device at its far end, for programs that open a serial node by its path.

    with EmulatedTerminal(EmulatedQCicada()) as terminal:
        QCicada(device=terminal.path)

    An error that the model raises hangs the line up, as a pulled adapter does; nobody can raise another one across a
    pseudo-terminal. Speed and parity mean nothing on it.
    """

    def __init__(self, device: EmulatedQCicada) -> None:
        """Serve `device`, which must not be used as a port at the same time."""
        self._device = device
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="emulated terminal", daemon=True)
        self._far, near = pty.openpty()
        tty.setraw(near)
        self.path = os.ttyname(near)
        # While nobody has it open the far end reads EIO, so this end is held until the terminal is pulled.
        self._near: int | None = near

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Pull the plug, if nobody did."""
        self.unplug()

    def unplug(self) -> None:
        """Hang up: whoever has the port open gets EIO. Safe to call twice."""
        self._stop.set()
        self._thread.join()

    def _serve(self) -> None:
        try:
            while not self._stop.is_set():
                self._turn()
        except OSError:
            pass  # of the model, or of a host that went away: both end the line
        finally:
            self._hang_up()

    def _turn(self) -> None:
        """Hand over what the host sent, and put out what the device says while there is room for it."""
        readable, writable, _ = select.select([self._far], [self._far], [], _TURN)
        if readable:
            self._device.receive(os.read(self._far, 4096))
        packet = self._device.transmit() if writable else None
        if packet:
            _write(self._far, packet)
        elif not readable:
            self._stop.wait(_TURN)

    def _hang_up(self) -> None:
        near, self._near = self._near, None
        for descriptor in (self._far, near):
            if descriptor is not None:
                with contextlib.suppress(OSError):
                    os.close(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
