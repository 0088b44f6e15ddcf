import time
from collections.abc import Callable
from contextlib import suppress

from drivers.errors import QrngError, QrngReason
from drivers.qrng.base import QrngIdentity
from drivers.qrng.profile.link import Counter, Link, check_answer_test, pieces, wire_fault
from drivers.qrng.profile.schema import Profile
from drivers.qrng.profile.tables import Step
from drivers.qrng.spi import SpiBus, SpidevBus

JUDGED_BITS = 64
"""Credited bits that a block must have before it is judged by its looks: a false alarm is rarer than 2^-64."""
_POLL = 0.0002
_BLOCK = 256
_WIRING = "Check MISO, MOSI, power and ground of the chip."


class ProfiledChip:
    """A chip on an SPI bus whose registers, packets and claims are written in a profile.

    `open` identifies the chip, starts it, makes its self-test, reads its status and waits until it is ready; `read`
    takes the payload of whole bursts. A profile leaves out what its chip does not have.
    """

    def __init__(
        self,
        profile: Profile,
        *,
        bus: SpiBus | None = None,
        device: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Use `bus`, or where that is None the spidev node `device` (default /dev/spidev0.0).

        Deadlines count seconds of `clock`, and waiting is done by `sleep`.
        """
        if bus is None:
            bus = SpidevBus(device or "/dev/spidev0.0", mode=profile.bus.mode, speed_hz=profile.bus.speed_hz)
        self._profile = profile
        self._bus = bus
        self._clock = clock
        self._sleep = sleep
        self._link: Link | None = None
        self._counter: Counter | None = None
        self._last = bytearray()

    def open(self) -> QrngIdentity:
        """Acquire the bus, identify, start, test and question the chip. Raises as Qrng.open, and NOT_READY.

        WRONG_DEVICE where an answer of `identify` differs, STATUS where one of `start` does, LINK for the self-test.
        """
        self.close()
        self._bus.open()
        profile = self._profile
        self._link = link = Link(self._bus, profile)
        try:
            self._identify(link)
            for number, step in enumerate(profile.start):
                self._start(link, number, step)
            self._test(link)
            self._check_status(link, opening=True)
            self._await_ready(link, self._deadline())
        except QrngError:
            self.close()
            raise
        return QrngIdentity(
            driver="profile",
            model=profile.name,
            sample_bits=profile.sample.bits,
            credit=profile.sample.credit,
            raw=profile.sample.raw,
            simulated=self._bus.simulated,
        )

    def read(self, count: int) -> bytearray:
        """As Qrng.read, and NOT_READY where the chip has nothing new before the timeout of the profile."""
        link = self._link
        if link is None:
            raise QrngError(QrngReason.CLOSED, "the chip is not open", "Open the source again.")
        out = bytearray(count)
        try:
            with memoryview(out) as view:
                self._fill(link, view)
        except QrngError:
            out[:] = bytes(count)
            self.close()
            raise
        return out

    def close(self) -> None:
        """As Qrng.close. An open chip is sent `stop` first; what it answers no longer matters."""
        link, self._link = self._link, None
        self._counter = None
        self._last[:] = bytes(len(self._last))
        self._last = bytearray()
        if link is not None:
            with suppress(QrngError):
                for step in self._profile.stop:
                    link.ask(step.tx)
                    self._sleep(step.delay_us / 1e6)
        self._bus.close()

    def _identify(self, link: Link, *, again: bool = False) -> None:
        for number, question in enumerate(self._profile.identify):
            if again and not question.again:
                continue
            answer = link.ask(question.tx)
            if not question.accepts(answer):
                wire = wire_fault(answer, question.tx)
                raise QrngError(
                    QrngReason.LINK if again else QrngReason.WRONG_DEVICE,
                    f"identify[{number}]: {wire or f'the chip does not answer as {self._profile.name} does'}",
                    f"{_WIRING[:-1]}, and that the profile is the one of this chip.",
                )

    def _start(self, link: Link, number: int, step: Step) -> None:
        answer = link.ask(step.tx)
        self._sleep(step.delay_us / 1e6)
        if not step.accepts(answer):
            raise QrngError(
                QrngReason.STATUS,
                f"start[{number}]: {wire_fault(answer, step.tx) or 'the chip does not answer what is expected'}",
                "Power the chip off and on; if it stays so, compare start with the data sheet.",
            )

    def _test(self, link: Link) -> None:
        test, profile = self._profile.selftest, self._profile
        if test is None:
            return
        if test.kind != "counter":
            check_answer_test(link, test, profile.read.dummy, each=profile.bus.cs_change_per_byte)
            return
        self._counter = Counter(link, test, profile.read.pipeline_delay)
        for start, stop in pieces(test.length, profile.bus.max_transfer - profile.read.pipeline_delay):
            self._counter.check(stop - start)

    def _checks(self, link: Link) -> list[tuple[int, Callable[[], None]]]:
        """What is asked of the chip while samples are read: after how many samples, and how."""
        status, test, counter = self._profile.status, self._profile.selftest, self._counter
        checks: list[tuple[int, Callable[[], None]]] = []
        if any(question.again for question in self._profile.identify):
            checks.append((_BLOCK, lambda: self._identify(link, again=True)))
        if status:
            checks.append((status.every_bytes, lambda: self._check_status(link)))
        if counter and test and test.every_bytes:
            checks.append((test.every_bytes, counter.check))
        return checks

    def _fill(self, link: Link, view: memoryview) -> None:
        """Fill `view`, and look at the chip and at the samples as often as the profile says and after the last."""
        checks = self._checks(link)
        done = [0] * len(checks)
        filled = judged = 0
        while filled < len(view):
            part = min(self._profile.read.size, len(view) - filled)
            self._burst(link, view[filled : filled + part])
            filled += part
            last = filled == len(view)
            if last or filled - judged >= _BLOCK:
                judged += self._judge(view[judged:filled])
            for number, (period, check) in enumerate(checks):
                if last or filled - done[number] >= period:
                    check()
                    done[number] = filled

    def _burst(self, link: Link, out: memoryview) -> None:
        """Read one burst and write its payload, or the beginning of it, to `out`."""
        read = self._profile.read
        burst = len(out) if read.partial else read.burst
        sent = read.frame(burst)
        deadline = self._deadline()
        self._await_ready(link, deadline)
        answer = link.ask(sent)[len(read.tx_prefix) :]
        while not self._is_new(answer, sent):
            self._wait(deadline, "the chip gives no new packet")
            answer = link.ask(sent)[len(read.tx_prefix) :]
        payload = answer[read.payload[0] : read.payload[0] + (burst if read.partial else read.size)]
        self._refuse_repetition(payload)
        out[:] = payload[: len(out)]
        if read.pause_us:
            self._sleep(read.pause_us / 1e6)

    def _is_new(self, burst: bytes, sent: bytes) -> bool:
        """Whether a burst may be used; False where the chip says that it gave it before, or has none."""
        read, ready = self._profile.read, self._profile.ready
        if (read.header or read.health) and (wire := wire_fault(burst, sent)):
            raise _implausible(wire)
        if read.header and burst[read.header.index] != read.header.value:
            raise QrngError(
                QrngReason.BUS,
                "a packet does not begin as packets of this chip do",
                "Lower bus.speed_hz in the profile, and check the wiring; a fault that comes back means a bad device.",
            )
        if read.health is None:
            return True
        health = burst[read.health.index]
        if ready and health == ready.duplicate:
            return False
        if health != read.health.ok:
            raise _unhealthy("the health byte of a packet is not ok")
        return True

    def _refuse_repetition(self, payload: bytes) -> None:
        if len(payload) * self._profile.sample.credit >= JUDGED_BITS and payload == self._last:
            raise QrngError(
                QrngReason.IMPLAUSIBLE,
                "the chip gave the same packet twice",
                "Add ready to the profile if the chip can say when samples are new; else replace the chip.",
            )
        self._last[:] = payload

    def _judge(self, samples: memoryview) -> int:
        """Refuse samples that only a broken wire gives. Returns how many were judged: all, or none if too few."""
        if len(samples) * self._profile.sample.credit < JUDGED_BITS:
            return 0
        wire = wire_fault(samples.tobytes(), bytes((self._profile.read.dummy,)) * len(samples))
        if wire:
            raise _implausible(wire)
        return len(samples)

    def _check_status(self, link: Link, *, opening: bool = False) -> None:
        status = self._profile.status
        if status is None:
            return
        answer = link.ask(status.tx)
        value = answer[status.rx_index]
        if value & status.mask != status.ok:
            if answer == b"\xff" * len(answer):
                raise _implausible(wire_fault(answer, status.tx))
            if opening:
                raise _unhealthy(f"the chip reports status {value & status.mask:#04x}")
            raise _unhealthy("the chip reports a status that is not ok")  # after a slip, its value may be a sample

    def _await_ready(self, link: Link, deadline: float) -> None:
        ready = self._profile.ready
        while ready and ready.tx and link.ask(ready.tx)[ready.rx_index] & ready.mask != ready.ok:
            self._wait(deadline, "the chip does not become ready")

    def _wait(self, deadline: float, trouble: str) -> None:
        if self._clock() >= deadline:
            raise QrngError(
                QrngReason.NOT_READY,
                f"{trouble} within {self._profile.ready.timeout_ms if self._profile.ready else 0} ms",
                "Power the chip off and on; if it is only slow, raise ready.timeout_ms in the profile.",
            )
        self._sleep(_POLL)

    def _deadline(self) -> float:
        ready = self._profile.ready
        return self._clock() + (ready.timeout_ms / 1000 if ready else 0)


def _implausible(wire: str) -> QrngError:
    return QrngError(QrngReason.IMPLAUSIBLE, wire, _WIRING)


def _unhealthy(detail: str) -> QrngError:
    return QrngError(QrngReason.STATUS, detail, "Power the chip off and on; if the fault stays, replace the chip.")
