"""A relay between DVC and a server that breaks after so many bytes: the middle of a transfer, at will."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from tests.sharing.server import HOST

PIECE = 1 << 16


class Relay:
    """Passes bytes on to a port until `limit` of them went by; then it calls `at_limit` and closes all connections."""

    def __init__(self, port: int, *, limit: int, at_limit: Callable[[], None]) -> None:
        self._target, self._left, self._at_limit = port, limit, at_limit
        self._guard = threading.Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self.broken = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # the listener is closed
            while True:
                self._join(self._listener.accept()[0])

    def _join(self, client: socket.socket) -> None:
        """A connection to the server for one from DVC."""
        with self._guard, suppress(OSError):  # the server is gone
            self._open.append(client)
            if not self.broken.is_set():
                server = socket.create_connection((HOST, self._target))
                self._open.append(server)
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()
                return
        client.close()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):  # the other direction has closed it
            while piece := source.recv(PIECE):
                self._count(len(piece))
                sink.sendall(piece)
            sink.shutdown(socket.SHUT_WR)

    def _count(self, size: int) -> None:
        with self._guard:
            self._left -= size
            if self._left > 0 or self.broken.is_set():
                return
            self.broken.set()
            self._at_limit()
        self.close()

    def close(self) -> None:
        """After this, `at_limit` has ended or will not be called."""
        with self._guard:
            self.broken.set()
            for one in (self._listener, *self._open):
                with suppress(OSError):  # closed already
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
