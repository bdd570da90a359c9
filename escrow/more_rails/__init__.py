"""Ways to pay that a city switches on: `CONCORD_RAIL_PATH` names this folder (docs/bank/city-bank.md). One folder each."""
