"""Runs a command on a new terminal and follows a script, given as JSON on standard input:
{"rows", "columns", "args", "redraws", "steps": [{"expect": text} | {"send": text} | {"resize": [rows, columns]}
| {"mark": name} | {"end": [word, ...]}]}
With "redraws" the command is one with a live view, whose pictures marks and changes of size never cut in two.
Prints {"pieces", "exitCode", "echo", "canonical", "left"} as JSON: the pieces are what was written, in base64, between
the marks and changes of size, in order; the modes are the terminal's after the end."""

import base64, fcntl, json, os, pty, select, signal, struct, sys, termios, time

# How a picture of the live view ends: until the next one begins, its program is at rest.
END_OF_PICTURE = b"\x1b[?2026l"

task = json.load(sys.stdin)
redraws = task["redraws"]


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

output, seen, cut, pieces, deadline = b"", 0, 0, [], time.time() + 90
steps, status = list(task["steps"]), None


def read(seconds):
    """Takes what is there within this time; gives whether there was something."""
    global output
    if not select.select([master], [], [], seconds)[0]:
        return False
    output += os.read(master, 65536)
    return True


def record(piece):
    global cut
    pieces.extend([{"data": base64.b64encode(output[cut:]).decode()}, piece])
    cut = len(output)


def redrawn():
    """Waits for a picture of the live view, and stops its program right after it, so that the terminal can change
    without a half of a picture on its way. Gives False when it ends first."""
    while time.time() < deadline:
        at = len(output)
        if not read(0.05) and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return False
        if END_OF_PICTURE not in output[at:]:
            continue
        os.kill(pid, signal.SIGSTOP)
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        drained = len(output)
        while read(0):
            pass
        if len(output) == drained and output.endswith(END_OF_PICTURE):
            return True
        os.kill(pid, signal.SIGCONT)
    return False


def end(words):
    """Ends the process that was started with exactly these words. Gives False while there is none."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                if file.read().split(b"\0")[:-1] == [word.encode() for word in words]:
                    os.kill(int(name), signal.SIGTERM)
                    return True
        except OSError:
            pass
    return False


def follow(step):
    """Gives False when the step has to be tried again."""
    global seen
    if "expect" in step:
        at = output.find(step["expect"].encode(), seen)
        if at < 0:
            return False
        seen = at + len(step["expect"].encode())
    elif "send" in step:
        os.write(master, step["send"].encode())
    elif "end" in step:
        return end(step["end"])
    elif "mark" in step:
        if not redrawn():
            return False
        record({"mark": step["mark"]})
        os.kill(pid, signal.SIGCONT)
    elif redraws:
        if not redrawn():
            return False
        resize(master, *step["resize"])
        record({"resize": step["resize"]})
        seen = len(output)
        os.kill(pid, signal.SIGCONT)
    else:
        resize(master, *step["resize"])
    return True


while status is None or select.select([master], [], [], 0)[0]:
    if time.time() > deadline:
        os.kill(pid, signal.SIGKILL)
        output += b"\n[timed out]"
        break
    while steps and follow(steps[0]):
        steps.pop(0)
    read(0.05)
    if status is None:
        done, code = os.waitpid(pid, os.WNOHANG)
        if done:
            status = code
flags = termios.tcgetattr(slave)[3]
print(json.dumps({
    "pieces": pieces + [{"data": base64.b64encode(output[cut:]).decode()}],
    "exitCode": os.waitstatus_to_exitcode(status) if status is not None else None,
    "echo": bool(flags & termios.ECHO),
    "canonical": bool(flags & termios.ICANON),
    "left": steps,
}))
