"""Names that a renderer would interpret: formula signs, control characters, bytes that are no UTF-8."""

from __future__ import annotations

import io
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from napari_dynamic_connectome import Recording, write_recording
from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.text import clean_text
from napari_dynamic_connectome.report.component_figures import plot_components
from napari_dynamic_connectome.report.figure_style import save_figure
from napari_dynamic_connectome.report.graphml import write_graphml
from napari_dynamic_connectome.report.html import write_figures

sys.path.insert(0, str(Path(__file__).parents[1] / "session"))
from session_sample import make_components

from napari_dynamic_connectome.session.session import Session

NAMES = ["AVAL", "a$b", "$\\frac{", "x\x01y", "_{^", "$$", "100 % $", "<b>&amp;", "\udce9"]


def hostile(name: str) -> Recording:
    rng = np.random.default_rng(0)
    waves = np.sin(np.arange(120)[:, None] / (3.0 + np.arange(9)[None] // 4))
    stimuli = [{"name": "salt $_{ \x02", "onset": 1.0, "offset": 3.0}]
    import pandas as pd

    traces = waves + rng.normal(scale=0.3, size=(120, 9)) + 3
    return Recording.from_arrays(traces, name=name, rate_hz=2, names=NAMES, stimuli=pd.DataFrame(stimuli))


@pytest.fixture
def session() -> Session:
    made = Session()
    made.add(hostile("worm $1 \x03"))
    made.add(hostile("worm $\\sqrt"))
    made.set_cohort(Cohort(made.recordings.values(), min_worms=1))
    made.set_components(make_components(made.cohort, 2, 0))
    return made


def test_every_figure_shows_hostile_names_as_they_are(session: Session, tmp_path: Path) -> None:
    paths = write_figures(session, tmp_path)
    drawn = [p for p in paths if p.suffix == ".svg"]
    assert len(drawn) >= 2
    texts = [t for p in drawn for t in ElementTree.parse(p).getroot().itertext()]
    assert any("a$b" in t for t in texts) and any("$\\frac{" in t for t in texts)
    assert any("salt $_{" in t for t in texts)


def test_a_figure_that_somebody_saves_later_interprets_nothing(session: Session) -> None:
    figure = plot_components(session.components, session.cohort)
    stream = io.BytesIO()
    figure.savefig(stream, format="png")  # outside of our style
    again = io.BytesIO()
    figure.suptitle("a \x01 title")
    save_figure(figure, again, "svg")
    ElementTree.fromstring(again.getvalue())


def test_a_graph_with_hostile_names_is_xml(session: Session, tmp_path: Path) -> None:
    import networkx as nx

    path = write_graphml(tmp_path / "g.graphml", session.components, 1)
    graph = nx.read_graphml(path)
    assert {"a$b", "x\N{REPLACEMENT CHARACTER}y", "<b>&amp;"} <= {d["name"] for d in graph.nodes.values()}


def test_what_no_file_can_hold_is_replaced_and_nothing_else() -> None:
    kept = "tab\t, line\n, é, 線, 🪱, <&>\"'$\\"
    assert clean_text(kept) == kept
    assert clean_text("a\x00b\x0bc\x7fd\ud800e\udfff") == "a\ufffdb\ufffdc\ufffdd\ufffde\ufffd"


@pytest.mark.skipif(sys.platform != "linux", reason="only here a file can be named with any bytes")
def test_a_run_over_a_file_whose_name_is_no_utf8(tmp_path: Path) -> None:
    for number, name in enumerate((b"w\xe9 1.npz", b"w$2.npz")):
        path = write_recording(hostile(f"w{number}"), tmp_path / f"{number}.npz")
        import os

        path.rename(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    settings = tmp_path / "s.toml"
    settings.write_text(
        'title = "$ a_{ title"\ncorrect = "none"\nkinds = ["core"]\n[input]\nrecordings = ["w*.npz"]\n'
        '[rank]\nrank = 2\nstarts = 1\n[communities]\nnull_fits = 0\nsamples = 10\nstarts = 1\n[chance]\nmethod = "none"\n'
    )
    command = [sys.executable, "-m", "napari_dynamic_connectome.cli", "run", str(settings), "-o", str(tmp_path / "out")]
    done = subprocess.run([*command, "--no-screenshot"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "$ a_{ title" in page
    for picture in (tmp_path / "out" / "figures").glob("*.svg"):
        ElementTree.parse(picture)
