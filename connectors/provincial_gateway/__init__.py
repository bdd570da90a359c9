"""The provincial data gateway: is this person alive, is this company there (contract/CONTRACT.md)."""
