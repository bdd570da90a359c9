"""A process that takes single transfers from many connections and commits them by `escrow.ledger.GroupCommit`.

The wire is as thin as can be, so that the ledger is measured: 52 bytes ask (id, hold or accounts, sum), one byte answers.
"""

from __future__ import annotations

import selectors
import socket
import struct
from concurrent.futures import Future
from functools import partial
from multiprocessing.connection import Connection

import psycopg

from escrow.ledger import AMOUNT_MAX, GroupCommit, Outcome, Transfer

ASK = struct.Struct(
    ">16s16s16sI"
)  # id, debit account or hold, credit account or nothing, fen (0: post the hold)
CREATED, OTHER = b"\x01", b"\x02"
HOLD, POST = 2, 4


def transfer(asked: bytes) -> Transfer:
    """The transfer that 52 bytes ask for."""
    name, first, second, fen = ASK.unpack(asked)
    if fen:
        return Transfer(
            int.from_bytes(name),
            int.from_bytes(first),
            int.from_bytes(second),
            fen,
            ledger=1,
            code=1,
            flags=HOLD,
        )
    return Transfer(int.from_bytes(name), pending_id=int.from_bytes(first), amount=AMOUNT_MAX, flags=POST)


def serve(url: str, tell: Connection) -> None:
    """Listen on loopback, say the port through `tell`, answer until the process is ended."""
    group = GroupCommit(lambda: psycopg.connect(url, autocommit=True))
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    tell.send(listener.getsockname()[1])
    ready = selectors.DefaultSelector()
    ready.register(listener, selectors.EVENT_READ)
    while True:
        for key, _ in ready.select():
            if key.fileobj is listener:
                caller, _ = listener.accept()
                caller.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                ready.register(caller, selectors.EVENT_READ)
                continue
            caller = key.fileobj  # type: ignore[assignment]
            asked = caller.recv(ASK.size, socket.MSG_WAITALL)
            if len(asked) < ASK.size:
                ready.unregister(caller)
                caller.close()
                continue
            group.submit([transfer(asked)]).add_done_callback(partial(_answer, caller))


def _answer(caller: socket.socket, future: Future[list[Outcome]]) -> None:
    try:
        if future.exception() is not None:
            caller.shutdown(socket.SHUT_RDWR)  # nothing is known of it: no answer
        else:
            caller.sendall(CREATED if future.result()[0].ok else OTHER)
    except OSError:
        return  # the caller is gone
