"""Parts of ``./bench isolation``: the partners' side, a made-up adapter, and a plain deliverer to compare with."""
