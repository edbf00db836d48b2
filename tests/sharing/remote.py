"""A place that teammates share, as the tests see it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.sharing.relay import Relay
from tests.sharing.server import HOST, Server
from tests.sharing.team import recipe, shell

MISSING = "DVC's client for it is not installed: `make remotes`"


@dataclass(frozen=True)
class Remote:
    name: str
    heading: str
    """Of the recipe in docs/sharing.md."""
    words: dict[str, str]
    """That recipe's examples, and what stands for them here."""
    wrong: dict[str, str] = field(default_factory=dict)
    """The same for credentials, which the server will refuse."""
    server: Server | None = None
    port: int = 0
    folder: Path | None = None
    """Where the objects lie, for a remote that keeps them as files."""

    def fresh(self, name: str) -> "Remote":
        """Another place on the same server, empty."""
        words = {example: real.replace("/bert", f"/{name}") for example, real in self.words.items()}
        if self.folder is None:
            return replace(self, name=name, words=words)
        folder, owner = self.folder.with_name(name), self.folder.parent.stat()
        folder.mkdir()
        os.chown(folder, owner.st_uid, owner.st_gid)
        return replace(self, name=name, words=words, folder=folder)

    def set_up(self, project: Path) -> None:
        """As the first of the team does it."""
        shell(project, recipe("docs/sharing.md", self.heading), self.words)
        self.log_in(project)
        shell(project, recipe("docs/sharing.md", "For all of them"))

    def log_in(self, project: Path, *, rightly: bool = True) -> None:
        """As each of the team does it in a clone."""
        if self.wrong:
            words = self.words | ({} if rightly else self.wrong)
            shell(project, recipe("docs/sharing.md", self.heading, 1), words)

    @contextmanager
    def failing(self, project: Path, *, after: int) -> Iterator[None]:
        """For a while, the project's way to the server is one on which the server dies after so many bytes."""
        assert self.server is not None
        option, url = self._address()
        relay = Relay(self.port, limit=after, at_limit=self.server.kill)
        detour = url.replace(f"{HOST}:{self.port}", f"{HOST}:{relay.port}")
        shell(project, f"dvc remote modify --local team {option} {detour}")
        try:
            yield
            assert relay.broken.is_set(), "it never came to the middle"
        finally:
            relay.close()
            self.server.kill()
            self.server.start()
            shell(project, f"dvc remote modify --local --unset team {option}")

    def _address(self) -> tuple[str, str]:
        """Which option of the remote has the server's port, and what it is."""
        endpoint = self.words.get("https://HOST")
        return ("endpointurl", endpoint) if endpoint else ("url", next(iter(self.words.values())))
