"""The code of the page "In other programs" runs as it stands, in a process without this project."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.widgets.helpers import fill

from napari_dynamic_connectome.report.graphml import write_session_graph
from napari_dynamic_connectome.report.tables import write_tables
from napari_dynamic_connectome.session.save_load import save_session
from napari_dynamic_connectome.session.session import Session

PAGE = Path(__file__).parents[2] / "docs" / "pages" / "elsewhere.md"
ALONE = """
import sys, warnings
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] == 'napari_dynamic_connectome':
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Block())
warnings.simplefilter('ignore')
"""
SECTIONS = re.split(r"^## ", PAGE.read_text(encoding="utf-8"), flags=re.M)[1:]
BLOCKS = [
    (section.splitlines()[0], code)
    for section in SECTIONS
    if re.fullmatch(r"\w+", section.splitlines()[0])  # the others are of programs that may be absent, or of ours
    for code in re.findall(r"```python\n(.*?)```", section, flags=re.S)[:1]
]
CHECKS = {
    "Tables": "assert len(all) == 2 * 120 * 66 and all['value'].notna().all()",
    "Graphs": "assert len(members) == 4, members",
    "xarray": "assert strong.sizes['pair'] == 10 and 'components' in tree and worm.sizes['time'] == 120",
}


def test_the_page_has_a_block_for_each_program() -> None:
    assert [name for name, _ in BLOCKS] == list(CHECKS)


@pytest.mark.parametrize(("name", "code"), BLOCKS, ids=[name for name, _ in BLOCKS])
def test_the_code_runs(name: str, code: str, tmp_path: Path) -> None:
    session = Session()
    fill(session)
    session.select(component=1, kind="core", level=0)
    save_session(session, tmp_path / "session.zarr")
    write_tables(session, tmp_path / "tables")
    write_session_graph(session, tmp_path / "component1.graphml")
    code = code.replace("recordings/worm01", "recordings/worm_A").replace('"worm01"', '"worm A"')
    done = subprocess.run(
        [sys.executable, "-c", f"{ALONE}\n{code}\n{CHECKS[name]}"],
        cwd=tmp_path,
        env=os.environ | {"MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
