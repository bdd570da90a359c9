"""The provincial data gateway's token dance and register look-ups, as its contract publishes them."""
