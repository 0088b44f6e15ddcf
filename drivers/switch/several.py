from drivers.switch.base import PrivacySwitch


class Switches:
    """Several switches in a row: the camera is open only while all of them are on."""

    def __init__(self, *switches: PrivacySwitch) -> None:
        self._switches = switches

    def off(self) -> bool:
        """Whether any of them is off."""
        return any(switch.off() for switch in self._switches)

    def close(self) -> None:
        """As PrivacySwitch.close, for each."""
        for switch in self._switches:
            switch.close()
