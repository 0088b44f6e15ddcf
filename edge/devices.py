"""From the settings to the drivers they name. Drivers are imported when they are asked for, not before."""

import difflib
import json
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from drivers.camera.base import Camera
from drivers.errors import QrngError
from drivers.qrng.base import Qrng
from edge.config import (
    CameraSettings,
    FolderSettings,
    OpenCvSettings,
    Picamera2Settings,
    SyntheticSettings,
)
from edge.errors import ConfigError, EntropyUnavailable, Reason
from edge.sources import (
    CharacterSettings,
    DiscoverSettings,
    EmulatedCharacterSettings,
    EmulatedIdq250Settings,
    EmulatedProfileSettings,
    EmulatedQCicadaSettings,
    EmulatedSettings,
    EmulatedTpmSettings,
    EntropySettings,
    Idq250Settings,
    MicroRngSettings,
    ProfileSettings,
    QCicadaSettings,
    QrngSettings,
    SoftwareSettings,
    SourceSettings,
    TpmSettings,
    source_from,
)

if TYPE_CHECKING:  # a profile's schema and the list of nodes are loaded when one is asked for
    from drivers.qrng.discover import Candidate
    from drivers.qrng.profile import Profile


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
    """The entropy source that is named, closed. Discovery opens what it finds, and finds real sources only.

    Raises:
        ConfigError: a fault that does not exist, or a profile or public key that cannot be used.
        EntropyUnavailable: discovery found nothing that opens.
    """
    if isinstance(settings, EmulatedSettings):
        return _emulated(settings)
    makers: dict[type, Callable[[Any], Qrng]] = {
        DiscoverSettings: _discovered,
        MicroRngSettings: _microrng,
        QCicadaSettings: _qcicada,
        Idq250Settings: _idq250,
        TpmSettings: _tpm,
        CharacterSettings: _character,
        ProfileSettings: _profiled,
        SoftwareSettings: _software,
    }
    return makers[type(settings)](settings)


def _microrng(settings: MicroRngSettings) -> Qrng:
    from drivers.qrng.microrng import MicroRng

    return MicroRng(device=settings.device, speed_hz=settings.speed_hz)


def _qcicada(settings: QCicadaSettings) -> Qrng:
    from drivers.qrng.qcicada import QCicada
    from drivers.qrng.qcicada_protocol import Postprocess

    word = settings.postprocess
    mode = None if word is None else Postprocess[word.upper().replace("-", "_")]
    return QCicada(device=settings.device, public_key=settings.public_key, postprocess=mode)


def _idq250(settings: Idq250Settings) -> Qrng:
    from drivers.qrng.idq250 import Idq250

    return Idq250(device=settings.device, address=settings.address, power_gpio=settings.power_gpio)


def _tpm(settings: TpmSettings) -> Qrng:
    from drivers.qrng.tpm import Tpm

    return Tpm(device=settings.device)


def _character(settings: CharacterSettings) -> Qrng:
    from drivers.qrng.character import CharacterDevice

    return CharacterDevice(path=settings.path, name=settings.name, kernel=settings.kernel)


def _profiled(settings: ProfileSettings) -> Qrng:
    from drivers.qrng.profile import ProfiledChip

    return ProfiledChip(_profile(settings.file), device=settings.device)


def _software(_: SoftwareSettings) -> Qrng:
    from drivers.qrng.software import SoftwareQrng

    return SoftwareQrng()


def _emulated(settings: EmulatedSettings) -> Qrng:
    """The real driver on a model of its device that is broken as the settings say."""
    from drivers.emulated.faults import parse_fault

    try:
        faults = (parse_fault(settings.fault),) if settings.fault else ()
    except ValueError as error:
        raise ConfigError(Reason.CONFIG, f"fault: {error}", _nearest_fault(settings.fault or "")) from None
    match settings:
        case EmulatedQCicadaSettings():
            from drivers.emulated.qcicada import EmulatedQCicada
            from drivers.qrng.qcicada import QCicada

            return QCicada(port=EmulatedQCicada(faults=faults))
        case EmulatedIdq250Settings():
            from drivers.emulated.idq250 import EmulatedIdq250
            from drivers.qrng.idq250 import Idq250

            chip = EmulatedIdq250(faults=faults)
            return Idq250(bus=chip, power=chip.power)
        case EmulatedTpmSettings():
            from drivers.emulated.tpm import EmulatedTpm
            from drivers.qrng.tpm import Tpm

            return Tpm(channel=EmulatedTpm(faults=faults))
        case EmulatedCharacterSettings():
            from drivers.emulated.character import EmulatedCharacter
            from drivers.qrng.character import CharacterDevice

            return CharacterDevice(channel=EmulatedCharacter(faults=faults))
        case EmulatedProfileSettings():
            from drivers.emulated.profile import EmulatedChip
            from drivers.qrng.profile import ProfiledChip

            profile = _profile(settings.file)
            return ProfiledChip(profile, bus=EmulatedChip(profile, faults=faults))
    from drivers.emulated.microrng import EmulatedMicroRng
    from drivers.qrng.microrng import MicroRng

    return MicroRng(bus=EmulatedMicroRng(faults=faults))


def _nearest_fault(text: str) -> str:
    from drivers.emulated.faults import FaultKind

    kind = re.split("[=@+]", text)[0]
    near = difflib.get_close_matches(kind, [*FaultKind], n=1)
    if kind in [*FaultKind]:
        return f"correct what follows `{kind}`: docs/entropy.md has the values that it can have"
    return f"did you mean `{near[0]}`?" if near else "name a fault as docs/entropy.md lists them"


def _profile(path: str) -> "Profile":
    from drivers.qrng.profile import load_profile

    try:
        return load_profile(path)
    except QrngError as error:
        raise ConfigError(Reason.CONFIG, f"{error.reason.value}: {error.detail}", error.remedy) from None


def _discovered(_: DiscoverSettings) -> Qrng:
    """The first source on this machine that opens and says what it is. Raises EntropyUnavailable where none does."""
    from drivers.qrng.discover import discover

    tried = []
    for found in (candidate for candidate in discover() if candidate.main):
        source = make_qrng(candidate_settings(found))
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


def commissioned_credit(settings: EntropySettings) -> Fraction | None:
    """Bits of min-entropy in a sample that commissioning allows, None where the device was not commissioned.

    Raises ConfigError where the report cannot be read.
    """
    if settings.commissioned is None:
        return None
    if not isinstance(settings.commissioned, str):
        return Fraction(str(settings.commissioned))
    return _report_credit(Path(settings.commissioned))


def _report_credit(path: Path) -> Fraction:
    try:
        credit = json.loads(path.read_text(encoding="utf-8"))["credit"]
        return Fraction(str(credit))
    except OSError as error:
        detail = f"{path}: {error.strerror}"
    except (ValueError, KeyError, TypeError):
        detail = f"{path}: not a report of `speckled qrng commission`"
    raise ConfigError(Reason.CONFIG, detail, "name its report.json in [entropy] commissioned, or remove the key")


def candidate_settings(found: "Candidate") -> SourceSettings:
    """The settings that try a node which discovery found."""
    if found.driver == "character":
        return CharacterSettings(path=found.path)
    return source_from({"driver": found.driver, "device": found.path})
