"""What NWB wants to know of worms and sessions that traces do not tell: asked once for all worms, kept as their attributes."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QDialogButtonBox

from ...io.formats.nwb_about import ABOUT, AboutSettings, checked_about
from ...model.attributes import attributes_of, with_attributes
from ...model.errors import InputError
from ...session.session import Session
from ..qt.controls import label
from ..qt.dialogs import TableDialog
from ..qt.forms import SettingsForm

OF_THE_LAB = ("strain", "experimenter", "lab", "institution")
"""What is likely the same for the next cohort: it stands in the form again."""


def is_said(session: Session) -> bool:
    """Whether strain and session start, which nothing can stand for, are known of every worm already."""
    return all({"strain", "session_start"} <= set(attributes_of(r)) for r in session.recordings.values())


class AboutDialog(TableDialog):
    """The form, filled with what all worms have in common.

    Parameters
    ----------
    viewer : napari.Viewer
    session : Session
        Its worms are given what is filled in.
    remembered : dict
        What was filled in for another cohort.
    """

    def __init__(self, viewer: Any, session: Session, remembered: dict[str, str]) -> None:
        worms = list(session.recordings.values())
        super().__init__(
            viewer,
            "About the worms",
            f"NWB wants to know this of {'the worm' if len(worms) == 1 else f'all {len(worms)} worms'}. What is filled in becomes an "
            "attribute of every worm; what is left empty stays as it is.",
        )
        self._session = session
        held = {name: {attributes_of(r).get(name, "") for r in worms} for name in ABOUT}
        self.form = SettingsForm(AboutSettings)
        for name, control in self.form.controls.items():
            several = sorted(held[name] - {""})
            hint = f"differs: {', '.join(several)}" if len(held[name]) > 1 else "not stated"
            control.native.setPlaceholderText(hint)
        common = {name: next(iter(values)) for name, values in held.items() if len(values) == 1}
        offered = {k: v for k, v in remembered.items() if k in OF_THE_LAB and held[k] == {""}}
        self.form.set_value(AboutSettings.parse(common | offered))
        self._common = common
        self.refusal = label("", "warning", wrap=True)
        self.refusal.hide()
        self.buttons.addButton("Go on", QDialogButtonBox.ButtonRole.AcceptRole)
        self.buttons.addButton(QDialogButtonBox.StandardButton.Cancel)
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        self.fill(self.form, self.refusal)
        self.resize(520, self.sizeHint().height())

    @property
    def said(self) -> dict[str, str]:
        """What stands in the form, by name."""
        return {name: str(value).strip() for name, value in self.form.value().model_dump().items()}

    def accept(self) -> None:
        """Give it to the worms; what NWB does not know is said and nothing is closed."""
        said = self.said
        try:
            checked_about(said, "this form")
        except InputError as error:
            self.refusal.setText(f"{error.what}. {error.fix}")
            self.refusal.show()
            return
        changed = {name: value for name, value in said.items() if value != self._common.get(name, "")}
        for name, worm in list(self._session.recordings.items()) if changed else ():
            new = with_attributes(worm, changed)
            if attributes_of(new) != attributes_of(worm):
                self._session.add(new, replace=True, make_current=False, made=f"about {name}: {', '.join(changed)}")
        super().accept()
