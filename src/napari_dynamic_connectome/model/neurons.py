"""The 302 neurons of the adult hermaphrodite: names, class, side, ganglion; mirror, completion, normalization.

Names and classes follow White, Southgate, Thomson & Brenner, "The structure of the nervous system of the nematode
Caenorhabditis elegans", Phil. Trans. R. Soc. Lond. B 314, 1-340 (1986); the 20 pharyngeal neurons follow Albertson &
Thomson, Phil. Trans. R. Soc. Lond. B 275, 299-325 (1976). Ganglia follow White et al. (1986) and Altun & Hall's
WormAtlas.
Spellings beside the canonical ones: the on and off neuron of AWC after Troemel, Sagasti & Bargmann, Cell 99, 387-398 (1999), as
AWCON and AWCOFF in the signal propagation atlas of Randi et al., Nature 623, 406-414 (2023), whose side differs from worm to
worm; zero-padded motor neurons ("VB01") as in Varshney et al., PLoS Comput. Biol. 7, e1001066 (2011).
The 11 cell bodies that lie along the body outside any ganglion have the ganglion "mid-body".
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

# A stem that ends with "*" stands for the left and the right neuron. "CLASS/stem" gives a class that differs from the
# stem; "a..b" is a series of numbered motor neurons.
_LAYOUT: dict[str, str] = {
    "pharynx": "I1* I2* I3 I4 I5 I6 M1 M2* M3* M4 M5 MC* MI NSM*",
    "anterior": (
        "BAG* CEP/CEPV* IL1/IL1D* IL1* IL1/IL1V* IL2/IL2D* IL2* IL2/IL2V* OLL* OLQ/OLQD* OLQ/OLQV* RIP* "
        "RME/RMED RME* RME/RMEV URA/URAD* URA/URAV* URB* URY/URYD* URY/URYV*"
    ),
    "dorsal": "ALA CEP/CEPD* RID URX*",
    "lateral": (
        "ADA* ADE* ADF* ADL* AFD* AIB* AIN* AIZ* ASE* ASG* ASH* ASI* ASJ* ASK* AUA* AVA* AVB* AVD* AVE* AVH* AVJ* "
        "AWA* AWB* AWC* FLP* RIA* RIB* RIC* RIM* RIV* RMD* RMD/RMDV* RMG* SAA/SAAV* SIB/SIBD* SMD/SMDV*"
    ),
    "ventral": (
        "AIA* AIM* AIY* AVK* AVL RIH RIR RIS RMD/RMDD* RMF* RMH* SAA/SAAD* SIA/SIAD* SIA/SIAV* SIB/SIBV* "
        "SMB/SMBD* SMB/SMBV* SMD/SMDD*"
    ),
    "retrovesicular": "AVF* AVG RIF* RIG* SAB/SABD SAB/SABV* AS1..1 DA1..1 DB1..2 DD1..1 VA1..1 VB1..2 VD1..2",
    "ventral cord": "AS2..10 DA2..7 DB3..7 DD2..5 VA2..11 VB3..11 VC1..6 VD3..11",
    "mid-body": "ALM* AQR AVM BDU* CAN* HSN* SDQ/SDQR",
    "posterior-lateral": "PDE* PVD* PVM SDQ/SDQL",
    "preanal": "AS11..11 DA8..9 DD6..6 PDA PDB PVP* PVT VA12..12 VD12..13",
    "dorsorectal": "DVA DVB DVC",
    "lumbar": "ALN* LUA* PHA* PHB* PHC* PLM* PLN* PQR PVC* PVN* PVQ* PVR PVW*",
}

GANGLIA: tuple[str, ...] = tuple(_LAYOUT)
"""Ganglia from nose to tail."""

HEAD_GANGLIA: tuple[str, ...] = ("pharynx", "anterior", "dorsal", "lateral", "ventral", "retrovesicular")
"""Ganglia in the field of view of a head recording."""


@dataclass(frozen=True)
class NeuronInfo:
    """What is known about one neuron.

    Parameters
    ----------
    name : str
        Canonical name, such as "RMDVL".
    neuron_class : str
        Class after White et al. 1986, such as "RMD".
    side : {"L", "R", ""}
        Left or right of a bilateral pair; "" for neurons without a partner (AVL, RIR, AQR, PQR and PVR among them).
    ganglion : str
        One of `GANGLIA`.
    pair_name : str
        Name without the side ("RMDV"); the name itself for neurons without a partner.
    """

    name: str
    neuron_class: str
    side: str
    ganglion: str
    pair_name: str


@lru_cache(maxsize=8192)
def natural_key(name: str) -> tuple[tuple[bool, int, str], ...]:
    """Sort key that puts VA2 before VA10."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return tuple((part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts)


def _table() -> dict[str, NeuronInfo]:
    found: dict[str, NeuronInfo] = {}
    for ganglion, layout in _LAYOUT.items():
        for token in layout.split():
            neuron_class, _, stem = token.rpartition("/")
            series = re.fullmatch(r"([A-Z]+)(\d+)\.\.(\d+)", stem)
            if series:
                letters, first, last = series[1], int(series[2]), int(series[3])
                for number in range(first, last + 1):
                    found[f"{letters}{number}"] = NeuronInfo(
                        f"{letters}{number}", letters, "", ganglion, f"{letters}{number}"
                    )
            elif stem.endswith("*"):
                pair = stem[:-1]
                for side in "LR":
                    found[pair + side] = NeuronInfo(pair + side, neuron_class or pair, side, ganglion, pair)
            elif neuron_class == "SDQ":
                # The SDQ pair lies in two places: SDQR in front, SDQL with the posterior-lateral ganglion.
                found[stem] = NeuronInfo(stem, "SDQ", stem[-1], ganglion, "SDQ")
            else:
                found[stem] = NeuronInfo(stem, neuron_class or stem, "", ganglion, stem)
    return {name: found[name] for name in sorted(found, key=natural_key)}


_INFO = _table()
CANONICAL: tuple[str, ...] = tuple(_INFO)
"""Names of all 302 neurons, in natural order."""


def info(name: str) -> NeuronInfo | None:
    """Return what is known about a neuron, or None if the name is not canonical."""
    return _INFO.get(name)


def is_canonical(name: str) -> bool:
    """Whether this is exactly the name of one of the 302 neurons."""
    return name in _INFO


def mirror(name: str) -> str | None:
    """Return the partner on the other side of the body; None for neurons without one and for unknown names.

    Examples
    --------
    >>> mirror("AVAL"), mirror("RIS")
    ('AVAR', None)
    """
    entry = _INFO.get(name)
    if entry is None or not entry.side:
        return None
    return entry.pair_name + ("R" if entry.side == "L" else "L")


@lru_cache(maxsize=4096)
def normalize(text: str) -> str | None:
    """Return the canonical name that a text means, or None if it is not one.

    Case, spaces, hyphens, underscores and dots do not matter, nor leading zeros ("VB01"); "left" and "right" may stand
    for the side. Nothing is guessed: "AVA" (side unknown) and "AVAL?" (doubtful) give None.

    Examples
    --------
    >>> normalize("ava l"), normalize("Right AVA"), normalize("vb01"), normalize("AVA")
    ('AVAL', 'AVAR', 'VB1', None)
    """
    if len(text) > 40:
        return None
    plain = unicodedata.normalize("NFKC", text).strip().upper()
    direct = re.sub(r"[\s_.\-]+", "", plain)
    if direct in _INFO:
        return direct
    side = re.fullmatch(r"(?:(LEFT|RIGHT)(\w+)|(\w+?)\(?(LEFT|RIGHT|L|R)\)?)", direct)
    if side:
        candidate = (side[2] or side[3]) + (side[1] or side[4])[0]
        if candidate in _INFO and _INFO[candidate].side:
            return candidate
    padded = re.fullmatch(r"([A-Z]+)0+([0-9]+)", direct)
    if padded and padded[1] + padded[2] in _INFO:
        return padded[1] + padded[2]
    return None


_EMPTY = {
    "",
    "nan",
    "none",
    "null",
    "na",
    "n/a",
    "-",
    "--",
    "unknown",
    "unidentified",
    "unnamed",
    "unlabeled",
    "unlabelled",
    "?",
}
_AWC = re.compile(r"AWC([LR]?)[\s_\-./(\[]*(ON|OFF?)[)\]]?")
_UNSURE = re.compile(r"\?|[_\s\-.(\[]*\b(?:alt|unsure|uncertain|maybe|putative)\b|.\bor\b.|[/|]", re.IGNORECASE)
_NUMBERED = re.compile(r"[#@]?\s*([^\W\d_]*(?:[\s_.:\-]+[^\W\d_]+)*)[\s_.:#@\-(\[]*(\d+)(?:\.0+)?[)\]]?")
_GENERIC = {"neuron", "cell", "roi", "unit", "trace", "signal", "region", "segment", "object", "value", "column"}
# muscles, hypodermis, pharyngeal and vulval muscles as Cook et al. (2019) and Witvliet et al. (2021) write them
_OTHER_CELL = re.compile(
    r"(?:pm[1-8]|mc[1-3]|hyp[0-9]+|[vu]m[12]|e[1-3]|[dv]?BWM[-_]?[DV]?[LR]?[0-9]*)(?:[AP]?[DV]?[LR]?)", re.IGNORECASE
)
_DECIMAL = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class NameReading:
    """What a text that stands in the place of a neuron's name was read as.

    Parameters
    ----------
    text : str
        As written.
    name : str
        The neuron's name; "" where the text names no neuron.
    kind : str
        "canonical" (exactly the name of one of the 302), "spelling" (another spelling of it), "no side" (a class or the
        on and off neuron of AWC, whose side is not said), "other" (no name of the 302: kept as written), "unsure" (the
        text itself doubts it), "placeholder" (a number, or a word and a number), "empty".
    number : int or None
        The number of a placeholder.
    """

    text: str
    name: str
    kind: str
    number: int | None = None

    @property
    def note(self) -> str:
        """One line that keeps what was written where it differs from the name; "" where it does not."""
        if self.kind in ("canonical", "empty") or self.text == self.name:
            return ""
        return f'written "{self.text}"' + {"unsure": " (unsure)", "no side": " (side not given)"}.get(self.kind, "")


@lru_cache(maxsize=4096)
def read_name(text: str) -> NameReading:
    """Read one text as the name of a neuron: the rule for everything that comes from a file.

    Nothing is guessed. A name that the text itself doubts ("AVAL?", "RIML (?)", "AVAL or AVEL", "AVL-alt") and a header
    that names no cell ("1", "n12", "neuron_3", "Unnamed 5", "cell7", "X6", "0.25") leave the neuron unnamed, so that it is
    never taken for the same cell in two worms. Other spellings of a canonical name become the canonical one.

    Parameters
    ----------
    text : str

    Returns
    -------
    NameReading

    Examples
    --------
    >>> [read_name(t).name for t in ("VB01", "aval", "AWC OFF", "AVAL?", "neuron_3", "hmc")]
    ['VB1', 'AVAL', 'AWCOFF', '', '', 'hmc']
    """
    written = text.strip()
    plain = unicodedata.normalize("NFKC", written).strip()
    if plain.lower() in _EMPTY:
        return NameReading(written, "", "empty")
    name = normalize(plain)
    if name is not None:
        return NameReading(written, name, "canonical" if name == written else "spelling")
    awc = _AWC.fullmatch(plain.upper())
    if awc:
        state = "ON" if awc[2] == "ON" else "OFF"
        return (
            NameReading(written, f"AWC{awc[1]}", "spelling")
            if awc[1]
            else NameReading(written, f"AWC{state}", "no side")
        )
    if _UNSURE.search(plain):
        return NameReading(written, "", "unsure")
    if plain.upper() in _CLASSES:
        return NameReading(written, plain.upper(), "no side")
    if _OTHER_CELL.fullmatch(plain):
        return NameReading(written, written, "other")
    if plain.lower() in _GENERIC:
        return NameReading(written, "", "placeholder")
    number = _NUMBERED.fullmatch(plain)
    if number and not (len(stem := re.sub(r"\W|_", "", number[1]).upper()) > 2 and (stem in _STEMS or stem in _INFO)):
        return NameReading(written, "", "placeholder", int(number[2]))
    if _DECIMAL.fullmatch(plain):
        return NameReading(written, "", "placeholder")
    return NameReading(written, written, "other")


def canonical_spelling(name: str) -> str:
    """Return the canonical spelling of a name; a name that is none of the 302 as written.

    Examples
    --------
    >>> canonical_spelling("VB01"), canonical_spelling("awcof"), canonical_spelling("hmc")
    ('VB1', 'AWCOFF', 'hmc')
    """
    reading = read_name(name)
    return reading.name if reading.kind in ("canonical", "spelling", "no side") else name.strip()


def read_names(texts: Iterable[str]) -> list[NameReading]:
    """Read the names of one recording together; see `read_name`.

    Where all texts are one word and a number ("M1", "M2", ... "M30") and not all of them are neurons, none of them is one.

    Parameters
    ----------
    texts : iterable of str

    Returns
    -------
    list of NameReading
    """
    readings = [read_name(t) for t in texts]
    parts = [_NUMBERED.fullmatch(unicodedata.normalize("NFKC", r.text)) for r in readings if r.kind != "empty"]
    words = {p[1].upper() for p in parts if p is not None}
    if len(words) == 1 and len(parts) > 2 and None not in parts and any(r.kind == "placeholder" for r in readings):
        numbers = iter([int(p[2]) for p in parts if p is not None])
        return [r if r.kind == "empty" else NameReading(r.text, "", "placeholder", next(numbers)) for r in readings]
    return readings


_CLASSES = {e.pair_name for e in _INFO.values() if e.side} | {e.neuron_class for e in _INFO.values()} - set(_INFO)
_STEMS = frozenset(e.pair_name.rstrip("0123456789") for e in _INFO.values())


def complete(text: str, limit: int = 20) -> list[str]:
    """Return canonical names for what was typed so far: names that begin with it first, then those that contain it.

    Parameters
    ----------
    text : str
        Normalized like in `normalize`; an empty text gives the first names.
    limit : int
        Length of the list at most.
    """
    if limit <= 0:
        return []
    typed = re.sub(r"[\s_.\-]+", "", unicodedata.normalize("NFKC", text[:200])).upper()
    begins = [n for n in CANONICAL if n.startswith(typed)]
    contains = [n for n in CANONICAL if typed in n and not n.startswith(typed)]
    return (begins + contains)[:limit]


def left_right_pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the (left, right) pairs of which both neurons are among the names, in natural order."""
    present = set(names)
    return [
        (entry.name, entry.pair_name + "R")
        for entry in _INFO.values()
        if entry.side == "L" and entry.name in present and entry.pair_name + "R" in present
    ]
