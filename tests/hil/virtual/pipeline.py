"""What the real picamera2 0.3.38 lacks on libcamera 0.4.0's virtual pipeline, and nothing else.

The virtual camera has no sensor, so no exposure, no tuning and no raw stream; it writes two planes into a buffer where
a Raspberry Pi's pipeline takes one. Those are made up here. Requests, buffers, the heap they come from, their mapping,
the threads and the queue of jobs are libcamera's and picamera2's own.
"""

import inspect
import textwrap
from types import SimpleNamespace

from drivers.emulated.tuning import emulated_tuning

HEAP = "/dev/dma_heap/system"
_PRETENDED = {
    "AeEnable": (False, True, True),
    "ExposureTime": (100, 1_000_000, 20_000),
    "AnalogueGain": (1.0, 16.0, 1.0),
}
# libcamera 0.4.0 leaves the status of a virtual frame uninitialised (its commit 98cf9eb5 mends that).
_STATUS = "next(iter(req.request.buffers.values())).metadata.status == libcamera.FrameMetadata.Status.Success"


def adapt(package):
    """Make the camera of this picamera2 one that stands on the virtual pipeline."""
    from picamera2 import dma_heap, picamera2, request
    from picamera2.allocators import dmaallocator

    dma_heap.heapNames[:] = [HEAP]
    dmaallocator.libcamera = SimpleNamespace(FrameBuffer=_two_planes(dmaallocator.libcamera.FrameBuffer))
    _replace(picamera2, "process_requests", _STATUS, "True")
    package.Picamera2 = picamera2.Picamera2 = _virtual(picamera2.Picamera2)
    real = request.CompletedRequest.get_metadata
    request.CompletedRequest.get_metadata = lambda self: real(self) | self.picam2.pretended


def _two_planes(frame_buffer):
    def make(planes):
        # The luma plane stays this object, by whose copy of the descriptor picamera2 knows the buffer.
        (luma,) = planes
        chroma = frame_buffer.Plane()
        chroma.fd = luma.fd
        luma.length, chroma.length = luma.length * 2 // 3, luma.length // 3
        chroma.offset = luma.length
        return frame_buffer([luma, chroma])

    make.Plane = frame_buffer.Plane
    return make


def _replace(module, name, old, new):
    """One condition of a method of picamera2, in its own source."""
    source = textwrap.dedent(inspect.getsource(getattr(module.Picamera2, name)))
    assert source.count(old) == 1, f"picamera2 has another {name} now"
    found = {}
    exec(source.replace(old, new), vars(module), found)
    setattr(module.Picamera2, name, found[name])


def _virtual(real):
    class VirtualCamera(real):
        """A camera without a sensor that says what its sensor is set to."""

        def __init__(self, number=0, *, tuning=None):
            self.pretended = {}
            self._given = tuning or emulated_tuning()
            super().__init__(number, tuning=tuning)

        @staticmethod
        def load_tuning_file(name):
            return emulated_tuning()

        def _get_raw_modes(self):
            return [{"format": "SRGGB10", "size": (640, 480)}]

        @property
        def camera_controls(self):
            return super().camera_controls | _PRETENDED

        def configure(self, configuration):
            controls = dict(configuration["controls"])
            fixed = {name: controls.pop(name) for name in _PRETENDED}
            main = configuration["main"] | {"format": "NV12"}
            super().configure(configuration | {"main": main, "controls": controls})
            self.pretended = {
                "ExposureTime": fixed["ExposureTime"],
                "AnalogueGain": fixed["AnalogueGain"],
                "SensorBlackLevels": _levels(self._given),
            }

        def camera_configuration(self):
            # The grey plane of NV12 and of YUV420 is the same, and the driver takes no other.
            got = super().camera_configuration()
            return got | {"main": got["main"] | {"format": "YUV420"}} if got["main"]["format"] == "NV12" else got

    return VirtualCamera


def _levels(tuning):
    (stage,) = (entry["rpi.black_level"] for entry in tuning["algorithms"] if "rpi.black_level" in entry)
    level = stage.get("black_level", 4096)
    red, green, blue = (stage.get(f"black_level_{colour}", level) for colour in "rgb")
    return red, green, green, blue
