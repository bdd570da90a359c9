"""``python -m hub``: the command line."""

from hub.cli.app import main

main()
