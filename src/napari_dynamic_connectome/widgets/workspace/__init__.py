"""What all docks of one viewer share: the session, opened files, recovery, running steps."""
