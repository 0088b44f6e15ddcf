import errno
import os
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from drivers.emulated.faults import Fault, FaultKind, Faults, Noise
from drivers.errors import QrngError, QrngReason
from drivers.qrng.qcicada_protocol import (
    PARAMETERS,
    Answer,
    Command,
    Config,
    Flag,
    Info,
    Mode,
    Postprocess,
    Statistics,
    Status,
    answer,
    certified,
)
from drivers.qrng.serial_port import serial_error

INFO = Info(core=0x1000C, firmware=0x5000E, serial="QC0000000000", hardware="CICADA-QRNG-1.1")
CONFIG = Config(
    postprocess=Postprocess.SHA256,
    initial_level=0.5,
    startup_test=True,
    auto_calibration=True,
    repetition_count=True,
    adaptive_proportion=True,
    bit_count=True,
    generate_on_error=False,
    least_bits=4,
    hash_input=64,
    block=448,
    calibration_target=2048,
)
STATISTICS = Statistics(
    generated=0,
    repetition_count=0,
    adaptive_proportion=0,
    bit_count=0,
    speed=100_696,
    sensor_average=512,
    light_level=0.5,
)
PACKET = 62
"""Bytes of samples that are put on the line at a time: what is in a USB packet of a full-speed FTDI chip."""
_READY = 448
_TESTS = Flag.BIT_COUNT | Flag.REPETITION_COUNT | Flag.ADAPTIVE_PROPORTION | Flag.STARTUP_TEST
_STRANGER = b"ERROR\r\n"


class EmulatedQCicada:
    """A QCicada at the level of bytes, behind drivers.qrng.serial_port.SerialPort. Never a default.

    It answers as docs/devices/qcicada.md says, and begins as a device that is new: in SHA-256 mode. What `config`,
    `info`, `statistics` and `key` say may be replaced at any time. Samples are noise in every mode: the model has no
    hash. `supported`: modes that it does not refuse. `streaming`: an earlier user left it in continuous mode.
    """

    simulated = True

    def __init__(
        self,
        *,
        noise: Noise = os.urandom,
        faults: tuple[Fault, ...] = (),
        config: Config = CONFIG,
        info: Info = INFO,
        supported: tuple[Postprocess, ...] = tuple(Postprocess),
        streaming: bool = False,
    ) -> None:
        """A device that draws its samples from `noise` and breaks as `faults` say."""
        self._faults = Faults(noise, faults, stream=True)
        self._supported = supported
        self._open = False
        self._polls = 0
        self._heard = bytearray()
        self._answers: deque[tuple[bytes, bytes]] = deque()
        self._owed = 0
        self._signs = False
        self._arrived = bytearray()
        self.streaming = streaming
        self.config = config
        self.info = info
        self.statistics = STATISTICS
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.authority = ec.generate_private_key(ec.SECP256R1())
        """Who signed the device's certificate."""

    @property
    def drawn(self) -> int:
        """Samples drawn so far, among them those that nobody uses."""
        return self._faults.drawn

    @property
    def public_key(self) -> bytes:
        """The device's own key, x and y."""
        return self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]

    def inject(self, fault: Fault) -> None:
        """As Faults.inject."""
        self._faults.inject(fault)

    def open(self) -> None:
        """As SerialPort.open."""
        if self._faults.active(FaultKind.UNPLUG):
            raise serial_error(OSError(errno.EIO, ""), "the emulated port")
        self._open = True
        self._arrived.clear()

    def write(self, data: bytes) -> None:
        """As SerialPort.write."""
        self._see_open()
        self.receive(data)

    def read(self, count: int, timeout: float) -> bytearray:
        """As SerialPort.read. Nothing comes later than at once, so nothing is waited for."""
        del timeout
        self._see_open()
        try:
            while len(self._arrived) < count and (packet := self.transmit()) is not None:
                self._arrived += packet
        except OSError as error:
            raise serial_error(error, "the emulated port") from None
        out = self._arrived[:count]
        del self._arrived[:count]
        return out

    def close(self) -> None:
        """As SerialPort.close."""
        self._open = False

    def receive(self, data: bytes) -> None:
        """Take bytes from the line, and obey every command that is complete."""
        self._heard += data
        while self._heard:
            size = 1 + _parameters(self._heard[0])
            if len(self._heard) < size:
                return
            command = bytes(self._heard[:size])
            del self._heard[:size]
            self._obey(command)

    def transmit(self) -> bytes | None:
        """The next bytes that come out at the host's end, None while there are none.

        Raises OSError with the number that the host's kernel would give.
        """
        if self._faults.active(FaultKind.UNPLUG):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if self._answers:
            return self._faults.wire(*self._answers.popleft())
        if not self._owed and not self.streaming:
            return None
        if self._signs:
            samples, self._owed, self._signs = self._draw(self._owed), 0, False
            return self._faults.wire(samples + _sign(self.key, samples))
        ahead = self._faults.healthy_for or PACKET  # a fault begins at its byte, so a packet is cut there
        size = min(PACKET, ahead, PACKET if self.streaming else self._owed)
        self._owed = max(0, self._owed - size)
        return self._faults.wire(self._draw(size))

    def _see_open(self) -> None:
        if not self._open:
            raise QrngError(QrngReason.CLOSED, "the port is not open", "Open the port first.")

    def _obey(self, command: bytes) -> None:
        if self._faults.active(FaultKind.WRONG_CHIP):
            self._answers.append((_STRANGER, command))
            return
        if command[0] not in set(Command):
            self._say(command, Answer.NACK)
            return
        obey: dict[Command, Callable[[bytes], None]] = {
            Command.STATUS: self._acknowledge,
            Command.START: self._start,
            Command.STOP: self._stop,
            Command.GET_CONFIG: lambda command: self._say(command, Answer.CONFIG, self.config.encode()),
            Command.SET_CONFIG: self._set_config,
            Command.STATISTICS: lambda command: self._say(command, Answer.STATISTICS, self.statistics.encode()),
            Command.RESET: self._reset,
            Command.INFO: lambda command: self._say(command, Answer.INFO, self.info.encode()),
            Command.SIGNED_READ: self._signed_read,
            Command.PUBLIC_KEY: lambda command: self._say(command, Answer.PUBLIC_KEY, self.public_key),
            Command.CERTIFICATE: self._certificate,
        }
        obey[Command(command[0])](command)

    def _say(self, command: bytes, code: Answer, payload: bytes = b"") -> None:
        self._answers.append((answer(code, payload), command))

    def _acknowledge(self, command: bytes) -> None:
        self._say(command, Answer.ACK, Status(self._flags(), _READY).encode())

    def _flags(self) -> Flag:
        flags = Flag.INITIALISED
        if self._faults.active(FaultKind.STATUS):
            # A fault that shows nothing is none.
            flags ^= Flag(self._faults.value(FaultKind.STATUS) or 1)
        return flags | Flag.STARTUP_TEST if self._is_starting() else flags

    def _is_starting(self) -> bool:
        if self._faults.active(FaultKind.NOT_READY):
            return True
        if self._faults.active(FaultKind.SLOW_READY):
            self._polls += 1
            if self._polls <= self._faults.value(FaultKind.SLOW_READY):
                return True
            self._faults.spend(FaultKind.SLOW_READY)
        self._polls = 0
        return False

    def _is_refused(self, command: bytes) -> bool:
        """Answer a request for samples. They are refused while a test runs or fails, unless the setting says no."""
        flags = self._flags()
        if flags & _TESTS and not self.config.generate_on_error:
            self._say(command, Answer.NACK)
            return True
        self._say(command, Answer.ACK, Status(flags, _READY).encode())
        return False

    def _start(self, command: bytes) -> None:
        if not self._is_refused(command):
            self.streaming = command[1] == Mode.CONTINUOUS
            self._owed = int.from_bytes(command[2:], "little")

    def _signed_read(self, command: bytes) -> None:
        if not self._is_refused(command):
            self._signs = True
            self._owed = int.from_bytes(command[1:], "little")

    def _stop(self, command: bytes) -> None:
        self.streaming, self._signs, self._owed = False, False, 0
        self._acknowledge(command)

    def _set_config(self, command: bytes) -> None:
        wanted = Config.decode(command[1:])
        if wanted.postprocess not in self._supported:
            self._say(command, Answer.NACK)
            return
        if not self._faults.active(FaultKind.MODE):
            self.config = wanted
        self._acknowledge(command)

    def _reset(self, command: bytes) -> None:
        self.statistics = STATISTICS
        self._acknowledge(command)

    def _certificate(self, command: bytes) -> None:
        message = certified(self.info, self.public_key)
        self._say(command, Answer.CERTIFICATE, _sign(self.authority, message))

    def _draw(self, count: int) -> bytes:
        """Draw samples and count them; a fault of the counter is one more failure than the status byte tells of."""
        failures = self.statistics.repetition_count + bool(self._faults.spend(FaultKind.SLIP))
        generated = self.statistics.generated + count
        self.statistics = replace(self.statistics, generated=generated, repetition_count=failures)
        return self._faults.draw(count)


def _parameters(code: int) -> int:
    return PARAMETERS[Command(code)] if code in set(Command) else 0


def _sign(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")
