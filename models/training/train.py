"""Train the trunk and the head on the daemon's own noise, without a label.

    python -m models.training.train --photos FOLDER --steps 4000 --seed 1 --out RUN

Descriptors: each point of one map's lattice must name its place on the lattice of another map of the same place, in
between its points too, against all others there and points of other places (dual softmax: Rocco et al., NeurIPS 2018).
Vector: a map must find the other map of its place among those of other places (InfoNCE: van den Oord et al., 2018).
The noise grows over the first steps.
"""

import argparse
import math
import queue
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from models.training.drawn import draw
from models.training.network import LOCAL, Head, Trunk, parameters
from models.training.normalise import normalise
from models.training.views import COLUMNS, ROWS, Pair, Place, pair_of, places

PLAIN = 0.3
"""Share of a map's blocks, the plainest, that need not be found again."""
OTHERS = 320
"""Points of other places that every point must not be like."""
RATE, AGAIN = 2.5e-3, 1.5e-3
"""Highest learning rate: from nothing, and when weights are trained further."""
TEMPERATURE, GLOBAL_TEMPERATURE = 0.05, 0.07
CURRICULUM = 0.25
"""Share of the steps until the noise is as loud as it is in use."""
DRAWN, RENEWED = 2400, 4
"""Drawn places that are kept; one is replaced every so many steps."""


def read(folders: list[Path]) -> list[NDArray[np.uint8]]:
    """All pictures of the folders, in grey."""
    images = []
    for path in sorted(p for folder in folders for p in folder.iterdir()):
        image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if image is not None:
            images.append(image.astype(np.uint8))
    return images


@dataclass(frozen=True, slots=True)
class Task:
    """What the points of one map are to name in another.

    asked: indices of lattice points of the first map that are on something and lie inside the second. named, share:
    (n, 4) lattice points of the second map around the place of each, and bilinear weights that add to 1.
    """

    asked: Tensor
    named: Tensor
    share: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Maps as the trunk reads them, first and second of each pair in turn; tasks of each pair, for those not coarse."""

    maps: Tensor
    tasks: list[tuple[Task, Task]]
    coarse: list[bool]


class Supply:
    """Batches, made by one thread while the network learns from the last."""

    def __init__(self, photos: list[Place], *, steps: int, size: int, seed: int, curriculum: float) -> None:
        self._photos, self._steps, self._size, self._curriculum = photos, steps, size, curriculum
        self._rng = np.random.default_rng(seed)
        self._drawn = places([draw(self._rng) for _ in range(DRAWN)])
        self._ready: queue.Queue[Batch] = queue.Queue(4)
        threading.Thread(target=self._fill, daemon=True).start()

    def next(self) -> Batch:
        return self._ready.get()

    def _fill(self) -> None:
        for step in range(self._steps):
            if step % RENEWED == 0:
                self._drawn[int(self._rng.integers(DRAWN))] = Place(draw(self._rng))
            loudness = (
                min(1.0, 0.15 + 0.85 * step / max(1.0, self._curriculum * self._steps)) if self._curriculum else 1.0
            )
            self._ready.put(batch_of([self._pair(loudness) for _ in range(self._size)]))

    def _pair(self, loudness: float) -> Pair:
        rng = self._rng
        pools = (self._photos, self._drawn) if self._photos else (self._drawn, self._drawn)
        one = pools[0 if rng.random() < 0.4 else 1]
        place = one[int(rng.integers(len(one)))]
        other = None
        if rng.random() < (0.5 if one is self._photos else 0.15):
            mixed = pools[int(rng.integers(2))]
            other = mixed[int(rng.integers(len(mixed)))]
        return pair_of(place, rng, loudness=loudness, other=other)


def batch_of(pairs: list[Pair]) -> Batch:
    """What the network learns from in one step."""
    maps = normalise(np.concatenate([p.noised for p in pairs]), np.concatenate([p.noise for p in pairs]))
    tasks = [
        (task(p.clean[0], p.homography), task(p.clean[1], np.linalg.inv(p.homography).astype(np.float64)))
        for p in pairs
    ]
    return Batch(torch.from_numpy(maps), tasks, [p.coarse for p in pairs])


def lattice() -> Tensor:
    """Where the daemon describes a map: (p, 2), the middle of every block of two by two cells, row by row."""
    y, x = torch.meshgrid(torch.arange(0.5, ROWS, 2), torch.arange(0.5, COLUMNS, 2), indexing="ij")
    return torch.stack((x.flatten(), y.flatten()), 1)


def sample(local: Tensor) -> Tensor:
    """Descriptors on the lattice: (n, 32, rows, columns) → (n, p, 32) of unit length. The mean of four cells."""
    return functional.normalize(functional.avg_pool2d(local, 2).flatten(2).transpose(1, 2), dim=2)


def task(clean: NDArray[np.float32], homography: NDArray[np.float64]) -> Task:
    """The task of one direction. clean: the first map without noise."""
    down, across = ROWS // 2, COLUMNS // 2
    points = lattice().numpy().astype(np.float64)
    there = np.concatenate((points, np.ones((len(points), 1))), 1) @ homography.T
    place = (there[:, :2] / there[:, 2:] - 0.5) / 2
    inside = np.all((place >= 0) & (place <= (across - 1, down - 1)), axis=1)
    slope = np.hypot(*np.gradient(cv2.GaussianBlur(clean, (0, 0), 1.5)))
    busy = slope.reshape(down, 2, across, 2).mean((1, 3)).ravel()
    asked = np.flatnonzero(inside & (busy > np.quantile(busy, PLAIN)))
    first = np.minimum(np.floor(place[asked]), (across - 2, down - 2)).astype(np.int64)
    part = place[asked] - first
    corners = [(0, 0), (1, 0), (0, 1), (1, 1)]
    named = np.stack([(first[:, 1] + y) * across + first[:, 0] + x for x, y in corners], 1)
    share = np.stack([np.abs(1 - x - part[:, 0]) * np.abs(1 - y - part[:, 1]) for x, y in corners], 1)
    return Task(torch.from_numpy(asked), torch.from_numpy(named), torch.from_numpy(share.astype(np.float32)))


def local_loss(a: Tensor, b: Tensor, batch: Batch, rng: torch.Generator) -> Tensor:
    """Each point of a map names its place among the lattice of the other map and points of other places."""
    total, count = a.new_zeros(()), 0
    for k, both in enumerate(batch.tasks):
        others = torch.cat([a[:k].reshape(-1, LOCAL), a[k + 1 :].reshape(-1, LOCAL)])
        others = others[torch.randint(len(others), (OTHERS,), generator=rng)]
        if batch.coarse[k]:
            continue
        for one, two, wanted in ((a[k], b[k], both[0]), (b[k], a[k], both[1])):
            if len(wanted.asked) < 8:
                continue
            mine = one[wanted.asked]
            # The same point of the lattice in all other places: what is alike there is alike for a wrong reason.
            strange = torch.cat([a[:k], a[k + 1 :]])[:, wanted.asked]
            lattice_alike = torch.einsum("pc,npc->pn", mine, strange)
            scores = torch.cat((mine @ torch.cat((two, others)).T, lattice_alike), 1)
            row = torch.log_softmax(scores / TEMPERATURE, 1)
            total = total - (wanted.share * row.gather(1, wanted.named)).sum(1).mean()
            count += 1
    return total / max(1, count)


def global_loss(a: Tensor, b: Tensor) -> Tensor:
    """InfoNCE in both directions; all other maps of the batch are of other places."""
    both = torch.cat((a, b))
    scores = both @ both.T / GLOBAL_TEMPERATURE
    scores.fill_diagonal_(-1e4)
    n = len(a)
    return functional.cross_entropy(scores, torch.cat((torch.arange(n, 2 * n), torch.arange(n))))


def train(
    photos: list[Path], *, steps: int, size: int, seed: int, out: Path, threads: int, start: Path | None = None
) -> None:
    """Write out/trunk.pt, the averaged weights, every thousand steps and at the end."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)
    cv2.setNumThreads(1)
    out.mkdir(parents=True, exist_ok=True)
    supply = Supply(places(read(photos)), steps=steps, size=size, seed=seed, curriculum=0.0 if start else CURRICULUM)
    trunk, head = Trunk().to(memory_format=torch.channels_last), Head()
    if start:
        torch.nn.ModuleList((trunk, head)).load_state_dict(torch.load(start, weights_only=True)["state"])
    averaged = torch.optim.swa_utils.AveragedModel(
        torch.nn.ModuleList((trunk, head)),
        multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.998),
        use_buffers=True,
    )
    print(f"{parameters(trunk, head)} parameters, {len(read(photos))} photographs", flush=True)
    optimiser = torch.optim.AdamW([*trunk.parameters(), *head.parameters()], lr=2e-3, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, AGAIN if start else RATE, total_steps=steps, pct_start=0.08
    )
    draws = torch.Generator().manual_seed(seed)
    began, sums = time.monotonic(), np.zeros(2)
    for step in range(1, steps + 1):
        batch = supply.next()
        with torch.autocast("cpu", torch.bfloat16):
            local, context = trunk(batch.maps.contiguous(memory_format=torch.channels_last))
        local, vector = local.float(), head(context.float())
        near = local_loss(sample(local[0::2]), sample(local[1::2]), batch, draws)
        far = global_loss(vector[0::2], vector[1::2])
        optimiser.zero_grad(set_to_none=True)
        (near + far).backward()
        torch.nn.utils.clip_grad_norm_([*trunk.parameters(), *head.parameters()], 5.0)
        optimiser.step()
        schedule.step()
        averaged.update_parameters(torch.nn.ModuleList((trunk, head)))
        sums += (float(near.detach()), float(far.detach()))
        if step % 100 == 0:
            rate = (time.monotonic() - began) / step
            print(f"{step} local {sums[0] / 100:.3f} global {sums[1] / 100:.3f} {rate:.3f} s/step", flush=True)
            if not math.isfinite(float(sums.sum())):
                raise SystemExit("the loss is not finite")
            sums[:] = 0
        if step % 500 == 0 or step == steps:
            torch.save({"state": averaged.module.state_dict(), "step": step, "seed": seed}, out / "trunk.pt")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, nargs="*", default=[])
    parser.add_argument("--steps", type=int, default=12000)
    parser.add_argument("--size", type=int, default=16, help="pairs in a batch")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="weights to go on from; then the noise is loud from the first step")
    given = parser.parse_args()
    train(
        given.photos,
        steps=given.steps,
        size=given.size,
        seed=given.seed,
        out=given.out,
        threads=given.threads,
        start=given.start,
    )


if __name__ == "__main__":
    main()
