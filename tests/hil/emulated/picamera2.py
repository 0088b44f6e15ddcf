"""Stands for picamera2 in a daemon that is started with this folder in PYTHONPATH: the emulated camera."""

from drivers.emulated.picamera2 import EmulatedPicamera2

_module = EmulatedPicamera2()
Picamera2 = _module.Picamera2
MappedArray = _module.MappedArray
