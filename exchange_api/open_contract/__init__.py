"""The doors of the open contract: REST under /open/v1, SOAP at /open/soap; both thin over hub.operations and hub.submitting."""
