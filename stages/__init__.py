import os
import signal

from stages.pipeline.processes import die_with_parent, end_without_heartbeat

if os.environ.get("DVC_STAGE"):
    # A stage is killed by Ctrl-C as by anything else: at once, also while it imports, and without a traceback. Nothing
    # is lost, since outputs appear whole and resume points are saved on the way.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Before the slow imports, in which DVC may be killed too.
    die_with_parent()
    # Threads of one computation wait for each other a few microseconds, and then asleep. Spinning for longer, they hold
    # up, on a machine that does something else too, the very thread that they wait for.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
end_without_heartbeat()  # of a process that another one, elsewhere, has started
