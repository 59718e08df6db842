#!/usr/bin/env python3
"""Runs a command at a terminal and talks to it; what both sides said goes to stdout.

    at_terminal.py [--size ROWSxCOLUMNS] COMMAND... < SCRIPT

A line of the script is one of
    expect REGEX        waits until the rest of the output, after what was expected last, holds it
    send TEXT           types it; \\n, \\x03 and so on as in Python
    size ROWS COLUMNS   changes the window
The exit status is the command's; 98: a wait was in vain, 97: it did not end.
"""
import codecs
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

PATIENCE = 30  # seconds


class Terminal:
    def __init__(self, size, command):
        self.output, self.seen = b'', 0
        self.pid, self.master = pty.fork()
        if self.pid == 0:
            time.sleep(0.05)  # the size is there first
            os.execvp(command[0], command)
        self.resize(*size)

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))

    def read(self, seconds):
        """False at the end."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            some = os.read(self.master, 65536)
        except OSError:
            return False
        self.output += some
        return some != b''

    def expect(self, pattern):
        end = time.monotonic() + PATIENCE
        while True:
            found = re.search(pattern.encode(), self.output[self.seen:])
            if found:
                self.seen += found.end()
                return
            if time.monotonic() > end or not self.read(0.1):
                print(f'waited in vain for: {pattern}', file=sys.stderr)
                self.leave(98)

    def leave(self, status):
        sys.stdout.buffer.write(self.output)
        sys.stdout.flush()
        if status in (97, 98):
            os.kill(self.pid, signal.SIGKILL)
        os._exit(status)


def main():
    words, size = sys.argv[1:], (24, 80)
    if words[0] == '--size':
        size = tuple(int(n) for n in words[1].split('x'))
        words = words[2:]
    terminal = Terminal(size, words)
    for line in sys.stdin.read().splitlines():
        verb, _, rest = line.partition(' ')
        if verb == 'expect':
            terminal.expect(rest)
        elif verb == 'send':
            os.write(terminal.master, codecs.decode(rest, 'unicode_escape').encode('latin-1'))
        elif verb == 'size':
            terminal.resize(*map(int, rest.split()))
        elif verb:
            sys.exit(f'unknown: {line}')
    end = time.monotonic() + PATIENCE
    while terminal.read(0.1):
        if time.monotonic() > end:
            terminal.leave(97)
    _, status = os.waitpid(terminal.pid, 0)
    terminal.leave(os.waitstatus_to_exitcode(status) & 0xff)


main()
