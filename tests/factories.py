"""Whole, consistent messages for tests of either end of the wire."""

import hashlib
from fractions import Fraction

import msgspec
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wire.codec import encode
from wire.cose import sign
from wire.features import quantise, quantise_vector
from wire.schema import (
    Attestation,
    CaptureReport,
    Entropy,
    Features,
    Lut,
    Observation,
    Provenance,
    Receipt,
    Statement,
    Unit,
)
from wire.topics import Topics

WIDTH, HEIGHT, CELL = 640, 480, 16


def ledger_hash(epoch: bytes, position: int) -> bytes:
    """The hash of the ledger entry at a position: made up, but the same each time, so that neighbours chain."""
    return hashlib.sha256(epoch + position.to_bytes(8, "big")).digest()


def make_statement(*, simulated: bool = True) -> Statement:
    unit = Unit(visits=1, seconds=600, frames=600, pixels=1024)
    scale = 255 * unit.exposure
    slope = Fraction(255, scale)
    return Statement(
        mode="speckle",
        guarantee="exposure-dp",
        mechanism="discrete-laplace",
        profile="map-day",
        unit=unit,
        epsilon=slope * unit.exposure,
        epsilon_level=slope * unit.exposure,
        delta=Fraction(0),
        rho=Fraction(0),
        slope=slope,
        cost_total=slope,
        scale=scale,
        lut=Lut(name="linear", range=255, parameter=0),
        frames=86400,
        frame_rate=Fraction(1),
        cell=CELL,
        rows=HEIGHT // CELL,
        columns=WIDTH // CELL,
        pixel_source="luma",
        entropy=Entropy(
            source="emulated-microrng",
            model="MicroRNG emulator",
            sample_bits=8,
            credit=Fraction(4),
            conditioning="hmac-sha-512",
            construction="rbg3-xor",
            partners=[],
            simulated=simulated,
        ),
        simulated=simulated,
    )


def make_features(
    position: int, *, place: int = 1, keypoints: int = 60, jitter: float = 0.5, fused: list[int] | None = None
) -> Features:
    """Keypoints of one place, a little moved and noisy each time; other places share nothing."""
    scene, moved = np.random.default_rng(place), np.random.default_rng([place, position])
    xy = scene.uniform((20, 20), (WIDTH - 20, HEIGHT - 20), (keypoints, 2)) + moved.normal(0, jitter, (keypoints, 2))
    diameters, strengths = scene.uniform(1, 5, keypoints), -np.sort(-scene.uniform(1, 20, keypoints))
    points = quantise(
        (xy + 0.5) / CELL - 0.5,
        diameters,
        strengths,
        2 / strengths,
        cell=CELL,
        width=WIDTH,
        height=HEIGHT,
    )
    clean = np.random.default_rng([place, 7]).gamma(0.6, 40, (keypoints, 128))
    noisy = clean + moved.normal(0, 4, clean.shape)
    vector = scene.normal(size=64) + moved.normal(0, 0.05, 64)
    return Features(
        method="sift",
        width=WIDTH,
        height=HEIGHT,
        keypoints=points,
        descriptors=np.clip(noisy, 0, 255).astype(np.uint8),
        vector=quantise_vector(vector),
        noise=10.0,
        fused=fused or [position],
    )


def make_observation(
    device: str,
    position: int,
    epoch: bytes,
    key: Ed25519PrivateKey,
    *,
    root: str = "speckled",
    level: str = "day",
    place: int = 1,
    keypoints: int = 60,
    previous: bytes | None = None,
    opened: int | None = None,
    topic: str | None = None,
    statement: Statement | None = None,
    fused: list[int] | None = None,
) -> tuple[Observation, bytes]:
    """An observation and its signed envelope. Equal arguments give equal bytes."""
    opened = 1_760_000_000_000 + position * 86_400_000 if opened is None else opened
    observation = Observation(
        device=device,
        level=level,
        receipt=Receipt(
            epoch=epoch,
            position=position,
            previous=ledger_hash(epoch, position - 1) if previous is None else previous,
            hash=ledger_hash(epoch, position),
        ),
        opened=opened,
        closed=opened + 86_400_000,
        statement=make_statement() if statement is None else statement,
        features=make_features(position, place=place, keypoints=keypoints, fused=fused),
        provenance=Provenance(software="speckled 0.1.0", camera="synthetic place", configuration=bytes(32)),
    )
    return observation, sign(encode(observation), key, topic or Topics(root, device).observation)


def altered(observation: Observation, **changes: object) -> Observation:
    return msgspec.structs.replace(observation, **changes)


def make_attestation(**changes: object) -> Attestation:
    """What a well-kept device would find about itself."""
    good = Attestation(
        code=bytes(32),
        configuration=bytes(32),
        locked_memory=True,
        swap="none",
        core_dumps=False,
        network=False,
        filtered=True,
        privileges=False,
        read_only_root=True,
        exposure={"speckled-capture.service": 6},
    )
    return msgspec.structs.replace(good, **changes)


def make_report(
    device: str, key: Ed25519PrivateKey, *, topic: str | None = None, **changes: object
) -> tuple[CaptureReport, bytes]:
    """Capture's word about itself, and its envelope."""
    report = CaptureReport(
        device=device,
        at=1_700_000_000_000,
        state="observing",
        entropy="healthy",
        made=3,
        dropped=0,
        waiting=0,
        aimed=0,
        attestation=make_attestation(),
    )
    report = msgspec.structs.replace(report, **changes)
    return report, sign(encode(report), key, topic or Topics("speckled", device).state)
