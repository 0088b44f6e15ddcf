import logging
import threading

from edge.supervision import Supervision

log = logging.getLogger("speckled.capture")

PULSE = 0.2
"""Seconds between two looks at the privacy switch."""


def rest_while_off(supervision: Supervision, stop: threading.Event) -> bool:
    """With the camera closed already, wait until a person turns the switch on. False where `stop` was set instead.

    It is said in the log, to the service manager, for which a camera that is switched off is ready, and in `state`.
    """
    log.info("the privacy switch is off: the camera is closed", extra={"fields": {"SPECKLED_SWITCH": "off"}})
    supervision.reporter.say("switched-off")
    supervision.notifier.status("the privacy switch is off: the camera is closed")
    supervision.notifier.ready()
    while supervision.switch.off():
        supervision.progress.step("switch")
        if stop.wait(PULSE):
            return False
    log.info("the privacy switch is on again", extra={"fields": {"SPECKLED_SWITCH": "on"}})
    return True
