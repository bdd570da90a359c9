"""Benchmarks: one module each, run by ``./bench NAME``; real parts on loopback, durable commits."""
