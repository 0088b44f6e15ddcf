import importlib
import re
from typing import Any, Protocol

from drivers.errors import QrngError, QrngReason
from drivers.qrng.node import Family, node_error

GPIO = Family(
    module="gpiolib",
    sign="bus/gpio",
    load="name a chip that `gpiodetect` shows",
    group="gpio",
)
_LINE = re.compile(r"(?:/dev/)?(gpiochip\d+):(\d+)")


class PowerLine(Protocol):
    """The pin by which a chip is put to sleep and woken."""

    def open(self) -> None:
        """Take the line and hold it low. Raises QrngError(NOT_INSTALLED, NOT_FOUND, DENIED, BUS)."""
        ...

    def set(self, *, high: bool) -> None:
        """Drive the line. Raises QrngError(BUS, UNPLUGGED)."""
        ...

    def close(self) -> None:
        """Drive the line low and give it back. Safe to call twice, and after any error."""
        ...


class GpioLine:
    """A line of a GPIO chip, through the `gpiod` package, version 2 (imported when the line is opened)."""

    def __init__(self, line: str, *, module: Any = None) -> None:
        """line: CHIP:NUMBER, such as gpiochip0:17, for GPIO 17 of a Raspberry Pi. Tests replace `module`."""
        self._line = line
        self._number = 0
        self._module = module
        self._request: Any = None

    def open(self) -> None:
        """As PowerLine.open."""
        self.close()
        match = _LINE.fullmatch(self._line)
        if match is None:
            raise QrngError(
                QrngReason.NOT_FOUND,
                f"{self._line!r} names no GPIO line",
                "Write CHIP:NUMBER, such as gpiochip0:17; `gpiodetect` and `gpioinfo` list them.",
            )
        path, self._number = f"/dev/{match[1]}", int(match[2])
        gpiod = self._load()
        settings = gpiod.LineSettings(direction=gpiod.line.Direction.OUTPUT, output_value=gpiod.line.Value.INACTIVE)
        try:
            self._request = gpiod.request_lines(path, consumer="speckled", config={self._number: settings})
        except (OSError, ValueError) as error:  # ValueError: the chip has no line of this number
            raise _line_error(error, path, self._number) from None

    def set(self, *, high: bool) -> None:
        """As PowerLine.set."""
        if self._request is None:
            raise QrngError(QrngReason.CLOSED, "the line is not open", "Open the line first.")
        values = self._load().line.Value
        try:
            self._request.set_value(self._number, values.ACTIVE if high else values.INACTIVE)
        except OSError as error:
            raise node_error(error, self._line, GPIO) from None

    def close(self) -> None:
        """As PowerLine.close."""
        request = self._request
        if request is None:
            return
        try:
            self.set(high=False)
            request.release()
        except (OSError, QrngError):
            return  # a chip that is gone needs no power
        finally:
            self._request = None

    def _load(self) -> Any:
        try:
            module = self._module or importlib.import_module("gpiod")
        except ImportError:
            module = None
        if not hasattr(module, "request_lines"):  # version 1, which Debian 12 has, knows other names
            raise QrngError(
                QrngReason.NOT_INSTALLED,
                "the Python package gpiod, version 2 or later, is not installed",
                "Install it in the environment of speckled: pip install 'gpiod>=2'",
            )
        return module


def _line_error(error: Exception, path: str, number: int) -> QrngError:
    if isinstance(error, OSError):
        return node_error(error, path, GPIO)
    return QrngError(
        QrngReason.NOT_FOUND, f"{path} has no line {number}", "Name a line of this chip that `gpioinfo` shows."
    )
