"""Images and labels, one file a format; all are opened lazily."""
