"""CPU time of permutations and of comparing labels.

Run alone: python tests/benchmarks/bench_comparison.py. CPU seconds of this process, the best of three rounds; compiled before.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile

from napari_dynamic_connectome import compare_labels, mantel_test, matrix_regression, open_labels
from napari_dynamic_connectome.comparison.permutation import degree_test


def cpu(work: Callable[[], object]) -> float:
    work()
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def matrices(n: int, missing: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, d = (m + m.T for m in rng.random((2, n, n)))
    y = rng.poisson(0.1, (n, n)).astype(float)
    hidden = np.triu(rng.random((n, n)) < missing)
    x[hidden | hidden.T] = np.nan
    return x, y + y.T, d


def permutations() -> None:
    for n, missing in ((107, 0.0), (107, 0.3), (150, 0.3), (302, 0.0), (302, 0.3)):
        x, y, d = matrices(n, missing)
        one = cpu(lambda x=x, y=y: mantel_test(x, y))
        many = cpu(lambda x=x, y=y, d=d: matrix_regression(x, {"y": y, "d": d}, tested=("y",)))
        links = cpu(lambda x=x, y=y: degree_test(x, y))
        sides = np.column_stack([np.arange(n // 2), np.arange(n // 2) + n // 2])
        blocks = cpu(lambda x=x, y=y, sides=sides: degree_test(x, y, sides=sides))
        print(
            f"{n} neurons, {missing:.0%} unknown: 10,000 permutations {one:.2f} CPU s, in a regression {many:.2f} CPU s, "
            f"1,000 rewired networks {links:.2f} CPU s, with both sides as blocks {blocks:.2f} CPU s"
        )


def blobs(shift: float, shape: tuple[int, int, int] = (20, 512, 1024), n: int = 150) -> np.ndarray:
    rng = np.random.default_rng(0)
    volume = np.zeros(shape, np.uint16)
    radius = np.array([3, 12, 12])
    for label in range(1, n + 1):
        centre = rng.random(3) * np.array(shape) + shift
        low = np.maximum((centre - radius).astype(int), 0)
        high = np.minimum((centre + radius).astype(int) + 1, shape)
        box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        away = sum(((g - c) / r) ** 2 for g, c, r in zip(np.ogrid[box], centre, radius, strict=True))
        volume[box][away < 1] = label
    return volume


def labels() -> None:
    one, two = blobs(0), blobs(1)
    print(f"two label volumes of {one.shape}: {cpu(lambda: compare_labels(one, two)):.3f} CPU s on arrays")
    with tempfile.TemporaryDirectory() as folder:
        for compression in (None, "zlib"):
            paths = [Path(folder) / f"{name}.tif" for name in "ab"]
            for path, data in zip(paths, (one, two), strict=True):
                tifffile.imwrite(path, data, compression=compression, metadata={"axes": "ZYX"})
            read = cpu(lambda p=paths: [np.asarray(open_labels(q, axes="zyx").data) for q in p])
            both = cpu(lambda p=paths: compare_labels(*(open_labels(q, axes="zyx") for q in p)))
            print(
                f"  TIFF, {compression or 'not compressed'}: read {read:.3f} CPU s, read and compared {both:.3f} CPU s"
            )


if __name__ == "__main__":
    permutations()
    labels()
