#!/usr/bin/env python3
"""A Suyuan adapter that follows a CSV file: every row that is appended becomes one record, a JSON object.

It needs nothing but Python 3.8 and is meant as a beginning for adapters of your own: keep the class Hub as it is and write
another follow(). The protocol is described in docs/connectors.md under exec.

config:
  path       the CSV file; its first row names the columns
  encoding   utf-8-sig by default (UTF-8, with or without a byte order mark)
  interval   seconds between two looks, 1 by default
"""

import base64
import csv
import hashlib
import json
import os
import sys
import threading

PROTOCOL = 1


class Hub:
    """The hub at the other end of standard input and output."""

    def __init__(self):
        self.stopped = threading.Event()
        self.acknowledged = None  # the last position that is safe with the hub

    def begin(self):
        """Read init and return the config and the position to resume after."""
        line = sys.stdin.buffer.readline()
        if not line:
            raise SystemExit(0)
        init = json.loads(line)
        if init.get("t") != "init" or init.get("protocol") != PROTOCOL:
            self.fail("protocol", "this adapter speaks protocol %d" % PROTOCOL)
        return init.get("config") or {}, init.get("position") or ""

    def ready(self, **spec):
        """Say that records may follow, and listen from now on."""
        self._send({"t": "ready", "spec": spec})
        threading.Thread(target=self._listen, daemon=True).start()

    def record(self, id, body, pos, content_type):
        """Hand over one record. pos is where reading resumes after it. Blocks while the hub is busy."""
        self._send({"t": "record", "id": id, "ct": content_type, "pos": pos,
                    "body_b64": base64.b64encode(body).decode("ascii")})

    def fail(self, code, message, retry_after=None):
        """Report a fault and end. With retry_after, in seconds, it is one that passes."""
        fault = {"t": "error", "code": code, "message": message}
        if retry_after is not None:
            fault["retry_after_ms"] = int(retry_after * 1000)
        self._send(fault)
        raise SystemExit(1)

    def log(self, level, text):
        """Write to the hub's log: level is E, W, I or D."""
        print("%s! %s" % (level, text), file=sys.stderr, flush=True)

    def wait(self, seconds):
        """Wait, and say whether to go on."""
        return not self.stopped.wait(seconds)

    def _listen(self):
        # The end of standard input means that the hub is gone.
        for line in sys.stdin.buffer:
            message = json.loads(line)
            if message.get("t") == "ack":
                self.acknowledged = message["pos"]  # an upstream that forgets could be told here
            elif message.get("t") == "stop":
                break
        self.stopped.set()
        # A main thread that waits for a full pipe hears nothing else; what is not acknowledged comes again anyway.
        threading.Timer(2, os._exit, args=(0,)).start()

    def _send(self, message):
        sys.stdout.buffer.write(json.dumps(message, ensure_ascii=False).encode("utf-8") + b"\n")
        sys.stdout.buffer.flush()


def read_row(file):
    """Read one complete CSV row as bytes, or b"" when there is none yet. A quoted field may hold line breaks."""
    start = file.tell()
    row = b""
    while True:
        line = file.readline()
        row += line
        if not line.endswith(b"\n"):  # nothing more, or a row that is being written
            file.seek(start)
            return b""
        if row.count(b'"') % 2 == 0:
            return row


def fields(row, encoding):
    return next(csv.reader([row.decode(encoding)], strict=True), [])


def follow(hub, path, encoding, interval, position):
    """Hand over each row after position, and wait for more. A position is OFFSET:ROW."""
    offset, number = (int(n) for n in position.split(":")) if position else (0, 0)
    while True:
        with open(path, "rb") as file:
            if os.fstat(file.fileno()).st_size < offset:
                hub.log("W", "the file is shorter than before: it is read from its beginning")
                offset, number = 0, 0
            head = read_row(file)
            if head:
                columns = fields(head, encoding)
                file.seek(max(offset, file.tell()))
                while not hub.stopped.is_set():
                    row = read_row(file)
                    if not row:
                        break
                    offset, number = file.tell(), number + 1
                    if not row.strip():
                        continue
                    try:
                        values = dict(zip(columns, fields(row, encoding.replace("utf-8-sig", "utf-8"))))
                        body, kind = json.dumps(values, ensure_ascii=False).encode("utf-8"), "application/json"
                    except (ValueError, csv.Error):
                        body, kind = row, "text/csv"  # one bad row is no reason to stop: it becomes a dead letter
                    digest = hashlib.sha256(row).hexdigest()[:16]
                    hub.record("%d-%s" % (number, digest), body, "%d:%d" % (offset, number), kind)
        if not hub.wait(interval):
            return


def main():
    hub = Hub()
    config, position = hub.begin()
    path = config.get("path")
    if not path:
        hub.fail("config", "config needs a path")
    if not os.path.exists(path):
        hub.fail("missing", "there is no file " + path, retry_after=10)
    hub.ready(name="csv-tail", version="1")
    try:
        follow(hub, path, config.get("encoding", "utf-8-sig"), float(config.get("interval", "1")), position)
    except BrokenPipeError:
        os._exit(0)  # the hub is gone
    except (OSError, ValueError, csv.Error) as error:
        hub.log("E", str(error))
        hub.fail("read", str(error), retry_after=10)


if __name__ == "__main__":
    main()
