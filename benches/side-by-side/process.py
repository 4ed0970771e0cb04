"""A program that was started, and what the kernel says of it."""
import glob
import json
import os
import re
import signal
import subprocess
import time


class Process:
    """A started program whose processor time and peak memory are read when it ends (wait4: all its threads)."""

    live = []

    def __init__(self, command, out, env=None):
        self.out = out
        self.began = time.time()
        with open(out, "wb") as stdout, open(out + ".err", "wb") as stderr:
            self.pid = subprocess.Popen(command, stdout=stdout, stderr=stderr, env=env).pid
        self.usage = self.status = self.wall = None
        self.threads = {}
        Process.live.append(self)

    def poll(self):
        if self.status is None:
            pid, status, usage = os.wait4(self.pid, os.WNOHANG)
            if pid:
                self.status, self.usage, self.wall = status, usage, time.time() - self.began
                Process.live.remove(self)
        return self.status

    def wait(self, limit, sample=False):
        end = time.time() + limit
        turn = 0
        while self.poll() is None:
            if time.time() > end:
                self.stop(signal.SIGKILL)
                raise TimeoutError(f"{self.out} ran past {limit} s")
            turn += 1
            if sample and turn % 25 == 0:
                self.sample()
            time.sleep(0.02)
        return self.status

    def sample(self):
        """Notes the processor seconds of every thread, by kind (a thread that ended keeps its last value)."""
        for task in glob.glob(f"/proc/{self.pid}/task/*"):
            try:
                with open(task + "/stat", encoding="utf-8", errors="replace") as stat:
                    name, rest = stat.read().split("(", 1)[1].rsplit(")", 1)
            except OSError:
                continue
            fields = rest.split()
            self.threads[task] = (re.sub(r"(?<=..)[#0-9].*", "", name), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"))

    def thread_seconds(self):
        sums = {}
        for name, seconds in self.threads.values():
            sums[name] = round(sums.get(name, 0) + seconds, 2)
        return {name: seconds for name, seconds in sorted(sums.items(), key=lambda item: -item[1]) if seconds >= 0.1}

    def stop(self, how=signal.SIGTERM, limit=60):
        if self.poll() is None:
            os.kill(self.pid, how)
            self.wait(limit)

    def lines(self):
        found = []
        with open(self.out, encoding="utf-8", errors="replace") as text:
            for line in text:
                if line.startswith("{") and line.endswith("}\n"):
                    found.append(json.loads(line))
        return found

    def cpu(self):
        return self.usage.ru_utime + self.usage.ru_stime


def processor_seconds(pid):
    """User plus system time of a live process so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def status_of(pid):
    kept = {}
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            name, value = line.split(":", 1)
            if name in ("VmHWM", "VmRSS", "Threads"):
                kept[name] = int(value.split()[0])
    kept["fds"] = len(os.listdir(f"/proc/{pid}/fd"))
    return kept
