#!/usr/bin/env python3
"""Runs the contenders of cases.json side by side against one real broker and prints what each needed.

    run.py drain    [--pairs 3] [--only W1,W4-cache] [--contenders headwater,java]
    run.py restore | cold | idle | latency | failover | join    (same options)

README.md explains the cases, the data and the measures. Python 3 standard library only.
"""
import argparse
import os
import signal
import sys

import modes
from bed import HERE, Bed
from process import Process

MODES = {f.__name__: f for f in (modes.drain, modes.restore, modes.cold, modes.idle, modes.latency, modes.failover, modes.join)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--kafka-libs", help="folder with the broker's jars (default: what `cargo xtask kafka libs` says)")
    parser.add_argument("--bootstrap", help="use a running broker instead of starting one")
    parser.add_argument("--port", type=int, default=29192)
    parser.add_argument("--config", default=os.path.join(HERE, "cases.json"))
    parser.add_argument("--work", default=os.path.join(HERE, "results"), help="broker data, state directories, outputs")
    parser.add_argument("--results", help="JSON lines are appended here (default: results.jsonl in the work folder)")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--only", help="cases, by comma")
    parser.add_argument("--contenders", help="by comma; default: those under \"default\" in cases.json")
    parser.add_argument("--n", type=int, help="records of the restore mode's changelog")
    parser.add_argument("--rate", type=int, default=10_000)
    parser.add_argument("--secs", type=int, default=40)
    parser.add_argument("--standbys", default="1", help="standby replicas of the failover mode, by comma")
    parser.add_argument("--run-limit", type=int, default=300, help="seconds that one run may last")
    parser.add_argument("--limit-min", type=float, default=120, help="minutes after which no further run is started")
    parser.add_argument("--pin", action="store_true", help="broker on core 0, contenders on core 1")
    options = parser.parse_args()
    bench = Bed(options)
    options.results = options.results or os.path.join(bench.work, "results.jsonl")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        bench.start_broker()
        MODES[options.mode](bench)
    finally:
        for process in list(Process.live):
            process.stop(signal.SIGTERM if process is bench.broker else signal.SIGKILL)


if __name__ == "__main__":
    main()
