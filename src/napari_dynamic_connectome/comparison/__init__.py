"""Components and communities against truth, behaviour, connectome and nulls."""
