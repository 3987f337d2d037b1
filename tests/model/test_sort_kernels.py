"""Sorting in kernels: against NumPy; and no kernel calls what numba makes from helpers of one name."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import napari_dynamic_connectome
from napari_dynamic_connectome.model.sort_kernels import order_of, sort_values

SOURCE = Path(napari_dynamic_connectome.__file__).parent
SHARED = {
    "sort",
    "argsort",
    "median",
    "nanmedian",
    "percentile",
    "nanpercentile",
    "quantile",
    "nanquantile",
    "partition",
    "argpartition",
}
values = arrays(
    np.float64,
    st.integers(0, 90),
    elements=st.sampled_from([-np.inf, -1.5, 0.0, 0.25, 3.0, 7.0, np.inf]) | st.floats(-9, 9),
)


@given(values)
def test_order_is_that_of_numpy_with_equal_values_as_they_stand(given_values) -> None:
    np.testing.assert_array_equal(order_of(given_values), np.argsort(given_values, kind="stable"))


@given(values)
def test_values_are_sorted_like_those_of_numpy(given_values) -> None:
    sorted_values = given_values.copy()
    sort_values(sorted_values, np.empty(len(given_values) + 3))
    np.testing.assert_array_equal(sorted_values, np.sort(given_values))


@pytest.mark.parametrize("n", [0, 1, 11, 12, 13, 24, 25, 100, 1000, 4097])
def test_any_length(n) -> None:
    rng = np.random.default_rng(n)
    some = rng.integers(0, 50, n).astype(float)
    np.testing.assert_array_equal(order_of(some), np.argsort(some, kind="stable"))
    again = some.copy()
    sort_values(again, np.empty(n))
    np.testing.assert_array_equal(again, np.sort(some))


def calls_of_shared_helpers(source: str) -> list[str]:
    """Calls in compiled functions that numba makes from helpers of one name."""
    found = []
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef) or not any(
            "njit" in ast.unparse(d) for d in function.decorator_list
        ):
            continue
        for call in ast.walk(function):
            if isinstance(call, ast.Call):
                name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
                if name in SHARED or name == "sorted":
                    found.append(f"{function.name}: {ast.unparse(call)}")
    return found


def test_no_kernel_calls_a_helper_that_another_one_may_get_in_its_place() -> None:
    files = [p for p in SOURCE.rglob("*.py") if "njit" in p.read_text(encoding="utf-8")]
    assert len(files) > 10
    assert {p.name: found for p in files if (found := calls_of_shared_helpers(p.read_text(encoding="utf-8")))} == {}


def test_such_a_call_is_seen() -> None:
    kernel = "@njit(cache=True)\ndef f(x):\n    return np.argsort(x), x.sort(), sorted(x)\n"
    assert len(calls_of_shared_helpers(kernel)) == 3
    assert calls_of_shared_helpers(kernel.replace("@njit(cache=True)\n", "")) == []
