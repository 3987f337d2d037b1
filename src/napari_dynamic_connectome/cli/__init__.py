"""The command `dynamic-connectome`, one file a subcommand."""

from .command_line import main as main
