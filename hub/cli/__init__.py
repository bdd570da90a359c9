"""The command line ``./concord`` (typer, rich); ``--json`` everywhere."""
