"""Make docs/pages/real_worms.md and its figures from four real worms: python docs/make_real_worms.py (about a minute).

The recordings are not part of the project: their folder is taken from the environment variable DYNAMIC_CONNECTOME_DATA, or is
`shared/data` beside the project.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import xarray as xr

from napari_dynamic_connectome import Cohort, Components, Recording, compute_affinity, sweep_ranks
from napari_dynamic_connectome.comparison import behaviour_correlations
from napari_dynamic_connectome.report import plot_components, plot_sweep, strongest_neurons

HERE = Path(__file__).parent
WORMS = ("2022-07-26-31", "2022-07-26-38", "2022-07-27-31", "2022-08-02-31")

PAGE = """\
# Four real worms

A check that needs no tuning: do the default settings find what is known? The data are four freely moving NeuroPAL worms on food, without
stimuli (Dag et al. 2023, *Cell*, doi 10.1016/j.cell.2023.04.023), about 800 time points at 1.67 Hz, labels of confidence 3 and up.
Everything on this page is made by `docs/make_real_worms.py`; the recordings are not shipped.

```python
cohort = Cohort([read_recording(path) for path in paths], min_confidence=3)
affinity = compute_affinity(cohort)  # no stimuli, so: {model}
sweep = sweep_ranks(affinity, range(2, 9))
components = sweep.components[sweep.suggested]
```

`python examples/spontaneous_behaviour.py FOLDER RECORDING ...` does the same for recordings of your own.

## How many components?

Suggested: **{suggested}**. {reason}

{table}

![Errors and agreement of restarts by rank](../images/real_worms_ranks.png)

## What they are

{components}

Component {reversal} is the reversal circuit: its time course follows the animals' reversals (mean correlation {r:.2f}; by worm {each}),
and its strongest neurons are {neurons}. The {starts} random starts gave the same components (lowest match with the best start
{agree:.3f}).

![The components](../images/real_worms_components.png)

Read with care: the behaviour was not used in the fit, but it is one of many one could have compared with, and a correlation does not say that
these neurons drive anything. With four worms, the fourth worm's weaker correlation is as much a result as the mean.
"""


def recordings(folder: Path) -> list[Recording]:
    """Read the four worms with their sure labels and reversals."""
    found = []
    for uid in WORMS:
        with np.load(folder / "traces" / f"dag2023_{uid}.npz", allow_pickle=False) as data:
            names = [str(n) if c >= 3 else "" for n, c in zip(data["names"], data["label_confidence"], strict=True)]
            reversal = xr.DataArray(data["beh_reversal"].astype(float), dims=("time",), attrs={"kind": "binary"})
            behaviour = xr.Dataset({"reversal": reversal}, coords={"time": data["t"]})
            found.append(
                Recording.from_arrays(data["traces"], name=uid, time_s=data["t"], names=names, behaviour=behaviour)
            )
    return found


def component_table(components: Components, r: np.ndarray) -> str:
    """One line a component."""
    lines = ["| component | explained | correlation with reversals | strongest neurons |", "| --- | --- | --- | --- |"]
    for number in range(1, components.rank + 1):
        share = components.diagnostics["explained"][number - 1]
        neurons = ", ".join(strongest_neurons(components, number, 10))
        lines.append(f"| {number} | {share:.1%} | {r[number - 1].mean():.2f} | {neurons} |")
    return "\n".join(lines)


def main() -> None:
    """Fit, draw, write."""
    folder = Path(os.environ.get("DYNAMIC_CONNECTOME_DATA", HERE.parents[1] / "shared" / "data"))
    cohort = Cohort(recordings(folder))
    affinity = compute_affinity(cohort)
    sweep = sweep_ranks(affinity, range(2, 9))
    components = sweep.components[sweep.suggested]
    found = behaviour_correlations(components, cohort, channels=("reversal",), shifts=100)
    by_worm = found[found["worm"] != "all"].pivot(index="component", columns="worm", values="r")
    r = by_worm.to_numpy(float)
    best = int(np.argmax(r.mean(axis=1)))
    images = HERE / "images"
    plot_sweep(sweep.table, sweep.suggested, "").savefig(images / "real_worms_ranks.png", dpi=130, bbox_inches="tight")
    figure = plot_components(components, cohort, behaviour="reversal")
    figure.savefig(images / "real_worms_components.png", dpi=110, bbox_inches="tight")
    rows = sweep.table.drop(columns="core_consistency")
    head = "| " + " | ".join(rows.columns.str.replace("_", " ")) + " |"
    body = ["| " + " | ".join([str(int(x[0])), *(f"{v:.4f}" for v in x[1:])]) + " |" for x in rows.to_numpy(float)]
    page = PAGE.format(
        model=affinity.model,
        suggested=sweep.suggested,
        reason=sweep.reason,
        table="\n".join([head, "| " + " | ".join("---" for _ in rows.columns) + " |", *body]),
        components=component_table(components, r),
        reversal=best + 1,
        r=r[best].mean(),
        each=", ".join(f"{v:.2f}" for v in r[best]),
        neurons=", ".join(strongest_neurons(components, best + 1, 10)),
        starts=len(components.diagnostics["start_errors"]),
        agree=min(components.diagnostics["restart_similarity"]),
    )
    (HERE / "pages" / "real_worms.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
