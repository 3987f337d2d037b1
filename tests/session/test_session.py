"""The session: edits are validated and undone as a whole, selections tell what changed, results follow their input."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.session.edits import Edit
from napari_dynamic_connectome.session.session import Session

NAMES = ["AVAL", "AVAR", "RIML", "RIMR", "", "AIBL"]


def open_session(names: tuple[str, ...] = ("AVAL", "", "RIML", "")) -> Session:
    session = Session()
    values = np.random.default_rng(0).normal(size=(10, len(names)))
    session.add(Recording.from_arrays(values, name="w", rate_hz=1, names=names))
    return session


def test_naming_normalises_and_follows_the_selection() -> None:
    session = open_session()
    session.select(neurons=("#2",))
    session.name_neuron(2, "ava r")
    assert session.recording is not None
    assert session.recording.neurons.loc["AVAR", "label"] == 2
    assert session.selection.neurons == ("AVAR",)
    assert session.history[-1].text == "name neuron 2 AVAR" and session.history[-1].who


def test_duplicates_and_nonsense_are_refused_and_change_nothing() -> None:
    session = open_session()
    before = session.recording
    for label, name in ((2, "AVAL"), (2, "#4"), (2, "a\nb"), (2, "x" * 500), (77, "AVAR")):
        with pytest.raises(InputError):
            session.name_neuron(label, name)
    assert session.recording is before and not session.done


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"name": "x" * 5000}, "characters"),
        ({"name": "A\x00B"}, "cannot be printed"),
        ({"name": "\ud800"}, "cannot be printed"),
        ({"note": "x" * 10_001}, "limit is 10000"),
        ({"note": "\udcff"}, "no file can hold"),
    ],
)
def test_what_no_file_could_hold_is_refused_with_a_reason(cells: dict[str, str], words: str) -> None:
    session = open_session()
    before = session.recordings["w"]
    with pytest.raises(InputError, match=words):
        session.edit("w", {2: cells})
    assert session.recordings["w"] is before and session.history == []


def test_swap_is_one_edit() -> None:
    session = open_session()
    session.edit("w", {1: {"name": "RIML"}, 3: {"name": "AVAL"}}, text="swap")
    assert session.recording is not None
    assert list(session.recording.neurons.index) == ["RIML", "#2", "AVAL", "#4"]
    session.undo()
    assert list(session.recording.neurons.index) == ["AVAL", "#2", "RIML", "#4"]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(NAMES)), max_size=12))
def test_undoing_everything_restores_the_table_and_redo_brings_it_back(edits: list[tuple[int, str]]) -> None:
    session = open_session()
    assert session.recording is not None
    start = session.recording.neurons
    for label, name in edits:
        try:
            session.name_neuron(label, name)
        except InputError as error:
            assert "twice" in str(error)
    end = session.recording.neurons
    while session.undo() is not None:
        pass
    assert session.recording.neurons.equals(start)
    while session.redo() is not None:
        pass
    assert session.recording.neurons.equals(end)


def test_the_journal_is_asked_before_an_edit_shows() -> None:
    session = open_session()
    seen: list[tuple[Edit, str]] = []

    def journal(edit: Edit) -> None:
        assert session.recording is not None
        seen.append((edit, session.recording.neurons["name"].iloc[1]))

    session.journal = journal
    session.name_neuron(2, "AVAR")
    assert seen[0][1] == ""

    def full_disk(edit: Edit) -> None:
        raise OSError("no space left")

    session.journal = full_disk
    with pytest.raises(OSError):
        session.name_neuron(4, "RIMR")
    assert session.recording is not None and session.recording.neurons["name"].iloc[3] == ""


def test_selection_says_what_changed_once() -> None:
    session = open_session()
    calls: list[frozenset[str]] = []
    session.selection_changed.connect(lambda new, changed: calls.append(changed))
    session.select(time_s=3.0, neurons=("AVAL", "AVAL"))
    session.select(time_s=3.0)
    assert calls == [frozenset({"time_s", "neurons"})]
    assert session.selection.neurons == ("AVAL",)


def test_a_new_cohort_drops_results_of_the_old_one() -> None:
    session = open_session()
    session.components = object()  # type: ignore[assignment]
    session.communities = {(1, "modules"): object()}  # type: ignore[dict-item]
    assert session.recording is not None
    session.set_cohort(Cohort([session.recording]))
    assert session.components is None and session.communities == {}


def test_recordings_are_added_once_and_closed() -> None:
    session = open_session()
    assert session.recording is not None
    with pytest.raises(InputError, match="open already"):
        session.add(session.recording)
    session.add(session.recording, replace=True)
    session.name_neuron(2, "AVAR")
    session.remove("w")
    assert session.recording is None and not session.done
    with pytest.raises(InputError, match="no recording"):
        session.name_neuron(2, "AVAR")


def test_what_is_known_about_chance_belongs_to_the_components_of_a_rank() -> None:
    two, three, other = SimpleNamespace(rank=2), SimpleNamespace(rank=3), SimpleNamespace(rank=2)
    session = Session()
    with pytest.raises(InputError, match="replaced"):
        session.set_surrogates(two, [other])
    session.set_sweep(SimpleNamespace(components={2: two, 3: three}))
    session.set_components(two)
    with pytest.raises(InputError, match="rank"):
        session.set_surrogates(two, [three])
    session.set_surrogates(two, [other])
    session.set_components(three)
    session.set_surrogates(two, [other, other])  # another rank was looked at in the meantime
    session.set_components(two)  # back to the same fit
    assert session.surrogates == {2: (other, other)}
    session.set_components(other)  # another fit of that rank
    assert session.surrogates == {}
    session.set_surrogates(other, [two])
    session.set_components(three)
    session.set_components(two)  # what was known was known about the other fit
    assert session.surrogates == {}
    session.set_surrogates(two, [other])
    session.set_cohort(None)
    assert session.surrogates == {}


def test_what_speaks_for_components_is_told_when_they_are_the_present_ones() -> None:
    from tests.session.session_sample import make_session

    session = make_session(0)
    told: list[int] = []
    session.components_changed.connect(lambda: told.append(session.components.rank))
    present = session.components
    other = next(c for r, c in session.sweep.components.items() if r != present.rank)
    support = present.support if present.support is not None else pd.DataFrame({"component": [1]})
    assert session.set_support(other, support) is not None and told == []
    new = session.set_support(present, support)
    assert new is session.components and told == [present.rank]
    assert session.set_support(present, support) is None and told == [present.rank]


def test_corrections_since_the_traces_are_noted_until_these_are_made_again_and_told_only_when_they_change() -> None:
    session = open_session()
    worm = session.recordings["w"]
    session.add(worm.replace(name="v"))
    told: list[str] = []
    session.touched_changed.connect(told.append)
    session.touch("w", labels=[3, 1, np.int64(2)], voxel_size="1 to 2 µm")
    session.touch("v", rate="3 to 4 Hz")
    assert session.touched == {
        "w": {"labels": (1, 2, 3), "voxel size": "1 to 2 µm"},
        "v": {"rate": "3 to 4 Hz"},
    }
    session.touch("w", labels=(1, 2, 3))  # known already
    session.touch("v", labels=[], voxel_size=None)  # nothing to take back
    assert told == ["w", "v"]
    session.touch("w", labels=None)
    assert session.touched["w"] == {"voxel size": "1 to 2 µm"} and told == ["w", "v", "w"]
    session.add(worm, replace=True)  # read again, not made again
    assert "w" in session.touched and told == ["w", "v", "w"]
    session.add(worm, replace=True, made="extract traces", raw=worm.traces)
    assert session.touched == {"v": {"rate": "3 to 4 Hz"}} and told == ["w", "v", "w", "w"]
    session.add(worm, replace=True, made="extract traces", raw=worm.traces)
    assert told == ["w", "v", "w", "w"]
    session.touch("v", rate=None)
    assert session.touched == {} and told == ["w", "v", "w", "w", "v"]
    with pytest.raises(InputError):
        session.touch("nobody", rate="x")
