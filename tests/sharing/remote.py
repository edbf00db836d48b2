"""A place that teammates share, as the tests see it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.sharing.objects import Objects
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
    objects: Objects
    wrong: dict[str, str] = field(default_factory=dict)
    """The same for credentials, which the server will refuse."""
    server: Server | None = None
    port: int = 0
    address: str = "url"
    """The option of DVC that has the server's port."""

    def fresh(self, name: str) -> "Remote":
        """Another place on the same server, empty."""
        words = {example: real.replace("/bert", f"/{name}") for example, real in self.words.items()}
        return replace(self, name=name, words=words, objects=self.objects.fresh(name))

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
        assert self.server is not None and self.port
        here = f"{HOST}:{self.port}"
        relay = Relay(self.port, limit=after, at_limit=self.server.kill)
        detour = next(word for word in self.words.values() if here in word).replace(here, f"{HOST}:{relay.port}")
        shell(project, f"dvc remote modify --local team {self.address} '{detour}'")
        try:
            yield
            assert relay.broken.is_set(), "it never came to the middle"
        finally:
            relay.close()
            self.server.kill()
            self.server.start()
            shell(project, f"dvc remote modify --local --unset team {self.address}")
