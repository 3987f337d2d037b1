"""What a session holds is one list of fields: copies, files and the opening of a session leave none of them out."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from napari_dynamic_connectome.session.save_load import load_session, save_session
from napari_dynamic_connectome.session.session import Session
from napari_dynamic_connectome.session.state import SessionState, fields_of, names_of, signals_of

sys.path.insert(0, str(Path(__file__).parent))
from session_sample import make_session, same


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A session in which nothing is as it is at first, saved and read again."""
    session = make_session()
    session.set_group("head", ["AVAL", "worm 1 #5"])
    session.touch("worm 2", labels=[2, 7], rate="4 to 5 Hz")
    session.edit("worm 1", {2: {"note": "taken back"}})
    session.undo()
    session.select(community=1)
    path = save_session(session, tmp_path_factory.mktemp("s") / "s.zarr")
    return load_session(path)


def is_as_at_first(state: SessionState, name: str) -> bool:
    first = getattr(Session(), name)
    value = getattr(state, name)
    return value is None if first is None else type(value) is type(first) and value == first


@pytest.mark.parametrize("one", [f.name for f in fields_of() if f.name != "references"])  # no images here
def test_every_field_is_in_the_file_and_goes_over_to_the_session_that_opens_it(saved: Session, one: str) -> None:
    assert not is_as_at_first(saved, one)
    opened = Session()
    opened.adopt(saved)
    same(getattr(saved, one), getattr(opened, one))
    same(getattr(saved, one), getattr(saved.snapshot(), one))


def test_what_is_read_again_is_emptied_and_the_rest_stays(saved: Session) -> None:
    state = saved.snapshot()
    before = state.start_again()
    emptied = set(names_of("worms", "result", "opinion", "basis", "undo"))
    for name in names_of():
        if name in emptied:
            assert is_as_at_first(state, name), name
        else:
            same(getattr(before, name), getattr(state, name))
    assert {"recordings", "components", "made", "done"} <= emptied and {"history", "uid", "groups"}.isdisjoint(emptied)


def test_results_are_those_that_the_fields_say_and_are_told(saved: Session) -> None:
    results, told = saved.results(), []
    assert results.same_results(saved) and not results.recordings
    own = names_of("result", "opinion", "basis", "settings")
    assert all(is_as_at_first(results, name) for name in names_of("worms", "kept", "undo"))
    shown = Session()
    assert not shown.same_results(saved)
    for signal in signals_of(*own):
        getattr(shown, signal).connect(lambda signal=signal: told.append(signal))
    shown.take_results(saved)
    assert shown.same_results(saved) and set(told) == {"surrogates_changed", "states_changed", "opinions_changed"}
    same(saved.made, shown.made)
