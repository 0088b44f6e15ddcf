"""The settings of entropy sources, as they stand in [qrng] and [entropy] of speckled.toml."""

from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

S = TypeVar("S", bound=Struct)
LOWEST_ADDRESS, HIGHEST_ADDRESS = 0x08, 0x77
"""Of I2C; the others are reserved (NXP UM10204, 3.1.12)."""
GPIO_LINE = r"^(/dev/)?gpiochip[0-9]+:[0-9]+$"
Credit = Annotated[float, Meta(gt=0, le=7.2)]


class DiscoverSettings(
    Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driver", tag="discover"
):
    """The first real source found on this machine; never an emulated or software one."""


class MicroRngSettings(
    Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driver", tag="microrng"
):
    """A TectroLabs MicroRNG on SPI. `speed_hz`: None looks for the fastest clock that passes the link test."""

    device: str = "/dev/spidev0.0"
    speed_hz: Annotated[int, Meta(ge=10_000, le=60_000_000)] | None = None


class QCicadaSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driver", tag="qcicada"):
    """A Crypta Labs QCicada on a serial port.

    public_key: of the device or of who signed its certificate; it must then sign what it gives. postprocess: what it
    does to its samples, None for the rawest that it offers.
    """

    device: str = "/dev/ttyUSB0"
    public_key: str | None = None
    postprocess: Literal["raw-noise", "raw-samples", "sha256"] | None = None


class Idq250Settings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driver", tag="idq250"):
    """An ID Quantique IDQ250C2 on I2C, at an `address` that no public source states.

    power_gpio: the line of its power-down pin, as CHIP:NUMBER; None where the pin is wired high.
    """

    device: str = "/dev/i2c-1"
    address: Annotated[int, Meta(ge=LOWEST_ADDRESS, le=HIGHEST_ADDRESS)] | None = None
    power_gpio: Annotated[str, Meta(pattern=GPIO_LINE)] | None = None


class TpmSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driver", tag="tpm"):
    """A TPM 2.0 through the kernel's resource manager."""

    device: str = "/dev/tpmrm0"


class CharacterSettings(
    Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driver", tag="character"
):
    """A character device that gives random bytes: the kernel's hwrng, a Quantis.

    name: what the operator says that it is. kernel: what the kernel must call it, None for whatever it says.
    """

    path: str = "/dev/hwrng"
    name: Annotated[str, Meta(max_length=40)] | None = None
    kernel: str | None = None


class ProfileSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driver", tag="profile"):
    """A chip on SPI that the profile `file` describes."""

    file: str
    device: str = "/dev/spidev0.0"


class SoftwareSettings(
    Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driver", tag="software"
):
    """The operating system's generator. Every observation says `simulated`."""


class EmulatedSettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="driver"):
    """A device that exists in software only, with a fault if one is named. Every observation says `simulated`."""

    fault: str | None = None


class EmulatedMicroRngSettings(EmulatedSettings, frozen=True, tag="emulated-microrng"):
    """An emulated MicroRNG."""


class EmulatedQCicadaSettings(EmulatedSettings, frozen=True, tag="emulated-qcicada"):
    """An emulated QCicada."""


class EmulatedIdq250Settings(EmulatedSettings, frozen=True, tag="emulated-idq250"):
    """An emulated IDQ250C2."""


class EmulatedTpmSettings(EmulatedSettings, frozen=True, tag="emulated-tpm"):
    """An emulated TPM."""


class EmulatedCharacterSettings(EmulatedSettings, frozen=True, tag="emulated-character"):
    """An emulated character device."""


class EmulatedProfileSettings(EmulatedSettings, frozen=True, tag="emulated-profile", kw_only=True):
    """The chip that the profile `file` describes, emulated."""

    file: str


SourceSettings = (
    MicroRngSettings
    | QCicadaSettings
    | Idq250Settings
    | TpmSettings
    | CharacterSettings
    | ProfileSettings
    | SoftwareSettings
    | EmulatedMicroRngSettings
    | EmulatedQCicadaSettings
    | EmulatedIdq250Settings
    | EmulatedTpmSettings
    | EmulatedCharacterSettings
    | EmulatedProfileSettings
)
QrngSettings = DiscoverSettings | SourceSettings


class EntropySettings(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How samples become noise.

    rate: `true-random` spends one bit of credited entropy for each bit of noise; `drbg` stretches a seed for each
    window, which every observation says. partners: sources whose output is combined with that of [qrng] by XOR;
    all of them must be healthy. commissioned: the JSON report of `speckled qrng commission`, or a number of bits;
    either can lower what a sample is credited with, and never raise it.
    """

    rate: Literal["true-random", "drbg"] = "true-random"
    partners: Annotated[tuple[SourceSettings, ...], Meta(max_length=4)] = ()
    commissioned: str | Credit | None = None


def source_from(tree: dict[str, str | int]) -> SourceSettings:
    """The settings of one source from its keys, `driver` among them. Raises msgspec.ValidationError."""
    source: SourceSettings = msgspec.convert(tree, SourceSettings)
    return source


def source_name(settings: QrngSettings) -> str:
    """The source as the command line names it, such as `microrng:/dev/spidev0.0` or `emulated:tpm`."""
    kind = str(settings.__struct_config__.tag)
    if isinstance(settings, ProfileSettings):
        return f"{kind}:{settings.file}@{settings.device}"
    if isinstance(settings, Idq250Settings) and settings.address is not None:
        return f"{kind}:{settings.device}@{settings.address:#04x}"
    if isinstance(settings, EmulatedSettings):
        kind = kind.replace("emulated-", "emulated:")
        return f"{kind}:{settings.file}" if isinstance(settings, EmulatedProfileSettings) else kind
    node = source_node(settings)
    return kind if node is None else f"{kind}:{node}"


def source_node(settings: QrngSettings) -> str | None:
    """The device node that a source needs, or None where it needs none or is not chosen yet."""
    if isinstance(settings, CharacterSettings):
        return settings.path
    return getattr(settings, "device", None)


def absolute_source(settings: QrngSettings, base: Path) -> QrngSettings:
    """The same source with absolute paths of its files, which were relative to `base`. Nodes stay as they are."""
    return absolute(settings, base, "file", "public_key")


def absolute(struct: S, base: Path, *names: str) -> S:
    """`struct` with those of its fields that hold a path made absolute; a field that is None or absent is left."""
    found = {name: getattr(struct, name, None) for name in names}
    return msgspec.structs.replace(struct, **{k: str(base / v) for k, v in found.items() if isinstance(v, str)})
