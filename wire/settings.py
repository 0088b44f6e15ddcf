"""Layers of settings as a frozen struct. Both ends of the wire are configured this way."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from wire.exit import Exit
from wire.layers import Layer, LayerError, Layers, from_assignments, from_environment, read_drop_ins, read_file

T = TypeVar("T", bound=msgspec.Struct)


class SettingsError(ValueError):
    """A settings or key file that cannot be used: what is wrong, where, and in `remedy` what to do."""

    exit = Exit.CONFIG

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.detail = detail
        self.remedy = remedy


def read_layers(
    path: Path | None,
    kind: type[msgspec.Struct],
    *,
    drop_ins: str,
    prefix: str,
    but: Sequence[str] = (),
    environment: Mapping[str, str] = os.environ,
    assignments: Sequence[str] = (),
) -> Layers:
    """A settings file, the drop-ins in a folder beside it, the environment, and the command line; the last counts most.

    Args:
        path: the file; without one there are no drop-ins either.
        kind: what the settings should be.
        drop_ins: the name of the folder.
        prefix: of the variables.
        but: prefixes of variables that are somebody else's.
        environment: of the process.
        assignments: of the command line, as `mqtt.port=8883`.

    Raises:
        SettingsError: one of them cannot be read, or is not TOML.
    """
    try:
        layers: list[Layer | None] = [] if path is None else [read_file(path), *read_drop_ins(path.parent / drop_ins)]
        layers.append(from_environment(environment, prefix, kind=kind, but=but))
        layers.append(from_assignments(assignments, kind=kind))
    except LayerError as error:
        raise SettingsError(error.detail, error.remedy) from None
    return Layers(tuple(layer for layer in layers if layer is not None))


def settings_from(layers: Layers, kind: type[T], *, lister: str = "") -> T:
    """Validate. An unknown key is an error with a suggestion, never ignored.

    Args:
        layers: what was read.
        kind: what it should be.
        lister: the command that lists all faults, where there is one.

    Raises:
        SettingsError: with the first fault, and how many more there are.
    """
    try:
        return msgspec.convert(layers.tree, kind)
    except msgspec.ValidationError:
        from wire.faults import find_faults  # noqa: PLC0415 (start-up time: only where something is wrong)

        first, *others = find_faults(layers, kind)
        listed = f": `{lister}` lists them" if lister else ""
        more = f" (and {len(others)} more{listed})" if others else ""
        raise SettingsError(first.detail + more, first.remedy) from None
