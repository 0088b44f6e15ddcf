"""The real picamera2 with what libcamera's virtual pipeline needs, for a process that has this folder in PYTHONPATH."""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path

_HERE = Path(__file__).resolve().parent


def _real():
    spec = PathFinder.find_spec("picamera2", [place for place in sys.path if Path(place).resolve() != _HERE])
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError("No module named 'picamera2'", name="picamera2")
    module = module_from_spec(spec)
    sys.modules["picamera2"] = module
    spec.loader.exec_module(module)
    return module


_module = _real()

import pipeline  # noqa: E402 -- it imports the package that has just taken this module's place

pipeline.adapt(_module)
