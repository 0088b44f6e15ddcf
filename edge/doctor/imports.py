"""Run as a program: imports what a Raspberry Pi camera needs, and prints what happened, as JSON.

A process of its own, as these libraries take a second to load, keep threads, and may crash where they do not fit.
"""

import importlib
import json
import sys
from importlib.metadata import PackageNotFoundError, version

from drivers.camera.installation import import_picamera2
from drivers.errors import CameraError

NAMES = ("kms", "numpy", "simplejpeg", "libcamera")


def main() -> int:
    """For each name the version, or `error`; for picamera2 with a remedy."""
    found = {name: _imported(name) for name in NAMES}
    try:
        import_picamera2()
        found["picamera2"] = {"version": _version("picamera2")}
    except CameraError as error:
        found["picamera2"] = {"error": str(error), "remedy": error.remedy}
    except Exception as error:  # a library of somebody else's may raise anything while it is imported
        found["picamera2"] = {"error": f"{type(error).__name__}: {error}"}
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


def _imported(name: str) -> dict[str, str]:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        return {"missing": str(error.name)}
    except Exception as error:  # as above
        return {"error": f"{type(error).__name__}: {error}"}
    foreign = {"foreign": "yes"} if name == "kms" and not hasattr(module, "PixelFormat") else {}
    return {"version": str(getattr(module, "__version__", "") or _version(name)), **foreign}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "of unknown version"


if __name__ == "__main__":
    sys.exit(main())
