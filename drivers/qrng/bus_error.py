import errno

from drivers.errors import QrngError, QrngReason

_GONE = (errno.ENODEV, errno.ENXIO, errno.ESHUTDOWN)


def bus_error(error: Exception, node: str = "the device") -> QrngError:
    """What an error of the operating system means for an entropy source. The text never holds transferred bytes.

    node: path of the device node, where there is one.
    """
    number = error.errno if isinstance(error, OSError) else None
    name = errno.errorcode.get(number, str(number)) if number is not None else type(error).__name__
    if isinstance(error, FileNotFoundError):
        return QrngError(
            QrngReason.NOT_FOUND,
            f"{node} does not exist",
            "Check the wiring, enable the bus (for SPI: dtparam=spi=on in config.txt), and name the node in [qrng].",
        )
    if isinstance(error, PermissionError):
        return QrngError(
            QrngReason.DENIED,
            f"{node} may not be opened ({name})",
            "Add the service's user to the group that owns the device node (for SPI on Raspberry Pi OS: spi).",
        )
    if number in _GONE:
        return QrngError(
            QrngReason.UNPLUGGED,
            f"{node} is gone ({name})",
            "Check the cable and the power of the random-number device, then restart.",
        )
    if number == errno.EMSGSIZE:
        return QrngError(
            QrngReason.BUS,
            f"{node} does not take messages of this length ({name})",
            "Add spidev.bufsiz=65536 to the kernel's command line (/boot/firmware/cmdline.txt) and reboot.",
        )
    return QrngError(
        QrngReason.BUS,
        f"the bus reported {name}",
        "Check the wiring and lower the bus clock; a fault that comes back means a bad device.",
    )
