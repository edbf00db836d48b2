"""OpenSSH's sshd, for the user who runs the tests, with a key that is made for them."""

import getpass
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.sharing.objects import Folder
from tests.sharing.remote import MISSING, Remote
from tests.sharing.server import HOST, Server, free_port

KEY = "~/.ssh/id_ed25519"
CONFIG = """\
Port {port}
ListenAddress {host}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/alice_key.pub
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
"""


def openssh(folder: Path) -> Remote:
    """Skips the test where sshd is not installed."""
    pytest.importorskip("dvc_ssh", reason=MISSING)
    daemon = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if daemon is None or shutil.which("ssh-keygen") is None:
        pytest.skip("OpenSSH's sshd is not installed: `apt-get install openssh-server`")
    for key in ("host_key", "alice_key", "stranger_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
    port = free_port()
    (folder / "sshd_config").write_text(CONFIG.format(port=port, host=HOST, folder=folder))
    Path("/run/sshd").mkdir(exist_ok=True)  # sshd asks for it when root starts it
    server = Server({port: [daemon, "-D", "-e", "-f", folder / "sshd_config"]}, log=folder / "log")
    url = f"ssh://{getpass.getuser()}@{HOST}:{port}{folder}/bert"
    words = {"ssh://alice@HOST/srv/bert": url, KEY: str(folder / "alice_key")}
    wrong = {KEY: str(folder / "stranger_key")}
    return Remote("bert", "SSH", words, Folder(folder / "bert"), wrong, server, port)
