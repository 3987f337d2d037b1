"""Answers that people gave to what files leave open, kept for files that ask the same: one small JSON file of the user.

An answer is kept with the file that it was given for and the day, so that whoever offers it again can say so; each can be
forgotten. Several programs may keep answers at the same time: what the file holds is read again before it is written.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from ..model.errors import InputError
from ..model.system import config_folder
from .atomic import writing

log = logging.getLogger("napari_dynamic_connectome")
FILE = "answers.json"
MOST = 200
"""Answers that are kept, the last ones."""
MAX_BYTES = 1 << 20


@dataclass(frozen=True)
class Asked:
    """What a file asks; files that ask the same have the same answer.

    Parameters
    ----------
    form : str
        Format of the file.
    option : str
        Option of the reader that settles it.
    part : str
        Which of our fields it is about, where the option is `fields`.
    choices : tuple of str
    example : str
        The likely answer: files with different ones do not ask the same.
    """

    form: str
    option: str
    part: str = ""
    choices: tuple[str, ...] = ()
    example: str = ""


@dataclass(frozen=True)
class Answer:
    """What was answered, for which file, and when (ISO date)."""

    value: Any
    file: str
    day: str

    @property
    def said(self) -> str:
        """Where it comes from: "as for a.csv", with the day if that is not today."""
        return f"as for {self.file}" + (f" on {self.day}" if self.day != date.today().isoformat() else "")


def answers_path() -> Path:
    """Return the path of the user's file of answers."""
    return config_folder() / FILE


class Answers:
    """Answers that were given before, in memory and, with a path, on the disk.

    Parameters
    ----------
    path : Path, optional
        None keeps them in memory only. A file that is not there or cannot be read holds none.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.held: dict[Asked, Answer] = self._read()

    def __len__(self) -> int:
        return len(self.held)

    def get(self, asked: Asked) -> Answer | None:
        """Return the answer to a question, None if there is none."""
        return self.held.get(asked)

    def keep(self, given: Mapping[Asked, Any], file: str) -> None:
        """Keep answers that were given for a file; those that were kept for the same questions are replaced.

        Parameters
        ----------
        given : mapping of Asked to value
            Texts, numbers or yes and no.
        file : str
            Name of the file.
        """
        if not given:
            return
        now = {asked: Answer(value, file, date.today().isoformat()) for asked, value in given.items()}
        merged = {k: v for k, v in self._present().items() if k not in now} | now
        self.held = dict(list(merged.items())[-MOST:])
        self._write()

    def forget(self, asked: Asked | None = None) -> None:
        """Forget one answer, or all.

        Parameters
        ----------
        asked : Asked, optional
        """
        merged = {} if asked is None else self._present()
        if asked is not None:
            merged.pop(asked, None)
        self.held = merged
        self._write()

    def _present(self) -> dict[Asked, Answer]:
        """Return what is kept now: another program may have kept or forgotten answers meanwhile."""
        return self._read() if self.path is not None and self.path.exists() else dict(self.held)

    def _read(self) -> dict[Asked, Answer]:
        if self.path is None:
            return {}
        try:
            if self.path.stat().st_size > MAX_BYTES:
                return {}
            rows = json.loads(self.path.read_text(encoding="utf-8"))["answers"]
            return {_asked(row["asked"]): _answer(row) for row in rows}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.info("%s: answers cannot be read, and are asked again: %s", self.path, error)
            return {}

    def _write(self) -> None:
        """Write them; a folder that cannot be written is no reason to stop an import."""
        if self.path is None:
            return
        rows = [{"asked": asdict(k), "value": v.value, "file": v.file, "day": v.day} for k, v in self.held.items()]
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with writing(self.path) as temporary:
                temporary.write_text(json.dumps({"version": 1, "answers": rows}, indent=1), encoding="utf-8")
        except (OSError, InputError) as error:
            log.info("%s: answers are kept until the program ends: %s", self.path, error)


def _asked(row: Mapping[str, Any]) -> Asked:
    choices = tuple(str(c) for c in row["choices"])
    return Asked(str(row["form"]), str(row["option"]), str(row["part"]), choices, str(row["example"]))


def _answer(row: Mapping[str, Any]) -> Answer:
    value = row["value"]
    if not isinstance(value, (str, int, float, bool)):
        raise ValueError(f"an answer is a {type(value).__name__}")
    return Answer(value, str(row["file"]), str(row["day"]))
