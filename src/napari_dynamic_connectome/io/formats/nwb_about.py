"""What NWB wants to know of a worm and its session that traces do not tell: the form, its names, and what may stand there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ...model.errors import InputError
from ...model.settings import StepSettings, setting
from ..volumes.hdf5 import member
from .fields import texts


class AboutSettings(StepSettings):
    """What is known of a worm and its session; empty where nothing is."""

    strain: str = setting("", "Of the worm, such as N2 or OH16230.")
    genotype: str = setting("", "Of the worm.")
    sex: str = setting("", "XX, XO, M, F, O or U, or a word such as male. Written where nothing is said: XX.")
    age: str = setting(
        "",
        "As a duration of ISO 8601, such as P2D (two days), PT60H or P2D/P4D (between them). Written where nothing is said: P2D.",
    )
    session_start: str = setting("", "When the recording began, such as 2026-05-01T14:30.")
    experimenter: str = setting("", "Who recorded.")
    lab: str = setting("", "Where: the laboratory.")
    institution: str = setting("", "Where: university or institute.")


OURS = "dynamic_connectome"
"""Key under which a file holds the provenance of its recording."""
ABOUT = tuple(AboutSettings.model_fields)
"""Names of what NWB wants to know; attributes of worms of these names are written."""
_DURATION = r"P(?=[\dT])(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?"
_SEXES = ("XX", "XO", "M", "F", "O", "U")
_SEX_WORDS = {"hermaphrodite": "XX", "herm": "XX", "male": "XO", "female": "F", "unknown": "U", "other": "O"}
"""What tables of worms say in the `sex` column; a worm's male has one X chromosome and no other."""


def checked_about(given: Mapping[str, str], where: str) -> dict[str, Any]:
    """Check what is said of a worm and its session; empty texts are left out.

    Parameters
    ----------
    given : mapping of str to str
    where : str
        Named in errors.

    Returns
    -------
    dict
        Texts, and `session_start` as a datetime with a time zone (UTC where none is said).
    """
    unknown = next((k for k in given if k not in ABOUT), None)
    if unknown is not None:
        raise InputError(f"'{unknown}' is nothing that NWB asks for", where=where, fix=f"Known: {', '.join(ABOUT)}.")
    said: dict[str, Any] = {k: str(v).strip() for k, v in given.items() if str(v).strip()}
    if "session_start" in said:
        try:
            start = datetime.fromisoformat(said["session_start"])
        except ValueError:
            raise InputError(
                f"the session start '{said['session_start']}' is no date",
                where=where,
                fix="For example 2026-05-01T14:30.",
            ) from None
        said["session_start"] = start if start.tzinfo else start.replace(tzinfo=UTC)
    if "sex" in said:
        sex = _SEX_WORDS.get(said["sex"].lower(), said["sex"].upper())
        if sex not in _SEXES:
            fix = f"Use {', '.join(_SEXES)}, or a word: {', '.join(_SEX_WORDS)}."
            raise InputError(f"the sex '{said['sex']}' is none of NWB", where=where, fix=fix)
        said["sex"] = sex
    if not re.fullmatch(f"{_DURATION}(/({_DURATION})?)?", said.get("age", "P2D")):
        raise InputError(
            f"the age '{said['age']}' is no duration", where=where, fix="For example P2D (two days) or PT60H."
        )
    return said


PLACES = {
    "general/subject/strain": "strain", "general/subject/genotype": "genotype", "general/subject/sex": "sex",
    "general/subject/age": "age", "general/subject/growth_stage": "stage", "session_start_time": "session_start",
    "general/experimenter": "experimenter", "general/lab": "lab", "general/institution": "institution",
}  # fmt: skip
"""Where NWB says what our attributes of a worm say; growth_stage is of the extension for multichannel volumes."""
MOST_TEXTS = 50
_NOT_SAID = ("", "unknown", "not stated", "none", "n/a", "na", "unspecified")


def about_in(file: Any) -> dict[str, str]:
    """Return what another program's file says of the worm and its session, as attributes."""
    found = {}
    for place, attribute in PLACES.items():
        node = member(file, place, "")
        few = node is not None and hasattr(node, "shape") and (node.size or 0) <= MOST_TEXTS
        held = texts(node[()]) if few else None
        said = ", ".join(t.strip() for t in held or () if t.strip())
        if said.lower() not in _NOT_SAID and _can_be_written(attribute, said):
            found[attribute] = said
    return found


def _can_be_written(attribute: str, said: str) -> bool:
    """Whether our own export takes it: a sex or an age in words of another kind would stop it later."""
    try:
        checked_about({attribute: said} if attribute in ABOUT else {}, "")
    except InputError:
        return False
    return True


def our_provenance(file: Any) -> dict[str, Any]:
    """Return what this program noted of a recording when it wrote the file; empty for a file of another program."""
    found = texts(file["general/data_collection"][()]) if "general/data_collection" in file else None
    if found and found[0].startswith('{"' + OURS):
        try:
            held = json.loads(found[0])[OURS]
        except (ValueError, KeyError):
            return {}
        return held if isinstance(held, dict) else {}
    return {}
