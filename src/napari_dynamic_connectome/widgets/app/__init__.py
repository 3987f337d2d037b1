"""Start of the program, arrangement of its windows, keys, and what the manifest names."""
