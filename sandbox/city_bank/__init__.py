"""A stand-in for the second bank: its own XML, its own book, its 对账文件 put into a folder, faults on request."""
