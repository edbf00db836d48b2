"""What goes wrong between a project and its remote: each time a clear error, nothing lost, and the next try goes on."""

import shutil
from pathlib import Path
from random import Random

import pytest

from stages.pipeline.dependencies import content_hash
from tests.disk import small_disk
from tests.sharing.conftest import SIZE
from tests.sharing.objects import key
from tests.sharing.remote import Remote
from tests.sharing.team import recipe, refused, shell, start

pytestmark = pytest.mark.dvc

PUSH = recipe("docs/sharing.md", "Send").splitlines()[0]
PULL = recipe("docs/sharing.md", "Receive", 1).splitlines()[0]
DURABLE = pytest.mark.parametrize("kind", ["ssh", "webdav", "s3"], indirect=True)
"""Servers that keep what they have when they are killed; Azurite writes it down every few seconds only."""
SERVERS = pytest.mark.parametrize("kind", ["ssh", "webdav", "s3", "azure"], indirect=True)
LIMITED = pytest.mark.parametrize("kind", ["folder", "ssh", "webdav", "s3"], indirect=True)
ALL = pytest.mark.parametrize("kind", ["folder", "ssh", "webdav", "s3", "azure"], indirect=True)
REFUSALS = {"SSH": "Permission denied", "WebDAV": "Unauthorized", "S3": "Forbidden", "Azure": "AuthorizationFailure"}


def clone(project: Path, remote: Remote, folder: Path) -> Path:
    """A teammate's clone, with credentials and without data."""
    shell(folder.parent, f"git clone -q '{project}' '{folder}'")
    if remote.wrong:
        shutil.copy(project / ".dvc/config.local", folder / ".dvc")
    return folder


def content(project: Path) -> list[str]:
    return [content_hash(project / name) for name in ("large.bin", "rows")]


@DURABLE
def test_a_push_whose_server_dies_in_the_middle_is_completed_by_the_next(
    small: Path, remote: Remote, tmp_path: Path
) -> None:
    with remote.failing(small, after=SIZE // 2):
        refused(small, PUSH)
    assert "up to date" in shell(small, "dvc status")
    shell(small, PUSH)
    mate = clone(small, remote, tmp_path / "mate")
    shell(mate, PULL)
    assert content(mate) == content(small)


@DURABLE
def test_a_pull_whose_server_dies_in_the_middle_is_completed_by_the_next(
    small: Path, remote: Remote, tmp_path: Path
) -> None:
    shell(small, PUSH)
    mate = clone(small, remote, tmp_path / "mate")
    with remote.failing(mate, after=SIZE // 2):
        refused(mate, PULL)
    assert not (mate / "large.bin").exists()
    shell(mate, PULL)
    assert content(mate) == content(small)


@SERVERS
def test_wrong_credentials_are_said_and_right_ones_mend_it(small: Path, remote: Remote) -> None:
    remote.log_in(small, rightly=False)
    assert REFUSALS[remote.heading] in refused(small, PUSH)
    remote.log_in(small)
    shell(small, PUSH)


@SERVERS
def test_credentials_are_not_in_git(small: Path, remote: Remote) -> None:
    assert shell(small, "git status --porcelain") == ""
    kept = shell(small, "git show HEAD:.dvc/config") + shell(small, "git ls-files")
    secrets = [remote.words[word] for word in remote.wrong]
    assert [secret for secret in secrets if secret in kept] == []
    assert all(secret in (small / ".dvc/config.local").read_text() for secret in secrets)


@ALL
def test_a_missing_object_is_named_and_pushed_again_by_who_has_it(small: Path, remote: Remote, tmp_path: Path) -> None:
    shell(small, PUSH)
    remote.objects.remove(content_hash(small / "large.bin"))
    mate = clone(small, remote, tmp_path / "mate")
    assert "large.bin" in refused(mate, PULL)
    shell(small, PUSH)
    shell(mate, PULL)
    assert content(mate) == content(small)


@ALL
def test_a_damaged_object_is_noticed_at_download_and_pushed_again_when_removed(
    small: Path, remote: Remote, tmp_path: Path
) -> None:
    shell(small, PUSH)
    digest = content_hash(small / "large.bin")
    damaged = bytearray(remote.objects.read(digest))
    damaged[SIZE // 2] ^= 1
    remote.objects.write(digest, bytes(damaged))
    mate = clone(small, remote, tmp_path / "mate")
    assert "large.bin" in refused(mate, PULL)
    assert not (mate / "large.bin").exists()
    if remote.objects.has(digest):  # from a folder, DVC removes it
        assert f"corrupted cache file '{mate}/.dvc/cache/{key(digest)}'" in shell(mate, f"{PULL} -v || true")
        remote.objects.remove(digest)
    shell(small, PUSH)
    shell(mate, PULL)
    assert content(mate) == content(small)


@LIMITED
def test_a_full_remote_is_said_and_the_next_push_goes_on(small: Path, remote: Remote, tmp_path: Path) -> None:
    with remote.objects.room(SIZE // 2) as make_room:
        refused(small, PUSH)
        make_room()
        shell(small, PUSH)
        mate = clone(small, remote, tmp_path / "mate")
        shell(mate, PULL)
        assert content(mate) == content(small)


@pytest.mark.parametrize("kind", ["folder"], indirect=True)
def test_a_full_disk_here_is_said_and_the_next_pull_goes_on(small: Path, remote: Remote, tmp_path: Path) -> None:
    shell(small, PUSH)
    mate = clone(small, remote, tmp_path / "mate")
    cache = mate / ".dvc/cache"
    cache.mkdir()
    with small_disk(cache, SIZE // 2) as make_room:
        assert "No space left on device" in refused(mate, PULL)
        make_room()
        shell(mate, PULL)
        assert content(mate) == content(small)


@ALL
def test_two_teammates_push_at_once(small: Path, remote: Remote, tmp_path: Path) -> None:
    """Each has rows of their own, and both the same new large file."""
    shell(small, PUSH)
    mates = [clone(small, remote, tmp_path / name) for name in ("first", "second")]
    for mate in mates:
        (mate / "rows").mkdir()
        (mate / "rows/new.tsv").write_text(mate.name)
        (mate / "large.bin").write_bytes(Random(2).randbytes(SIZE))
        shell(mate, "dvc add -q rows large.bin; git commit -qam mine")
    pushes = [start(mate, PUSH) for mate in mates]
    said = [push.communicate()[0] for push in pushes]
    assert [push.returncode for push in pushes] == [0, 0], said
    for mate in mates:
        third = clone(mate, remote, tmp_path / f"clone of {mate.name}")
        shell(third, PULL)
        assert content(third) == content(mate)
