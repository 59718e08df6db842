#!/usr/bin/env python3
"""Compares what `ocitk run --plan=json` says with what strace sees `ocitk run` do, call by call.

    plan_strace.py PLAN.json PREFIX

PREFIX.PID are the files of `strace -ff -v -s 65536 -o PREFIX`. Every system call in them has to be known here: either
it is compared, or it stands in OUTSIDE with the reason why no plan tells of it. Descriptors are compared by what they
are of, which is learned from the calls that make them. Prints the differences; exit status 1 if there are any.
"""
import difflib
import glob
import json
import pathlib
import re
import sys

# Calls that no plan tells of, each with the reason.
OUTSIDE = {
    **dict.fromkeys(['brk', 'mmap', 'munmap', 'mremap', 'mprotect', 'madvise'], 'memory of the process itself'),
    **dict.fromkeys(['arch_prctl', 'set_tid_address', 'set_robust_list', 'rseq', 'getrandom', 'futex'], 'start-up of libc'),
    **dict.fromkeys(['rt_sigaction', 'rt_sigprocmask', 'signalfd4', 'rt_sigreturn', 'restart_syscall'], 'signals of the process itself'),
    **dict.fromkeys(['close'], 'closing'),
    **dict.fromkeys(['exit', 'exit_group'], 'the end of a bridge'),
    **dict.fromkeys(['pipe2', 'socketpair', 'socket'], 'makes a descriptor that only we know; what is done with it is compared'),
    **dict.fromkeys(['memfd_create'], 'the compiled seccomp filter, in memory of our own'),
    **dict.fromkeys(['read', 'pread64', 'readlink', 'readlinkat', 'getcwd', 'lseek', 'getdents64', 'recvmsg', 'fstat', 'newfstatat',
                     'statx', 'fstatfs', 'statfs', 'faccessat', 'faccessat2', 'access', 'openat2_asks', 'uname', 'capget',
                     'getpid', 'getppid', 'getuid', 'geteuid', 'getgid', 'getegid', 'gettid', 'sched_getaffinity', 'poll', 'ppoll',
                     'wait4', 'waitid', 'pidfd_open', 'sysinfo'], 'only asks'),
}
# Of calls that may do either: what only asks, by the first words of their arguments.
ASKS = {
    'prctl': r'PR_CAPBSET_READ|PR_GET_|PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET',
    'keyctl': r'KEYCTL_DESCRIBE|KEYCTL_READ|KEYCTL_GET',
    'ioctl': r'\S+ (TCGETS|TIOCGWINSZ|TIOCGPTN|NS_GET_)',
    'prlimit64': r'.*, NULL, [^,]*\{|.*, NULL, NULL',
    'seccomp': r'SECCOMP_SET_MODE_FILTER, \S+, NULL|SECCOMP_GET_',  # a look for what the kernel knows: EFAULT
    'fcntl': r'',  # duplicates and marks descriptors of the process itself
    'open_tree': None,
}
# What a plan tells. Whatever is in neither list fails the comparison: somebody has to decide.
COMPARED = set('''openat openat2 mkdirat mknodat symlinkat unlinkat renameat fchmod fchown fchownat fsync flock ftruncate write
    umask dup2 mount_setattr open_tree move_mount fsopen fsconfig fsmount pivot_root chroot umount2 chdir fchdir clone3 setns
    unshare sethostname setdomainname prctl setsid sched_setaffinity prlimit64 setgroups setresgid setresuid keyctl seccomp
    execve ioctl connect sendmsg bpf capset close_range'''.split())

HANDSHAKE = pathlib.Path(__file__).resolve().parents[2] / 'include/ocitk/runtime/handshake.hpp'
WORDS = [''] + re.search(r'enum class word[^{]*\{ born = 1, ([^}]*) \}', HANDSHAKE.read_text())[1].split(', ')
WORDS.insert(1, 'born')
CAPABILITIES = '''CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE
    NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT
    SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG
    WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'''.split()
NUMBERS = {'CAP_' + name: number for number, name in enumerate(CAPABILITIES)}
NUMBERS |= {'PR_CAP_AMBIENT_RAISE': 2, 'PR_CAP_AMBIENT_LOWER': 3, 'PR_CAP_AMBIENT_CLEAR_ALL': 4, 'SUID_DUMP_DISABLE': 0,
            'SUID_DUMP_USER': 1}
BITS = {'MOUNT_ATTR_NOATIME': 0x10, 'MOUNT_ATTR_STRICTATIME': 0x20, 'MOUNT_ATTR__ATIME': 0x70, 'SECCOMP_FILTER_FLAG_SPEC_ALLOW': 4}
for place, who in enumerate(['OTH', 'GRP', 'USR', 'POS']):
    for bit, what in enumerate(['VIEW', 'READ', 'WRITE', 'SEARCH', 'LINK', 'SETATTR']):
        BITS[f'KEY_{who}_{what}'] = 1 << bit + 8 * place
LONGEST_TEXT = 96  # bytes of a text that a plan shows; sys/kernel/call.hpp


class Problem(Exception):
    pass


def split(text):
    """The arguments of a call: at commas outside of quotes and brackets."""
    parts, depth, start, quoted, i = [], 0, 0, False, 0
    while i < len(text):
        c = text[i]
        if quoted:
            if c == '\\':
                i += 1
            elif c == '"':
                quoted = False
        elif c == '"':
            quoted = True
        elif c in '([{':
            depth += 1
        elif c in ')]}':
            depth -= 1
        elif c == ',' and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
        i += 1
    if text[start:].strip():
        parts.append(text[start:].strip())
    return parts


ESCAPES = {'n': b'\n', 't': b'\t', 'r': b'\r', 'v': b'\v', 'f': b'\f', '"': b'"', '\\': b'\\'}


def unquoted(text):
    """The bytes of a C string as strace or a plan writes it."""
    if not text.startswith('"'):
        return text.encode()
    out, i, body = b'', 1, text[1:text.rindex('"')]
    body = ' ' + body
    while i < len(body):
        if body[i] != '\\':
            out += body[i].encode()
            i += 1
            continue
        following = body[i + 1]
        if following in ESCAPES:
            out += ESCAPES[following]
            i += 2
        elif following == 'x':
            out += bytes([int(body[i + 2:i + 4], 16)])
            i += 4
        else:
            digits = re.match(r'[0-7]{1,3}', body[i + 1:]).group()
            out += bytes([int(digits, 8)])
            i += 1 + len(digits)
    return out


def text(shown):
    """A text as both sides can have it: no more than a plan shows."""
    if shown == 'NULL':
        return shown
    raw = unquoted(shown)
    raw = re.sub(rb'("init_process_pid":).*', rb'\1', raw)  # pids and times differ from run to run
    return re.sub("^b'|'$", '', repr(raw[:LONGEST_TEXT]))


def flags(shown):
    """Bits by name where both sides have one, else by number: a set."""
    number, names = 0, set()
    for part in shown.split('|'):
        part = re.sub(r' ?/\*.*\*/', '', part).strip()
        if part in BITS:
            number |= BITS[part]
        elif re.fullmatch(r'0x[0-9a-f]+|\d+', part):
            number |= int(part, 0)
        else:
            names.add(part)
    return '|'.join(sorted(names) + ([hex(number)] if number else [])) or '0'


def octal(shown):
    return oct(int(shown, 8))


def number(shown):
    shown = shown.split(' /*')[0]
    return str(NUMBERS.get(shown, shown))


def fields(shown):
    """{a=1, b=2} as a dict."""
    return dict(part.split('=', 1) for part in split(shown.strip()[1:-1]) if '=' in part)


def attributes(shown, descriptor):
    got = fields(shown)
    wanted = []
    for key in ('attr_set', 'attr_clr', 'propagation'):
        value = flags(got.get(key, '0'))
        if value not in ('0', 'MS_???'):
            wanted.append(f'{key}={value}')
    if got.get('userns_fd', '0').split('<')[0] != '0' or got.get('userns_fd', '').startswith('<'):
        wanted.append('userns_fd=' + descriptor(got['userns_fd']))
    return '{' + ', '.join(wanted) + '}'


def limit(shown):
    def value(v):
        return eval(v, {'__builtins__': {}}) if re.fullmatch(r'[\d*]+', v) else v  # strace writes 8192*1024
    got = fields(shown)
    return f"{value(got['rlim_cur'])}/{value(got['rlim_max'])}"


def words(shown):
    return [text(part) for part in split(shown[1:-1])]


def capabilities_of_plan(args):
    joined = ', '.join(args)
    return [sorted(re.search(key + r'=\[([^\]]*)\]', joined).group(1).split()) for key in ('permitted', 'effective', 'inheritable')]


def capabilities_of_strace(args):
    got = fields(args[1])
    return [sorted(re.findall(r'CAP_\w+', got[key])) for key in ('permitted', 'effective', 'inheritable')]


def without_zeros(args):
    while args and args[-1] in ('0', '0x0'):
        args = args[:-1]
    return args


def canonical(call, args, descriptor, of_plan):
    """One call in words that plan and strace can share."""
    d = descriptor
    if call in ('openat', 'openat2'):
        how = args[2] if call == 'openat' or of_plan else fields(args[2])['flags']
        how = '|'.join(sorted(set(flags(how).split('|')) - {'O_RDONLY', 'O_LARGEFILE'}))
        mode = [octal(args[3])] if len(args) > 3 and call == 'openat' else []
        return [d(args[0]), text(args[1]), how] + (mode if 'O_CREAT' in how else [])
    if call == 'mkdirat':
        return [d(args[0]), text(args[1]), octal(args[2])]
    if call == 'mknodat':
        kind, mode = args[2].split('|') if '|' in args[2] else ('S_IFREG', args[2])
        device = '0:0'
        if len(args) > 3:
            device = re.sub(r'makedev\((\w+), (\w+)\)', lambda m: f'{int(m[1], 0)}:{int(m[2], 0)}', args[3])
        return [d(args[0]), text(args[1]), kind, octal(mode), '0:0' if device == '0' else device]
    if call == 'symlinkat':
        return [text(args[0]), d(args[1]), text(args[2])]
    if call == 'unlinkat':
        return [d(args[0]), text(args[1]), flags(args[2])]
    if call == 'renameat':
        return [d(args[0]), text(args[1]), d(args[2]), text(args[3])]
    if call == 'fchmod':
        return [d(args[0]), octal(args[1])]
    if call == 'fchown':
        return [d(args[0])] + args[1:]
    if call == 'fchownat':
        return [d(args[0]), text(args[1]), args[2], args[3], flags(args[4])]
    if call in ('fsync', 'fchdir'):
        return [d(args[0])]
    if call == 'flock':
        return [d(args[0]), flags(args[1])]
    if call == 'ftruncate':
        return [d(args[0]), args[1]]
    if call == 'write':
        if d(args[0]).endswith('pid>'):
            return [d(args[0]), 'a pid']
        whole = text(args[1])
        return [d(args[0]), whole] + ([] if 'init_process_pid' in whole else [args[2]])
    if call == 'umask':
        return [octal(args[0])]
    if call == 'dup2':
        return [d(args[0]), args[1].split('<')[0]]
    if call == 'mount_setattr':
        return [d(args[0]), text(args[1]), flags(args[2]), attributes(args[3], d)]
    if call == 'open_tree':
        return [d(args[0]), text(args[1]), flags(args[2])]
    if call == 'move_mount':
        return [d(args[0]), text(args[1]), d(args[2]), text(args[3]), flags(args[4])]
    if call == 'fsopen':
        return [text(args[0]), flags(args[1])]
    if call == 'fsconfig':
        return [d(args[0]), args[1], text(args[2]), text(args[3])]
    if call == 'fsmount':
        return [d(args[0]), flags(args[1]), flags(args[2])]
    if call in ('pivot_root', 'chdir', 'chroot', 'umount2'):
        return [text(a) if a.startswith('"') else flags(a) for a in args]
    if call == 'clone3':
        if of_plan:
            return [flags(args[0]), args[1].replace('0', '') or 'no signal', args[2]]
        got = fields(args[0].split(' => ')[0])
        cgroup = d(got['cgroup']) if 'cgroup' in got else 'no cgroup'
        return [flags(got['flags']), got['exit_signal'].replace('0', '') or 'no signal', cgroup]
    if call in ('setns', 'unshare'):
        return ([d(args[0])] if call == 'setns' else []) + [flags(args[-1])]
    if call in ('sethostname', 'setdomainname'):
        return [text(args[0]), args[1]]
    if call == 'prctl' and args[0] == 'PR_SET_NAME':
        return [args[0], text(args[1])]
    if call in ('prctl', 'setsid'):
        return args[:1] + without_zeros([number(a) for a in args[1:]])
    if call == 'sched_setaffinity':
        listed = re.findall(r'\d+', args[2])
        everything = args[2] == '[all]' or args[2].endswith('...]') and listed == [str(n) for n in range(len(listed))]
        return [args[0], 'all' if everything else args[2]]
    if call == 'prlimit64':
        return [args[0], args[1], limit(args[2])]
    if call == 'setgroups':
        return [args[0], ','.join(split(args[1].strip('[]'))) if args[1] != 'NULL' else '']
    if call in ('setresgid', 'setresuid'):
        return args
    if call == 'keyctl':
        if args[0] == 'KEYCTL_SETPERM':
            return [args[0], flags(args[2])]
        return [args[0], text(args[1])]
    if call == 'seccomp':
        return [args[0], flags(args[1]), re.search(r'len=(\d+)', args[2]).group(1)]
    if call == 'execve':
        return [text(args[0]), words(args[1]), words(args[2])]
    if call == 'ioctl':
        if args[1] == 'TIOCGPTPEER':  # strace knows no names for it
            bits = {'O_RDWR': 2, 'O_NOCTTY': 0x100, 'O_CLOEXEC': 0x80000}
            return [d(args[0]), args[1], sum(bits[word] for word in args[2].split('|')) if of_plan else int(args[2], 16)]
        return [d(args[0]), args[1]] + ([args[2].replace(', ws_xpixel=0, ws_ypixel=0', '')] if len(args) > 2 else [])
    if call == 'connect':
        return [d(args[0]), text(args[1] if of_plan else fields(args[1])['sun_path'])]
    if call == 'sendmsg':
        if of_plan:
            return [d(args[0]), args[1].strip('"')]
        said = unquoted(re.search(r'iov_base=("(?:[^"\\]|\\.)*")', args[1]).group(1))
        return [d(args[0]), WORDS[said[0]]]
    if call == 'bpf':
        return args[:1]
    if call == 'capset':
        return capabilities_of_plan(args) if of_plan else capabilities_of_strace(args)
    if call == 'close_range':
        return [args[0], '~0' if args[1] in ('~0U', '4294967295') else args[1], flags(args[2])]
    raise Problem(f'{call}: nobody has said how to compare it')


# A plan


def plan_side(path):
    rows = {'parent': [], 'bridge': [], 'init': []}
    for entry in json.load(open(path)):
        def name(shown):
            return re.sub(r'/proc/\d+', '/proc/PID', shown)  # init's: another one each time
        got = canonical(entry['call'], entry['args'], name, True)
        rows[entry['process']].append(f"{entry['call']} {got}")
    return rows


# strace


def calls_in(path):
    for line in open(path, errors='surrogateescape'):
        got = re.match(r'(\w+)\((.*)\)\s+= (-?\d+|\?)(.*)$', line.rstrip('\n'))
        if got:
            yield got[1], got[2], got[3]
        elif not line.startswith(('+++', '---')) and '<unfinished' not in line and not re.match(r'\w+\(.*\)\s+= \?', line):
            raise Problem('cannot read: ' + line[:200])


class Names:
    """What descriptors are of, from the calls that make them."""

    def __init__(self, known):
        self.known, self.pipes = dict(known), []

    def of(self, shown):
        if shown.startswith('AT_FDCWD'):
            return 'AT_FDCWD'
        fd = int(re.match(r'\d+', shown).group())
        return '<' + re.sub(r'/proc/\d+', '/proc/PID', self.known.get(fd, f'fd {fd}')) + '>'

    def joined(self, directory, path):
        path = unquoted(path).decode()
        if directory == 'AT_FDCWD':
            return path
        base = directory[1:-1]
        if path in ('', '.'):
            return base
        return base.rstrip('/') + ('' if path.startswith('/') else '/') + path

    def learn(self, call, args, returned):
        if returned == '?' or int(returned) < 0:
            return
        fd = int(returned)
        if call in ('openat', 'openat2', 'open_tree'):
            self.known[fd] = self.joined(self.of(args[0]), args[1])
        elif call == 'fsopen':
            self.known[fd] = 'fs ' + unquoted(args[0]).decode()
        elif call == 'fsmount':
            self.known[fd] = 'new ' + self.of(args[0])[len('<fs '):-1]
        elif call == 'ioctl' and args[1].startswith('TIOCGPTPEER'):
            self.known[fd] = 'terminal'
        elif call == 'memfd_create':
            self.known[fd] = unquoted(args[0]).decode()
        elif call == 'socket':
            self.known[fd] = 'socket'
        elif call == 'dup2' or call == 'fcntl' and 'F_DUPFD' in args[1]:
            self.known[fd] = self.of(args[0]).strip('<>')
        elif call == 'pipe2':
            self.pipes.append([int(end) for end in re.findall(r'\d+', args[0])])
            for end in self.pipes[-1]:
                self.known[end] = f'pipe {len(self.pipes) - 1}'
        elif call == 'socketpair':
            for end in re.findall(r'\d+', args[3]):
                self.known[int(end)] = 'channel'


    def of_a_program(self):
        """The last four pipes are those of a program that is about to start."""
        for name, ends in zip(('stdin of a program', 'stdout of a program', 'stderr of a program', 'report of a child'), self.pipes[-4:]):
            for end in ends:
                self.known[end] = name


def is_outside(call, args, joined, names):
    if call in OUTSIDE:
        return True
    if call in ('openat', 'openat2') and not re.search('O_CREAT|O_TRUNC', joined):
        return True  # a look-up; what is written to the file is compared
    if call == 'close_range' and not joined.endswith('CLOSE_RANGE_CLOEXEC'):
        return True  # closing
    if call == 'write' and names.of(args[0]) in ('<pipe 0>', '<pipe 1>', '<pipe 2>', '<ocitk-seccomp>'):
        return True  # what passes through the streams; a filter in memory
    pattern = ASKS.get(call)
    return pattern is not None and re.match(pattern, joined) is not None


def strace_row(path, names, birth, programs=()):
    """What one process did. `birth` sees the calls that made children. Those who became one of the `programs`, files by the order
    of their start, stand where they began: a plan counts their calls as the process's own."""
    programs = list(programs)
    row = []
    for call, joined, returned in calls_in(path):
        args = split(joined)
        if call in ('execveat', 'execve') and not row and returned == '0' and birth.started_over is not True:
            birth.started_over = call == 'execveat'  # the protected copy of the program: all before is forgotten
            continue
        if birth.started_over is False and birth.is_first:
            continue
        if call not in OUTSIDE and call not in COMPARED and call not in ASKS:
            raise Problem(f'{call}({joined[:100]}): is it compared, or outside and why?')
        failed = returned == '?' or int(returned) < 0
        if call == 'close_range' and birth.is_first:
            continue  # the caller's descriptors are marked before any command begins, that of --plan too
        if not failed and not is_outside(call, args, joined, names):
            row.append(f'{call} {canonical(call, args, names.of, False)}')
            if row[-1].endswith("'go']"):
                break
        names.learn(call, args, returned)
        if call == 'clone3' and not failed:
            birth.children.append(dict(names.known))
            if programs and (not birth.is_first or programs[0].endswith('.' + returned)):  # init knows other numbers
                names.of_a_program()
                row += strace_row(programs.pop(0), Names(names.known), Birth(False))
        if call == 'execve' and not failed:
            break
    return row


class Birth:
    def __init__(self, first):
        self.is_first, self.started_over, self.children = first, None if first else True, []


def strace_side(prefix):
    files = glob.glob(glob.escape(prefix) + '.*')
    made = {f: [call for call, _, _ in calls_in(f)] for f in files}
    by_kind = {'parent': [f for f in files if 'execveat' in made[f]]}
    by_kind['bridge'] = [f for f in files if 'clone3' in made[f] and 'execve' not in made[f] and f not in by_kind['parent']]
    hooks = [f for f in files if f not in by_kind['parent'] + by_kind['bridge'] and 'sendmsg' not in made[f] and 'execve' in made[f]]
    hooks.sort(key=lambda f: int(f.rpartition('.')[2]))
    by_kind['init'] = [f for f in files if f not in by_kind['parent'] + by_kind['bridge'] + hooks]
    if [len(by_kind[kind]) for kind in ('parent', 'init')] != [1, 1] or len(by_kind['bridge']) > 1:
        raise Problem(f'who is who? {by_kind}')
    of_parent = {returned for call, _, returned in calls_in(by_kind['parent'][0]) if call == 'clone3'}
    programs = {'parent': [f for f in hooks if f.rpartition('.')[2] in of_parent], 'bridge': []}
    programs['init'] = [f for f in hooks if f not in programs['parent']]
    known, rows = {0: 'stdin', 1: 'stdout', 2: 'stderr'}, {'bridge': []}
    for kind in ('parent', 'bridge', 'init'):
        for f in by_kind[kind]:
            birth = Birth(kind == 'parent')
            rows[kind] = strace_row(f, Names(known), birth, programs[kind])
            known = birth.children[0] if birth.children else known
    return rows


def settled(rows):
    """What a program reads is written while it starts, earlier or later: here it stands behind the clone3. Pids differ
    each time, and with them how much of the text is shown."""
    row = []
    for line in rows:
        if '<stdin of a program>' in line:
            line = re.sub(r'("pid":)\d+.*', r'\1PID', line)
        births = [i for i, earlier in enumerate(row) if earlier.startswith('clone3')]
        if line.startswith('write') and '<stdin of a program>' in line and births:
            row.insert(births[-1] + 1, line)
        else:
            row.append(line)
    return row


def main():
    planned, done = plan_side(sys.argv[1]), strace_side(sys.argv[2])
    planned, done = ({who: settled(row) for who, row in side.items()} for side in (planned, done))
    different = 0
    for process in planned:
        print(f'{process}: {len(planned[process])} calls planned, {len(done[process])} done')
        for line in difflib.unified_diff(planned[process], done[process], 'planned by ' + process, 'done by ' + process, lineterm='', n=1):
            print('  ' + line)
            different = 1
    if not planned['parent'] or not planned['init']:
        raise Problem('the plan is empty')
    return different


if __name__ == '__main__':
    try:
        sys.exit(main())
    except Problem as why:
        print(why)
        sys.exit(1)
