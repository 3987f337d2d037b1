"""Who is this cell: completion of names, suggestions from an atlas of positions, confidence."""
