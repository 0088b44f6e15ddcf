import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from drivers.errors import QrngError, QrngReason
from drivers.qrng.base import QrngIdentity
from drivers.qrng.qcicada_line import TROUBLES, QCicadaLine, check_status
from drivers.qrng.qcicada_protocol import KEY_SIZE, Config, Flag, Info, Postprocess, Statistics, Status, certified
from drivers.qrng.qcicada_signature import is_signed, load_key
from drivers.qrng.serial_port import PyserialPort, SerialPort

BLOCK = 1024
"""Samples that are asked for at a time, and so the longest stretch between two looks at the status byte."""
RAW_CREDIT = Fraction(4)
"""Bits of min-entropy credited to a raw byte.

No public source gives a figure for the raw output. Half of the bits is a guess with room to spare below what the
health tests behind this driver demand of samples that pass them; commissioning measures a device, and can lower it.
"""
HASHED_CREDIT = Fraction(1)
"""Bits of min-entropy credited to a byte of a device that gives only the output of SHA-256.

A hash of anything at all passes every test, so nobody but the device can see its noise fail, and how much noise goes
into a hash is a setting of the device (hash_input). An eighth of the bits is a guess on the safe side.
"""
LINK_TEST = 32
"""Samples of the signed read with which opening sees that the device can sign."""
_FAMILY = "CICADA-QRNG"
_PREFERRED = (Postprocess.RAW_NOISE, Postprocess.RAW_SAMPLES, Postprocess.SHA256)
_LONGEST_QUEUE = 65536
_POLL = 0.05
_WORDS = {
    Postprocess.SHA256: "SHA-256",
    Postprocess.RAW_NOISE: "raw noise",
    Postprocess.RAW_SAMPLES: "raw samples",
}


class QCicada:
    """A Crypta Labs QCicada (light and a sensor) on a serial port of 1,000,000 baud.

    Opening stops and drains the line, asks what the device is, waits for its start-up test, and sets it up: its
    repetition count, adaptive proportion and start-up tests on, `generate_on_error` off, and raw output where the
    device has it. What was set is read back. Every read looks at the status byte before each block of samples and
    after the last, and at the counts of failed tests after the last: a count that rose while reading fails the read.
    """

    def __init__(
        self,
        *,
        port: SerialPort | None = None,
        device: str = "/dev/ttyUSB0",
        postprocess: Postprocess | None = None,
        public_key: str | None = None,
        credit: Fraction | None = None,
        timeout: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Use `port`, or where that is None the node `device`.

        postprocess: None takes raw noise, else raw samples, else SHA-256, whichever the device does not refuse first.
        public_key: a PEM file with the device's key, or with the one that signed its certificate; every block must
        then be signed by the device. credit: None takes RAW_CREDIT or HASHED_CREDIT. timeout: seconds of `clock`
        that the device has for its start-up test.
        """
        self._port: SerialPort = PyserialPort(device) if port is None else port
        self._modes = _PREFERRED if postprocess is None else (postprocess,)
        self._key_file = public_key
        self._credit = credit
        self._timeout = timeout
        self._clock = clock
        self._sleep = sleep
        self._line: QCicadaLine | None = None
        self._key: bytes | None = None
        self._statistics: Statistics | None = None
        self._forged = False

    @property
    def speed(self) -> int | None:
        """Bits per second that the device says it makes; None before it was opened."""
        return None if self._statistics is None else self._statistics.speed

    def open(self) -> QrngIdentity:
        """As the class says. Raises as Qrng.open, NOT_READY, and SHORT; a forged signature is never forgiven."""
        self.close()
        if self._forged:
            raise _forged()
        pinned = None if self._key_file is None else load_key(self._key_file)
        try:
            self._port.open()
            line = QCicadaLine(self._port)
            status = line.synchronise()
            info = _identify(line)
            self._await_start(line, status)
            config = self._configure(line)
            self._key = None if pinned is None else self._trust(line, info, pinned)
            self._statistics = line.statistics()
            check_status(line.status())
        except QrngError:
            self.close()
            raise
        self._line = line
        return self._identity(info, config)

    def read(self, count: int) -> bytearray:
        """As Qrng.read. A signature that does not fit is IMPLAUSIBLE, and the source never opens again."""
        if self._line is None:
            raise QrngError(QrngReason.CLOSED, "the device is not open", "Open the source again.")
        out = bytearray(count)
        try:
            with memoryview(out) as view:
                for start in range(0, count, BLOCK):
                    self._fill(self._line, view[start : start + BLOCK])
            self._check(self._line)
        except QrngError:
            _wipe(out)
            self.close()
            raise
        return out

    def close(self) -> None:
        """As Qrng.close."""
        self._line = None
        self._port.close()

    def _await_start(self, line: QCicadaLine, status: Status) -> Status:
        """Wait while the device starts up; any other trouble is an error at once. Its last status."""
        deadline = self._clock() + self._timeout
        while Flag.STARTUP_TEST in status.flags or Flag.INITIALISED not in status.flags:
            if self._clock() >= deadline:
                flag = Flag.STARTUP_TEST if Flag.STARTUP_TEST in status.flags else Flag.INITIALISED
                detail, remedy = TROUBLES[flag]
                raise QrngError(QrngReason.NOT_READY, f"after {self._timeout:g} s {detail}", remedy)
            self._sleep(_POLL)
            status = line.status()
        check_status(status)
        return status

    def _configure(self, line: QCicadaLine) -> Config:
        """Set the device up in the first mode that it does not refuse, and see that it took."""
        found = line.config()
        safe = replace(
            found, startup_test=True, repetition_count=True, adaptive_proportion=True, generate_on_error=False
        )
        for mode in self._modes:
            wanted = replace(safe, postprocess=mode)
            if found == wanted:
                return wanted
            if line.set_config(wanted):
                _see(wanted, line.config())
                self._drop_queue(line)
                return wanted
        if found.generate_on_error:
            raise _careless()
        raise QrngError(
            QrngReason.WRONG_DEVICE,
            f"the device refuses to give {' or '.join(_WORDS[mode] for mode in self._modes)}",
            "Leave the mode to the driver, or bring the device's firmware up to date.",
        )

    def _drop_queue(self, line: QCicadaLine) -> None:
        """Throw away what was made before the settings changed: nobody says that the device does.

        Nor does anybody say that it does not start anew with them, so it may.
        """
        status = self._await_start(line, line.status())
        for _ in range(min(status.ready, _LONGEST_QUEUE) // BLOCK + 1):
            _wipe(line.draw(BLOCK))

    def _trust(self, line: QCicadaLine, info: Info, pinned: bytes) -> bytes:
        """The key with which the device signs: the pinned one, or one that the pinned one certifies."""
        key = line.public_key()
        if key != pinned and not _is_certified(line, info, key, pinned):
            raise QrngError(
                QrngReason.WRONG_DEVICE,
                f"the device's key is neither the one in {self._key_file} nor certified by it",
                "Connect the device whose key was written down, or write down this one's after asking why it changed.",
            )
        self._key = key
        sample = bytearray(LINK_TEST)
        self._fill(line, memoryview(sample))
        _wipe(sample)
        return key

    def _fill(self, line: QCicadaLine, view: memoryview) -> None:
        samples = line.draw(len(view), signed=self._key is not None)
        try:
            with memoryview(samples) as whole:
                if self._key is not None and not is_signed(self._key, whole[: len(view)], bytes(whole[len(view) :])):
                    self._forged = True
                    raise _forged()
                view[:] = whole[: len(view)]
        finally:
            _wipe(samples)

    def _check(self, line: QCicadaLine) -> None:
        """See that no test failed and that the device did not start anew since the last look."""
        before, self._statistics = self._statistics, line.statistics()
        if before is not None:
            _compare(before, self._statistics)
        check_status(line.status())
        line.expect_silence()

    def _identity(self, info: Info, config: Config) -> QrngIdentity:
        maker = "emulated" if self._port.simulated else "Crypta Labs"
        mode = _WORDS[Postprocess(config.postprocess)]
        credit = RAW_CREDIT if config.is_raw else HASHED_CREDIT
        return QrngIdentity(
            driver="qcicada",
            model=f"{maker} {info.hardware}, firmware {info.firmware_version}, {mode}"[:64],
            sample_bits=8,
            credit=credit if self._credit is None else self._credit,
            raw=config.is_raw,
            simulated=self._port.simulated,
        )


def read_public_key(port: SerialPort) -> bytes:
    """The public key (x and y, 64 bytes) of the QCicada on a port that is not open. Raises as QCicada.open."""
    port.open()
    try:
        line = QCicadaLine(port)
        line.synchronise()
        _identify(line)
        return line.public_key()
    finally:
        port.close()


def _identify(line: QCicadaLine) -> Info:
    info = line.info()
    if not info.hardware.startswith(_FAMILY):
        raise QrngError(
            QrngReason.WRONG_DEVICE,
            f"the device calls itself {info.hardware!r}, not {_FAMILY}",
            "Name the port of a QCicada.",
        )
    return info


def _is_certified(line: QCicadaLine, info: Info, key: bytes, authority: bytes) -> bool:
    try:
        message = certified(info, key)
    except ValueError:
        return False
    return len(key) == KEY_SIZE and is_signed(authority, message, line.certificate())


def _see(wanted: Config, found: Config) -> None:
    """Raise QrngError where the device did not take what it said that it took."""
    if found.generate_on_error:
        raise _careless()
    if found.postprocess != wanted.postprocess:
        raise QrngError(
            QrngReason.WRONG_DEVICE,
            f"the device said yes to {_WORDS[Postprocess(wanted.postprocess)]}, and does not give it",
            "Unplug the device, plug it in again, and bring its firmware up to date.",
        )
    if not (found.startup_test and found.repetition_count and found.adaptive_proportion):
        raise QrngError(
            QrngReason.STATUS,
            "a health test of the device is off, and cannot be switched on",
            "Switch its start-up, repetition count and adaptive proportion tests on with the maker's software.",
        )


def _compare(before: Statistics, after: Statistics) -> None:
    failures = {
        "repetition count": (before.repetition_count, after.repetition_count),
        "adaptive proportion": (before.adaptive_proportion, after.adaptive_proportion),
        "bit count": (before.bit_count, after.bit_count),
    }
    for test, (old, new) in failures.items():
        if new > old:
            raise QrngError(
                QrngReason.STATUS,
                f"the device counts {new - old} new failures of its {test} test",
                "Unplug the device and plug it in; replace it if the count rises again.",
            )
    if after.generated < before.generated or any(new < old for old, new in failures.values()):
        raise QrngError(
            QrngReason.STATUS,
            "the device started anew while it was in use",
            "Check its power, and see that no other program uses it.",
        )


def _careless() -> QrngError:
    return QrngError(
        QrngReason.STATUS,
        "generate_on_error is on: the device gives samples even while its health tests fail",
        "Switch generate_on_error off with the maker's software; the driver tried, and the device kept it on.",
    )


def _forged() -> QrngError:
    return QrngError(
        QrngReason.IMPLAUSIBLE,
        "the signature of a block of samples does not fit the device's key",
        "Find out what is between this computer and the device; the source stays refused until the process ends.",
    )


def _wipe(samples: bytearray) -> None:
    samples[:] = bytes(len(samples))
