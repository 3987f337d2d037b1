"""Do components come back: other worms, worms left out, other seeds, other settings."""
