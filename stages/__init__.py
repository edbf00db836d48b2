import os
import signal

# A stage is killed by Ctrl-C as by anything else: at once, also while it imports, and without a traceback. Nothing
# is lost, since outputs appear whole and resume points are saved on the way.
if os.environ.get("DVC_STAGE"):
    signal.signal(signal.SIGINT, signal.SIG_DFL)
