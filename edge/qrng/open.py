"""One way for every command to make and open a source."""

from drivers.errors import QrngError
from drivers.qrng.base import Qrng, QrngIdentity
from edge.devices import make_qrng
from edge.errors import EntropyUnavailable, Reason
from edge.qrng.nodes import check_node
from edge.sources import QrngSettings, source_node


def make_source(settings: QrngSettings) -> Qrng:
    """The source, closed, after a look at its node. Raises ConfigError and EntropyUnavailable."""
    node = source_node(settings)
    try:
        if node is not None:
            check_node(node)
    except QrngError as error:
        raise unavailable(error) from None
    return make_qrng(settings)


def open_source(source: Qrng) -> QrngIdentity:
    """Open it, or raise EntropyUnavailable."""
    try:
        return source.open()
    except QrngError as error:
        raise unavailable(error) from None


def unavailable(error: QrngError) -> EntropyUnavailable:
    """What a driver's error is to a command: exit status 71."""
    return EntropyUnavailable(Reason.ENTROPY_DEVICE, str(error), error.remedy)


def speed_of(source: Qrng) -> int | None:
    """The clock of the bus in Hz where the driver tells it, found by a search or set."""
    speed = getattr(source, "speed_hz", None)
    return speed if isinstance(speed, int) else None
