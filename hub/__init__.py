"""Hub: puts the rooms together (choreography, jobs, command line, supervisor, migrations, stories)."""
