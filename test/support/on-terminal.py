"""Runs a command on a new terminal and follows a script, given as JSON on standard input:
{"rows", "columns", "args", "steps": [{"expect": text} | {"send": text} | {"resize": [rows, columns]}]}
Prints {"output", "exitCode", "echo", "canonical"} as JSON: the modes are the terminal's after the end."""

import fcntl, json, os, pty, select, signal, struct, sys, termios, time

task = json.load(sys.stdin)


def resize(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


master, slave = pty.openpty()
resize(master, task["rows"], task["columns"])
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(slave, fd)
    os.closerange(3, 64)
    os.execvp(task["args"][0], task["args"])

output, seen, deadline = b"", 0, time.time() + 90
steps, status = list(task["steps"]), None
while status is None or select.select([master], [], [], 0)[0]:
    if time.time() > deadline:
        os.kill(pid, signal.SIGKILL)
        output += b"\n[timed out]"
        break
    while steps:
        step = steps[0]
        if "expect" in step:
            at = output.find(step["expect"].encode(), seen)
            if at < 0:
                break
            seen = at + len(step["expect"])
        elif "send" in step:
            os.write(master, step["send"].encode())
        else:
            resize(master, *step["resize"])
        steps.pop(0)
    if select.select([master], [], [], 0.05)[0]:
        output += os.read(master, 65536)
    if status is None:
        done, code = os.waitpid(pid, os.WNOHANG)
        if done:
            status = code
flags = termios.tcgetattr(slave)[3]
print(json.dumps({
    "output": output.decode("utf-8", "replace"),
    "exitCode": os.waitstatus_to_exitcode(status) if status is not None else None,
    "echo": bool(flags & termios.ECHO),
    "canonical": bool(flags & termios.ICANON),
    "left": steps,
}))
