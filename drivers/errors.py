from enum import StrEnum


class CameraReason(StrEnum):
    """Why a camera gives no frames."""

    NOT_INSTALLED = "driver-not-installed"
    NOT_FOUND = "not-found"
    DENIED = "denied"
    BUSY = "busy"
    BAD_SOURCE = "bad-source"
    TIMEOUT = "timeout"
    CHANGED = "settings-changed"
    ENDED = "ended"
    CLOSED = "closed"


class QrngReason(StrEnum):
    """Why an entropy source cannot be used. The first group is of opening, the second of reading."""

    NOT_INSTALLED = "driver-not-installed"
    NOT_FOUND = "not-found"
    DENIED = "denied"
    WRONG_DEVICE = "wrong-device"
    LINK = "link-test-failed"
    BAD_PROFILE = "bad-profile"

    STATUS = "device-reports-fault"
    BUS = "bus-error"
    SHORT = "short-read"
    NOT_READY = "not-ready"
    UNPLUGGED = "unplugged"
    IMPLAUSIBLE = "implausible-bytes"
    CLOSED = "closed"


class DriverError(Exception):
    """A device that cannot be used: why, and in `remedy` one sentence that says what to do."""

    def __init__(self, reason: CameraReason | QrngReason, detail: str, remedy: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail
        self.remedy = remedy


class CameraError(DriverError):
    """The camera cannot be opened, or stopped giving frames."""

    reason: CameraReason

    def __init__(self, reason: CameraReason, detail: str, remedy: str) -> None:
        super().__init__(reason, detail, remedy)


class QrngError(DriverError):
    """The entropy source cannot be opened, or stopped being trustworthy."""

    reason: QrngReason

    def __init__(self, reason: QrngReason, detail: str, remedy: str) -> None:
        super().__init__(reason, detail, remedy)
