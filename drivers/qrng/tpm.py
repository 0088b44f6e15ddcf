import errno
import os
import select
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from drivers.errors import QrngError, QrngReason
from drivers.qrng import tpm_codec as codec
from drivers.qrng.base import QrngIdentity
from drivers.qrng.bus_error import bus_error
from drivers.qrng.node import Family, node_error

TPM = Family(
    module="tpm_tis_spi",
    sign="class/tpm",
    load="for an SLB 9670 or 9672 on SPI add dtoverlay=tpm-slb9670 to /boot/firmware/config.txt and reboot",
    group="tss",
)
CREDIT = Fraction(2)
"""Bits of min-entropy credited to a byte.

GetRandom gives the output of a deterministic generator inside the TPM. How often it takes new noise, no maker says in
public, and no test of its output can tell. A quarter of the bits is a guess on the safe side, for a partner whose
bytes are only ever combined with those of a source that stands by itself.
"""
_JUDGED = 8
"""Bytes that an answer must have before it is judged by its looks: a false alarm is rarer than 2^-60."""
_PAUSE = 0.005
_LONGEST = 4096


class TpmChannel(Protocol):
    """A way to a TPM 2.0 for whole commands and responses.

    simulated: true where a model or a program answers instead of a chip.
    """

    @property
    def simulated(self) -> bool:
        """Whether no hardware stands behind the channel."""
        ...

    def open(self) -> None:
        """Acquire the TPM. Raises QrngError(NOT_FOUND, DENIED, BUSY, BUS)."""
        ...

    def transact(self, command: bytes) -> bytearray:
        """The response to one command; the caller wipes it. Raises QrngError(BUS, UNPLUGGED, CLOSED)."""
        ...

    def close(self) -> None:
        """Release the TPM. Safe to call twice, and after any error."""
        ...


class Tpm:
    """The generator of a TPM 2.0: conditioned, and meant as a partner of another source.

    Behind the kernel's resource manager the TPM is started up already. Opening asks who made it, lets it test itself
    in full (SelfTest) and reads the result (GetTestResult), which is read again after every read. A TPM that was seen
    in failure mode is refused until the process ends: only a reset of its power ends that mode (Part 1, Failure Mode).
    """

    def __init__(
        self,
        *,
        channel: TpmChannel | None = None,
        device: str = "/dev/tpmrm0",
        timeout: float = 10.0,
        credit: Fraction = CREDIT,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Use `channel`, or where that is None the node `device`.

        A TPM that keeps saying that it is busy for `timeout` seconds of `clock` is an error.
        """
        self._channel: TpmChannel = TpmNode(device, timeout=timeout) if channel is None else channel
        self._timeout = timeout
        self._credit = credit
        self._clock = clock
        self._sleep = sleep
        self._open = False
        self._failed = False
        self._last = bytearray()

    def open(self) -> QrngIdentity:
        """Acquire the TPM, ask what it is and let it test itself. Raises as Qrng.open, and NOT_READY."""
        self.close()
        if self._failed:
            raise codec.refusal(codec.FAILURE)
        self._channel.open()
        try:
            version = codec.version_of(self._ask(codec.get_version()))
            self._ask(codec.self_test(), accepted=codec.TESTING)
            self._check_result()
        except QrngError:
            self.close()
            raise
        self._open = True
        return QrngIdentity(
            driver="tpm",
            model=f"emulated {version}"[:64] if self._channel.simulated else str(version),
            sample_bits=8,
            credit=self._credit,
            raw=False,
            simulated=self._channel.simulated or version.is_software,
        )

    def read(self, count: int) -> bytearray:
        """As Qrng.read, and NOT_READY. A TPM gives few bytes at a time, and may give fewer than asked for."""
        if not self._open:
            raise QrngError(QrngReason.CLOSED, "the TPM is not open", "Open the source again.")
        out = bytearray(count)
        try:
            with memoryview(out) as view:
                self._fill(view)
            self._check_result()
        except QrngError:
            _wipe(out)
            self.close()
            raise
        return out

    def close(self) -> None:
        """As Qrng.close."""
        self._open = False
        self._remember(memoryview(b""))
        self._channel.close()

    def _fill(self, view: memoryview) -> None:
        filled = 0
        deadline = self._clock() + self._timeout
        while filled < len(view):
            asked = min(len(view) - filled, codec.LARGEST)
            answer = self._ask(codec.get_random(asked))
            try:
                part = codec.random_of(answer, asked)
                self._judge(part)
                view[filled : filled + len(part)] = part
            finally:
                answer[:] = bytes(len(answer))
            filled += len(part)
            if part:
                deadline = self._clock() + self._timeout
            else:
                self._wait(deadline, "the TPM answers without a byte")

    def _judge(self, part: memoryview) -> None:
        if len(part) >= _JUDGED:
            if part == self._last or any(part == bytes((value,)) * len(part) for value in (0x00, 0xFF)):
                raise QrngError(
                    QrngReason.IMPLAUSIBLE,
                    "the TPM gave the same bytes twice, or one value only",
                    "Power the TPM off and on; if it happens again, replace it.",
                )
            self._remember(part)

    def _remember(self, part: memoryview) -> None:
        _wipe(self._last)
        if len(self._last) != len(part):
            self._last = bytearray(len(part))
        self._last[:] = part

    def _check_result(self) -> None:
        """See that the TPM has passed its own tests; while it makes them, wait."""
        deadline = self._clock() + self._timeout
        while (result := codec.test_result_of(self._ask(codec.command(codec.GET_TEST_RESULT)))) in codec.BUSY:
            self._wait(deadline, "the TPM does not end its self-test")
        if result != 0:
            raise self._refusal(result)

    def _ask(self, command: bytes, *, accepted: int = 0) -> memoryview:
        """The parameters of the response to `command`, which is sent again while the TPM is busy."""
        deadline = self._clock() + self._timeout
        while True:
            response = self._channel.transact(command)
            if response == command:
                raise QrngError(
                    QrngReason.IMPLAUSIBLE, "the device sends back what it was sent", "Name the node of a TPM 2.0."
                )
            code, parameters = codec.parse(response)
            if code in (0, accepted):
                return parameters
            if code not in codec.BUSY:
                raise self._refusal(code)
            self._wait(deadline, "the TPM is busy, or tests itself,")

    def _wait(self, deadline: float, trouble: str) -> None:
        if self._clock() >= deadline:
            raise QrngError(
                QrngReason.NOT_READY,
                f"{trouble} for {self._timeout:g} s",
                "See what else uses the TPM; if nothing does, power it off and on.",
            )
        self._sleep(_PAUSE)

    def _refusal(self, code: int) -> QrngError:
        self._failed = self._failed or code == codec.FAILURE
        return codec.refusal(code)


class TpmNode:
    """A TPM 2.0 behind the kernel's resource manager, /dev/tpmrm0 (Documentation/security/tpm).

    A command is written whole and its response read whole. The node is opened without blocking, so that a TPM that
    hangs is given up: kernels since 4.20 then work on the command in the background.
    """

    simulated = False

    def __init__(self, device: str = "/dev/tpmrm0", *, timeout: float = 10.0, sysfs: Path = Path("/sys")) -> None:
        """Name the node. A response that does not come within `timeout` seconds fails. Tests replace `sysfs`."""
        self._device = device
        self._timeout = timeout
        self._sysfs = sysfs
        self._descriptor: int | None = None

    def open(self) -> None:
        """As TpmChannel.open."""
        self.close()
        try:
            self._descriptor = os.open(self._device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError as error:
            if error.errno == errno.EBUSY:
                raise QrngError(
                    QrngReason.DENIED,
                    f"{self._device} is in use by another program",
                    "Name the resource manager, /dev/tpmrm0, which many programs may use at once.",
                ) from None
            raise node_error(error, self._device, TPM, self._sysfs) from None

    def transact(self, command: bytes) -> bytearray:
        """As TpmChannel.transact."""
        if self._descriptor is None:
            raise QrngError(QrngReason.CLOSED, "the TPM is not open", "Open it first.")
        response = bytearray(_LONGEST)
        try:
            os.write(self._descriptor, command)
            poll = select.poll()
            poll.register(self._descriptor, select.POLLIN)
            if not poll.poll(self._timeout * 1000):
                raise _silent(self._device, self._timeout)
            size = os.readv(self._descriptor, [response])
        except OSError as error:
            _wipe(response)
            if error.errno == errno.EPIPE:  # what the kernel says once it has taken the chip away
                error = OSError(errno.ENODEV, os.strerror(errno.ENODEV))
            raise bus_error(error, self._device) from None
        del response[size:]
        return response

    def close(self) -> None:
        """As TpmChannel.close."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _wipe(samples: bytearray) -> None:
    samples[:] = bytes(len(samples))


def _silent(device: str, timeout: float) -> QrngError:
    return QrngError(
        QrngReason.BUS,
        f"{device} does not answer within {timeout:g} s",
        "See the kernel's log; power the TPM off and on.",
    )
