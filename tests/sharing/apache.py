"""Apache's WebDAV, with a password."""

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.sharing.objects import Folder
from tests.sharing.remote import MISSING, Remote
from tests.sharing.server import HOST, Server, free_port

MODULES = Path("/usr/lib/apache2/modules")
NAMES = "mpm_event authz_core authn_core authn_file auth_basic authz_user dav dav_fs".split()
CONFIG = """\
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


def apache(folder: Path) -> Remote:
    """Skips the test where Apache is not installed. Its user has to be able to reach `folder`."""
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
    (folder / "config").write_text(load + CONFIG.format(folder=folder, host=HOST, port=port, user=user))
    server = Server({port: [program, "-D", "FOREGROUND", "-f", folder / "config"]}, log=folder / "log")
    words = {"webdavs://HOST/bert": f"webdav://{HOST}:{port}/bert", "SECRET": "secret"}
    return Remote("bert", "WebDAV", words, Folder(served / "bert"), {"SECRET": "guessed"}, server, port)
