"""Names in front of 127.0.0.1 are this machine: Python loads this where PYTHONPATH leads here.

S3 Control's clients put the account's id in front of the host's name, which no resolver knows on loopback. Cloud Custodian
itself is not touched.
"""

import socket

resolve = socket.getaddrinfo


def resolve_here(host, *arguments, **more):
    here = isinstance(host, str) and host.endswith(".127.0.0.1")
    return resolve("127.0.0.1" if here else host, *arguments, **more)


socket.getaddrinfo = resolve_here
