"""The stand-in of the wallet: gateway, notifies and bills, with a book of its own, from `contract/` only."""
