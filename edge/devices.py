"""From the settings to the drivers they name. Drivers are imported when they are asked for, not before."""

from collections.abc import Callable
from pathlib import Path

from drivers.camera.base import Camera
from drivers.errors import QrngError
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
from edge.errors import ConfigError, EntropyUnavailable, Reason


def make_camera(settings: CameraSettings, stopping: Callable[[], bool] = lambda: False) -> Camera:
    """The camera that is named; a live one stands behind the ladder of recoveries, which ends once `stopping`."""
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
                ),
                stopping=stopping,
            )
        case OpenCvSettings():
            from drivers.camera.opencv import OpenCvCamera

            if not settings.live:
                return OpenCvCamera(source=settings.source, width=settings.width, height=settings.height, live=False)
            from drivers.camera.ladder import Ladder

            return Ladder(
                lambda: OpenCvCamera(
                    source=settings.source,
                    width=settings.width,
                    height=settings.height,
                    live=True,
                    exposure_fixed=settings.exposure_fixed,
                ),
                stopping=stopping,
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
            return _discovered()
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

            try:
                faults = (parse_fault(settings.fault),) if settings.fault else ()
            except ValueError as error:
                raise ConfigError(
                    Reason.CONFIG, f"[qrng] fault: {error}", "name a fault as docs/entropy.md lists them"
                ) from None
            return MicroRng(bus=EmulatedMicroRng(faults=faults))


def _discovered() -> Qrng:
    """The first source on this machine that opens and says what it is. Raises EntropyUnavailable where none does."""
    from drivers.qrng.discover import discover

    tried = []
    for found in discover():
        spi = found.driver == "microrng"
        source = make_qrng(MicroRngSettings(device=found.path) if spi else CharacterSettings(path=found.path))
        try:
            source.open()
        except QrngError as error:
            tried.append(f"{found.path} ({error.reason.value})")
        else:
            source.close()
            return source
    raise EntropyUnavailable(
        Reason.ENTROPY_DEVICE,
        f"no entropy source on this machine can be used; tried: {', '.join(tried) or 'nothing, none was found'}",
        'connect one (docs/entropy.md), or name one in [qrng]; for a trial without hardware: driver = "software"',
    )
