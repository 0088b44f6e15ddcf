from enum import StrEnum

from models.errors import ModelRefused
from wire.exit import Exit


class Reason(StrEnum):
    """Why something on the device cannot go on."""

    CONFIG = "bad-configuration"
    CAMERA = "no-camera"
    ENTROPY_START = "entropy-startup-tests-failed"
    ENTROPY_REPETITION = "entropy-repetition-count"
    ENTROPY_PROPORTION = "entropy-adaptive-proportion"
    ENTROPY_BITS = "entropy-predictable-bits"
    ENTROPY_REPLAY = "entropy-repeated-block"
    ENTROPY_DEVICE = "entropy-device-fault"
    ENTROPY_CRYPTOGRAPHY = "entropy-known-answers-failed"
    ENTROPY_LATCHED = "entropy-failed-earlier"
    ENTROPY_NOT_STARTED = "entropy-not-started"
    LEDGER_CORRUPT = "ledger-corrupt"
    LEDGER_LOCKED = "ledger-in-use"
    LEDGER_CHANGED = "configuration-changed"
    LEDGER_OVERSPENT = "slope-exceeds-maximum"
    LEDGER_CLOCK = "clock-went-backwards"
    LEDGER_IO = "ledger-not-writable"
    LEDGER_TAIL = "ledger-tail-missing"
    LEDGER_ROLLBACK = "ledger-rolled-back"
    LEDGER_PACE = "frames-too-close"
    SPENT = "already-spent"
    MISMATCH = "receipt-and-noise-do-not-match"
    WINDOW_FULL = "window-is-full"
    WINDOW_SHORT = "window-is-short"
    MEMORY = "memory-not-lockable"
    FRAME = "frame-is-secret"
    RELAY = "relay-unreachable"
    REFUSED = "refused-by-the-guard"
    BROKER_REFUSED = "refused-by-the-broker"
    BROKER_UNREACHABLE = "broker-unreachable"
    OUTBOX = "outbox-unusable"
    REPORT = "report-not-verified"
    INSTALL = "not-installable"
    MODEL = "model-refused"
    PICTURE = "not-drawable"


class SpeckledError(Exception):
    """An error of the device side. `remedy` says in one sentence what to do; `exit` is the process's status."""

    exit: Exit = Exit.FAILED

    def __init__(self, reason: Reason, detail: str, remedy: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail
        self.remedy = remedy


class ConfigError(SpeckledError, ValueError):
    """The configuration cannot be used as it is."""

    exit = Exit.CONFIG


class CameraUnavailable(SpeckledError):
    """The camera gave no frames and the ladder of recoveries is exhausted."""

    exit = Exit.NO_CAMERA


class EntropyUnavailable(SpeckledError):
    """The entropy source is not healthy; nothing is published."""

    exit = Exit.NO_ENTROPY


class LedgerError(SpeckledError):
    """The ledger cannot vouch for the next charge."""

    exit = Exit.DATA


class PrivacyError(SpeckledError, RuntimeError):
    """A step of the mechanism was asked for out of order: a programming error, never a matter of data."""

    exit = Exit.INTERNAL


class SecretError(SpeckledError, TypeError):
    """Something tried to show, copy or store a frame."""

    exit = Exit.INTERNAL


class RelayError(SpeckledError):
    """Delivery to the relay or the broker is not possible."""

    exit = Exit.UNAVAILABLE


class BrokerRefused(SpeckledError):
    """The broker turned the device away."""

    exit = Exit.REFUSED


class ModelUnusable(SpeckledError):
    """The network that the settings ask for is missing, is not the one that shipped, or does not run here.

    It stays so until a person acts, so the service manager does not start capture again.
    """

    exit = Exit.CONFIG

    @classmethod
    def of(cls, refused: ModelRefused) -> "ModelUnusable":
        """The same in the words of the device: which file, with both hashes."""
        remedy = f'{refused.remedy}, or set method = "sift" (or fallback = "sift") in [features]'
        return cls(Reason.MODEL, str(refused), remedy)


class InstallError(SpeckledError):
    """Units, users or rules could not be put in their places."""

    exit = Exit.IO


class ShowError(SpeckledError):
    """A file holds nothing that can be drawn, or nothing that should be believed."""

    exit = Exit.DATA
