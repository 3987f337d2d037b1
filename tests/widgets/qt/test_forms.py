"""Forms that magicgui makes from settings models: every value stays exactly what it is, whatever its type and size."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

import magicgui.widgets
import pytest
from qtpy.QtCore import QLocale, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QLineEdit, QVBoxLayout, QWidget

import napari_dynamic_connectome
from napari_dynamic_connectome.affinity.settings import AffinitySettings
from napari_dynamic_connectome.communities.settings import CommunitySettings
from napari_dynamic_connectome.extraction.settings import CorrectionSettings, ExtractionSettings
from napari_dynamic_connectome.factorization.settings import FactorizationSettings
from napari_dynamic_connectome.model.errors import SettingsError
from napari_dynamic_connectome.model.settings import StepSettings
from napari_dynamic_connectome.pipeline.robustness_settings import RobustnessSettings
from napari_dynamic_connectome.pipeline.settings import RankSettings, VolumeInput
from napari_dynamic_connectome.pipeline.toml import read_toml, to_toml
from napari_dynamic_connectome.session.save_load import load_session, save_session
from napari_dynamic_connectome.session.session import Session
from napari_dynamic_connectome.widgets.qt.forms import Number, SettingsForm

pytestmark = pytest.mark.gui

AWKWARD = (0.1625, 1e-6, 1 / 3, 0.1 + 0.2, 2.0**-40, 0.0001)


def models() -> list[type[StepSettings]]:
    """Every settings model of the package."""
    for found in pkgutil.walk_packages(napari_dynamic_connectome.__path__, "napari_dynamic_connectome."):
        if found.name.endswith("settings"):
            importlib.import_module(found.name)
    kinds, waiting = [], [StepSettings]
    while waiting:
        new = [k for k in waiting.pop().__subclasses__() if k.__module__.startswith("napari_dynamic_connectome.")]
        kinds += new
        waiting += new
    return kinds


def form_of(kind: type[StepSettings], qtbot: Any, **values: Any) -> SettingsForm:
    form = SettingsForm(kind)
    form.set_value(kind(**values))
    qtbot.addWidget(form)
    form.show()
    return form


def type_into(form: SettingsForm, name: str, text: str) -> None:
    """Replace the text of a control, as a user does, and press Enter."""
    native = form.controls[name].native
    line = native if isinstance(native, QLineEdit) else native.lineEdit()
    line.selectAll()
    QTest.keyClick(native, Qt.Key.Key_Delete)
    QTest.keyClicks(native, text)
    QTest.keyClick(native, Qt.Key.Key_Return)


def test_every_settings_model_makes_a_form_that_says_what_the_model_says(qtbot) -> None:
    kinds = models()
    assert len(kinds) > 18
    left_out = set()
    for model in kinds:
        form = SettingsForm(model)
        qtbot.addWidget(form)
        assert form.value() == model()
        left_out |= {(model.__name__, name) for name in model.model_fields if name not in form.controls}
        for name, control in form.controls.items():
            assert isinstance(control, magicgui.widgets.bases.ValueWidget)
            assert control.tooltip.startswith(model.model_fields[name].description)
            assert "Default: " in control.tooltip and control.native.accessibleName()
    tables = {("ReadingSettings", "fields"), ("InputSettings", "attributes"), ("InputSettings", "collection")}
    tables |= {("InputSettings", "volumes"), ("InputSettings", "reading")}
    assert {one for one in left_out if one[0] != "PipelineSettings"} == tables  # tables and settings inside settings


@pytest.mark.parametrize("number", AWKWARD)
def test_a_float_stays_what_it_is(number: float, qtbot, tmp_path) -> None:
    form = form_of(FactorizationSettings, qtbot, tolerance=number, ridge=number, sparsity=0.5)
    assert form.value().tolerance == number
    for name in ("tolerance", "ridge"):  # Enter without an edit, then an edit of another field
        form.controls[name].native.lineEdit().selectAll()
        QTest.keyClick(form.controls[name].native, Qt.Key.Key_Return)
    type_into(form, "sparsity", "0.25")
    value = form.value()
    assert (value.tolerance, value.ridge, value.sparsity) == (number, number, 0.25)
    (tmp_path / "a.toml").write_text(to_toml(value))
    assert FactorizationSettings.parse(read_toml(tmp_path / "a.toml")) == value
    session = Session()
    session.settings = {"factorization": value.model_dump(mode="json")}
    save_session(session, tmp_path / "a.zarr")
    again = form_of(FactorizationSettings, qtbot, **load_session(tmp_path / "a.zarr").settings["factorization"])
    assert again.value() == value


@pytest.mark.parametrize("text, number", [("0.1625", 0.1625), ("1e-6", 1e-6), ("2.5E-7", 2.5e-7), ("0,75", 0.75)])
def test_a_typed_float_is_the_number_that_was_typed(text: str, number: float, qtbot) -> None:
    form = form_of(FactorizationSettings, qtbot)
    with qtbot.waitSignal(form.edited):
        type_into(form, "tolerance", text)
    assert form.value().tolerance == number
    again = form_of(FactorizationSettings, qtbot, **form.value().model_dump())
    type_into(again, "ridge", "0.5")
    assert again.value().tolerance == number


def test_a_number_reads_the_same_where_a_comma_is_the_decimal_point(qtbot) -> None:
    form = form_of(CorrectionSettings, qtbot, smoothing_s=0.1625)
    native = form.controls["smoothing_s"].native
    native.setLocale(QLocale(QLocale.Language.German))
    form.set_value(CorrectionSettings(smoothing_s=1234.5))
    assert native.text() == "1234.5 s"
    QTest.keyClick(native, Qt.Key.Key_Return)
    assert form.value().smoothing_s == 1234.5
    type_into(form, "smoothing_s", "0.1625 s")
    assert form.value().smoothing_s == 0.1625


def test_what_cannot_be_typed_into_a_number(qtbot) -> None:
    form = form_of(AffinitySettings, qtbot)
    for text, kept in (("abc", 1.0), ("", 1.0), ("e", 1.0), ("inf", 1.0)):
        type_into(form, "sigma_s", text)
        assert form.value().sigma_s == kept
    type_into(form, "min_worms", "2.5")  # the point is not taken
    assert form.value().min_worms == 25
    type_into(form, "sigma_s", "5000")  # the most is 600: digits that lead there are not taken
    assert form.value().sigma_s == 500


def test_bounds_and_units_are_the_model_s(qtbot) -> None:
    form = form_of(ExtractionSettings, qtbot)
    memory, neurons = form.controls["memory_mb"], form.controls["max_neurons"]
    memory.value = 123456.5  # has no upper bound
    assert memory.native.text() == "123456.5 MB" and form.value().memory_mb == 123456.5
    assert (neurons.min, neurons.max) == (1, 10_000_000)
    neurons.value = 10_000_000
    assert neurons.native.text() == "10000000" and form.value().max_neurons == 10_000_000
    with pytest.raises(ValueError, match="allowed range"):
        neurons.value = 10_000_001


@pytest.mark.parametrize(
    "model, name, start, steps, wanted",
    [
        (AffinitySettings, "kappa", 0.0, 1, 0.1),
        (CommunitySettings, "threshold", 0.0, 1, 0.01),
        (AffinitySettings, "sigma_s", 1.0, 1, 1.1),
        (AffinitySettings, "sigma_s", 20.0, -1, 19.0),
        (AffinitySettings, "kappa", 0.1, -1, 0.0),
        (FactorizationSettings, "tolerance", 1e-6, 1, 1.1e-6),
        (AffinitySettings, "sigma_s", 600.0, 1, 600.0),
        (AffinitySettings, "min_worms", 3, 1, 4),
    ],
)
def test_an_arrow_makes_a_step_that_is_seen(model, name, start, steps, wanted, qtbot) -> None:
    form = form_of(model, qtbot, **{name: start})
    QTest.keyClick(form.controls[name].native, Qt.Key.Key_Up if steps > 0 else Qt.Key.Key_Down)
    assert getattr(form.value(), name) == wanted


def test_a_number_that_may_be_missing(qtbot) -> None:
    form = form_of(AffinitySettings, qtbot)
    control = form.controls["rate_hz"]
    assert control.native.text() == "" and control.native.placeholderText() == "automatic (Hz)"
    type_into(form, "rate_hz", "0.1625")
    assert form.value().rate_hz == 0.1625
    type_into(form, "rate_hz", "fast")
    with pytest.raises(SettingsError, match="'rate_hz' = 'fast'"):
        form.value()
    assert "'rate_hz' = 'fast'" in form.summary()
    type_into(form, "rate_hz", " ")
    assert form.value().rate_hz is None
    rank = form_of(RankSettings, qtbot, rank=4)
    assert rank.controls["rank"].native.text() == "4" and rank.value().rank == 4


def test_several_values_with_commas_between(qtbot) -> None:
    form = form_of(RobustnessSettings, qtbot, sigma_s=(0.1625, 1e-6), min_worms=(2, 4))
    assert form.controls["sigma_s"].native.text() == "0.1625, 1e-06"
    assert form.value() == RobustnessSettings(sigma_s=(0.1625, 1e-6), min_worms=(2, 4))
    type_into(form, "sigma_s", "1e-6,0.5, 3")
    type_into(form, "min_worms", "")
    assert form.value().sigma_s == (1e-6, 0.5, 3.0) and form.value().min_worms == ()
    type_into(form, "parts", "seeds, weather")
    with pytest.raises(SettingsError, match="'weather'"):
        form.value()
    volume = form_of(VolumeInput, qtbot, volume="a.tif")
    assert volume.value().voxel_size_um is None
    type_into(volume, "voxel_size_um", "2, 0.1625, 0.1625")
    assert volume.value().voxel_size_um == (2.0, 0.1625, 0.1625)


def test_text_counts_when_it_is_complete(qtbot) -> None:
    form = form_of(AffinitySettings, qtbot)
    edits: list[str] = []
    form.edited.connect(lambda: edits.append(form.value().stimulus))
    QTest.keyClicks(form.controls["stimulus"].native, "NaCl")
    assert edits == []
    QTest.keyClick(form.controls["stimulus"].native, Qt.Key.Key_Return)
    assert edits == ["NaCl"]


def test_showing_settings_is_no_edit_and_leaves_the_keyboard_where_it_is(qtbot) -> None:
    window = QWidget()
    layout, line, form = QVBoxLayout(window), QLineEdit(), SettingsForm(FactorizationSettings)
    layout.addWidget(line)
    layout.addWidget(form)
    qtbot.addWidget(window)
    window.show()
    line.setFocus()
    edits: list[int] = []
    form.edited.connect(lambda: edits.append(1))
    form.set_value(FactorizationSettings(max_sweeps=7, tolerance=0.5, model="mixed", min_worms=3))
    assert window.focusWidget() is line and edits == []
    assert form.value() == FactorizationSettings(max_sweeps=7, tolerance=0.5, model="mixed", min_worms=3)


def test_a_number_alone_keeps_prefix_and_what_stands_for_nothing(qtbot) -> None:
    spin = Number()
    spin.setDecimals(6)
    spin.setRange(0, 100)
    spin.setPrefix("z ")
    spin.setSuffix(" µm")
    spin.setSpecialValueText("z ?")
    qtbot.addWidget(spin)
    spin.show()
    assert spin.text() == "z ?"
    QTest.keyClick(spin, Qt.Key.Key_Return)
    assert spin.value() == 0 and spin.text() == "z ?"
    spin.lineEdit().selectAll()
    QTest.keyClicks(spin, "0.1625")
    QTest.keyClick(spin, Qt.Key.Key_Return)
    assert spin.value() == 0.1625 and spin.text() == "z 0.1625 µm"
