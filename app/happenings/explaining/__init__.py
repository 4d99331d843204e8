"""Why somebody was told of a happening, or was not: for an admin who is asked."""
