"""Settings models to and from TOML; every written field carries its help text, unit and default as a comment."""

from __future__ import annotations

import json
import math
import tomllib
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ..model.errors import FormatError, InputError

MAX_BYTES = 1 << 20


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a TOML file of at most 1 MiB; any problem is one `InputError` or `FormatError`."""
    path = Path(path)
    if not path.is_file():
        raise InputError(
            "there is no such file",
            where=str(path),
            fix="Check the path, or write one with: dynamic-connectome settings",
        )
    if path.stat().st_size > MAX_BYTES:
        raise FormatError(
            f"the file has {path.stat().st_size} bytes", where=str(path), fix="Settings files have at most 1 MiB."
        )
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise FormatError("this is not a text file in UTF-8", where=str(path)) from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise FormatError(f"this is not valid TOML: {error}", where=str(path)) from error


def toml_value(value: Any) -> str:
    """Return one value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if math.isnan(value):
            return "nan"
        return ("inf" if value > 0 else "-inf") if math.isinf(value) else repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Path):
        return toml_value(str(value))
    if isinstance(value, (list, tuple, set, frozenset)):
        return "[" + ", ".join(toml_value(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml_key(k)} = {toml_value(v)}" for k, v in value.items() if v is not None) + " }"
    raise TypeError(f"cannot write {type(value).__name__} as TOML")


def toml_key(key: str) -> str:
    """Return a key, quoted where TOML asks for it."""
    return key if key and all(c.isascii() and (c.isalnum() or c in "-_") for c in key) else toml_value(str(key))


def to_toml(model: BaseModel, *, comments: bool = True, only_set: bool = False) -> str:
    """Return a settings model as TOML text: plain fields first, then one table a nested model.

    Parameters
    ----------
    model : pydantic.BaseModel
    comments : bool
        Write help, unit and default above every field.
    only_set : bool
        Leave out fields that have their default.
    """
    return "\n".join(_lines(model, (), comments, only_set)).strip() + "\n"


def _lines(model: BaseModel, path: tuple[str, ...], comments: bool, only_set: bool) -> list[str]:
    plain: list[str] = []
    nested: list[str] = []
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        default = field.get_default(call_default_factory=True)
        if only_set and value == default:
            continue
        if isinstance(value, BaseModel):
            nested.extend(_lines(value, (*path, name), comments, only_set))
            continue
        if isinstance(value, (list, tuple)) and value and isinstance(value[0], BaseModel):
            for item in value:
                nested.extend(["", f"[[{'.'.join((*path, name))}]]"])
                nested.extend(
                    f"{toml_key(k)} = {toml_value(v)}"
                    for k, v in item.model_dump().items()
                    if v is not None and v != {} and v != ""
                )
            continue
        if comments:
            extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
            unit = f" Unit: {extra['unit']}." if extra.get("unit") else ""
            shown = "" if isinstance(default, BaseModel) or default is None else f" Default: {toml_value(default)}."
            plain.append(f"# {field.description or name}{unit}{shown}")
        if value is None:
            if comments:
                plain.append(f"# {name} = (not set)")
        else:
            plain.append(f"{toml_key(name)} = {toml_value(value)}")
    header = ["", f"[{'.'.join(path)}]"] if path and plain else []
    return header + plain + nested


def parse_overrides(items: list[str]) -> dict[str, Any]:
    """Turn ["affinity.sigma_s=2", ...] into nested settings; values are TOML, or else taken as text."""
    nested: dict[str, Any] = {}
    for item in items:
        key, sign, text = item.partition("=")
        if not sign or not key.strip():
            raise InputError(f"'{item}' is not TABLE.FIELD=VALUE", where="--set")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        target = nested
        *tables, last = key.strip().split(".")
        for table in tables:
            target = target.setdefault(table, {})
            if not isinstance(target, dict):
                raise InputError(f"'{table}' is given twice in different ways", where="--set")
        target[last] = value
    return nested


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Return `base` with the nested values of `over` in their place."""
    merged = dict(base)
    for key, value in over.items():
        merged[key] = (
            merge(merged[key], value) if isinstance(value, dict) and isinstance(merged.get(key), dict) else value
        )
    return merged
