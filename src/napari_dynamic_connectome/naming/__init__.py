"""Identity of cells: completion of names, suggestions from an atlas of positions, confidence."""
