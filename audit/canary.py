"""Known frames are looked for in captured bytes, in every form in which something of them could leave."""

import base64
import binascii
import re
import zlib
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.uint64]
Plane = NDArray[np.uint8]
PIXELS = 16
"""Neighbouring pixels that count as a leak. Any 31 in a row hold 16 that begin at a multiple of 16."""
NUMBERS = 4
"""Neighbouring numbers of a grid that count as a leak."""
DEPTH = 3
"""How many encodings inside each other are taken off."""
MOST = 1 << 24
"""Bytes that one compressed stream may become."""
_FACTOR = 0x9E3779B97F4A7C15
_TABLE_BITS = 22
_INTEGER_TYPES = ("<u2", ">u2", "<i4", ">i4", "<i8", ">i8")
_FLOAT_TYPES = ("<f2", ">f2", "<f4", ">f4", "<f8", ">f8")
_IMAGES = re.compile(rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|RIFF....WEBP|GIF8[79]a", re.DOTALL)
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{40,}")
_HEX = re.compile(rb"[0-9A-Fa-f]{32,}")
_DECIMAL = re.compile(rb"\d{1,18}")
_FORMS: dict[str, Callable[[Plane], Plane]] = {
    "rows": lambda plane: plane,
    "rows from right to left": lambda plane: plane[:, ::-1],
    "columns": lambda plane: plane.T,
    "every second pixel": lambda plane: plane[:, ::2],
    "the negative": lambda plane: 255 - plane,
}


class Canary:
    """What must not leave, and a search for it.

    A pixel is found by itself, as an integer or a float of any width and byte order, as a float in 0..1, as one of two
    to four channels, or as a decimal number in text; all that inside deflate, base64, hexadecimal, or one in the
    other. An image file is a finding whatever it shows. What is found says which secret and in which form, never a
    pixel.
    """

    def __init__(self) -> None:
        self._names: list[str] = []
        self._needles: dict[int, list[tuple[int, Integers]]] = {PIXELS: [], NUMBERS: []}
        self._indices: dict[int, _Index] | None = None

    def add_frame(self, name: str, plane: Plane) -> None:
        """Look for any 31 pixels in a row of `plane` (height, width), unless they have fewer than 8 values."""
        for form, change in _FORMS.items():
            changed = change(plane)
            width = changed.shape[1] // PIXELS * PIXELS
            self._add(f"{name}, {form}", PIXELS, changed[:, :width].reshape(-1, PIXELS), distinct=8)

    def add_numbers(self, name: str, values: NDArray[np.integer]) -> None:
        """Look for any four neighbours of an integer grid in the order of its rows, unless they are nearly equal."""
        flat = values.astype(np.int64).ravel()
        if flat.size >= NUMBERS:
            self._add(name, NUMBERS, np.lib.stride_tricks.sliding_window_view(flat, NUMBERS), distinct=3)

    def add_floats(self, name: str, values: NDArray[np.floating]) -> None:
        """Look for any four neighbours of a grid of fractions, as 32-bit and 64-bit floats."""
        self.add_numbers(name, np.ascontiguousarray(values, "<f4").view("<i4"))
        self.add_numbers(name, np.ascontiguousarray(values, "<f8").view("<i8"))

    def find(self, data: bytes) -> set[tuple[str, str]]:
        """Every (secret, form) that is found in `data`; empty where nothing is."""
        return set(self._search(data, "", DEPTH))

    def _search(self, data: bytes, form: str, depth: int) -> Iterator[tuple[str, str]]:
        if self._indices is None:
            self._indices = {length: _Index(needles) for length, needles in self._needles.items()}
        for kind, sequence in _sequences(data):
            hashes = _hashes(sequence)
            for length, index in self._indices.items():
                for number in index.find(hashes[length]):
                    yield self._names[number], form + kind
        for image in _images(data):
            yield image, form + "image file"
        if depth:
            for kind, inner in _opened(data):
                yield from self._search(inner, f"{form}{kind}, ", depth - 1)

    def _add(self, name: str, length: int, needles: NDArray[np.generic], *, distinct: int) -> None:
        ordered = np.sort(needles, axis=1)
        telling = needles[np.count_nonzero(np.diff(ordered, axis=1), axis=1) + 1 >= distinct]
        if len(telling):
            self._indices = None
            words = telling.astype(np.int64).view(np.uint64)
            self._names.append(name)
            # Needle by needle behind each other, so only every length-th hash is one of a needle.
            self._needles[length].append((len(self._names) - 1, _hashes(words.ravel())[length][::length]))


class _Index:
    """Hashes of needles, and whose they are."""

    def __init__(self, needles: list[tuple[int, Integers]]) -> None:
        empty = np.zeros(0, np.uint64)
        hashes = np.concatenate([empty, *(found for _, found in needles)])
        owners = np.concatenate([empty, *(np.full(len(found), owner, np.uint64) for owner, found in needles)])
        order = np.argsort(hashes)
        self._hashes, self._owners = hashes[order], owners[order]
        self._table = np.zeros(1 << _TABLE_BITS, np.bool_)
        self._table[hashes >> np.uint64(64 - _TABLE_BITS)] = True

    def find(self, hashes: Integers) -> set[int]:
        """The owners of all needles among `hashes`."""
        likely = hashes[self._table[hashes >> np.uint64(64 - _TABLE_BITS)]]
        if not likely.size:
            return set()
        place = np.minimum(np.searchsorted(self._hashes, likely), len(self._hashes) - 1)
        return set(self._owners[place[self._hashes[place] == likely]].tolist())


def _hashes(sequence: Integers) -> dict[int, Integers]:
    """The hash of every run of PIXELS and of NUMBERS neighbours: a polynomial in an odd number, modulo 2^64.

    The numbers are mixed first (the finaliser of SplitMix64, without its last step): a product keeps zeros at the end,
    and floats with short fractions, as padded pages of a file, have many.
    """
    for shift, multiplier in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        sequence = (sequence ^ (sequence >> np.uint64(shift))) * np.uint64(multiplier)
    found: dict[int, Integers] = {}
    length, factor = 1, _FACTOR
    while length < PIXELS:
        sequence = sequence[:-length] * np.uint64(factor) + sequence[length:]
        length, factor = 2 * length, factor * factor % 2**64
        found[length] = sequence
    return found


def _sequences(data: bytes) -> Iterator[tuple[str, Integers]]:
    """`data` read as integers in each way in which someone could have written them."""
    raw = np.frombuffer(data, np.uint8)
    yield "bytes", raw.astype(np.uint64)
    for step in (2, 3, 4):
        for offset in range(step):
            yield f"one channel of {step}", raw[offset::step].astype(np.uint64)
    for kind in _INTEGER_TYPES:
        for values in _read(raw, kind):
            yield kind, values.astype(np.int64).view(np.uint64)
    for kind in _FLOAT_TYPES:
        for values in _read(raw, kind):
            with np.errstate(all="ignore"):
                wide = values.astype(np.float64)
                yield kind, _whole(wide, tolerance=0)
                yield f"{kind} in 0..1", _whole(np.where(wide <= 1, wide * 255, -1), tolerance=0.2)
    numbers = [int(number) for number in _DECIMAL.findall(data)]
    yield "text", np.array(numbers, np.uint64)


def _read(raw: NDArray[np.uint8], kind: str) -> Iterator[NDArray[np.generic]]:
    """The values of one type, from each offset at which the first of them could begin."""
    size = np.dtype(kind).itemsize
    for offset in range(size):
        count = max(0, len(raw) - offset) // size
        yield np.ndarray((count,), kind, raw, offset) if count else np.zeros(0, kind)


def _whole(values: NDArray[np.float64], *, tolerance: float) -> Integers:
    """The nearest integers; -1 where a value is too far from one, is none, or is negative."""
    nearest = np.rint(values)
    whole = (np.abs(values - nearest) <= tolerance) & (values >= 0) & (values < 2**53)
    return np.where(whole, nearest, -1).astype(np.int64).view(np.uint64)


def _images(data: bytes) -> Iterator[str]:
    for match in _IMAGES.finditer(data):
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8)[match.start() :], cv2.IMREAD_GRAYSCALE)
        except cv2.error:
            continue
        if image is not None:
            yield f"an image of {image.shape[1]} x {image.shape[0]}"


def _opened(data: bytes) -> Iterator[tuple[str, bytes]]:
    """What is encoded inside `data`, from wherever it begins."""
    yield from _inflated(data)
    for match in _BASE64.finditer(data):
        text = match[0].translate(bytes.maketrans(b"-_", b"+/"))
        for phase in range(4):
            whole = text[phase : phase + (len(text) - phase) // 4 * 4]
            yield "base64", base64.b64decode(whole)
    for match in _HEX.finditer(data):
        for phase in range(2):
            whole = match[0][phase : phase + (len(match[0]) - phase) // 2 * 2]
            yield "hexadecimal", binascii.unhexlify(whole)


def _inflated(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Streams with a header (RFC 1950, 2.2; RFC 1952, 2.3) wherever they begin, one without at the start."""
    raw = np.frombuffer(data, np.uint8).astype(np.uint16)
    first, second = raw[:-1], raw[1:]
    zlibs = np.flatnonzero((first & 0x0F == 8) & (first >> 4 < 8) & ((first * 256 + second) % 31 == 0)).tolist()
    gzips = np.flatnonzero((first == 0x1F) & (second == 0x8B)).tolist()
    view = memoryview(data)
    for start, bits, kind in [
        (0, -15, "deflate"),
        *((s, 15, "zlib") for s in zlibs),
        *((s, 31, "gzip") for s in gzips),
    ]:
        try:
            inner = zlib.decompressobj(bits).decompress(view[start:], MOST)
        except zlib.error:
            continue
        if len(inner) >= PIXELS:
            yield kind, inner
