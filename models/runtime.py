"""The one place where ONNX Runtime is imported."""

import os
from typing import Any

SILENCE = "ORT_DISABLE_TELEMETRY"
"""From 1.29 on the wheels for Linux count what is run and send it to their maker, and keep an identifier of the device
below ~/.cache/Microsoft, from the import on. Where this is 1 before the import, they do neither (read with strace on
1.31.1: no file, no thread, no socket), and it holds for the life of the process."""


def import_runtime() -> Any:
    """The module onnxruntime, told to send nothing.

    Raises:
        ImportError: it is not installed, or does not fit this machine.
    """
    os.environ[SILENCE] = "1"
    import onnxruntime  # noqa: PLC0415 - a tenth of a second and 19 MB, for those who have a network only

    onnxruntime.disable_telemetry_events()
    return onnxruntime
