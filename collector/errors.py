from enum import StrEnum

from wire.exit import Exit


class Reason(StrEnum):
    """Why the collector cannot go on, or why it did not keep a message.

    The texts are stable: dead letters are keyed by them, beside those of wire.errors.WireReason.
    """

    CONFIG = "bad-configuration"
    STORE_CORRUPT = "store-corrupt"
    STORE_OTHER = "store-of-another-version"
    STORE_LOCKED = "store-in-use"
    STORE_IO = "store-not-writable"
    BROKER_REFUSED = "refused-by-the-broker"
    BROKER_UNREACHABLE = "broker-unreachable"
    PAGE = "page-not-servable"
    REFERENCE = "no-such-observation"
    UNKNOWN_DEVICE = "unknown-device"
    OTHER_DEVICE = "another-device"
    EQUIVOCATION = "equivocation"
    CHAIN = "ledger-chain-broken"


class CollectorError(Exception):
    """An error of the collector. `remedy` says in one sentence what to do; `exit` is the process's status."""

    exit: Exit = Exit.FAILED

    def __init__(self, reason: Reason, detail: str, remedy: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail
        self.remedy = remedy


class ConfigError(CollectorError, ValueError):
    """The settings or a key cannot be used as they are."""

    exit = Exit.CONFIG


class StoreCorrupt(CollectorError):
    """The store is not one that this collector wrote, or it is damaged. It is never overwritten."""

    exit = Exit.DATA


class StoreUnavailable(CollectorError, OSError):
    """The store cannot be written: nothing is acknowledged, so nothing is lost."""

    exit = Exit.IO

    def __str__(self) -> str:
        return f"{self.reason.value}: {self.detail}"


class BrokerRefused(CollectorError):
    """The broker turned the collector away."""

    exit = Exit.REFUSED


class Unavailable(CollectorError):
    """The broker or the page's address cannot be had."""

    exit = Exit.UNAVAILABLE


class ReferenceUnknown(CollectorError, LookupError):
    """A reference names no stored observation."""

    exit = Exit.DATA


class Rejected(CollectorError):
    """A message that is not kept as an observation. It becomes a dead letter; `detail` never quotes it."""

    exit = Exit.DATA
