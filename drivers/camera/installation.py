import importlib
from typing import Any

from drivers.errors import CameraError, CameraReason

_INSTALL = (
    "Run: sudo apt install python3-picamera2 --no-install-recommends (and make the venv with --system-site-packages)."
)


def import_picamera2() -> Any:
    """The real picamera2.

    Raises CameraError(NOT_INSTALLED), whose remedy tells apart: not there, built for another numpy, and a foreign `kms`
    in its way.
    """
    _refuse_foreign_kms()
    try:
        return importlib.import_module("picamera2")
    except ImportError:
        raise CameraError(CameraReason.NOT_INSTALLED, "picamera2 is not installed for this Python", _INSTALL) from None
    except ValueError:
        # "numpy.dtype size changed": simplejpeg of the system was built for numpy 1 (picamera2 issue 1211).
        raise CameraError(
            CameraReason.NOT_INSTALLED,
            "picamera2 was built for another numpy",
            "Run in the venv: pip install --force-reinstall simplejpeg",
        ) from None


def _refuse_foreign_kms() -> None:
    """picamera2 imports `kms` before pykms; the package index has an unrelated package of that name."""
    try:
        kms = importlib.import_module("kms")
    except ImportError:
        return
    if not hasattr(kms, "PixelFormat"):
        raise CameraError(
            CameraReason.NOT_INSTALLED, "the module kms is a foreign package, not kms++", "Run: pip uninstall kms"
        )
