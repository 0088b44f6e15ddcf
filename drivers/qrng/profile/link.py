from collections.abc import Iterator

from drivers.errors import QrngError, QrngReason
from drivers.qrng.profile.schema import Profile
from drivers.qrng.profile.tables import SelfTest
from drivers.qrng.spi import SpiBus

_WIRING = "Check MISO, MOSI, power, ground and chip select, and compare bus.mode and bus.speed_hz with the data sheet."


class Link:
    """Questions and their answers on a bus whose chip may answer some transfers late."""

    def __init__(self, bus: SpiBus, profile: Profile) -> None:
        """Ask on `bus`, in the transfers that `profile` describes."""
        self._bus = bus
        self._each = profile.bus.cs_change_per_byte
        self._late = profile.read.pipeline_delay
        self.transfers = 0

    def ask(self, tx: bytes) -> bytes:
        """The answer to `tx`, as many bytes. Raises QrngError(BUS, UNPLUGGED, SHORT)."""
        if not self._each:
            return self.ask_often(tx, 1)[0]
        sent = tx + tx[-1:] * self._late
        answer = self._bus.each(sent)
        self.transfers += len(sent)
        return _complete(answer, sent)[self._late :]

    def ask_often(self, tx: bytes, count: int) -> list[bytes]:
        """The answers to `count` times `tx`, asked in a row. Raises as `ask`."""
        if self._each:
            answer = self.ask(tx * count)
            return [answer[at : at + len(tx)] for at in range(0, len(answer), len(tx))]
        answers = []
        for _ in range(count + self._late):
            answers.append(_complete(self._bus.transfer(tx), tx))
            self.transfers += 1
        return answers[self._late :]


class Counter:
    """The chip's counter, which agrees with our own count for as long as no byte is lost or doubled on the bus."""

    def __init__(self, link: Link, test: SelfTest, late: int) -> None:
        """Follow the counter that `test` describes; `late` answers in a row are of earlier questions."""
        self._link = link
        self._test = test
        self._late = late
        self._asked = 0
        self._offset: int | None = None

    def check(self, count: int = 1) -> None:
        """Ask `count` times in a row. Raises QrngError(LINK, BUS, UNPLUGGED, SHORT)."""
        answers = self._link.ask_often(self._test.cmd, count)
        self._asked += count + self._late
        counted = self._link.transfers if self._test.counts == "transfers" else self._asked
        for answer, place in zip(answers, range(counted - count, counted), strict=True):
            offset = (answer[-1] - place) % 256
            if self._offset is None:
                self._offset = offset
            if offset != self._offset:
                wire = wire_fault(b"".join(answers), self._test.cmd * count)
                raise QrngError(
                    QrngReason.LINK,
                    "the chip's counter does not follow what is sent" + (f": {wire}" if wire else ""),
                    _WIRING,
                )


def check_answer_test(link: Link, test: SelfTest, dummy: int, *, each: bool) -> None:
    """Make the chip's pattern or known-answer test. Raises QrngError(LINK, BUS, UNPLUGGED, SHORT)."""
    sent = test.cmd * test.length if each else test.cmd + bytes((dummy,)) * test.length
    answer = link.ask(sent)[-test.length :]
    expected = (test.expect * (test.length // len(test.expect) + 1))[: test.length]
    if answer != expected:
        wire = wire_fault(answer, sent)
        what = "pattern" if test.kind == "pattern" else "known answer"
        raise QrngError(
            QrngReason.LINK,
            f"the chip's self-test does not give its {what}" + (f": {wire}" if wire else ""),
            _WIRING,
        )


def wire_fault(answer: bytes, sent: bytes) -> str:
    """What a broken wire would be, where `answer` to `sent` is what it would give; else empty."""
    if answer == bytes(len(answer)):
        return "the bus answers all zeros"
    if answer == b"\xff" * len(answer):
        return "the bus answers all ones, as it does where nothing drives it"
    if answer == sent[-len(answer) :]:
        return "the bus answers an echo of what is sent"
    return ""


def pieces(size: int, piece: int) -> Iterator[tuple[int, int]]:
    """[start, stop) of the pieces of `size`, all but the last as long as `piece`."""
    for start in range(0, size, piece):
        yield start, min(start + piece, size)


def _complete(answer: bytes, sent: bytes) -> bytes:
    if len(answer) != len(sent):
        raise QrngError(
            QrngReason.SHORT, "the bus returned fewer bytes than were clocked", "Check the SPI driver of the kernel."
        )
    return answer
