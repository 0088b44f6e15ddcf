from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heard:
    """The last position of an epoch that the collector holds, and the hash of the ledger's entry there, 32 bytes."""

    epoch: bytes
    upto: int
    hash: bytes
