"""A stand-in for the interpreter that hooks start: it hands `-P -m modelvc ...` to the loaded process of spawn.py.

It serves long runs of tests/faults/test_random.py alone (MVC_FORKED=1). Any other command line goes to a real Python,
and so does every command line where MVC_SPAWN names no socket.
"""

import os
import sys


def main() -> int:
    words = sys.argv[1:]
    address = os.environ.get("MVC_SPAWN")
    if address and words[:2] == ["-P", "-c"]:
        return 0  # whether modelvc is there
    if not address or words[:3] != ["-P", "-m", "modelvc"]:
        os.execv(sys.executable, [sys.executable, *words])
    import array
    import json
    import socket

    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.connect(address)
        fds = array.array("i", (0, 1, 2))
        line.sendmsg([b"!"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])
        line.sendall(json.dumps([words[3:], os.getcwd(), dict(os.environ)]).encode("utf-8", "surrogatepass"))
        line.shutdown(socket.SHUT_WR)
        return int(b"".join(iter(lambda: line.recv(100), b"")) or 137)


if __name__ == "__main__":
    sys.exit(main())
