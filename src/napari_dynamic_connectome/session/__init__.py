"""Who has done what to a session, and sessions on disk: state, saving, journal, lock, relinked images."""
