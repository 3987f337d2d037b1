"""Raw and corrected traces from a volume and labels, with quality measures."""
