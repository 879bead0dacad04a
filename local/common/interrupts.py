"""Ctrl-C ends a script without a traceback while it imports its modules.

Scripts import this first. From `cli.main` on, Ctrl-C is a `KeyboardInterrupt` as usual.
"""

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else it is ignored
    signal.signal(signal.SIGINT, signal.SIG_DFL)
