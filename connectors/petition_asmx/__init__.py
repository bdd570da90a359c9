"""The county petition office: an old .asmx service with one JSON text, and an Excel export."""
