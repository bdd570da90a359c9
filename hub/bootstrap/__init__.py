"""Bootstrap: what has to work before the environment does. Standard library only, run as plain scripts."""
