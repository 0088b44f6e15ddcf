"""From the settings to the drivers they name. Drivers are imported when they are asked for, not before."""

from pathlib import Path

from drivers.camera.base import Camera
from drivers.qrng.base import Qrng
from edge.config import (
    CameraSettings,
    CharacterSettings,
    DiscoverSettings,
    EmulatedSettings,
    FolderSettings,
    MicroRngSettings,
    OpenCvSettings,
    Picamera2Settings,
    QrngSettings,
    SoftwareSettings,
    SyntheticSettings,
)


def make_camera(settings: CameraSettings) -> Camera:
    """The camera that is named; a live one stands behind the ladder of recoveries."""
    match settings:
        case Picamera2Settings():
            from drivers.camera.ladder import Ladder
            from drivers.camera.picamera2 import Picamera2Camera

            return Ladder(
                lambda: Picamera2Camera(
                    width=settings.width,
                    height=settings.height,
                    exposure_us=settings.exposure_us,
                    gain=settings.gain,
                    stream=settings.stream,
                    number=settings.number,
                )
            )
        case OpenCvSettings():
            from drivers.camera.opencv import OpenCvCamera

            return OpenCvCamera(
                source=settings.source, width=settings.width, height=settings.height, live=settings.live
            )
        case FolderSettings():
            from drivers.camera.folder import FolderCamera

            return FolderCamera(path=Path(settings.path), repeat=settings.repeat)
        case SyntheticSettings():
            from drivers.emulated.place import PlaceCamera

            return PlaceCamera(
                width=settings.width,
                height=settings.height,
                seed=settings.seed,
                people_seed=settings.people,
                mean_visit_frames=settings.visit_frames,
                frames=settings.frames,
            )


def make_qrng(settings: QrngSettings) -> Qrng:
    """The entropy source that is named. Discovery finds real sources only."""
    match settings:
        case DiscoverSettings():
            from drivers.qrng.discover import first

            return first()
        case MicroRngSettings():
            from drivers.qrng.microrng import MicroRng
            from drivers.qrng.spi import SpidevBus

            return MicroRng(bus=SpidevBus(device=settings.device, speed_hz=settings.speed_hz))
        case CharacterSettings():
            from drivers.qrng.character import CharacterDevice

            return CharacterDevice(path=settings.path)
        case SoftwareSettings():
            from drivers.qrng.software import SoftwareQrng

            return SoftwareQrng()
        case EmulatedSettings():
            from drivers.emulated.microrng import EmulatedMicroRng, parse_fault
            from drivers.qrng.microrng import MicroRng

            return MicroRng(bus=EmulatedMicroRng(faults=[parse_fault(settings.fault)] if settings.fault else []))
