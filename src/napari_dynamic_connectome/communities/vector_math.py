"""Logarithms and exponentials of many numbers at once, in loops that compilers turn into vector instructions.

Numba calls the C library once for each number, which no compiler can vectorise. Here the exponent and the mantissa are taken apart
as integers, through views of the same memory, and a polynomial does the rest: relative error below 1e-13.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"
from __future__ import annotations

import math

import numpy as np
from numba import njit

from .kernels import INNER

LN2 = math.log(2.0)
SQRT_HALF_BITS = np.uint64(0x3FE6A09E667F3BCD)
ONE_BITS = np.uint64(0x3FF0000000000000)
WHOLE_BITS = np.uint64(0x4330000000000000)
WHOLE = 4503599627370496.0  # 2^52: doubles from here on are whole numbers
SHIFT = np.uint64(52)
OFFSET = np.uint64(1023)
ROUNDER = 6755399441055744.0  # 1.5 x 2^52: adding and taking away rounds to a whole number
SMALLEST = -700.0


@njit(**INNER)
def log_all(values, bits, exponent, exponent_bits, n):
    """Replace the first n of `values`, normal numbers of at least 1, by their natural logarithms.

    Parameters
    ----------
    values, exponent : ndarray
        The second is scratch.
    bits, exponent_bits : ndarray of uint64
        Views of them.
    """
    # x = m 2^e with m in [sqrt(1/2), sqrt(2))
    for i in range(n):
        e = (bits[i] - SQRT_HALF_BITS) >> SHIFT
        bits[i] = bits[i] - (e << SHIFT)
        exponent_bits[i] = e | WHOLE_BITS
    # ln m = 2 artanh s, s = (m - 1) / (m + 1), |s| < .172
    for i in range(n):
        s = (values[i] - 1.0) / (values[i] + 1.0)
        z = s * s
        tail = 1 / 13 + z * (1 / 15 + z * (1 / 17))
        series = 1.0 + z * (1 / 3 + z * (1 / 5 + z * (1 / 7 + z * (1 / 9 + z * (1 / 11 + z * tail)))))
        values[i] = (exponent[i] - WHOLE) * LN2 + 2.0 * s * series


@njit(**INNER)
def exp_all(values, scale, scale_bits, n):
    """Replace the first n of `values`, at most 700, by their exponentials (those of less than -700 are practically 0).

    Parameters
    ----------
    values, scale : ndarray
        The second is scratch.
    scale_bits : ndarray of uint64
        View of it.
    """
    # x = k ln 2 + r, |r| <= .35
    for i in range(n):
        x = max(values[i], SMALLEST)
        rounded = x * (1 / LN2) + ROUNDER
        scale[i] = rounded
        values[i] = x - (rounded - ROUNDER) * LN2
    for i in range(n):
        scale_bits[i] = (scale_bits[i] + OFFSET) << SHIFT  # all but the lowest bits of k leave at the top
    for i in range(n):
        r = values[i]
        high = 1 / 5040 + r * (
            1 / 40320 + r * (1 / 362880 + r * (1 / 3628800 + r * (1 / 39916800 + r * (1 / 479001600))))
        )
        low = 1.0 + r * (1.0 + r * (1 / 2 + r * (1 / 6 + r * (1 / 24 + r * (1 / 120 + r * (1 / 720 + r * high))))))
        values[i] = low * scale[i]
