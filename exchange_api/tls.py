"""``python -m exchange_api.tls``: the API with TLS and client certificates, on a port of its own.

A client certificate is asked for and not required: partners that sign their messages need none. One that is shown must
be issued by the local authority or registered; whose it is, and whether it is revoked, is asked of the directory with
each request, so that a revocation acts within a second on connections that are open too.
"""

from __future__ import annotations

import asyncio
import ssl
import threading

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from exchange_api import quiet_log
from exchange_api.app import make_app
from exchange_api.head_limit import MOST_HEAD_BYTES
from foundation import local_ca
from foundation.directory import DirectoryCache
from foundation.keys import KeyStore
from hub.context import hub_of_process
from hub.pipeline import Hub

LOOK_S = 0.5


class Protocol(H11Protocol):
    """Keeps the client's certificate (DER) beside each request of its connection, for ``with_certificate``."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        link = transport.get_extra_info("ssl_object")
        der = link.getpeercert(binary_form=True) if link is not None else None
        self.app_state = {**self.app_state, "client_certificate": der}


def with_certificate(app: ASGIApp) -> ASGIApp:
    """The application, told of the client's certificate: ``scope["extensions"]["tls"]["client_certificate_der"]``."""

    async def told(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            tls = {"client_certificate_der": scope["state"].get("client_certificate")}
            scope["extensions"] = {**scope.get("extensions", {}), "tls": tls}
        await app(scope, receive, send)

    return told


def context_of(keys: KeyStore) -> ssl.SSLContext:
    """TLS 1.2 or newer with the API's certificate, trusting what the local authority issued."""
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(keys.folder / f"{local_ca.CA}.crt"))
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.verify_mode = ssl.CERT_OPTIONAL
    # A registered certificate that is not from here is trusted by itself, not with all that its issuer issues.
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    made.load_cert_chain(keys.folder / f"{local_ca.SERVER}.crt", keys.folder / f"{local_ca.SERVER}.key")
    return made


def keep_trusting(context: ssl.SSLContext, cache: DirectoryCache, stop: threading.Event) -> None:
    """Let in certificates that are registered while we run; one that goes is refused by the directory."""
    known: set[bytes] = set()
    version = -1
    while not stop.is_set():
        try:
            found = cache.current()
        except Exception:  # the database is away: what is trusted stays
            stop.wait(LOOK_S)
            continue
        if found.version != version:
            version = found.version
            for der in found.tls.keys() - known:
                context.load_verify_locations(cadata=der)
                known.add(der)
        stop.wait(LOOK_S)


def serve(app: ASGIApp, hub: Hub) -> None:
    """Serve an application with TLS until SIGTERM, on this copy's port for it."""
    context = context_of(hub.keys)
    stop = threading.Event()
    cache = DirectoryCache(hub.engine)
    threading.Thread(target=keep_trusting, args=(context, cache, stop), daemon=True).start()
    uvicorn.run(
        with_certificate(app),
        host=hub.settings.tls_host or "127.0.0.1",
        port=hub.settings.port("api_tls"),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        http=Protocol,
        h11_max_incomplete_event_size=MOST_HEAD_BYTES,
        ssl_context_factory=lambda _config, _default: context,
    )
    stop.set()


def main() -> None:
    """Serve the API with TLS."""
    quiet_log.set_up()
    hub = hub_of_process()
    serve(make_app(hub), hub)


if __name__ == "__main__":
    main()
