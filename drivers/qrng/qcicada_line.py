from drivers.errors import QrngError, QrngReason
from drivers.qrng import qcicada_protocol as protocol
from drivers.qrng.qcicada_protocol import Answer, Command, Config, Flag, Info, Mode, Statistics, Status
from drivers.qrng.serial_port import SerialPort

FIRST_BYTE_SECONDS = 3.0
REST_SECONDS = 0.5
"""How long the first byte of an answer may take, and all others together: what the protocol's source waits."""
SLOWEST = 4000
"""Bytes per second below which samples come too slowly; the source measured 12,500."""
SILENCE_SECONDS = 0.3
"""A line on which nothing came for so long is taken to be drained."""
_ATTEMPTS = 3
_DRAINS = 64
_DRAIN = 4096
_LINE = "Try another cable and a port without a hub, and see that no other program writes to the port."

TROUBLES = {
    Flag.INITIALISED: ("the device is not initialised", "Unplug it, plug it in again, and wait some seconds."),
    Flag.STARTUP_TEST: ("the device is running its start-up test", "Wait; if it never ends, replace the device."),
    Flag.VOLTAGE_LOW: ("the device's voltage is too low", "Give it a powered hub or a stronger supply."),
    Flag.VOLTAGE_HIGH: ("the device's voltage is too high", "Unplug it and replace the power supply."),
    Flag.VOLTAGE_UNDEFINED: ("the device cannot tell its voltage", "Unplug it and plug it into another port."),
    Flag.BIT_COUNT: ("the device's bit count test failed", "Unplug it and plug it in; replace it if it fails again."),
    Flag.REPETITION_COUNT: (
        "the device's repetition count test failed",
        "Unplug it and plug it in; replace it if it fails again.",
    ),
    Flag.ADAPTIVE_PROPORTION: (
        "the device's adaptive proportion test failed",
        "Unplug it and plug it in; replace it if it fails again.",
    ),
}


def check_status(status: Status) -> None:
    """Raise QrngError(STATUS) for the first bit of the status byte that is not as it should be."""
    for flag, (detail, remedy) in TROUBLES.items():
        if flag in status.flags ^ Flag.INITIALISED:
            raise QrngError(QrngReason.STATUS, detail, remedy)


class QCicadaLine:
    """Questions to a QCicada on an open port, and their answers. Anything unasked for on the line is an error."""

    def __init__(self, port: SerialPort) -> None:
        self._port = port

    def synchronise(self) -> Status:
        """Stop what an earlier user left running, drain it, and find the beat of question and answer.

        Raises QrngError(LINK) where nothing answers, WRONG_DEVICE where something else does, and of the port.
        """
        self._port.write(bytes((Command.STOP,)))
        heard = self._drain()
        for _ in range(_ATTEMPTS):
            self._port.write(bytes((Command.STATUS,)))
            answer = self._port.read(1 + protocol.PAYLOADS[Answer.ACK], REST_SECONDS)
            rest = self._drain()
            if answer[:1] == bytes((Answer.ACK,)) and len(answer) == 1 + protocol.PAYLOADS[Answer.ACK] and not rest:
                return Status.decode(bytes(answer[1:]))
            heard = heard or rest or bool(answer)
        if heard:
            raise QrngError(
                QrngReason.WRONG_DEVICE,
                "what is on the serial port does not answer as a QCicada does",
                "Name the QCicada's port: /dev/serial/by-id lists every USB serial adapter with its maker.",
            )
        raise QrngError(
            QrngReason.LINK,
            "nothing answers on the serial port",
            "Check that it is the QCicada's port, and unplug the device and plug it in again.",
        )

    def status(self) -> Status:
        """The device's status. Raises QrngError as `ask`."""
        return Status.decode(self._answered(Command.STATUS))

    def info(self) -> Info:
        """What the device is. Raises QrngError as `ask`, and WRONG_DEVICE where it cannot be read."""
        try:
            return Info.decode(self._answered(Command.INFO))
        except ValueError:
            raise QrngError(
                QrngReason.WRONG_DEVICE, "the device's name is no text", "Name the port of a QCicada."
            ) from None

    def config(self) -> Config:
        """How the device works now. Raises QrngError as `ask`."""
        return Config.decode(self._answered(Command.GET_CONFIG))

    def set_config(self, config: Config) -> bool:
        """Have the device work as `config` says; false where it refuses. Raises QrngError as `ask`."""
        return self.ask(protocol.set_config(config)) is not None

    def statistics(self) -> Statistics:
        """The device's counts. Raises QrngError as `ask`."""
        return Statistics.decode(self._answered(Command.STATISTICS))

    def public_key(self) -> bytes:
        """The device's public key, x and y. Raises QrngError as `ask`."""
        return self._answered(Command.PUBLIC_KEY)

    def certificate(self) -> bytes:
        """The maker's signature of the device's identity, r and s. Raises QrngError as `ask`."""
        return self._answered(Command.CERTIFICATE)

    def draw(self, count: int, *, signed: bool = False) -> bytearray:
        """`count` new samples, 1 to 65,535, and their signature where `signed`; the caller wipes them.

        Raises QrngError as `ask`, STATUS where the device reports a trouble or refuses, and SHORT.
        """
        command = protocol.signed_read(count) if signed else protocol.start(Mode.ONE_SHOT, count)
        acknowledgement = self.ask(command)
        if acknowledgement is None:
            check_status(self.status())
            raise QrngError(
                QrngReason.STATUS,
                f"the device refuses to give {'signed ' if signed else ''}samples, and reports no trouble",
                "Remove `public_key` where the firmware is older than 5.13."
                if signed
                else "Unplug the device and plug it in again.",
            )
        check_status(Status.decode(acknowledgement))
        size = count + (protocol.SIGNATURE_SIZE if signed else 0)
        samples = self._port.read(size, REST_SECONDS + size / SLOWEST)
        if len(samples) != size:
            samples[:] = bytes(len(samples))
            raise _short("the device gave fewer bytes than it was asked for")
        return samples

    def ask(self, command: bytes) -> bytes | None:
        """The payload of the answer to `command`, None where the device refuses (NACK).

        Raises QrngError(SHORT) where no whole answer comes, IMPLAUSIBLE where something else comes, and of the port.
        """
        self.expect_silence()
        self._port.write(command)
        expected = protocol.ANSWERS[Command(command[0])]
        code = self._port.read(1, FIRST_BYTE_SECONDS)
        if not code:
            raise _short(f"the device does not answer within {FIRST_BYTE_SECONDS:g} s")
        if code[0] == Answer.NACK:
            return None
        if code[0] != expected:
            code[0] = 0
            raise QrngError(QrngReason.IMPLAUSIBLE, "an answer of the device does not begin as it should", _LINE)
        payload = self._port.read(protocol.PAYLOADS[expected], REST_SECONDS)
        if len(payload) != protocol.PAYLOADS[expected]:
            raise _short("an answer of the device was cut short")
        return bytes(payload)

    def expect_silence(self) -> None:
        """Raise QrngError(IMPLAUSIBLE) where a byte has come that nobody asked for."""
        if self._port.read(1, 0.0):
            raise QrngError(QrngReason.IMPLAUSIBLE, "the device sent more than it was asked for", _LINE)

    def _answered(self, command: Command) -> bytes:
        payload = self.ask(bytes((command,)))
        if payload is None:
            raise QrngError(
                QrngReason.WRONG_DEVICE,
                f"the device does not know the command {command.name}",
                "Name the port of a QCicada, and bring its firmware up to date.",
            )
        return payload

    def _drain(self) -> bool:
        """Throw away what comes until the line is silent. Returns whether anything came."""
        for drains in range(_DRAINS):
            dropped = self._port.read(_DRAIN, SILENCE_SECONDS)
            dropped[:] = bytes(len(dropped))
            if not dropped:
                return drains > 0
        raise QrngError(
            QrngReason.WRONG_DEVICE, "what is on the serial port does not stop sending", "Name the port of a QCicada."
        )


def _short(detail: str) -> QrngError:
    return QrngError(QrngReason.SHORT, detail, _LINE)
