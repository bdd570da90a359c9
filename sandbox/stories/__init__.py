"""Plays stories through the real wire: stand-ins send, people act through the API, results are read from outside.

Knows no story: a story is a folder with ``expected.json``, ``disputes.csv`` and message files. It runs as its
own process and reaches the hub by HTTP only, as a partner or as a person who is logged in.
"""
