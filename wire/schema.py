"""The values that cross the wire. `observation.cddl` says the same for readers in other languages.

Every struct is frozen and refuses unknown fields; ranges stand in the annotations and are enforced when a
message is decoded. Shapes of arrays are checked when a Features is made, on both sides.
"""

import math
from fractions import Fraction
from typing import Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from wire.errors import WireError, WireReason
from wire.topics import DEVICE_PATTERN

VERSION: Literal[1] = 1
MAX_MESSAGE = 65536
"""Bytes of one signed message. Below every broker's usual limit, and one datagram of a unix socket."""
MAX_KEYPOINTS = 256
MAX_VECTOR = 512
LARGEST = 127
"""Magnitude of the largest component of a vector that is not zero."""
DESCRIPTOR_BYTES = (8, 32, 128)
"""Of one descriptor: 64 bits, 32 signed bytes, SIFT."""
MAX_FUSED = 64
MAX_PARTNERS = 4

Name = Annotated[str, Meta(min_length=1, max_length=64)]
DeviceId = Annotated[str, Meta(pattern=DEVICE_PATTERN)]
Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
Epoch = Annotated[bytes, Meta(min_length=16, max_length=16)]
Count = Annotated[int, Meta(ge=0, le=2**62)]
Positive = Annotated[int, Meta(ge=1, le=2**62)]
Milliseconds = Annotated[int, Meta(ge=0, le=2**53)]
Guarantee = Literal["exposure-dp", "local-dp", "metric-dp", "dataset-dp", "none"]


class Receipt(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the device's ledger charged this release: proof that the charge came first.

    `hash` is the hash of the ledger entry at `position`, `previous` that of the entry before it.
    """

    epoch: Epoch
    position: Positive
    previous: Hash
    hash: Hash


class Unit(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The exposure that ε is stated for: `visits` visits, each shorter than `seconds`, of at most `pixels` pixels.

    `frames` is the number of frames that one such visit can touch at the frame rate of the statement.
    """

    visits: Positive
    seconds: Annotated[int, Meta(ge=0, le=2**40)]
    frames: Positive
    pixels: Positive

    @property
    def exposure(self) -> int:
        """E0, in (pixel, frame) pairs."""
        return self.visits * self.frames * self.pixels

    def describe(self) -> str:
        """The unit in words, for people."""
        size = f"at most {self.pixels} pixels in view of this camera"
        if self.seconds == 0:
            return f"one frame with {size}"
        minutes, rest = divmod(self.seconds, 60)
        length = f"{self.seconds} s" if rest or minutes == 0 else f"{minutes} min"
        if minutes >= 120 and minutes % 60 == 0 and not rest:
            length = f"{minutes // 60} h"
        if self.visits == 1:
            return f"one visit shorter than {length} with {size}"
        return f"{self.visits} visits, each shorter than {length}, with {size}"


class Lut(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The public integer function applied to each pixel.

    parameter: the offset of log, the lower bound of clip, τ of residual, 0 of linear.
    """

    name: Literal["linear", "log", "clip", "residual"]
    range: Positive
    parameter: Count


class Entropy(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the noise came from, and what is claimed of the source.

    `credit` is the min-entropy in bits credited to each sample of `sample_bits` bits. construction: rbg3-xor is
    conditioned full entropy XOR a DRBG; drbg is computational, expanded by a DRBG that is seeded for each window.
    partners: drivers of further sources, without credit, that are XORed into every byte.
    """

    source: Name
    model: Annotated[str, Meta(max_length=64)]
    sample_bits: Annotated[int, Meta(ge=1, le=64)]
    credit: Fraction
    conditioning: Name
    construction: Literal["rbg3-xor", "drbg"]
    partners: Annotated[list[Name], Meta(max_length=MAX_PARTNERS)]
    simulated: bool

    @property
    def computational(self) -> bool:
        """Whether the noise is only as hard to predict as a cipher, not full entropy."""
        return self.construction == "drbg"

    def describe(self) -> str:
        """How the bits were made, in words, for people."""
        made = "computational: expanded by a DRBG" if self.computational else "full entropy XOR a DRBG"
        return f"{made}, XOR {', '.join(self.partners)}" if self.partners else made


class Statement(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The privacy statement: everything needed to recompute ε, as exact numbers.

    `slope` is λ = range / scale of this window. `cost_total` is what each frame costs at most, over all levels that
    share it, and `epsilon` what follows for the unit; `epsilon_level` is the same for this level alone. With Laplace
    noise a window costs its slope, ε is cost_total · unit.exposure, and `rho` and `delta` are 0. With Gaussian noise
    `rho` is that of zCDP, and ε holds together with `delta`. `wire.loss` has the rules for both. `simulated` is true
    where camera, entropy or time was not real.
    """

    mode: Literal["speckle"]
    guarantee: Guarantee
    mechanism: Literal["discrete-laplace", "discrete-gaussian"]
    profile: Name
    unit: Unit
    epsilon: Fraction
    epsilon_level: Fraction
    delta: Fraction
    rho: Fraction
    slope: Fraction
    cost_total: Fraction
    scale: Positive
    lut: Lut
    frames: Positive
    frame_rate: Fraction
    cell: Positive
    rows: Positive
    columns: Positive
    pixel_source: Literal["raw", "luma"]
    entropy: Entropy
    simulated: bool


class Features(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, eq=False):
    """What is described of one map. `wire.features` makes the arrays and reads them again, with units.

    method: what found and described, with its version. model: SHA-256 of its network's file, None without a network.
    codebook: SHA-256 of what else the vector was made with, None where nothing. Features are comparable where these
        three are equal.
    width, height: of the map in frame pixels.
    keypoints: (n, 5) uint8, n ≤ 256, strongest first: x and y in 1/256 of width and height, diameter in quarters of a
        cell (at least 1), strength in quarters of the noise's standard deviation, standard deviation of the position
        in 1/32 cell (0: the method does not tell).
    descriptors: (n, d) uint8. d = 8: 64 bits; 32: signed bytes in two's complement; 128: SIFT.
    vector: (k,) int8, k ≤ 512, of the whole map: its direction only, so the largest magnitude is 127, or all are 0.
    noise: standard deviation of the noise of one cell of the map before denoising, in grey (1/255 of full range).
    fused: ledger positions of the releases in the map, ascending; this observation's is among them.
    """

    method: Name
    model: Hash | None = None
    codebook: Hash | None = None
    width: Positive
    height: Positive
    keypoints: np.ndarray
    descriptors: np.ndarray
    vector: np.ndarray
    noise: Annotated[float, Meta(ge=0)]
    fused: Annotated[list[Positive], Meta(min_length=1, max_length=MAX_FUSED)]

    def __post_init__(self) -> None:
        """Raise WireError(SCHEMA) where an array has a wrong dtype, shape or value."""
        n = np.size(self.keypoints, 0) if np.ndim(self.keypoints) else 0
        d = np.size(self.descriptors, 1) if np.ndim(self.descriptors) == 2 else 0
        _check_array("keypoints", self.keypoints, np.uint8, (n, 5))
        _check_array("descriptors", self.descriptors, np.uint8, (n, d))
        _check_array("vector", self.vector, np.int8, (np.size(self.vector),))
        if n > MAX_KEYPOINTS or len(self.vector) > MAX_VECTOR:
            raise WireError(WireReason.SCHEMA, "too many keypoints or vector components")
        if d not in DESCRIPTOR_BYTES:
            raise WireError(WireReason.SCHEMA, "the descriptors have none of the lengths 8, 32 and 128")
        if (self.keypoints[:, 2] == 0).any():
            raise WireError(WireReason.SCHEMA, "a keypoint without a size")
        if np.abs(self.vector.astype(np.int16)).max(initial=0) not in (0, LARGEST):
            raise WireError(WireReason.SCHEMA, "the vector is neither zero nor scaled to 127")
        if not math.isfinite(self.noise):
            raise WireError(WireReason.SCHEMA, "the noise is not finite")
        if self.fused != sorted(set(self.fused)):
            raise WireError(WireReason.SCHEMA, "fused positions are not ascending")


class Provenance(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What made the observation: software, camera, and the hash of the privacy configuration."""

    software: Name
    camera: Name
    configuration: Hash


class Observation(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, eq=False):
    """The one message that leaves a device with something about what it saw.

    opened, closed: when the window opened and closed, Unix time in ms: data, never a key.
    """

    version: Literal[1] = VERSION
    device: DeviceId
    level: Name
    receipt: Receipt
    opened: Milliseconds
    closed: Milliseconds
    statement: Statement
    features: Features
    provenance: Provenance

    def __post_init__(self) -> None:
        """Raise WireError(SCHEMA) unless the release that was charged here is in the map."""
        if self.receipt.position not in self.features.fused:
            raise WireError(WireReason.SCHEMA, "this observation's release is not among the fused ones")


class Acknowledgement(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The collector's word: of positions since..upto of this epoch, all are stored except those in gaps.

    gaps: ascending, disjoint, inclusive (first, last) pairs within since..upto. Nothing is said of positions
    outside since..upto. hash: of the ledger entry at upto, from its receipt. It covers the whole ledger up to there, so
    a device whose ledger was put back from a copy can tell that this is not its history.
    """

    version: Literal[1] = VERSION
    device: DeviceId
    epoch: Epoch
    since: Positive
    upto: Positive
    hash: Hash
    gaps: Annotated[list[tuple[Positive, Positive]], Meta(max_length=64)]

    def __post_init__(self) -> None:
        """Raise WireError(SCHEMA) unless the gaps are ascending, disjoint and inside since..upto."""
        edge = self.since - 1
        for first, last in self.gaps:
            if not edge < first <= last <= self.upto:
                raise WireError(WireReason.SCHEMA, "the gaps of an acknowledgement are out of order")
            edge = last
        if self.since > self.upto:
            raise WireError(WireReason.SCHEMA, "an acknowledgement ends before it begins")

    def covers(self, position: int) -> bool:
        """Whether the observation at this position is stored for good."""
        inside = self.since <= position <= self.upto
        return inside and not any(first <= position <= last for first, last in self.gaps)


class Attestation(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What capture found about itself and its machine when it started. A finding it could not make is the worse one.

    code: SHA-256 over the program's files. configuration: as in Provenance. locked_memory: nothing of the process can
    be swapped. swap: where the machine puts what it swaps: `memory` is compressed memory without a disk behind it.
    core_dumps: whether a crash could write the process's memory down. network: whether the process sees any interface
    beside the loopback or may open a network socket. filtered: system calls are filtered (seccomp). privileges:
    whether it holds any capability, or may gain one. read_only_root: whether / is mounted so. exposure: for each unit
    ten times what `systemd-analyze security` says; empty where nobody asked it.
    """

    code: Hash
    configuration: Hash
    locked_memory: bool
    swap: Literal["none", "memory", "disk"]
    core_dumps: bool
    network: bool
    filtered: bool
    privileges: bool
    read_only_root: bool
    exposure: Annotated[dict[Name, Annotated[int, Meta(ge=0, le=100)]], Meta(max_length=8)]


class CaptureReport(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Capture's signed word about itself, which the relay puts into the state message as it is.

    It depends on people, on the schedule and on the health of devices, never on a pixel. entropy: the state of the
    sources. made: observations that were signed since the device's state was made; dropped: those of them that the
    relay never took and capture gave up; waiting: those that capture still has to hand over. aimed: how often somebody
    looked at edges of what the camera sees (`speckled aim`), which no guarantee covers.
    """

    version: Literal[1] = VERSION
    device: DeviceId
    at: Milliseconds
    state: Literal["starting", "observing", "switched-off", "ended"]
    entropy: Literal["starting", "healthy", "suspect", "failed"]
    made: Count
    dropped: Count
    waiting: Count
    aimed: Count
    attestation: Attestation


class State(Struct, frozen=True, forbid_unknown_fields=False, kw_only=True):
    """Retained JSON on the state topic. The last will says offline for the same session as the birth.

    capture: what capture last said of itself, and `signed` its envelope in base64: a COSE_Sign1 of a CaptureReport for
    this topic, by the device's key. The rest is the relay's word. None where capture has said nothing to this relay.
    """

    state: Literal["online", "offline"]
    session: str
    software: str
    capture: CaptureReport | None = None
    signed: str | None = None


class Health(Struct, frozen=True, forbid_unknown_fields=False, kw_only=True):
    """JSON on the health topic: what became of every observation, counted since the relay's outbox was made.

    made, dropped, spooled: as capture last said (made, dropped and waiting of its CaptureReport), None before its first
    word; accepted: let in by the guard and committed by the outbox; sent: publishes, each repetition too; acknowledged:
    freed by the collector's word; waiting: still in the outbox; evicted: given up by the outbox's bounds, by cause
    (size, age); lost: what is none of these, see docs/delivery.md, 0 unless something went wrong; set_aside: damaged
    files of the outbox that were replaced; refused: messages that the guard turned away, by reason; forked:
    acknowledgements that freed nothing, as the collector holds another history of the ledger than this device; capture:
    whether a capture process is connected now; released: accepted observations by level; epsilon: of the privacy unit
    over all levels, as the device's settings promise it.
    """

    session: str
    made: int | None
    dropped: int | None
    spooled: int | None
    accepted: int
    sent: int
    acknowledged: int
    waiting: int
    evicted: dict[str, int]
    lost: int
    set_aside: int
    refused: dict[str, int]
    forked: int
    capture: bool
    released: dict[str, int] = {}
    epsilon: float | None = None


def _check_array(name: str, array: NDArray[np.generic], dtype: type[np.generic], shape: tuple[int, ...]) -> None:
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.shape != shape:
        raise WireError(WireReason.SCHEMA, f"{name} is not an array of {dtype.__name__} with shape {shape}")


JSON_STRUCTS: tuple[type[msgspec.Struct], ...] = (State, Health)
