"""The seven docks."""
