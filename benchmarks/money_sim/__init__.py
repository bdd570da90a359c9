"""The simulator of the money path: seeded runs of the real code on a real database, judged by the bank's own book.

One run is a function of its seed: the scheduler, the clock, the ids and every fault come from it. Nothing of the
product is changed for it; it is imported from nowhere but `benchmarks.money` and the tests.
"""
