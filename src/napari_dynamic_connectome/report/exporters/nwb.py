"""An NWB file for each worm."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...model.errors import InputError
from ..exporter import Exporter, Option

if TYPE_CHECKING:
    from ...session.session import Session

ORDER = 20
EXPORTER = Exporter(
    title="Write NWB",
    flag="nwb",
    help="an NWB file for each worm (extra nwb)",
    options=(
        Option(
            "about",
            "NAME=VALUE",
            "with --nwb, of all worms: strain, genotype, sex, age, session_start, experimenter, lab or institution; "
            "repeatable; otherwise the worms' attributes of these names are written",
            many=True,
        ),
    ),
    button="NWB…",
    words="one NWB file a worm",
    tip="Every worm as an NWB file in the WormID layout: traces, names, positions, stimuli, behaviour. Needs the extra “nwb”.",
    asks="Folder for the NWB files",
    asks_about=True,
)


def check() -> None:
    """Raise if the extra is missing."""
    from ...io.formats.nwb_write import check_extra

    check_extra()


def checked(name: str, given: list[str]) -> dict[str, str]:
    """Return what is said of all worms, from NAME=VALUE."""
    from ...io.formats.nwb_about import checked_about

    pairs = [one.partition("=") for one in given]
    wrong = next((one for one, (key, sign, _) in zip(given, pairs, strict=True) if not (key and sign)), None)
    if wrong is not None:
        raise InputError(f"'{wrong}' is not NAME=VALUE", where=f"--{name}", fix="For example: --about strain=OH16230.")
    about = {key.strip(): value for key, _, value in pairs}
    checked_about(about, f"--{name}")
    return about


def write(session: Session, folder: Path, **how: Any) -> list[Path]:
    """Write an NWB file for each worm."""
    from ..nwb import write_nwb_files

    return write_nwb_files(session, folder, **how)
