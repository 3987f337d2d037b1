"""Base class of every step's settings: the one place where defaults, bounds, units and help texts are written.

A settings model is at the same time the GUI form, the command-line options, the TOML table and the provenance record.
"""

from __future__ import annotations

from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from .errors import SettingsError


class StepSettings(BaseModel):
    """Immutable settings of one step; unknown names are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, use_attribute_docstrings=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        """True is not 1: `rank = true` is a slip of the pen."""
        items = value if isinstance(value, (list, tuple)) else (value,)
        if any(isinstance(v, bool) for v in items) and not _takes_bool(
            cls.model_fields[str(info.field_name)].annotation
        ):
            raise ValueError("true and false are not among its values")
        return value

    @classmethod
    def parse(
        cls, values: dict[str, Any] | StepSettings | None = None, *, where: str = "settings", **more: Any
    ) -> Self:
        """Build settings from a mapping (or settings) plus keyword overrides; errors become one `SettingsError`.

        Parameters
        ----------
        values : dict or StepSettings, optional
            Values by field name, or settings to start from.
        where : str
            Named in the error message (a file, a table of a TOML file).
        **more
            Overrides; a value of None leaves the field as it is.
        """
        if isinstance(values, StepSettings):
            values = values.model_dump(exclude_unset=True)
        merged = dict(values or {}) | {k: v for k, v in more.items() if v is not None}
        try:
            return cls(**merged)
        except ValidationError as error:
            raise settings_error(error, where, cls) from error


def _takes_bool(annotation: Any) -> bool:
    if annotation is bool or annotation is Any or isinstance(annotation, bool):
        return True
    return any(_takes_bool(part) for part in get_args(annotation))


def settings_error(error: ValidationError, where: str, model: type[BaseModel]) -> SettingsError:
    """Turn pydantic's report into one sentence that names the field and what it may hold."""
    parts = []
    for item in error.errors():
        name = ".".join(str(p) for p in item["loc"])
        said = item["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        said = said[:1].lower() + said[1:]
        if item["type"] == "extra_forbidden":
            known = ", ".join(_model_at(model, item["loc"][:-1]).model_fields)
            parts.append(f"unknown setting '{name}' (known: {known})")
        else:
            given = "" if isinstance(item.get("input"), dict | BaseModel) else f" = {item.get('input')!r}"
            parts.append(f"'{name}'{given}: {said}" if name else said)
    return SettingsError("; ".join(parts), where=where)


def _model_at(model: type[BaseModel], path: tuple[int | str, ...]) -> type[BaseModel]:
    """Follow field names from a model to the nested model that they lead to."""
    for step in path:
        field = model.model_fields.get(str(step))
        if field is None:
            continue
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                model = kind
                break
    return model


def setting(default: Any, help: str, *, unit: str = "", **bounds: Any) -> Any:
    """Declare a settings field with its default, one sentence of help, its unit and its bounds (ge, gt, le, lt)."""
    extra: Any = {"unit": unit} if unit else None
    if isinstance(default, (list, dict, set)):
        return Field(
            default_factory=lambda: type(default)(default), description=help, json_schema_extra=extra, **bounds
        )
    return Field(default=default, description=help, json_schema_extra=extra, **bounds)
