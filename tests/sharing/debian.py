"""Servers from Debian's packages: OpenSSH's sshd, for the user who runs the tests, and Apache's WebDAV."""

import getpass
import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.sharing.objects import Folder
from tests.sharing.remote import MISSING, Remote
from tests.sharing.server import HOST, Server, free_port

KEY = "~/.ssh/id_ed25519"
SSHD_CONFIG = """\
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
MODULES = Path("/usr/lib/apache2/modules")
NAMES = "mpm_event authz_core authn_core authn_file auth_basic authz_user dav dav_fs".split()
APACHE_CONFIG = """\
ServerRoot {folder}
ServerName {host}
Listen {host}:{port}
PidFile {folder}/pid
ErrorLog {folder}/log
User {user}
DocumentRoot {folder}/served
DavLockDB {folder}/served/locks
<Directory {folder}/served>
  Dav On
  AuthType Basic
  AuthName team
  AuthUserFile {folder}/passwords
  Require valid-user
</Directory>
"""


def openssh(folder: Path) -> Remote:
    """With a key that is made for the test. Skips it where sshd is not installed."""
    pytest.importorskip("dvc_ssh", reason=MISSING)
    daemon = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if daemon is None or shutil.which("ssh-keygen") is None:
        pytest.skip("OpenSSH's sshd is not installed: `apt-get install openssh-server`")
    for key in ("host_key", "alice_key", "stranger_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / key)], check=True)
    port = free_port()
    (folder / "sshd_config").write_text(SSHD_CONFIG.format(port=port, host=HOST, folder=folder))
    Path("/run/sshd").mkdir(exist_ok=True)  # sshd asks for it when root starts it
    server = Server({port: [daemon, "-D", "-e", "-f", folder / "sshd_config"]}, log=folder / "log")
    url = f"ssh://{getpass.getuser()}@{HOST}:{port}{folder}/bert"
    words = {"ssh://alice@HOST/srv/bert": url, KEY: str(folder / "alice_key")}
    wrong = {KEY: str(folder / "stranger_key")}
    return Remote("bert", "SSH", words, Folder(folder / "bert"), wrong, server, port)


def apache(folder: Path) -> Remote:
    """With a password. Skips the test where Apache is not installed. Its user has to be able to reach `folder`."""
    pytest.importorskip("dvc_webdav", reason=MISSING)
    program = shutil.which("apache2", path="/usr/sbin:/usr/bin")
    if program is None or not MODULES.is_dir():
        pytest.skip("Apache is not installed: `apt-get install apache2-bin`")
    port, user = free_port(), "www-data" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    served = folder / "served"
    served.mkdir()
    if os.geteuid() == 0:
        shutil.chown(served, user)
    digest = subprocess.run(["openssl", "passwd", "-apr1", "secret"], check=True, capture_output=True, text=True)
    (folder / "passwords").write_text(f"alice:{digest.stdout}")
    load = "".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so\n" for name in NAMES)
    (folder / "config").write_text(load + APACHE_CONFIG.format(folder=folder, host=HOST, port=port, user=user))
    server = Server({port: [program, "-D", "FOREGROUND", "-f", folder / "config"]}, log=folder / "log")
    words = {"webdavs://HOST/bert": f"webdav://{HOST}:{port}/bert", "SECRET": "secret"}
    return Remote("bert", "WebDAV", words, Folder(served / "bert"), {"SECRET": "guessed"}, server, port)
