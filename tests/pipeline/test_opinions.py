"""Other methods in a run: made where the settings ask for them, kept, and made again only when what they depend on changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_dynamic_connectome import Recording, freshness, load_session, run_pipeline, write_recording
from napari_dynamic_connectome.pipeline import run

NAMES = ["AVAL", "AVAR", "RIBL", "RIBR", "AIYL", "AIYR"]
SETTINGS = """[input]
recordings = ["a.csv", "b.csv"]
[rank]
rank = 2
starts = 1
[chance]
method = "none"
[baselines]
fit = true
signed = true
nmf_rank = 2
groups = 2
"""


def test_a_run_makes_static_methods_and_signed_loadings_and_goes_on_from_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        drive = rng.standard_normal((160, 2)).cumsum(axis=0)
        values = drive[:, [0, 0, 0, 1, 1, 1]] + 0.3 * rng.standard_normal((160, 6))
        write_recording(Recording.from_arrays(values, name=name, rate_hz=2, names=NAMES), tmp_path / f"{name}.csv")
    (tmp_path / "s.toml").write_text(SETTINGS)
    run_pipeline(tmp_path / "s.toml", tmp_path / "out")
    made = load_session(tmp_path / "out" / "session.zarr")
    assert made.baselines is not None and made.baselines.provenance["settings"]["nmf_rank"] == 2
    assert made.signed is not None and made.signed.signed.rank == 2
    assert made.signed.explained_signed >= made.signed.explained_non_negative - 0.01
    assert freshness(made).lines == []
    called: list[str] = []
    for name in ("find_baselines", "find_signed"):
        real = getattr(run, name)
        monkeypatch.setattr(run, name, lambda *a, n=name, real=real, **k: called.append(n) or real(*a, **k))
    run_pipeline(tmp_path / "s.toml", tmp_path / "out")
    assert called == []
    (tmp_path / "s.toml").write_text(SETTINGS.replace("groups = 2", "groups = 3"))
    run_pipeline(tmp_path / "s.toml", tmp_path / "out")
    assert called == ["find_baselines"]
    again = load_session(tmp_path / "out" / "session.zarr")
    assert again.baselines.provenance["groups"] == 3 and again.signed.line == made.signed.line
