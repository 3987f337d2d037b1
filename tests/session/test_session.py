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


SIGNALS = (
    "recordings_changed", "current_changed", "neurons_changed", "cohort_changed", "sweep_changed", "components_changed",
    "communities_changed", "surrogates_changed", "states_changed", "opinions_changed", "selection_changed", "history_changed",
    "not_kept", "touched_changed", "groups_changed",
)  # fmt: skip


def listen(session: Session) -> list[str]:
    """Names of the signals that come from now on, with their texts; repeated ones as often as they come."""
    told: list[str] = []

    def heard(name: str):
        def hear(*what: object) -> None:
            words = [w for w in what if isinstance(w, str)]
            told.append(" ".join([name.removesuffix("_changed"), *words]))

        return hear

    for name in SIGNALS:
        getattr(session, name).connect(heard(name))
    return told


def journalled(session: Session) -> list[str]:
    """Texts of what is put on disk from now on."""
    kept: list[str] = []

    def journal(edit: Edit, *_: object, **__: object) -> None:
        kept.append(f"{edit.action}: {edit.text}")

    session.journal = journal
    return kept


def two_worms() -> Session:
    session = open_session()
    session.add(session.recordings["w"].replace(name="v"))
    session.set_current("w")
    return session


WHO = [
    (lambda s: s.add(s.recordings["w"].replace(name="u")), ["recordings", "current u"], []),
    (lambda s: s.add(s.recordings["w"].replace(name="u"), make_current=False), ["recordings"], []),
    (lambda s: s.add(s.recordings["w"].replace(name="u"), made="open u", action="open"), ["recordings", "current u"], ["open: open u"]),
    (lambda s: s.amend(s.recordings["v"], "edit stimuli"), ["neurons v"], ["replace: edit stimuli"]),
    (lambda s: s.remove("w", made="close w"), ["current v", "recordings", "history"], ["close: close w"]),
    (lambda s: s.remove("v"), ["recordings", "history"], []),
    (lambda s: s.set_current("v"), ["current v"], []),
    (lambda s: s.name_neuron(2, "AVAR"), ["neurons w", "history"], ["edit: name neuron 2 AVAR"]),
    (lambda s: s.name_neuron(2, ""), [], []),
    (lambda s: (s.select(neurons=("#2",)), s.name_neuron(2, "AVAR")), ["selection", "selection", "neurons w", "history"], ["edit: name neuron 2 AVAR"]),
    (lambda s: (s.select(neurons=("#2",)), s.name_neuron(4, "AVAR")), ["selection", "neurons w", "history"], ["edit: name neuron 4 AVAR"]),
    (lambda s: (s.select(neurons=("#2",)), s.name_neuron(2, "AVAR", recording="v")), ["selection", "neurons v", "history"], ["edit: name neuron 2 AVAR"]),
    (lambda s: s.leave_out("v"), ["neurons v", "history"], ["edit: leave out v"]),
    (lambda s: s.leave_out("v", False), [], []),
    (lambda s: (s.leave_out("v"), s.undo(), s.redo()), ["neurons v", "history"] * 3, ["edit: leave out v", "undo: undo: leave out v", "redo: redo: leave out v"]),
    (lambda s: (s.undo(), s.redo()), [], []),
    (lambda s: s.set_group("g", ["a", "b"]), ["groups", "history"], ["group: group g: 2 neurons"]),
    (lambda s: (s.set_group("g", ["a", "a"]), s.set_group("g", ["a"])), ["groups", "history"], ["group: group g: 1 neuron"]),
    (lambda s: (s.set_group("g", ["a"]), s.rename_group("g", "h"), s.rename_group("h", "h")), ["groups", "history"] * 2, ["group: group g: 1 neuron", "group: rename group g to h"]),
    (lambda s: (s.set_group("g", ["a"]), s.set_group("g", [])), ["groups", "history"] * 2, ["group: group g: 1 neuron", "group: remove group g"]),
    (lambda s: s.set_sweep(None), ["sweep"], []),
    (lambda s: s.set_components(None), ["components", "communities"], []),
    (lambda s: s.set_cohort(None), ["cohort", "sweep", "components", "communities"], []),
    (lambda s: s.set_states(None), ["states"], []), (lambda s: s.set_baselines(None), ["opinions"], []), (lambda s: s.set_signed(None), ["opinions"], []),
    (lambda s: s.keep_results(s.results(), "analyze"), [], ["results: analyze"]),
    (lambda s: s.start_again(), [], []),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(WHO)))
def test_what_is_done_is_told_once_and_put_on_disk_once(case: int) -> None:
    what, told, kept = WHO[case]
    session = two_worms()
    heard, written = listen(session), journalled(session)
    what(session)
    assert heard == told
    assert written == kept
    assert [f"{e.action}: {e.text}" for e in session.history] == kept


def test_groups_keep_their_places() -> None:
    session = Session()
    for name in "abc":
        session.set_group(name, [name.upper()])
    session.rename_group("b", "x")
    assert list(session.groups) == ["a", "x", "c"]
    session.set_group("a", ["Z", "Z", "Y"])
    assert session.groups == {"a": ("Z", "Y"), "x": ("B",), "c": ("C",)}
    session.set_group("x", [])
    session.undo()
    assert list(session.groups) == ["a", "x", "c"]
    for _ in range(3):
        session.undo()
    assert list(session.groups) == ["a", "b"] and session.groups["a"] == ("A",)
    while session.redo():
        pass
    assert list(session.groups) == ["a", "c"]
    for name, new, words in (("q", "z", "there is no group 'q'"), ("a", "c", "there is a group 'c' already")):
        with pytest.raises(InputError, match=words):
            session.rename_group(name, new)


def test_a_recording_that_is_made_again_keeps_its_undo_history_only_where_its_neurons_are_the_same() -> None:
    session = open_session()
    session.name_neuron(2, "AVAR")
    worm = session.recordings["w"]
    session.add(worm.replace(traces=worm.traces * 2), replace=True)
    assert len(session.done) == 1
    session.add(worm.replace(neurons=worm.neurons.assign(confidence=0.5)), replace=True)
    assert session.done == []
    v = two_worms()
    v.name_neuron(2, "AVAR")
    v.name_neuron(2, "AVAR", recording="v")
    v.undo()
    v.remove("v")
    assert [e.recording for e in v.done] == ["w"] and v.undone == []


def test_nothing_changes_where_it_cannot_be_put_on_disk() -> None:
    session = two_worms()
    worm = session.recordings["w"]
    session.raw["w"] = worm.traces

    def full(*_: object, **__: object) -> None:
        raise InputError("the disk is full")

    session.journal = full
    heard = listen(session)
    with pytest.raises(InputError, match="full"):
        session.add(worm, replace=True, made="extract", raw=worm.traces + 1)
    assert session.raw["w"] is worm.traces and session.recordings["w"] is worm and heard == []
    with pytest.raises(InputError, match="full"):
        session.add(worm.replace(name="u"), made="extract", raw=worm.traces)
    assert "u" not in session.raw and "u" not in session.recordings
    session.add(worm.replace(name="u"), made="open u", action="open")  # is in a file anyway
    assert heard == ["not_kept open u the disk is full", "recordings", "current u"]
    assert session.keep_results(session.results(), "analyze") is False
    for call in (
        lambda: session.amend(worm, "x"),
        lambda: session.name_neuron(2, "AVAR"),
        lambda: session.set_group("g", ["a"]),
    ):
        with pytest.raises(InputError, match="full"):
            call()
    assert session.done == [] and session.groups == {}
    session.journal = None
    assert session.keep_results(session.results(), "analyze") is False
    journalled(session)
    assert session.keep_results(session.results(), "analyze") is True
    session.journal.read_only = True  # type: ignore[union-attr]
    assert session.keep_results(session.results(), "analyze") is False


def test_recorded_edits_are_done_again_where_they_fit() -> None:
    first = two_worms()
    first.name_neuron(2, "AVAR")
    first.leave_out("v")
    first.undo()
    first.redo()
    first.undo()
    first.set_group("g", ["a"])
    first.undo()
    second = two_worms()
    for edit in list(first.history):
        second.replay(edit)
    assert [(e.text, e.when, e.who) for e in second.history] == [(e.text, e.when, e.who) for e in first.history]
    assert [e.text for e in second.done] == [e.text for e in first.done]
    assert [e.text for e in second.undone] == [e.text for e in first.undone]
    assert second.left_out == first.left_out == frozenset() and second.groups == {}
    for wrong in (
        Edit("w", ((2, "name", "RIML", "AVAL"),), "", "", "x"),
        Edit("w", ((9, "name", "", "AVAR"),), "", "", "x"),
        Edit("w", ((2, "z", "", "AVAR"),), "", "", "x"),
        Edit("v", ((0, "left_out", True, False),), "", "", "x"),
    ):
        with pytest.raises(InputError, match="does not fit the present table"):
            second.replay(wrong)
    with pytest.raises(InputError, match="does not fit the present groups"):
        second.replay(Edit("", ((0, "g", ("b",), ("a",)),), "", "", "x", "group"))


def test_a_session_becomes_another_one_with_everything_it_shows() -> None:
    from tests.session.session_sample import make_session

    loaded = make_session(0)
    kind = next(iter(loaded.communities))[1]
    loaded.set_current(list(loaded.recordings)[-1])
    loaded.select(component=2, kind=kind)
    loaded.select(level=1, community=1, time_s=2.0, neurons=(loaded.recordings[loaded.current].named[0],))
    loaded.settings = {"seed": 3}
    session = Session()
    heard = listen(session)
    session.adopt(loaded)
    assert session.same_results(loaded) and session.selection == loaded.selection and session.current == loaded.current
    assert session.settings == {"seed": 3} and session.uid == loaded.uid and session.history == loaded.history
    assert (
        session.made == loaded.made
        and session.left_out == loaded.left_out
        and list(session.recordings) == list(loaded.recordings)
    )
    for signal in (
        "recordings",
        "cohort",
        "sweep",
        "components",
        "communities",
        "surrogates",
        "states",
        "opinions",
        "groups",
        "history",
    ):
        assert signal in heard
    assert heard.count(f"current {loaded.current}") == 1
    other = session.results()
    assert other.same_results(session) and not other.recordings
    other.communities = {}
    assert not other.same_results(session)
    assert not Session().same_results(session)
    copy = session.snapshot()
    assert copy.same_results(session) and copy.references is session.references and copy.groups == session.groups


def test_other_components_show_the_first_one_and_communities_their_chosen_level() -> None:
    session = Session()
    session.select(component=3, community=2, level=4)
    session.set_components(None)
    assert (session.selection.component, session.selection.community, session.selection.level) == (1, None, 0)
    session.select(community=5)
    session.set_communities({(1, "modules"): SimpleNamespace(chosen_level=2)})  # type: ignore[dict-item]
    assert (session.selection.kind, session.selection.level, session.selection.community) == ("modules", 2, None)
    session.set_communities({(2, "core"): SimpleNamespace(chosen_level=1)})  # type: ignore[dict-item]
    assert (session.selection.kind, session.selection.level) == ("modules", 2)
    session.select(component=2)
    session.set_communities({(2, "core"): SimpleNamespace(chosen_level=3)})  # type: ignore[dict-item]
    assert (session.selection.kind, session.selection.level) == ("core", 3)


def test_only_ranks_that_were_tried_can_be_chosen() -> None:
    two, three = SimpleNamespace(rank=2), SimpleNamespace(rank=3)
    session = Session()
    written = journalled(session)
    with pytest.raises(InputError, match="rank 2 was not tried"):
        session.choose_rank(2)
    session.set_sweep(SimpleNamespace(components={2: two, 3: three}))
    with pytest.raises(InputError, match="rank 4 was not tried"):
        session.choose_rank(4)
    assert session.choose_rank(3) is three and session.components is three and written == ["rank: choose rank 3"]
    session.choose_rank(2)
    assert session.history[-1].changes == ((0, "rank", 3, 2),) and session.history[0].changes == ((0, "rank", None, 3),)
    other = Session()
    other.set_sweep(SimpleNamespace(components={2: two, 3: three}))
    other.replay(session.history[0])
    assert other.components is three
    other.replay(Edit("", ((0, "rank", 3, 9),), "", "", "x", "rank"))
    assert other.components is three
