"""A headless Firefox, driven by its own WebDriver BiDi over a WebSocket: enough to open a page and ask it things."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import tempfile
import threading

FIREFOX = next(filter(None, map(shutil.which, ("firefox-esr", "firefox"))), None)


class Firefox:
    """`visit` opens a page, `ask` evaluates an expression in it; `console` is what it logged."""

    def __init__(self):
        from tornado.websocket import websocket_connect

        self._profile = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            [FIREFOX, "--headless", "--no-remote", "--profile", self._profile.name, "--remote-debugging-port", "0"],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        address = None
        for line in self._process.stderr:
            if found := re.search(r"WebDriver BiDi listening on (ws://\S+)", line):
                address = found[1]
                break
        if address is None:
            raise OSError("Firefox did not start")
        self._loop = asyncio.new_event_loop()  # in a thread of its own, for Playwright has one in this
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        connecting = lambda: websocket_connect(f"{address}/session", max_message_size=2**28)
        self._socket = self._wait(self._call(connecting))
        self._count, self.console = 0, []
        self.send("session.new", capabilities={})
        self.send("session.subscribe", events=["log.entryAdded"])
        self._context = self.send("browsingContext.getTree")["contexts"][0]["context"]

    @staticmethod
    async def _call(function):
        return await function()

    @staticmethod
    async def _call_now(function):
        function()
        await asyncio.sleep(0.1)

    def _wait(self, waiting):
        return asyncio.run_coroutine_threadsafe(waiting, self._loop).result(60)

    def send(self, method, **params):
        self._count += 1
        message = json.dumps({"id": self._count, "method": method, "params": params})
        self._wait(self._call(lambda: self._socket.write_message(message)))
        while True:
            answer = json.loads(self._wait(self._call(self._socket.read_message)))
            if answer.get("method") == "log.entryAdded":
                self.console.append(answer["params"]["text"])
            if answer.get("id") == self._count:
                if answer["type"] == "error":
                    raise RuntimeError(answer["message"])
                return answer["result"]

    def visit(self, url):
        self.send("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def ask(self, expression):
        """The value of a JavaScript expression, as JSON carries it."""
        target = {"context": self._context}
        text = f"JSON.stringify({expression})"
        result = self.send("script.evaluate", expression=text, target=target, awaitPromise=True)
        if result["type"] != "success":
            raise RuntimeError(result["exceptionDetails"]["text"])
        return json.loads(result["result"]["value"])

    def close(self):
        self._wait(self._call_now(self._socket.close))
        self._process.terminate()
        self._process.wait(30)
        self._process.stderr.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()
        self._profile.cleanup()
