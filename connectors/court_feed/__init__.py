"""The county court's exchange: SOAP push and pull in two dialects, a REST list, a weekly sheet."""
