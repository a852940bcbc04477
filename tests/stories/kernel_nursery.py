"""Fork fresh kernels from a process that has imported ipykernel and lean_magic already, but loaded nothing of it.

Started as a script by `story_kernels`. Each line on stdin is a JSON list of arguments for one
kernel and is answered by that kernel's process id. The hash seed is the one of this process.
The script's own arguments are libraries to be imported too, for stories that use them in every kernel.
"""

import importlib
import json
import os
import signal
import sys

# What a kernel has not got on its path, a cell must not find there either.
del sys.path[0]

READY = [
    "ipykernel.kernelapp",
    "ipykernel.zmqshell",
    "IPython.core.completer",
    "IPython.core.ultratb",
    "lean_magic.magic",
]


def _become_kernel(arguments):
    """Turn this process into a kernel, and end with it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):
        os.dup2(nothing, number)
    status = 1
    try:
        sys.modules["ipykernel.kernelapp"].launch_new_instance(argv=arguments)
        status = 0
    finally:
        os._exit(status)


def main():
    """Answer every line with a new kernel."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    parent = os.getpid()
    for name in [*READY, *sys.argv[1:]]:
        importlib.import_module(name)
    for line in iter(sys.stdin.readline, ""):
        child = os.fork()
        if not child:
            os.setsid()
            _become_kernel([*json.loads(line), f"--IPKernelApp.parent_handle={parent}"])
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


main()
