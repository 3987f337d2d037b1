"""Tables of switching states: the states, what was scored on held-out frames, what they go along with."""

from __future__ import annotations

from typing import Any

from ...display.states import state_color
from ...model.state_results import StatesResult
from ..qt.table_view import Column, Table
from ..qt.theme import swatch
from .community_table import p_text


class StateTable(Table):
    """One row a state."""

    def __init__(self) -> None:
        super().__init__(
            [
                Column("state", lambda r: str(r["state"]), 44, icon=lambda r: r["icon"]),
                Column("time", lambda r: f"{r['share']:.0%}", 84, bar=lambda r: r["share"], tip="Share of all frames."),
                Column("visits", lambda r: str(r["visits"]), 44, right=True, tip="Stretches of time in it, all worms."),
                Column(
                    "lasts",
                    lambda r: _seconds(r["dwell_median_s"]),
                    52,
                    right=True,
                    tip="Median of the visits that no end of a recording cuts.",
                ),
                Column(
                    "goes with",
                    lambda r: r["with"],
                    0,
                    muted=True,
                    tip="Behaviour or component that it follows most closely, and the correlation.",
                ),
            ]
        )
        self.setMinimumHeight(70)
        self.rows_model.row_tip = lambda r: r["tip"]
        self.setToolTip("Choose a state: the communities of its network are listed below, and coloured in 3D.")


def state_rows(states: StatesResult, dark: bool) -> list[dict[str, Any]]:
    """Return the rows of the table of states."""
    rows: list[dict[str, Any]] = states.table().to_dict("records")
    agreement = states.agreement
    for one in rows:
        one["icon"] = swatch(state_color(one["state"], dark), dark)
        one["with"] = ""
        if agreement is not None and len(agreement):
            mine = overall(states)
            mine = mine[(mine["state"] == one["state"]) & mine["r"].notna()]
            if len(mine):
                best = mine.loc[mine["r"].abs().idxmax()]
                one["with"] = f"{_what(best)} {best['r']:+.2f}"
                one["sure"] = f"r {best['r']:+.2f}, p {p_text(float(best['p_value']))}"
        one["tip"] = (
            f"State {one['state']}: {one['share']:.0%} of the time, {one['visits']} visits in {one['worms']} worms, "
            f"median {_seconds(one['dwell_median_s'])}, mean {_seconds(one['dwell_mean_s'])}, expected "
            f"{_seconds(one['dwell_expected_s'])}; mean probability while in it {one['certainty']:.2f}.\n"
            f"Most of its own: {one['neurons']}" + (f"\nGoes with {one['with']} ({one['sure']})" if one["with"] else "")
        )
    return rows


def overall(states: StatesResult) -> Any:
    """Return the agreement over all worms; that of the one worm, where there is only one."""
    table = states.agreement
    if table is None:
        return None
    whole = table[table["worm"] == "all"]
    return whole if len(whole) else table


class AgreementTable(Table):
    """One row a state and channel or component."""

    def __init__(self) -> None:
        super().__init__(
            [
                Column("state", lambda r: str(r["state"]), 44, icon=lambda r: r["icon"]),
                Column("behaviour or component", _what, 0),
                Column("r", lambda r: f"{r['r']:+.2f}", 52, right=True, tip="Mean correlation over the worms."),
                Column(
                    "p",
                    lambda r: p_text(r["p_value"]),
                    48,
                    right=True,
                    tip="Against circular shifts in time, not corrected for the number of rows.",
                ),
                Column(
                    "q", lambda r: p_text(r["q_value"]), 48, right=True, tip="With the false discovery rate controlled."
                ),
            ]
        )
        self.setMinimumHeight(110)
        self.setToolTip(
            "Correlation of the probability of every state with behaviour and components, the strongest first."
        )

    def show_states(self, states: StatesResult, dark: bool) -> None:
        """Show what goes with what, the strongest first."""
        found = overall(states)
        found = found[found["r"].notna()]
        rows = found.loc[found["r"].abs().sort_values(ascending=False).index].to_dict("records")
        for one in rows:
            one["icon"] = swatch(state_color(one["state"], dark), dark)
        self.rows_model.set_rows(rows)


class HeldOutTable(Table):
    """One row a model that was scored on frames that it had not seen."""

    def __init__(self) -> None:
        super().__init__(
            [
                Column("model", lambda r: r["model"], 0),
                Column(
                    "score", lambda r: f"{r['score']:.4f}", 62, right=True, tip="Nats a value, mean over the folds."
                ),
                Column(
                    "over one state",
                    lambda r: "" if r["states"] == 1 else f"{r['over_one_state']:+.4f} ± {r['over_one_state_se']:.4f}",
                    118,
                    right=True,
                    tip="Over one state with the same prior in the same traces, with the standard error over the folds.",
                ),
            ]
        )
        self.setMinimumHeight(150)
        self.setToolTip(
            "How well frames that were kept from the fit are predicted, by the states and by what they are compared with."
        )

    def show_states(self, states: StatesResult) -> None:
        """Show all models."""
        self.rows_model.set_rows([] if states.held_out is None else states.held_out.to_dict("records"))


def _what(row: Any) -> str:
    return f"component {row['name']}" if row["kind"] == "component" else str(row["name"])


def _seconds(value: float) -> str:
    return "–" if value != value else f"{value:.1f} s"
