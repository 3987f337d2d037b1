"""Workspace of a viewer: session, opened files, recovery, running steps; what all its docks share."""
