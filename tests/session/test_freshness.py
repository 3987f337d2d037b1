"""What is older than what, in words: names, traces, worms, stimuli, settings, labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.session.session_sample import (
    make_baselines,
    make_communities,
    make_components,
    make_recording,
    make_signed,
)
from tests.session.test_save_load import rewrite

from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.errors import FormatError
from napari_dynamic_connectome.session import fingerprints
from napari_dynamic_connectome.session import freshness as freshness_module
from napari_dynamic_connectome.session.fingerprints import recording_print
from napari_dynamic_connectome.session.freshness import Freshness, freshness, present_neurons
from napari_dynamic_connectome.session.save_load import load_session, save_session
from napari_dynamic_connectome.session.session import Session

SETTINGS = {"seed": 0, "cohort": {"min_worms": 1}, "affinity": {"sigma_s": 2.0}, "communities": {"samples": 10}}


@pytest.fixture
def session() -> Session:
    made = Session()
    for name, seed in (("worm1", 1), ("worm2", 2)):
        made.add(make_recording(name, seed), make_current=False)
    made.settings = dict(SETTINGS)
    cohort = Cohort(made.recordings.values())
    made.set_cohort(cohort)
    made.set_components(make_components(cohort, 2, 0))
    made.set_communities({(1, "core"): make_communities(cohort, 0)})
    return made


def test_results_are_up_to_date_after_they_were_made(session: Session) -> None:
    assert freshness(session) == Freshness()
    assert freshness(session).stale == () and freshness(session).text == ""


def test_names_are_counted_worm_by_worm(session: Session) -> None:
    session.edit("worm2", {1: {"name": ""}, 2: {"name": "RID"}, 5: {"name": "AVAL"}})
    found = freshness(session)
    assert found.text == "Components and communities are older than 3 names of worm2."
    assert found.stale == ("components", "communities")
    session.undo()
    assert freshness(session) == Freshness()


def test_notes_and_confidence_without_a_threshold_change_nothing(session: Session) -> None:
    session.edit("worm1", {1: {"note": "large", "confidence": 0.2}})
    assert freshness(session) == Freshness()


def test_confidence_counts_where_a_least_confidence_is_asked_for(session: Session) -> None:
    session.settings = SETTINGS | {"cohort": {"min_confidence": 0.5}}
    session.set_components(session.components)
    session.edit("worm1", {1: {"confidence": 0.2}})
    assert freshness(session).components[0].text == "1 name of worm1"


def test_rejected_neurons_stimuli_and_worms(session: Session) -> None:
    session.edit("worm1", {1: {"rejected": True}})
    assert freshness(session).components[0].text == "1 rejected neuron of worm1"
    session.undo()
    later = session.recordings["worm1"].stimuli.assign(onset=lambda t: t["onset"] - 0.5)
    session.amend(session.recordings["worm1"].replace(stimuli=later), "edit stimuli")
    session.leave_out("worm2")
    session.add(make_recording("worm3", 3))
    assert freshness(session).text == (
        "Components and communities are older than the stimuli of worm1, the choice to leave out worm2 "
        "and worm3, which takes part now."
    )
    session.leave_out("worm3")
    session.remove("worm2")
    assert [c.text for c in freshness(session).components] == ["the stimuli of worm1", "the closing of worm2"]


def test_traces_are_counted_neuron_by_neuron_and_only_those_that_take_part(session: Session) -> None:
    old = session.recordings["worm1"]
    values = old.traces.values.copy()
    values[:, [0, 3, 4]] += 1.0  # 4 has no name
    session.add(old.replace(traces=old.traces.copy(data=values)), replace=True)
    assert [c.text for c in freshness(session).components] == ["the traces of 2 neurons of worm1"]
    clock = old.traces.assign_coords(time=old.time_s * 2)
    session.add(old.replace(traces=clock), replace=True)
    assert [c.text for c in freshness(session).components] == ["the times of worm1"]


def test_neurons_that_came_and_went(session: Session) -> None:
    old = session.recordings["worm1"]
    keep = [i for i in range(old.n_neurons) if i != 1]
    fewer = old.replace(
        traces=old.traces.isel(neuron=keep), neurons=old.neurons.iloc[keep], quality=old.quality.iloc[keep]
    )
    session.add(fewer, replace=True)
    assert [c.text for c in freshness(session).components] == ["the loss of 1 neuron of worm1"]


def test_settings_of_communities_alone_leave_components_alone(session: Session) -> None:
    wanted = {"communities": {"samples": 20}}
    found = freshness(session, wanted)
    assert found.stale == ("communities",)
    assert found.text == "Communities are older than the settings of communities."
    assert freshness(session, {"communities": {"samples": 10}, "seed": 0}) == Freshness()
    found = freshness(session, wanted | {"affinity": {"sigma_s": 3.0}})
    assert found.text == (
        "Components and communities are older than the affinity settings. Communities are older than the settings of communities."
    )


def test_labels_voxel_size_and_rate_make_traces_old(session: Session) -> None:
    told = []
    session.touched_changed.connect(told.append)
    session.touch("worm1", labels={7, 3}, voxel_size="1 x 1 x 1 to 2 x 1 x 1 um")
    session.touch("worm1", labels=(3, 7))
    assert told == ["worm1"]
    found = freshness(session)
    assert found.stale == ("traces",)
    assert found.text == (
        "Traces of worm1 are older than the labels of 2 neurons and the voxel size (1 x 1 x 1 to 2 x 1 x 1 um)."
    )
    session.touch("worm1", labels=None, voxel_size=None)
    assert freshness(session) == Freshness() and session.touched == {}


@pytest.mark.parametrize("edited", [False, True])
def test_a_saved_session_knows_what_it_was_made_from(session: Session, tmp_path: Path, edited: bool) -> None:
    if edited:
        session.edit("worm2", {1: {"name": ""}})
    session.touch("worm1", labels=[4])
    text = freshness(session, {"affinity": {"sigma_s": 1.0}}).text
    loaded = load_session(save_session(session, tmp_path / "a.zarr"))
    assert freshness(loaded, {"affinity": {"sigma_s": 1.0}}).text == text
    assert ("1 name of worm2" in text) is edited and "the labels of 1 neuron" in text


def test_a_session_of_an_earlier_version_is_compared_with_its_cohort(session: Session, tmp_path: Path) -> None:
    session.edit("worm2", {1: {"name": ""}})
    path = save_session(session, tmp_path / "a.zarr")
    rewrite(path, lambda body: [body.pop(k) for k in ("made_from", "touched")])
    assert freshness(load_session(path)).text == "Components and communities are older than 1 name of worm2."
    body = {"worm1": {"labels": [1], "names": []}}
    save_session(session, path)
    rewrite(path, lambda held: held["made_from"].update(worms=body))
    with pytest.raises(FormatError, match="made from is damaged"):
        load_session(path)


def test_a_renamed_worm_is_hashed_once(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = []
    plain = fingerprints._hash
    monkeypatch.setattr(fingerprints, "_hash", lambda parts: hashed.append(1) or plain(parts))
    session.edit("worm1", {1: {"name": "RID"}})
    first = recording_print(session.recordings["worm1"])
    assert len(hashed) == 3  # clock, stimuli, behaviour; not the traces
    assert recording_print(session.recordings["worm1"]) is first and len(hashed) == 3


def test_fingerprints_are_plain_and_exact() -> None:
    one, other = make_recording("w", 1), make_recording("w", 1)
    assert json.loads(json.dumps(recording_print(one))) == recording_print(other)
    values = one.traces.values.copy()
    values[0, 0] = np.nextafter(values[0, 0], np.float32(10))
    assert recording_print(one.replace(traces=one.traces.copy(data=values))) != recording_print(other)


def test_a_name_of_the_results_leads_to_the_cell_that_had_it(session: Session) -> None:
    session.set_current("worm1")
    session.edit("worm1", {1: {"name": ""}})
    session.edit("worm1", {5: {"name": "AVAL"}})
    assert present_neurons(session, ("AVAL", "RIML", "nobody")) == ("#1", "RIML", "nobody")


def test_results_that_another_session_shows_bring_along_what_they_were_made_from(session: Session) -> None:
    other = Session()
    for recording in session.recordings.values():
        other.add(recording)
    other.edit("worm2", {1: {"name": ""}})
    other.take_results(session.results())
    assert other.made == session.made
    assert freshness(other).text == "Components and communities are older than 1 name of worm2."


def test_the_summary_counts_over_worms(session: Session) -> None:
    session.edit("worm1", {1: {"name": ""}})
    assert freshness(session).summary == "Components and communities are older than 1 name of worm1."
    session.edit("worm2", {1: {"name": ""}, 2: {"name": "RID"}, 3: {"rejected": True}})
    session.leave_out("worm2", False)
    session.add(make_recording("worm3", 3))
    assert freshness(session, {"affinity": {}, "seed": 3}).summary == (
        "Components and communities are older than 3 names in 2 worms, 1 rejection of worm2, 1 worm and the settings."
    )
    session.touch("worm1", labels=[1, 2])
    assert freshness(session).summary.endswith(" Traces are older than 2 neurons edited since extraction of worm1.")


def test_behaviour_counts_where_it_is_taken_out_of_the_traces(session: Session) -> None:
    old = session.recordings["worm1"]
    session.add(old.replace(behaviour=old.behaviour + 1), replace=True)
    assert freshness(session) == Freshness()
    session.settings = SETTINGS | {"confounds": {"channels": ["reversal"]}}
    session.set_components(session.components)
    assert [c.text for c in freshness(session).components] == ["the behaviour of worm1"]


def test_other_methods_are_older_than_what_they_were_made_from_and_compared_with(session: Session) -> None:
    cohort, components = session.cohort, session.components
    session.set_baselines(make_baselines(cohort, 0), cohort)
    session.set_signed(make_signed(cohort, 0), cohort)
    of = {
        "affinity": {"sigma_s": 1.5, "sign": "same"},
        "baselines": {"groups": 2, "methods": ["edge time series"], "fit": True},
    }
    found = freshness(session, of)
    assert found.baselines == () and [c.text for c in found.signed] == ["the choice of 2 components"]
    assert found.lines[-1] == "Signed loadings are older than the choice of 2 components."
    changed = {"affinity": {"sigma_s": 3.0}, "baselines": {"groups": 4, "methods": ["edge time series"]}}
    found = freshness(session, changed)
    assert [c.text for c in found.baselines] == ["the settings of static methods"]
    assert [c.text for c in found.signed] == ["the affinity settings", "the choice of 2 components"]
    session.set_components(make_components(cohort, 3, 5))  # they stay, and say so
    assert session.baselines is not None and session.signed is not None
    assert freshness(session).stale == ("baselines",)
    session.set_components(components)
    session.set_communities({(1, "core"): make_communities(cohort, 0)})
    assert freshness(session).baselines == ()
    session.edit("worm2", {1: {"name": ""}})
    found = freshness(session)
    assert found.stale == ("components", "communities", "baselines", "signed")
    assert "Static methods are older than 1 name of worm2." in found.lines
    session.set_cohort(session.cohort)  # made again: other methods still know what they were made from
    assert freshness(session).stale == ("baselines", "signed")


def a_print(**change: object) -> dict:
    base = {
        "labels": [1, 2, 3, 4],
        "names": ["A", "B", "", "D"],
        "confidence": [None, 0.5, None, 0.9],
        "rejected": [False, False, False, True],
        "traces": ["a", "b", "c", "d"],
    }
    return base | {"clock": "k", "stimuli": "s", "behaviour": "v"} | change


@pytest.mark.parametrize(
    ("change", "settings", "texts"),
    [
        ({}, {}, []), ({"names": ["A", "X", "Y", "D"]}, {}, ["2 names of w"]), ({"names": ["A", "X", "", "D"]}, {"cohort": {"min_confidence": 0.5}}, ["1 name of w"]),
        ({"names": ["A", "X", "", "D"]}, {"cohort": {"min_confidence": 0.6}}, []), ({"confidence": [None, 0.4, None, 0.9]}, {"cohort": {"min_confidence": 0.5}}, ["1 name of w"]),
        ({"rejected": [True, True, False, True]}, {}, ["2 rejected neurons of w"]), ({"rejected": [False] * 4}, {}, ["1 neuron of w that is kept again"]),
        ({"traces": ["x", "b", "x", "x"]}, {}, ["the traces of 1 neuron of w"]), ({"traces": ["x", "b", "x", "x"]}, {"cohort": {"include_unnamed": True}}, ["the traces of 2 neurons of w"]),
        ({"labels": [1, 2, 3, 5]}, {}, ["1 new neuron of w", "the loss of 1 neuron of w"]), ({"labels": [1, 2, 7, 4]}, {}, []), ({"labels": [1, 2, 7, 4]}, {"cohort": {"include_unnamed": True}}, ["1 new neuron of w", "the loss of 1 neuron of w"]),
        ({"clock": "x", "stimuli": "x", "behaviour": "x"}, {}, ["the times of w", "the stimuli of w"]), ({"behaviour": "x"}, {"confounds": {"channels": ["speed"]}}, ["the behaviour of w"]),
        ({"behaviour": "x"}, {"confounds": {"channels": []}}, []),
    ],
)  # fmt: skip
def test_what_changed_in_a_worm_is_counted_as_far_as_it_takes_part(change, settings, texts) -> None:
    found = freshness_module._worm("w", a_print(), a_print(**change), settings)
    assert [c.text for c in found] == texts and all(c.worm == "w" for c in found)
    same = a_print()
    assert freshness_module._worm("w", same, same, settings) == []


def test_two_neurons_kept_again_are_two() -> None:
    found = freshness_module._worm("w", a_print(rejected=[True, True, False, False]), a_print(rejected=[False] * 4), {})
    assert [(c.what, c.text, c.count) for c in found] == [("rejected", "2 neurons of w that are kept again", 2)]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": 1}, {"a": 1}, True), ({"a": 1}, {"a": 2}, False), ({"a": 1}, {"b": 1}, False), ({"a": 1}, {"a": 1, "b": 2}, False), ({"a": (1, 2)}, {"a": [1, 2]}, True), ([1], [1, 2], False), ([1, 3], [1, 2], False),
        ({"a": 1}, 3, False), (3, {"a": 1}, False), ([1], 1, False), (1, [1], False), ([], (), True), ([{"a": (1,)}], [{"a": [1]}], True), (1, 1.0, True),
    ],
)  # fmt: skip
def test_settings_are_equal_whatever_a_file_makes_of_tuples(one, other, same) -> None:
    assert freshness_module._same(one, other) == same


def test_only_settings_that_both_know_are_compared() -> None:
    made, wanted = (
        {"cohort": {"a": 1}, "affinity": {"b": 1}, "ntf": {}},
        {"cohort": {"a": 2}, "affinity": {"b": 1}, "other": {}},
    )
    tables = ("cohort", "affinity")
    assert [c.what for c in freshness_module._settings(made, wanted, tables)] == ["settings"]
    assert freshness_module._settings(made, wanted, ("affinity",)) == []
    for nothing in ((None, wanted), (made, None), ({}, wanted), (made, {}), ({"affinity": {"b": 1}}, wanted)):
        assert freshness_module._settings(*nothing, tables) == []


def change_of(what: str, worm: str = "", count: int = 1, text: str = "") -> freshness_module.Change:
    return freshness_module.Change(what, text or f"{what} {worm}", worm, count)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([change_of("names", "a")], "names a"), ([change_of("names", "a"), change_of("rate", "b")], "names a and rate b"), ([change_of("labels", "a", 3)], "3 neurons edited since extraction of a"),
        ([change_of("names", "a", 2), change_of("names", "b", 3), change_of("worms", "c")], "5 names in 2 worms and 1 worm"), ([change_of("names", "a", 2), change_of("names", "a", 1), change_of("rate", "a")], "3 names of a and rate a"),
        ([change_of("settings"), change_of("settings"), change_of("worms"), change_of("worms")], "the settings and 2 worms"), ([change_of("settings", text="the rank"), change_of("names", "a"), change_of("rejected", "a")], "the rank, 1 name of a and 1 rejection of a"),
        ([change_of("rate", "a"), change_of("rate", "b"), change_of("rate", "c")], "the rate in 3 worms"), ([change_of("rate", "a"), change_of("rate", "a"), change_of("rate", "a")], "the rate of a"), ([], ""),
    ],
)  # fmt: skip
def test_changes_are_said_in_few_words(changes, words) -> None:
    assert freshness_module._short(tuple(changes)) == words


def test_lines_and_summary_of_all_that_is_older() -> None:
    one, two = change_of("rate", "a"), change_of("names", "b")
    found = freshness_module.Freshness((one, two), (one,), (two,), states=(one,), baselines=(two,), signed=(one,))
    words = freshness_module.OPINION_WORDS
    assert found.lines == [
        "Traces of a are older than rate a.", "Traces of b are older than names b.", "Components and communities are older than rate a.", "Communities are older than names b.",
        f"{words['states']} are older than rate a.", f"{words['baselines']} are older than names b.", f"{words['signed']} are older than rate a.",
    ]  # fmt: skip
    assert found.summary == " ".join(
        [
            "Components and communities are older than rate a and names b.",
            f"{words['states']} are older than rate a.",
            f"{words['baselines']} are older than names b.",
            f"{words['signed']} are older than rate a.",
            "Traces are older than rate a and names b.",
        ]
    )
    assert freshness_module.Freshness((), (), (two,)).summary == "Communities are older than names b."
    nothing = freshness_module.Freshness()
    assert nothing.lines == [] and nothing.text == nothing.summary == ""
    assert (
        freshness_module.joined(["a"]) == "a"
        and freshness_module.joined([]) == ""
        and freshness_module.joined("abc") == "a, b and c"
    )
