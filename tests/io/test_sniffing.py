"""What a table is about is told by its columns."""

from __future__ import annotations

import gzip

import networkx as nx
import pandas as pd
import pytest

from napari_dynamic_connectome.io.sniffing import table_kind


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.csv", "time_s,AVAL,AVAR\n0,1,2\n", "traces"),
        ("a.csv", "AVAL,AVAR\n1,2\n", "traces"),
        ("a.csv", "worm;time_s;neuron;value;label;z;y;x\nw;0;AVAL;1;1;1;1;1\n", "traces"),
        ("a.csv", "Frame,ID,Z,Y,X\n0,1,1,1,1\n", "centres"),
        ("a.tsv", "t\ttrack_id\tz\ty\tx\n0\t1\t1\t1\t1\n", "centres"),
        ("a.csv", "name,onset,offset\nNaCl,1,2\n", "stimuli"),
        ("a.csv", "stimulus,start_ms,duration_ms\nNaCl,1,2\n", "stimuli"),
        ("a.csv", "label,name\n1,AVAL\n", "names"),
        ("a.csv", "name,note\nAVAL,x\n", "neurons"),
        ("a.txt", "AVAL\nAVAR\n", "neurons"),
        ("a.csv", "0.1\n0.2\n", "traces"),
        ("a.csv", "pre,post,type,synapses\nAVAL,AVAR,chemical,2\n", "connectome"),
        ("a.csv", '"source","target","weight"\nAVAL,AVAR,2\n', "connectome"),
        ("a.csv", "from,to,n\nAVAL,AVAR,2\n", "connectome"),
        ("worm1_behaviour.csv", "time_s,speed\n0,1\n", "behaviour"),
        ("worm1-behavior.csv", "time_s,speed\n0,1\n", "behaviour"),
        ("misbehaviour_mutant.csv", "time_s,AVAL\n0,1\n", "traces"),
        ("a.csv", "time_s,beh_speed\n0,1\n", "behaviour"),
        ("a.csv", "time_s,beh_speed,AVAL\n0,1,2\n", "traces"),
        ("a.csv", "time_s\n0\n", "traces"),
        ("a.csv", "frame,z,y,x\n0,1,1,1\n", "traces"),  # nothing says which neuron
        ("a.csv", "frame,id,y,x\n0,1,1,1\n", "traces"),
        ("a.csv", "timepoint,particle,z,y,x\n0,1,1,1,1\n", "centres"),
        ("a.csv", "index,axis-0,axis-1,axis-2,axis-3\n0,0,1,1,1\n", "centres"),
        ("a.csv", "source_dataset,worm,neuron,calcium_data\nK,w,AVAL,1\n", "traces"),
        ("a.csv", "odour,t_on [s],t_off [s]\nNaCl,1,2\n", "stimuli"),
        ("a.csv", "name,beginning\nNaCl,1\n", "neurons"),
        ("a.csv", "stimulated,responder,value\nAVAL,AVAR,2\n", "connectome"),
        ("a.csv", "presynaptic,weight\nAVAL,2\n", "traces"),
        ("a.csv", "roi,neuron_name\n1,AVAL\n", "names"),
        ("a.csv", '\n\n"label";"name"\n1;AVAL\n', "names"),
    ],
)
def test_a_table_is_told_by_its_columns(tmp_path, name, text, kind) -> None:
    (tmp_path / name).write_text(text)
    assert table_kind(tmp_path / name) == kind
    (tmp_path / "utf16").mkdir()
    (tmp_path / "utf16" / name).write_text(text, encoding="utf-16")
    assert table_kind(tmp_path / "utf16" / name) == kind
    (tmp_path / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
    assert table_kind(tmp_path / f"{name}.gz") == kind


def test_parquet_and_graphml(tmp_path) -> None:
    pd.DataFrame({"frame": [0], "id": [1], "z": [0.0], "y": [0.0], "x": [0.0]}).to_parquet(tmp_path / "c.parquet")
    assert table_kind(tmp_path / "c.parquet") == "centres"
    rows = {"source_dataset": ["K"], "worm": ["w"], "neuron": ["AVAL"], "calcium_data": [[1.0]]}
    (tmp_path / "many").mkdir()
    pd.DataFrame(rows).to_parquet(tmp_path / "many" / "a.parquet")
    assert table_kind(tmp_path / "many") == "traces"
    nx.write_graphml(nx.DiGraph([("AVAL", "AVAR")]), tmp_path / "c.graphml")
    assert table_kind(tmp_path / "c.graphml") == "connectome"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("scorer,net,net,net\nbodyparts,nose,nose,nose\ncoords,x,y,likelihood\n0,1,2,0.9\n", "behaviour"),
        (",AVAL,AVAR\nAVAL,0,1\nAVAR,2,0\n", "connectome"),
        ("pre,post,synapses\nAVAL,AVAR,1\n", "connectome"),
        ("time_s,AVAL\n0,1\n", "traces"),
    ],
)
def test_packed_and_utf_16_are_told_apart_like_plain_text(tmp_path, text: str, kind: str) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "b.csv").write_bytes(text.encode("utf-16"))
    (tmp_path / "c.csv").write_bytes(text.encode("utf-8-sig"))
    assert [table_kind(tmp_path / name) for name in ("a.csv.gz", "b.csv", "c.csv")] == [kind] * 3
