"""Run as a program: opens the camera of a settings file, takes one frame, wipes it, and prints its size, as JSON.

A process of its own, so that a driver that hangs can be ended, and in locked memory, so that the frame stays there.
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from drivers.errors import DriverError
from edge.config import Settings, load
from edge.devices import make_camera
from edge.errors import SpeckledError
from edge.frame import Frame
from edge.memory import lock_memory

FRAME_SECONDS = 5.0


def main(arguments: Sequence[str]) -> int:
    """One argument: the settings. Prints {"frame": ...} or {"error": ..., "remedy": ...}."""
    try:
        found = {"frame": take_one(load(Path(arguments[0])))}
    except (SpeckledError, DriverError) as error:
        found = {"error": str(error), "remedy": str(error.remedy)}
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def take_one(settings: Settings) -> str:
    """Take a frame, wipe it, and say of what size and of which camera it was: nothing that depends on a pixel.

    Raises:
        SpeckledError, DriverError: memory cannot be locked though that is required, or there is no frame.
    """
    if settings.capture.require_locked_memory:
        lock_memory()
    camera = make_camera(settings.camera)
    identity = camera.open()
    try:
        frame = Frame(identity.height, identity.width, identity.dtype)
        try:
            frame.fill(camera, FRAME_SECONDS)
        finally:
            frame.wipe()
    finally:
        camera.close()
    kind = "simulated, " if identity.simulated else ""
    return f"{kind}{identity.width} x {identity.height} from {identity.driver} {identity.model}".rstrip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
