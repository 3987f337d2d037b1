"""Form made from a settings model: labels, bounds, units, defaults and tooltips all come from the model."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

from ...model.errors import SettingsError
from ...model.settings import StepSettings


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
    """Spin box that shows no needless zeros."""

    def textFromValue(self, value: float) -> str:
        return f"{value:.7g}"


class SettingsForm(QWidget):
    """Controls for all fields of a settings model (or some of them).

    Signals
    -------
    edited()
        A value was changed by the user.
    """

    edited = Signal()

    def __init__(self, model: type[StepSettings], *, fields: tuple[str, ...] | None = None) -> None:
        super().__init__()
        self.model = model
        self.controls: dict[str, QWidget] = {}
        self._base: dict[str, Any] = {}
        layout = QFormLayout(self)
        layout.setContentsMargins(2, 0, 0, 4)
        layout.setHorizontalSpacing(8)
        layout.setVerticalSpacing(4)
        layout.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for name, field in model.model_fields.items():
            if fields is not None and name not in fields:
                continue
            control = _control(field)
            if control is None:
                continue
            tip = tooltip(name, field)
            control.setToolTip(tip)
            control.setAccessibleName(words(name))
            control.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            control.setMinimumWidth(60)
            caption = QLabel(words(name))
            caption.setToolTip(tip)
            caption.setBuddy(control)
            layout.addRow(caption, control)
            self.controls[name] = control
            _signal(control).connect(lambda *_: self.edited.emit())
        self.set_value(model())

    def value(self) -> Any:
        """Return the settings; raises `SettingsError` if they contradict each other."""
        found = {name: _read(control, self.model.model_fields[name]) for name, control in self.controls.items()}
        return self.model.parse(self._base | found, where=self.model.__name__)

    def set_value(self, settings: StepSettings) -> None:
        """Show these settings."""
        self._base = settings.model_dump()
        for name, control in self.controls.items():
            control.blockSignals(True)
            _write(control, getattr(settings, name))
            control.blockSignals(False)

    def summary(self) -> str:
        """Values that are not the default, in words."""
        try:
            value = self.value()
        except SettingsError as error:
            return str(error)
        default = self.model()
        parts = []
        for name in self.controls:
            one = getattr(value, name)
            if one != getattr(default, name):
                unit = unit_of(self.model.model_fields[name])
                parts.append(
                    f"{words(name)} {one:g}{' ' + unit if unit else ''}"
                    if isinstance(one, float)
                    else f"{words(name)} {one}"
                )
        return ", ".join(parts) or "defaults"


def _kind(field: FieldInfo) -> tuple[Any, bool]:
    """Type without None, and whether None is allowed."""
    annotation = field.annotation
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [a for a in get_args(annotation) if a is not type(None)]
        return (inner[0] if len(inner) == 1 else None), len(inner) < len(get_args(annotation))
    return annotation, False


def _control(field: FieldInfo) -> QWidget | None:
    kind, optional = _kind(field)
    low, high = bounds_of(field)
    unit = unit_of(field)
    if get_origin(kind) is Literal:
        box = QComboBox()
        for option in get_args(kind):
            box.addItem(str(option), option)
        box.setMinimumContentsLength(6)
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        return box
    if kind is bool:
        return QCheckBox()
    if kind in (int, float) and optional:
        line = QLineEdit()
        line.setPlaceholderText(f"automatic{f' ({unit})' if unit else ''}")
        return line
    if kind is int:
        spin = QSpinBox()
        spin.setRange(
            int(low if low is not None else -(10**9)), int(min(high if high is not None else 10**9, 2**31 - 1))
        )
        spin.setSuffix(f" {unit}" if unit else "")
        return spin
    if kind is float:
        real = Number()
        real.setDecimals(7)
        real.setRange(low if low is not None else -1e12, high if high is not None else 1e12)
        real.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        real.setSuffix(f" {unit}" if unit else "")
        return real
    if kind is str:
        line = QLineEdit()
        line.setPlaceholderText("none")
        return line
    return None


def _signal(control: QWidget) -> Any:
    if isinstance(control, QComboBox):
        return control.currentIndexChanged
    if isinstance(control, QCheckBox):
        return control.toggled
    if isinstance(control, QLineEdit):
        return control.editingFinished
    return control.valueChanged


def _read(control: QWidget, field: FieldInfo) -> Any:
    if isinstance(control, QComboBox):
        return control.currentData()
    if isinstance(control, QCheckBox):
        return control.isChecked()
    if isinstance(control, QLineEdit):
        kind, _optional = _kind(field)
        text = control.text().strip()
        if kind in (int, float):
            if not text:
                return None
            try:
                return kind(text)
            except ValueError:
                return text  # the model says in its own words what is wrong
        return text
    return control.value()


def _write(control: QWidget, value: Any) -> None:
    if isinstance(control, QComboBox):
        control.setCurrentIndex(max(control.findData(value), 0))
    elif isinstance(control, QCheckBox):
        control.setChecked(bool(value))
    elif isinstance(control, QLineEdit):
        control.setText("" if value is None else str(value))
    else:
        control.setValue(value)
