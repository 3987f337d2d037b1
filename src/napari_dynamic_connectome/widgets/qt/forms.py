"""Form that magicgui makes from a settings model: labels, bounds, units, defaults and tooltips all come from the model."""

from __future__ import annotations

import math
import re
import types
from typing import Any, Literal, Union, get_args, get_origin

from magicgui import use_app
from magicgui.widgets import LineEdit, create_widget
from magicgui.widgets.bases import RangedWidget, ValueWidget
from pydantic.fields import FieldInfo
from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QValidator
from qtpy.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFormLayout, QLabel, QSizePolicy, QWidget

from ...model.errors import SettingsError
from ...model.settings import StepSettings
from .controls import guard_wheel


def unit_of(field: FieldInfo) -> str:
    """Unit of a field, "" if it has none."""
    extra = field.json_schema_extra
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


def bounds_of(field: FieldInfo) -> tuple[float | None, float | None]:
    """Least and largest value."""
    low = high = None
    for item in field.metadata:
        low = next((float(v) for v in (getattr(item, "ge", None), getattr(item, "gt", None)) if v is not None), low)
        high = next((float(v) for v in (getattr(item, "le", None), getattr(item, "lt", None)) if v is not None), high)
    return low, high


def tooltip(name: str, field: FieldInfo) -> str:
    """Help, unit, default and bounds in words, as shown on the control."""
    default = field.get_default(call_default_factory=True)
    unit = unit_of(field)
    low, high = bounds_of(field)
    lines = [field.description or name]
    text = "not set" if default is None else ("yes" if default is True else "no" if default is False else f"{default}")
    lines.append(f"Default: {text or 'empty'}{' ' + unit if unit and default is not None else ''}.")
    if low is not None or high is not None:
        span = (
            f"{low:g} to {high:g}"
            if low is not None and high is not None
            else f"from {low:g}"
            if low is not None
            else f"up to {high:g}"
        )
        lines.append(f"Range: {span}{' ' + unit if unit else ''}.")
    return "\n".join(lines)


def words(name: str) -> str:
    """Turn a field name into a label: "baseline_window_s" -> "baseline window"."""
    for suffix in ("_s", "_um", "_hz", "_mb", "_px"):
        name = name.removesuffix(suffix)
    return name.replace("_", " ")


class Number(QDoubleSpinBox):
    """Spin box that shows a number as it is: no needless zeros, none cut off, 1e-06 can be typed; a decimal comma is a point.

    A step is a tenth of the number's power of ten, but not less than `singleStep`.
    """

    def textFromValue(self, value: float) -> str:
        return f"{value:.15g}" if self.decimals() else f"{value:.0f}"

    def valueFromText(self, text: str) -> float:
        try:
            return float(self._bare(text))
        except ValueError:
            return float(self.value())

    def validate(self, text: str, position: int) -> tuple[QValidator.State, str, int]:
        bare = self._bare(text)
        state = QValidator.State.Invalid
        if re.fullmatch(r"[-+]?\d*\.?\d*(e[-+]?\d*)?" if self.decimals() else r"[-+]?\d*", bare):
            state = QValidator.State.Intermediate
            try:
                if self.minimum() <= float(bare) <= self.maximum():
                    state = QValidator.State.Acceptable
            except ValueError:
                pass
        return state, text, position

    def stepBy(self, steps: int) -> None:
        size = abs(self.value())
        tenth = 10.0 ** (math.floor(math.log10(size)) - 1) if size and self.decimals() else 0.0
        self.setValue(self.value() + steps * max(tenth, self.singleStep()))
        self.selectAll()

    def _bare(self, text: str) -> str:
        return text.removeprefix(self.prefix()).removesuffix(self.suffix()).strip().lower().replace(",", ".")


_SpinBox: type[Any] = use_app().get_obj("FloatSpinBox")


class _NumberBackend(_SpinBox):
    """What magicgui wraps around a Qt spin box, around `Number` instead."""

    def __init__(self, *, decimals: int, suffix: str, **options: Any) -> None:
        super(_SpinBox, self).__init__(Number, **options)
        self._qwidget.setDecimals(decimals)
        self._qwidget.setSuffix(suffix)


class NumberEdit(RangedWidget[float]):
    """magicgui's widget for `Number`; its own ones round to two decimals, know no unit, or take the focus when they are set."""

    def __init__(self, *, decimals: int = 12, suffix: str = "", **options: Any) -> None:
        options |= {"widget_type": _NumberBackend, "backend_kwargs": {"decimals": decimals, "suffix": suffix}}
        super().__init__(**options)


class TextEdit(LineEdit):
    """Line for what may be left out: text, a number that may be missing, or several values with commas between.

    Parameters
    ----------
    empty : "", None or ()
        Value of an empty line.
    several : bool
        The value is a tuple.
    hint : str
        Shown in an empty line.
    """

    def __init__(self, *, empty: Any = "", several: bool = False, hint: str = "", **options: Any) -> None:
        self._empty, self._several = empty, several
        super().__init__(**options)
        self.native.setPlaceholderText(hint)

    def get_value(self) -> Any:
        text = super().get_value().strip()
        if self._several and text:
            return tuple(part.strip() for part in text.split(",") if part.strip())
        return text or self._empty

    def set_value(self, value: Any) -> None:
        super().set_value(", ".join(map(str, value)) if self._several and value else "" if value is None else value)


class SettingsForm(QWidget):
    """Controls for all fields of a settings model (or some of them), each a widget of magicgui in `controls`.

    They are made when the form is shown, or asked for: docks open with most of their forms folded away.

    Signals
    -------
    edited()
        A value was changed by the user.
    """

    edited = Signal()

    def __init__(self, model: type[StepSettings], *, fields: tuple[str, ...] | None = None) -> None:
        super().__init__()
        self.model = model
        self.names = [
            name
            for name, field in model.model_fields.items()
            if (fields is None or name in fields) and control_options(name, field) is not None
        ]
        """Fields that have a control."""
        self._settings: Any = model()
        self._controls: dict[str, ValueWidget[Any]] | None = None
        self._base: dict[str, Any] = {}
        self._shown: dict[str, Any] = {}

    @property
    def controls(self) -> dict[str, ValueWidget[Any]]:
        """Widgets of magicgui by field."""
        if self._controls is None:
            self._build()
        assert self._controls is not None
        return self._controls

    def showEvent(self, event: Any) -> None:
        if self._controls is None:
            self._build()
        super().showEvent(event)

    def _build(self) -> None:
        """Make the controls."""
        self._controls = {}
        before = self.previousInFocusChain()
        while before is not self and before.focusPolicy() == Qt.FocusPolicy.NoFocus:
            before = before.previousInFocusChain()
        layout = QFormLayout(self)
        layout.setContentsMargins(2, 0, 0, 4)
        layout.setHorizontalSpacing(8)
        layout.setVerticalSpacing(4)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for name in self.names:
            control = control_of(name, self.model.model_fields[name])
            assert control is not None
            native = control.native
            if isinstance(native, QComboBox):
                native.setMinimumContentsLength(6)
                native.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            elif isinstance(native, QCheckBox):
                native.setText("")  # its caption stands before it, as in the other rows
            native.setAccessibleName(words(name))
            native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            native.setMinimumWidth(60)
            caption = QLabel(words(name))
            caption.setToolTip(control.tooltip)
            caption.setBuddy(native)
            layout.addRow(caption, native)
            if before is not self:  # Tab goes on from what stands before the form, not from what was made last
                QWidget.setTabOrder(before, native)
            before = native
            self._controls[name] = control
            # what is typed into a line counts when it is complete
            (native.editingFinished if isinstance(control, TextEdit) else control.changed).connect(self._changed)
        guard_wheel(self)
        self.set_value(self._settings)

    def _changed(self) -> None:
        self.edited.emit()

    def value(self) -> Any:
        """Return the settings; raises `SettingsError` if they contradict each other."""
        if self._controls is None:
            return self._settings
        found = {name: control.value for name, control in self._controls.items()}
        # a number with more digits than a control holds stays what it is until it is edited
        edited = {name: one for name, one in found.items() if one != self._shown[name]}
        return self.model.parse(self._base | edited, where=self.model.__name__)

    def set_value(self, settings: StepSettings) -> None:
        """Show these settings."""
        self._settings = settings
        self._base = settings.model_dump()
        for name, control in (self._controls or {}).items():
            with control.changed.blocked():
                control.value = getattr(settings, name)
            self._shown[name] = control.value

    def summary(self) -> str:
        """Values that are not the default, in words."""
        try:
            value = self.value()
        except SettingsError as error:
            return str(error)
        default = self.model()
        parts = []
        for name in self.names:
            one = getattr(value, name)
            if one != getattr(default, name):
                unit = unit_of(self.model.model_fields[name])
                parts.append(
                    f"{words(name)} {one:g}{' ' + unit if unit else ''}"
                    if isinstance(one, float)
                    else f"{words(name)} {one}"
                )
        return ", ".join(parts) or "defaults"


def control_of(name: str, field: FieldInfo) -> ValueWidget[Any] | None:
    """Widget of magicgui for a field; None for tables and settings inside settings, which a form leaves as they are."""
    options = control_options(name, field)
    return None if options is None else create_widget(name=name, label=words(name), **options)


def control_options(name: str, field: FieldInfo) -> dict[str, Any] | None:
    """What magicgui is told to make the widget of a field; None for tables and settings inside settings.

    Bounds, steps, decimals and units are given to magicgui: left to itself it makes floats of two decimals up to 999, and no
    widget for `X | None` and `tuple[X, ...]`.
    """
    kind, optional = field.annotation, False
    if get_origin(kind) in (Union, types.UnionType):
        inner = [a for a in get_args(kind) if a is not type(None)]
        kind, optional = inner[0] if len(inner) == 1 else None, True
    unit, (low, high) = unit_of(field), bounds_of(field)
    several = get_origin(kind) is tuple and all(a in (str, int, float, ...) or _is_literal(a) for a in get_args(kind))
    options: dict[str, Any] = {"tooltip": tooltip(name, field)}
    widget: type[Any] | None = None
    if several or kind is str or (optional and kind in (int, float)):
        widget = TextEdit
        options |= {"several": several, "empty": None if optional else () if several else ""}
        options["hint"] = f"automatic{f' ({unit})' if unit else ''}" if optional else "none"
    elif kind in (int, float):
        widget = NumberEdit
        most = 1e9 if kind is int else 1e300
        options |= {"min": -most if low is None else low, "max": most if high is None else high}
        options |= {"decimals": 0, "step": 1} if kind is int else {"step": _step(field.default, high)}
        options["suffix"] = f" {unit}" if unit else ""
    elif kind is not bool and not _is_literal(kind):
        return None
    return {"annotation": kind, "widget_type": widget, "options": options}


def _is_literal(kind: Any) -> bool:
    return get_origin(kind) is Literal


def _step(default: float, high: float | None) -> float:
    """Smallest step: a tenth of the default's power of ten; from zero, a hundredth of what is at most one, or a tenth."""
    if default:
        return 10.0 ** (math.floor(math.log10(abs(default))) - 1)
    return 0.01 if high is not None and high <= 1 else 0.1
