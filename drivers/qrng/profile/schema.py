from typing import Annotated

from msgspec import Meta, Struct

from drivers.qrng.profile.tables import Bus, Identify, Read, Ready, Sample, SelfTest, Status, Step

Steps = Annotated[tuple[Step, ...], Meta(max_length=32)]


class Profile(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A chip on an SPI bus, in the order in which it is used. `stop` is sent when the chip is closed."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._/()-]{0,63}$")]
    bus: Bus
    identify: Annotated[tuple[Identify, ...], Meta(max_length=32)] = ()
    start: Steps = ()
    selftest: SelfTest | None = None
    status: Status | None = None
    ready: Ready | None = None
    read: Read
    sample: Sample
    stop: Steps = ()

    def __post_init__(self) -> None:
        """Refuse what no single table can see: sizes beyond the bus, and a chip that cannot be told from a wire."""
        self._check_duplicate()
        if self.bus.cs_change_per_byte:
            self._check_single_bytes()
        for place, size in self._transfers():
            if size > self.bus.max_transfer:
                raise ValueError(f"{place} takes {size} bytes, more than bus.max_transfer ({self.bus.max_transfer})")
        self._check_identification()

    def _check_duplicate(self) -> None:
        duplicate = self.ready.duplicate if self.ready else None
        if duplicate is None:
            return
        if self.read.health is None:
            raise ValueError("ready.duplicate is a value of the health byte, and read.health is missing")
        if self.read.health.ok == duplicate:
            raise ValueError("ready.duplicate and read.health.ok are the same value")

    def _questions(self) -> list[tuple[str, bytes]]:
        asked: list[tuple[str, bytes]] = [(f"identify[{n}].tx", step.tx) for n, step in enumerate(self.identify)]
        for table, steps in (("start", self.start), ("stop", self.stop)):
            asked += [(f"{table}[{n}].tx", step.tx) for n, step in enumerate(steps)]
        if self.selftest:
            asked.append(("selftest.cmd", self.selftest.cmd))
        if self.status:
            asked.append(("status.tx", self.status.tx))
        if self.ready and self.ready.tx:
            asked.append(("ready.tx", self.ready.tx))
        return asked

    def _check_single_bytes(self) -> None:
        for place, tx in self._questions():
            if len(tx) > 1:
                raise ValueError(f"{place} has {len(tx)} bytes, but with bus.cs_change_per_byte a command is one byte")
        if self.read.tx_prefix:
            raise ValueError("read.tx_prefix: with bus.cs_change_per_byte the command to read is read.dummy")
        if self.read.size < self.read.burst:  # without chip select nothing tells the chip where a packet begins
            raise ValueError("read.payload: with bus.cs_change_per_byte a burst is all payload")

    def _transfers(self) -> list[tuple[str, int]]:
        """Every transfer, or row of one-byte transfers that is made at once, and its bytes."""
        late = self.read.pipeline_delay if self.bus.cs_change_per_byte else 0
        sizes = [(place, len(tx) + late) for place, tx in self._questions()]
        sizes.append(("read", len(self.read.frame(self.read.burst)) + late))
        if self.selftest and (self.bus.cs_change_per_byte or self.selftest.kind != "counter"):
            sizes.append(("selftest", len(self.selftest.cmd) + self.selftest.length + late))
        return sizes

    def _check_identification(self) -> None:
        if self.selftest:
            return
        checks: list[Identify | Step] = [*self.identify, *self.start]
        for name, answer in (("held low", b"\x00"), ("held high", b"\xff"), ("tied to MOSI", b"")):
            if all(step.accepts(answer * len(step.tx) or step.tx) for step in checks):
                raise ValueError(f"nothing tells the chip from a MISO line that is {name}: add identify or selftest")
