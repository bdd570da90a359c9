"""A process that serves with TLS and says who called, by the hub's own server and directory."""

from __future__ import annotations

import orjson
from starlette.types import Receive, Scope, Send

from exchange_api.tls import serve
from foundation.clock import clock_now
from foundation.directory import DirectoryCache
from foundation.http_signature import Parts
from foundation.identity import Call, identify
from hub.context import hub_of_process
from schemas.findings import Refused


def main() -> None:
    hub = hub_of_process()
    cache = DirectoryCache(hub.engine)

    async def who(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        parts = Parts(scope["method"], scope["scheme"], "hub", scope["path"], "", (), b"")
        with hub.engine.connect() as conn:
            now = clock_now(conn)
        try:
            call = Call("rest", parts, scope["extensions"]["tls"]["client_certificate_der"])
            told = identify(cache.current(), call, now).partner.id
        except Refused as refused:
            told = refused.findings[0].code
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"application/json")],
            }
        )
        await send({"type": "http.response.body", "body": orjson.dumps({"who": told})})

    serve(who, hub)


if __name__ == "__main__":
    main()
