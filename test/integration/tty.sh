#!/bin/bash
# Terminals: in the foreground, and handed to a console socket.
. "$(dirname "$0")/lib.sh"
need script
need python3

tty_bundle() { bundle "$1" '.process.terminal = true | .process.args = ["sh", "-c", $script]' --arg script "$2"; }
foreground() {
  local b out; b=$(tty_bundle tty 'tty; stty size; test -t 0 && test -t 1 && test -t 2 && echo all; echo >/dev/console; exit 3')
  local rc=0
  out=$(script -qec "stty rows 33 cols 77; '$OCITK' --root '$STATE' run -b '$b' '$TAG-1'" /dev/null </dev/null) || rc=$?
  out=${out//$'\r'/}
  same "$rc" 3
  has "$out" "/dev/pts/0"; has "$out" "33 77"; has "$out" "all"
}
console_socket() {
  local b; b=$(tty_bundle cs 'stty size; echo from inside; sleep 100')
  jq '.process.consoleSize = {height: 22, width: 66}' "$b/config.json" >"$b/n" && mv "$b/n" "$b/config.json"
  python3 - "$DIR/sock" >"$DIR/got" <<'PY' &
import array, os, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1)
c, _ = s.accept()
data, anc, _, _ = c.recvmsg(4096, 4096)
fds = array.array("i")
for level, kind, payload in anc: fds.frombytes(payload)
print(data.decode(), len(fds), flush=True)
out = b""
while b"inside" not in out: out += os.read(fds[0], 1000)
print(out.decode(), flush=True)
PY
  local receiver=$!
  until_ 5 test -S "$DIR/sock"
  rt create -b "$b" --console-socket "$DIR/sock" "$TAG-1" </dev/null >/dev/null 2>&1
  rt start "$TAG-1"
  wait $receiver
  has "$(cat "$DIR/got")" "/dev/pts/0 1"; has "$(cat "$DIR/got")" "22 66"; has "$(cat "$DIR/got")" "from inside"
  rt delete -f "$TAG-1"
}
refusals() {
  local b; b=$(tty_bundle no true)
  has "$(rt create -b "$b" "$TAG-1" 2>&1 </dev/null || true)" "cannot allocate tty if runc will detach without setting console socket"
  has "$(rt create -b "$b" --console-socket "$DIR/none" "$TAG-1" 2>&1 </dev/null || true)" "no such file or directory"
  has "$(rt create -b "$(sh_bundle plain true)" --console-socket "$DIR/none" "$TAG-1" 2>&1 </dev/null || true)" "cannot use console socket"
}
at_terminal() { python3 "$(dirname "$0")/../support/at_terminal.py" sh -c "$1" </dev/null; }
newlines() {  # through a pipe as the payload wrote them, on a terminal once returned
  local b; b=$(tty_bundle nl 'printf "a\nb\n"')
  same "$(at_terminal "'$OCITK' --root '$STATE' run -b '$b' '$TAG-1' | od -An -c" | tr -d ' \r\n')" 'a\nb\n'
  rt run -d -b "$(sh_bundle up 'sleep 100')" "$TAG-2" </dev/null >/dev/null 2>&1
  same "$(at_terminal "'$OCITK' --root '$STATE' exec -t '$TAG-2' printf 'a\\nb\\n' | od -An -c" | tr -d ' \r\n')" 'a\nb\n'
  same "$(at_terminal "'$OCITK' --root '$STATE' exec -t '$TAG-2' printf 'a\\nb\\n'" | od -An -c | tr -d ' \n')" 'a\r\nb\r\n'
  rt delete -f "$TAG-2"
}
case_ "run gives the payload a terminal of the caller's size" foreground
case_ "newlines go through a pipe unchanged" newlines
case_ "create hands one terminal to the console socket" console_socket
case_ "a terminal without a taker is refused" refusals
finish
