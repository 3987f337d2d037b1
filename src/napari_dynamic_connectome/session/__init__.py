"""Sessions: what is open and chosen, saving, journal, lock, images that moved."""
