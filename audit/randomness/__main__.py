"""`python -m audit.randomness --out FOLDER`: undo releases that a seeded generator noised, and fail to undo ours."""

import argparse
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np

from audit.randomness.attacks import DAY, Progress, Undone, exact_share, know_the_wall, try_seconds
from audit.randomness.pictures import write_panels
from audit.randomness.victims import CLOCK_SCALE, TABLE_SCALE, Picture, Table, noised_by_the_clock, room
from edge.devices import make_qrng
from edge.entropy import EntropyPool
from edge.privacy.bits import BitSource
from edge.privacy.sampling.allotment import allotment
from edge.privacy.sampling.law import Laplace
from edge.privacy.sampling.sampler import Sampler
from edge.sources import EmulatedMicroRngSettings

MIDNIGHT = 1_714_521_600
"""1 May 2024, 00:00 UTC: the day that the attacker tries."""
SECOND = 51_234
WALL = 19 * 320
"""Pixels that the second attacker knows: the 19 uppermost rows of 240, where nobody ever stands."""


def main() -> None:
    """Run both attacks on both kinds of noise, print what came of them and write the pictures."""
    parser = argparse.ArgumentParser("python -m audit.randomness", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    folder = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    picture = room()
    pool = EntropyPool(make_qrng(EmulatedMicroRngSettings()), clock=time.monotonic)
    pool.start()
    _say("| attack | noise | what the attacker found | pixels exact | by chance |")
    _say("|---|---|---|---|---|")
    _clock(picture, pool, folder / "clock-seed.png")
    _wall(picture, pool, folder / "known-wall.png")
    pool.stop()
    _say(f"\nPictures: {folder / 'clock-seed.png'}, {folder / 'known-wall.png'}")


def _clock(picture: Picture, pool: EntropyPool, path: Path) -> None:
    theirs = noised_by_the_clock(picture, MIDNIGHT + SECOND)
    ours = picture + pool_noise(pool, CLOCK_SCALE, picture)
    undone = [try_seconds(release, MIDNIGHT, _progress(f"{DAY} seconds tried")) for release in (theirs, ours)]
    shares = [exact_share(found.picture, picture) for found in undone]
    _row("every second of a day", "seeded by the clock", undone[0], shares[0], CLOCK_SCALE)
    _row("every second of a day", "ours", undone[1], shares[1], CLOCK_SCALE)
    _panels(path, picture, ("released: clock-seeded noise", theirs), undone, shares)


def _wall(picture: Picture, pool: EntropyPool, path: Path) -> None:
    table = Table.make()
    secret = np.random.RandomState()  # all of its 19937 bits from the kernel: nobody can guess this seed
    theirs = picture + table.noise(secret, picture.size).reshape(picture.shape)
    ours = picture + pool_noise(pool, TABLE_SCALE, picture)
    undone = [know_the_wall(release, picture, WALL, table, _progress("equations solved")) for release in (theirs, ours)]
    shares = [exact_share(found.picture, picture, WALL) for found in undone]
    _row("a known wall", "Mersenne Twister", undone[0], shares[0], TABLE_SCALE)
    _row("a known wall", "ours", undone[1], shares[1], TABLE_SCALE)
    _panels(path, picture, ("released: secret Mersenne Twister", theirs), undone, shares)


def _panels(
    path: Path, picture: Picture, release: tuple[str, Picture], undone: list[Undone], shares: list[float]
) -> None:
    panels = [("what the camera saw", picture), release]
    titles = ("undone", "ours after the same attack")
    panels += [
        (f"{title}: {share:.2%} exact", found.picture)
        for title, found, share in zip(titles, undone, shares, strict=True)
    ]
    write_panels(path, panels)


def pool_noise(pool: EntropyPool, scale: int, picture: Picture) -> Picture:
    """Noise as the product draws it, one sample a pixel."""
    sampler = Sampler(Laplace(Fraction(scale)))
    return sampler.draw(BitSource(pool.take, allotment(sampler, picture.size)), picture.size).reshape(picture.shape)


def _row(attack: str, noise: str, undone: Undone, share: float, scale: int) -> None:
    chance = 1 / (4 * scale)  # that two samples are equal: the sum of the squared probabilities
    _say(f"| {attack} | {noise} | {undone.finding} | {share:.4f} | {chance:.4f} |")


def _progress(what: str) -> Progress:
    def show(share: float) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{what}: {share:4.0%} ")

    return show


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
