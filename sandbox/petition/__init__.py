"""The county petition office's XfService.asmx, as its contract publishes it."""
