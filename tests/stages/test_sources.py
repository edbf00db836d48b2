"""The options of sources, and that a source gets all of them."""

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from demonstration import build
from stages.sources import documentation, hub

REVISION = "0123456789abcdef0123456789abcdef01234567"
REPOSITORY = {"repository": "owner/name", "type": "model", "revision": REVISION, "files": ["*.json"]}
PACKAGES = {"packages": {"numpy": "1", "scipy": "2"}, "train_rows": 3, "test_rows": 4}


@pytest.mark.parametrize("revision", ["main", "v1.0", REVISION[:7], REVISION.upper(), REVISION + "0"])
def test_a_revision_that_can_move_is_not_accepted(revision: str) -> None:
    with pytest.raises(ValidationError, match=f"got '{revision}'; a branch or a tag moves"):
        hub.Options.model_validate(REPOSITORY | {"revision": revision})


@pytest.mark.parametrize("wrong", [{"type": "space"}, {"files": []}, {"repository": "a/b/c"}, {"branch": "main"}])
def test_other_options_of_the_hub_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        hub.Options.model_validate(REPOSITORY | wrong)


def test_a_source_passes_on_all_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(hub, "download", lambda folder, **options: calls.append({"folder": folder} | options))
    monkeypatch.setattr(build, "write", lambda folder, **options: calls.append({"folder": folder} | options))
    hub.write(Path("a"), options=hub.Options.model_validate(REPOSITORY))
    documentation.write(Path("b"), options=documentation.Options.model_validate(PACKAGES))
    initializer = calls[1].pop("initializer")
    assert (initializer.func, initializer.args) == (documentation.die_with_parent, (os.getpid(),))
    assert calls == [{"folder": Path("a")} | REPOSITORY, {"folder": Path("b")} | PACKAGES]
