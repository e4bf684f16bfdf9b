"""Put this folder first on PYTHONPATH, and every Python process notes whom it talks to and reaches nobody but itself.

Python calls an audit hook before each connection and each look-up of a name. Loopback and Unix sockets are let through,
all else raises; NETWORK_LOG names the file of notes: `what<TAB>command line<TAB>address` a line.
"""

import ipaddress
import os
import sys

_LOG = os.open(os.environ["NETWORK_LOG"], os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o644)
_CONNECTS = ("socket.connect", "socket.sendto", "socket.sendmsg")
_LOOKS_UP = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")


def _note(what: str, address: object) -> None:
    # Not sys.argv: it is not there yet when this module is imported.
    os.write(_LOG, f"{what}\t{' '.join(sys.orig_argv)[:100]}\t{address}\n".encode(errors="replace"))


def _is_near(host: object) -> bool:
    if host in (None, "", b"", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host).is_loopback
    except ValueError:
        return False


def _watch(event: str, arguments: tuple) -> None:
    if event in _CONNECTS:
        address = arguments[1] if len(arguments) > 1 else None
        if not isinstance(address, tuple):  # a Unix socket, or one that is connected already
            return
        host = address[0]
    elif event in _LOOKS_UP:
        host = address = arguments[0]
    else:
        return
    near = _is_near(host)
    if event in _CONNECTS or not near:
        _note("near" if near else "refused", address)
    if not near:
        raise PermissionError(f"the tests let nobody talk to {address}")


_note("started", "")
sys.addaudithook(_watch)
