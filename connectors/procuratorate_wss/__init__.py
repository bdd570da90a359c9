"""The county procuratorate: SOAP 1.2 with WS-Security, pushed and pulled (contract/CONTRACT.md)."""
