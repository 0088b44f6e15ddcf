import importlib
import logging
import re
from typing import Any, Literal

log = logging.getLogger("speckled.switch")

_LINE = re.compile(r"(?:/dev/)?(gpiochip\d+):(\d+)")


class GpioSwitch:
    """A switch between a GPIO line and ground, with the chip's pull-up; through the `gpiod` package, version 2.

    With off = "high", the default, a wire that breaks or falls off reads as off.
    """

    def __init__(self, line: str, *, off: Literal["high", "low"] = "high", module: Any = None) -> None:
        """line: CHIP:NUMBER, such as gpiochip0:17, for GPIO 17 of a Raspberry Pi. Tests replace `module`."""
        self._line = line
        self._off_level = off
        self._module = module
        self._request: Any = None
        self._number = 0
        self._closed = False
        self._said = False

    def off(self) -> bool:
        """Whether the line is at its off level, or cannot be read; why it cannot is said in the log once."""
        if self._closed:
            return True
        try:
            high = self._read()
        except Exception as error:  # whatever a package or a kernel raises, an unreadable switch is off
            if not self._said:
                self._said = True
                log.error("the privacy switch at %s cannot be read: %s. The camera stays closed", self._line, error)
            self._release()
            return True
        self._said = False
        return high == (self._off_level == "high")

    def close(self) -> None:
        """As PrivacySwitch.close."""
        self._closed = True
        self._release()

    def _read(self) -> bool:
        gpiod = self._module or importlib.import_module("gpiod")
        if self._request is None:
            match = _LINE.fullmatch(self._line)
            if match is None:
                raise ValueError("it names no GPIO line; write CHIP:NUMBER, such as gpiochip0:17")
            if not hasattr(gpiod, "request_lines"):  # version 1, which Debian 12 has, knows other names
                raise ImportError("the Python package gpiod is older than version 2")
            self._number = int(match[2])
            wanted = gpiod.LineSettings(direction=gpiod.line.Direction.INPUT, bias=gpiod.line.Bias.PULL_UP)
            self._request = gpiod.request_lines(
                f"/dev/{match[1]}", consumer="speckled privacy switch", config={self._number: wanted}
            )
        return bool(self._request.get_value(self._number) == gpiod.line.Value.ACTIVE)

    def _release(self) -> None:
        request, self._request = self._request, None
        if request is not None:
            try:
                request.release()
            except OSError:
                return  # a chip that is gone holds no line
