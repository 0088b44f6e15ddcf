from typing import Protocol


class PrivacySwitch(Protocol):
    """Something by which a person closes the camera. One thread uses it."""

    def off(self) -> bool:
        """Whether the camera is to be closed. A switch that cannot be read is off; never raises."""
        ...

    def close(self) -> None:
        """Release the device. Safe to call twice. Afterwards the switch is off."""
        ...
