"""The stand-in's door: XML in GB18030 over HTTP, sealed; faults on request."""

from __future__ import annotations

import argparse
import hashlib
import hmac
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zoneinfo import ZoneInfo

from lxml import etree

from sandbox.city_bank.book import Book
from sandbox.city_bank.files import put

BEIJING = ZoneInfo("Asia/Shanghai")
MOST_BYTES = 65_536
ORDER = ("PayerAcct", "PayeeAcct", "PayeeName", "PayeeBankNo", "PubPri", "Amount", "Ccy", "Usage", "Remark")
FAULTS = (
    "",
    "silent",
    "after_500",
    "before_500",
    "garbage",
    "wrong_seal",
    "other_serial",
    "unheard_word",
    "unheard_code",
)


@dataclass
class Bank:
    """The bank at its door. `faults`: what happens to the next calls, one each ("" = nothing)."""

    secret: str
    book: Book = field(default_factory=Book)
    faults: list[str] = field(default_factory=list)
    silent_s: float = 3.0
    url: str = ""
    calls: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def mac(self, content: bytes) -> str:
        return hmac.new(self.secret.encode(), content, hashlib.sha256).hexdigest().upper()

    def answer(self, body: bytes, mac: str) -> tuple[int, bytes, str]:
        """Status, body and seal of an answer."""
        with self._lock:
            fault = self.faults.pop(0) if self.faults else ""
            if fault == "before_500":
                return 500, b"<html>gateway</html>", ""
            told = self._take(body, mac, fault)
        if fault == "silent":
            time.sleep(self.silent_s)
        if fault == "after_500":
            return 502, b"Bad Gateway", ""
        if fault == "garbage":
            return 200, b"\xff\xfe<CBEI><Head>", self.mac(b"")
        return 200, told, "0" * 64 if fault == "wrong_seal" else self.mac(told)

    def _take(self, body: bytes, mac: str, fault: str) -> bytes:
        if not hmac.compare_digest(mac, self.mac(body)):
            return self._told("", "", "", "E102", "验签失败", {})
        try:
            root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
        except etree.XMLSyntaxError:
            return self._told("", "", "", "E101", "报文格式错误", {})
        code, serial, day = (root.findtext(f"Head/{name}") or "" for name in ("TrCode", "SerialNo", "TrDate"))
        self.calls.append(f"{code} {serial}")
        rsp, why, told = self._done(root, code, serial, day)
        if fault == "unheard_word":
            told = {**told, "TrStat": "77"}
        if fault == "unheard_code":
            rsp = "Z999"
        return self._told(code, "SOMEBODYELSE" if fault == "other_serial" else serial, day, rsp, why, told)

    def _done(
        self, root: etree._Element, code: str, serial: str, day: str
    ) -> tuple[str, str, dict[str, str]]:
        if code == "OPN01":
            return "0000", "", {"SubAcct": self.book.open(day, serial)}
        if code == "QRY01":
            key = (root.findtext("Body/OldTrDate") or "", root.findtext("Body/OldSerialNo") or "")
            known = self.book.taken.get(key)
            return ("0404", "查无此交易", {}) if known is None else ("0000", "", _state(key[1], known))
        if code != "PAY01":
            return "E101", "交易码不存在", {}
        order = {name: root.findtext(f"Body/{name}") or "" for name in ORDER}
        if not order["PayeeAcct"] or order["Ccy"] != "CNY" or "." not in order["Amount"]:
            return "E101", "要素不全", {}
        if order["PayerAcct"] not in self.book.accounts:
            return "B203", "付款账号不存在", {}
        known = self.book.take(day, serial, order)
        return ("E110", "流水号重复且内容不同", {}) if known is None else ("0000", "", _state(serial, known))

    def _told(self, code: str, serial: str, day: str, rsp: str, why: str, told: dict[str, str]) -> bytes:
        root = etree.Element("CBEI")
        head, body = etree.SubElement(root, "Head"), etree.SubElement(root, "Body")
        named = {"TrCode": code, "SerialNo": serial, "TrDate": day, "RspCode": rsp, "RspMsg": why}
        for parent, values in ((head, named), (body, told)):
            for name, value in values.items():
                etree.SubElement(parent, name).text = value
        return etree.tostring(root, xml_declaration=True, encoding="GB18030")


def _state(serial: str, known: dict[str, str]) -> dict[str, str]:
    return {"TrStat": known["state"], "TrMsg": known["why"], "BankRef": f"CBT{serial[-16:]}"}


@contextmanager
def serving(bank: Bank, port: int = 0) -> Iterator[Bank]:
    """The bank on a loopback port."""

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            if size > MOST_BYTES:
                self.send_error(413)
                return
            status, content, mac = bank.answer(self.rfile.read(size), self.headers.get("X-CB-Mac") or "")
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/xml; charset=GB18030")
                self.send_header("X-CB-Mac", mac)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except (BrokenPipeError, ConnectionResetError):
                pass  # who asked did not wait

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Door)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    bank.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield bank
    finally:
        server.shutdown()
        server.server_close()


def main() -> None:
    """Serve until stopped; each minute carry out what was taken and put files for accounts that moved."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8690)
    parser.add_argument("--secret-file", type=Path, required=True)
    parser.add_argument("--drop", type=Path, required=True, help="folder for the files")
    told = parser.parse_args()
    with serving(Bank(told.secret_file.read_text().strip()), told.port) as bank:
        print(f"city bank at {bank.url}", flush=True)
        while True:
            time.sleep(60)
            today = datetime.now(BEIJING).date()
            if bank.book.carry_out(today):
                for account, rows in bank.book.accounts.items():
                    if len(rows) > bank.book.written.get(account, 0):
                        put(told.drop, bank.book, account, today, "R")


if __name__ == "__main__":
    main()
