"""Static baselines: other ways to one partition of the neurons, beside the dynamic components."""
