"""A seccomp agent for the tests: answers the calls that wait for it.

usage: seccomp_agent.py SOCKET DIRECTORY [NAME=ERRNO | NAME=continue]...

Listens at SOCKET; a name that starts with `@` is of the abstract kind. For each listener that comes, DIRECTORY gets a file N.json with what came
with it, one line `fds COUNT LINK`, and a line in `calls` for each notification: `N PID NAME`. What is not named is answered
with `continue`. Ends when its standard input does, and all listeners with it.
"""

import array
import errno
import fcntl
import os
import select
import socket
import struct
import sys

NUMBERS = {  # x86_64
    "read": 0, "close": 3, "sendmsg": 46, "recvmsg": 47, "execve": 59, "fcntl": 72, "mkdir": 83, "open": 2,
    "openat": 257, "mkdirat": 258, "setresuid": 117, "close_range": 436, "chdir": 80, "capset": 126,
}
NAMES = {number: name for name, number in NUMBERS.items()}
RECV, SEND = 0xC0502100, 0xC0182101  # _IOWR('!', 0, 80 bytes), _IOWR('!', 1, 24 bytes)
CONTINUE = 1

path, directory = sys.argv[1:3]
answers = dict(word.split("=") for word in sys.argv[3:])


def accept(server, number):
    connection, _ = server.accept()
    fds = array.array("i")
    data, control, _, _ = connection.recvmsg(1 << 20, socket.CMSG_LEN(4 * fds.itemsize))
    for level, kind, payload in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(payload)
    while more := connection.recv(1 << 16):  # to its end: the runtime closes
        data += more
    with open(f"{directory}/{number}.json.new", "wb") as out:
        out.write(data)
    with open(f"{directory}/{number}.fds", "w") as out:
        out.write(f"{len(fds)} {os.readlink(f'/proc/self/fd/{fds[0]}') if fds else ''}\n")
    os.rename(f"{directory}/{number}.json.new", f"{directory}/{number}.json")
    return fds[0]


def answer(listener, number, log):
    request = bytearray(80)
    try:
        fcntl.ioctl(listener, RECV, request)
    except OSError as e:
        if e.errno == errno.ENOENT:  # the process died meanwhile
            return
        raise
    ident, pid, _, call = struct.unpack_from("QIIi", request)
    name = NAMES.get(call, str(call))
    log.write(f"{number} {pid} {name}\n")
    log.flush()
    wish = answers.get(name, "continue")
    code, flags = (0, CONTINUE) if wish == "continue" else (-int(wish), 0)
    try:
        fcntl.ioctl(listener, SEND, bytearray(struct.pack("QqiI", ident, 0, code, flags)))
    except OSError as e:
        if e.errno != errno.ENOENT:
            raise


def main():
    server = socket.socket(socket.AF_UNIX)
    server.bind("\0" + path[1:] if path.startswith("@") else path)
    server.listen()
    poll = select.poll()
    poll.register(server, select.POLLIN)
    poll.register(0, select.POLLIN)
    listeners = {}
    with open(f"{directory}/calls", "w") as log:
        while True:
            for fd, events in poll.poll():
                if fd == 0:
                    if not os.read(0, 4096):
                        return
                elif fd == server.fileno():
                    listener = accept(server, len(listeners) + 1)
                    listeners[listener] = len(listeners) + 1
                    poll.register(listener, select.POLLIN)
                elif events & select.POLLIN:
                    answer(fd, listeners[fd], log)
                else:  # nobody is left under the filter
                    poll.unregister(fd)


main()
