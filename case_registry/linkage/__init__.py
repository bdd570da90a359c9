"""Which rows of one or more registers are of one thing: for any columns, by configuration alone."""
