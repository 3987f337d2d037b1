"""Components know at which moments of every worm's own recording their common clock stands."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import napari_dynamic_connectome as ndc


def test_a_stimulus_component_follows_every_worms_own_order_of_stimuli(tmp_path: Path) -> None:
    cohort, _ = ndc.simulate_cohort(n_worms=5, n_neurons=40, noise=0.02, unnamed=0.0, seed=3)
    orders = {tuple(r.stimuli.sort_values("onset")["name"]) for r in cohort.recordings}
    assert len(orders) > 1
    components = ndc.factorize(ndc.compute_affinity(cohort), 3, starts=2, seed=0)
    assert components.has_common_clock
    names = components.stimuli["name"]
    checked = 0
    for component in (c for c in range(1, 4) if components.clock(c) == "common"):
        course = components.time_course(component)
        inside = [
            float(course.sel(time=slice(row["onset"], row["offset"])).mean())
            for _, row in components.stimuli.iterrows()
        ]
        if max(inside) < 5 * float(course.median()):
            continue
        stimulus = names.iloc[int(np.argmax(inside))]
        for recording in cohort.recordings:
            own = components.recording_course(component, recording.name)
            peak = float(own["time"].values[int(own.values.argmax())])
            row = recording.stimuli[recording.stimuli["name"] == stimulus].iloc[0]
            assert row["onset"] - 2 <= peak <= row["offset"] + 5
            assert components.clock_time(recording.name, peak) == np.float64(
                course["time"].values[int(np.nan_to_num(course.values).argmax())]
            )
            checked += 1
    assert checked >= 5
    session = ndc.Session()
    session.set_components(components)
    ndc.save_session(session, tmp_path / "clocks.zarr")
    again = ndc.load_session(tmp_path / "clocks.zarr").components
    assert again.worm_time.identical(components.worm_time)


def test_windows_around_events_come_back_to_their_recording() -> None:
    cohort, _ = ndc.simulate_cohort(n_worms=3, n_neurons=30, stimuli=False, unnamed=0.0, seed=1)
    affinity = ndc.compute_affinity(cohort, alignment="events", event="reversal")
    components = ndc.factorize(affinity, 2, starts=1, seed=0)
    for recording in cohort.recordings:
        course = components.recording_course(1, recording.name)
        events = [b for b in affinity.blocks if b.source == recording.name]
        times = np.concatenate([b.source_time_s[np.isfinite(b.source_time_s)] for b in events])
        assert set(course["time"].values) <= set(times)
        assert (np.diff(course["time"].values) > 0).all()


def test_unaligned_courses_are_their_own_already() -> None:
    cohort, _ = ndc.simulate_cohort(n_worms=2, n_neurons=20, stimuli=False, unnamed=0.0, seed=1)
    components = ndc.factorize(ndc.compute_affinity(cohort), 2, starts=1, seed=0)
    assert components.worm_time is None
    name = cohort.recordings[0].name
    np.testing.assert_array_equal(components.recording_course(1, name), components.time_course(1, name))
    assert components.clock_time(name, 12.5) == 12.5
    assert components.recording_course(1, "nobody").size == 0
