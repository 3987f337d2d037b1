"""Commands, a file each; its name is that of the command. A new file is a new command.

Each has

* ORDER : int, the place in the list of commands;
* add(commands) : adds the options, whose defaults name `action`, and `beside_session` if it writes into the folder of its session
  where no other one is said. Every call of the program runs it, so what takes long to load is imported in `execute`;
* execute(options) : runs it; returns the exit code, or None for success.
"""

from __future__ import annotations

from types import ModuleType

from ...model.folders import load_modules


def all_commands() -> list[ModuleType]:
    """Return the modules of all commands, in the order of the list."""
    return load_modules(__name__, __path__)
