"""From volume and labels to raw and corrected traces, with quality measures."""
