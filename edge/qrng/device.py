"""Sources as words on the command line, such as `microrng:/dev/spidev0.0` or `emulated:tpm`."""

import argparse
import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from edge.config import Settings, load
from edge.errors import ConfigError, Reason
from edge.sources import (
    HIGHEST_ADDRESS,
    LOWEST_ADDRESS,
    EmulatedSettings,
    EntropySettings,
    QrngSettings,
    source_from,
    source_name,
)

WORDS: Final = (
    "microrng[:NODE], qcicada[:NODE], idq250:NODE@ADDRESS, tpm[:NODE], character[:NODE], profile:FILE[@NODE], "
    "software, emulated:microrng, emulated:qcicada, emulated:idq250, emulated:tpm, emulated:character, "
    "emulated:profile:FILE"
)
_NODE_OF = {
    "microrng": "device",
    "qcicada": "device",
    "idq250": "device",
    "tpm": "device",
    "character": "path",
    "profile": "file",
    "software": None,
}
_EMULATED = ("microrng", "qcicada", "idq250", "tpm", "character", "profile")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The source that a command works on. settings: the whole file where it came from one, else None."""

    qrng: QrngSettings
    entropy: EntropySettings
    settings: Settings | None

    @property
    def name(self) -> str:
        """As the command line names it."""
        return source_name(self.qrng)

    @property
    def option(self) -> str:
        """The words that name the same source again, for a remedy that quotes a command."""
        return f"--device {self.name}" if self.settings is None else "--config FILE"


def add_device_options(parser: argparse.ArgumentParser) -> None:
    """The options that `choose` reads."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--device", metavar="KIND[:NODE]", help=f"one of {WORDS}")
    source.add_argument("--config", type=Path, metavar="FILE", help="the source that a speckled.toml names")
    parser.add_argument(
        "--fault", metavar="KIND[=VALUE][@AFTER][+LENGTH]", help="break an emulated device so, for example bias=0.6"
    )


def choose(options: argparse.Namespace) -> Chosen:
    """The source that the options name. Raises ConfigError with a suggestion."""
    if options.config is None:
        return Chosen(parse_device(options.device, options.fault), EntropySettings(), None)
    settings = load(options.config)
    qrng = settings.qrng if options.fault is None else _broken(settings.qrng, options.fault)
    return Chosen(qrng, settings.entropy, settings)


def parse_device(text: str, fault: str | None = None) -> QrngSettings:
    """Read KIND[:NODE]. `fault` is for emulated sources only. Raises ConfigError with a suggestion."""
    kind, _, rest = text.partition(":")
    if kind == "emulated":
        settings = _emulated(rest)
    elif kind not in _NODE_OF:
        raise _no_such(kind, text, [*_NODE_OF, "emulated"])
    else:
        settings = _real(kind, rest)
    return settings if fault is None else _broken(settings, fault)


def _real(kind: str, rest: str) -> QrngSettings:
    field = _NODE_OF[kind]
    if kind == "profile":
        rest, _, node = rest.partition("@")
        return _settings(kind, field, rest, {"device": node} if node else {})
    if kind == "idq250":
        rest, _, address = rest.partition("@")
        return _settings(kind, field, rest, {"address": _address(address)} if address else {})
    if field is None and rest:
        raise ConfigError(Reason.CONFIG, f"--device {kind} has no node", f"write --device {kind}")
    return _settings(kind, field, rest, {})


def _address(text: str) -> int:
    try:
        address = int(text, 0)
    except ValueError:
        address = 0
    if not LOWEST_ADDRESS <= address <= HIGHEST_ADDRESS:
        raise ConfigError(
            Reason.CONFIG, f"`{text}` is no I2C address", "write a number from 0x08 to 0x77, such as 0x28"
        )
    return address


def _emulated(text: str) -> QrngSettings:
    chip, _, file = text.partition(":")
    if chip not in _EMULATED:
        raise _no_such(chip, f"emulated:{text}", list(_EMULATED), "emulated:")
    if file and chip != "profile":
        raise ConfigError(Reason.CONFIG, f"--device emulated:{chip} has no node", f"write --device emulated:{chip}")
    return _settings(f"emulated-{chip}", "file" if chip == "profile" else None, file, {})


def _settings(driver: str, field: str | None, value: str, more: dict[str, str | int]) -> QrngSettings:
    if field == "file" and not value:
        word = driver.replace("-", ":")
        raise ConfigError(Reason.CONFIG, f"--device {word} names no profile", f"write --device {word}:FILE.toml")
    named: dict[str, str | int] = {field: value} if field is not None and value else {}
    return source_from({"driver": driver, **named, **more})


def _broken(settings: QrngSettings, fault: str) -> QrngSettings:
    if not isinstance(settings, EmulatedSettings):
        raise ConfigError(
            Reason.CONFIG,
            f"--fault is for emulated devices, and {source_name(settings)} is not one",
            "name one such as --device emulated:microrng, or leave out --fault",
        )
    return msgspec.structs.replace(settings, fault=fault)


def _no_such(kind: str, text: str, kinds: list[str], prefix: str = "") -> ConfigError:
    near = difflib.get_close_matches(kind, kinds, n=1)
    remedy = f"did you mean {prefix}{near[0]}?" if near else f"name one of {WORDS}"
    return ConfigError(Reason.CONFIG, f"there is no source `{text}`", remedy)
