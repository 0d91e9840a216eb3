"""terminal.py PROGRAM ARG...: runs a program on a terminal of its own and prints what that terminal showed.

Standard input holds lines PROMPT<tab>ANSWER: each answer is typed once its prompt has been shown.
Exits with the program's code.
"""
import os
import pty
import select
import sys
import time

dialogue = [line.rstrip("\n").split("\t", 1) for line in sys.stdin]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])

shown, seen, end = b"", 0, time.monotonic() + 30
while time.monotonic() < end:
    if dialogue:
        at = shown.find(dialogue[0][0].encode(), seen)
        if at >= 0:
            prompt, answer = dialogue.pop(0)
            seen = at + len(prompt)
            time.sleep(0.05)  # a terminal that is just switching its echo off throws away what is typed
            os.write(terminal, b"\x03" if answer == "^C" else answer.encode() + b"\n")
    if not select.select([terminal], [], [], 0.05)[0]:
        continue
    try:
        piece = os.read(terminal, 4096)
    except OSError:  # the program has closed it
        break
    if not piece:
        break
    shown += piece
sys.stdout.write(shown.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
