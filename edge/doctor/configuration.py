from edge.doctor.device import Device
from edge.doctor.finding import Outcome, fail, ok


def configuration(device: Device) -> list[Outcome]:
    """Every fault of the settings; the other checks go on with what can be used of them, and the defaults."""
    if not device.known.faults:
        return [ok(str(device.config))]
    return [fail(fault.detail, fault.remedy) for fault in device.known.faults]
