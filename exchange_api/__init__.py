"""Exchange API: what partners and banks call (REST, SOAP, callbacks, receipts, evidence, service catalogue)."""
