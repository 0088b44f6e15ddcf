from pathlib import Path

from drivers.switch.base import PrivacySwitch
from drivers.switch.file import FileSwitch
from drivers.switch.gpio import GpioSwitch
from drivers.switch.several import Switches
from edge.sections import SwitchSettings


def make_switch(settings: SwitchSettings) -> PrivacySwitch:
    """The file, and the GPIO line where one is named: the camera is open only while both are on."""
    file = FileSwitch(Path(settings.file))
    if settings.gpio is None:
        return file
    return Switches(file, GpioSwitch(settings.gpio, off=settings.gpio_off))
