from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heard:
    """The last position of an epoch that was seen outside capture, and the hash of the ledger's entry there, 32 bytes.

    Seen by the collector, whose word came to the relay, or by the relay itself, which took the observation.
    """

    epoch: bytes
    upto: int
    hash: bytes
