"""What is measured: one function a mode."""
import glob
import os
import shutil
import signal
import statistics
import time

from process import processor_seconds, status_of


def drain(bench):
    """Every contender reads the whole input once per pair, in turn."""
    cases = bench.cases()
    bench.load(dict.fromkeys(t for case in cases for t in case["in"]))
    for case in cases:
        if case.get("demand"):
            digest = bench.tool("demand", "--workload", case["workload"], "--in", ",".join(case["in"]))["digest"]
            bench.keep(mode="demand", case=case["id"], digest=digest)
        for pair in range(bench.options.pairs):
            order = bench.contenders(case["workload"], case.get("args", {}))
            for contender in order if pair % 2 == 0 else order[::-1]:
                if bench.late():
                    return
                one_drain(bench, case, contender, pair)
    drain_table(bench.results)


def one_drain(bench, case, contender, pair):
    app, state = bench.fresh(case)
    before = os.getloadavg()
    process = bench.start(bench.command(contender, case, app, state), f"{case['id']}-{contender}")
    try:
        failed = process.wait(bench.options.run_limit, sample=True)
        line = process.lines()[-1]
    except (TimeoutError, IndexError) as error:
        bench.say(f"{case['id']} {contender}: {error}; see {process.out}.err")
        bench.keep(mode="drain", case=case["id"], contender=contender, pair=pair, failed=str(error))
        bench.clean(app, state)
        return
    digest = bench.tool("digest", "--topic", app + "-out", *(["--all"] if case["digest"] == "all" else []))
    internal = {t[len(app) + 1:]: n for t, n in bench.tool("ends", "--prefix", app + "-").items()}
    rate = line["records"] / process.cpu()
    warm = line["warm_records"] / line["warm_cpu_s"] if line.get("warm_cpu_s") else None
    bench.keep(mode="drain", case=case["id"], workload=case["workload"], contender=contender, pair=pair, exit=failed, records=line["records"],
               cpu_s=process.cpu(), user_s=process.usage.ru_utime, sys_s=process.usage.ru_stime, wall_s=process.wall, rate=rate, warm_rate=warm,
               rss_kib=process.usage.ru_maxrss, switches=process.usage.ru_nvcsw + process.usage.ru_nivcsw, faults=process.usage.ru_minflt, load_before=before,
               digest=digest.get("digest"), rows=digest.get("rows"), keys=digest.get("keys"), topics=internal, line=line, threads=process.thread_seconds())
    warm_text = f"{warm:,.0f}" if warm else "-"
    bench.say(f"{case['id']:<12} {contender:<10} {rate:>10,.0f} rec/CPU-s (warm {warm_text}), cpu {process.cpu():.1f} s, wall {process.wall:.1f} s, "
              f"rss {process.usage.ru_maxrss // 1024} MiB, lag {line.get('lag')}, digest {digest.get('digest')} rows {digest.get('rows')}")
    bench.clean(app, state)


def spread(values, form="{:,.0f}"):
    values = [v for v in values if v is not None]
    if not values:
        return "-"
    return f"{form.format(statistics.median(values))} ({form.format(min(values))}-{form.format(max(values))})"


def drain_table(results):
    rows = [r for r in results if r["mode"] == "drain" and "rate" in r]
    print("\n| case | contender | runs | rec per CPU-s, whole run | warm half | x Java | CPU s | wall s | RSS MiB | rows out | digest |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for case in dict.fromkeys(r["case"] for r in rows):
        mine = [r for r in rows if r["case"] == case]
        of = lambda name: [r["rate"] for r in mine if r["contender"] == name]
        digests_of = [r["digest"] for r in mine] + [r["digest"] for r in results if r["mode"] == "demand" and r["case"] == case]
        digests = set(digests_of)
        for name in dict.fromkeys(r["contender"] for r in mine):
            runs = [r for r in mine if r["contender"] == name]
            rate = statistics.median(of(name))
            java = f"{rate / statistics.median(of('java')):.2f}" if of("java") else "-"
            agree = f"{'equal' if len(digests_of) > 1 else 'one run,'} {runs[0]['digest']}" if len(digests) == 1 else "DIFFERS " + " ".join(sorted({r["digest"] for r in runs}))
            print(f"| {case} | {name} | {len(runs)} | {spread(of(name))} | {spread([r['warm_rate'] for r in runs])} | {java} | "
                  f"{spread([r['cpu_s'] for r in runs], '{:.1f}')} | {spread([r['wall_s'] for r in runs], '{:.1f}')} | "
                  f"{spread([r['rss_kib'] / 1024 for r in runs])} | {spread([r['rows'] for r in runs])} | {agree} |")


def restore(bench):
    """W17: a changelog that is already full, a state directory that is empty; from start to RUNNING."""
    n, size = bench.options.n or 10_000_000, 100
    for partitions in (4, 1):
        for pair in range(bench.options.pairs):
            for contender in bench.contenders("restore"):
                if bench.late():
                    return
                # The same application id each time, so that its changelog is loaded once.
                app, state = f"restore-{partitions}-{n}", os.path.join(bench.work, "state", f"restore-{partitions}")
                changelog = app + "-table-changelog"
                source = f"empty-{partitions}"
                if bench.tool("ends", "--prefix", changelog).get(changelog) != n:
                    bench.tool("delete", "--prefix", app)
                    bench.tool("delete", "--prefix", source)
                    time.sleep(2)
                    bench.tool("create", "--topic", source, "--partitions", str(partitions))
                    bench.load_as(changelog, {"shape": "changelog", "n": n, "value-bytes": size, "partitions": partitions, "keys": n // 2})
                shutil.rmtree(state, ignore_errors=True)
                os.makedirs(state)
                case = {"workload": "restore", "in": [source]}
                process = bench.start(bench.command(contender, case, app, state), f"restore-{contender}")
                process.wait(bench.options.run_limit)
                line = process.lines()[-1]
                mib = n * (16 + size) / 2**20
                seconds = line["running_ms"] / 1000
                disk = sum(os.path.getsize(f) for f in glob.glob(state + "/**", recursive=True) if os.path.isfile(f))
                bench.keep(mode="restore", contender=contender, pair=pair, partitions=partitions, records=n, mib=mib, running_s=seconds, cpu_s=process.cpu(),
                           rate=n / process.cpu(), rss_kib=process.usage.ru_maxrss, disk=disk, line=line)
                bench.say(f"restore {partitions} partitions {contender}: {line['restored']} records, {mib:.0f} MiB in {seconds:.1f} s = {mib / seconds:.0f} MiB/s, "
                          f"{n / seconds:,.0f} rec/s, {n / process.cpu():,.0f} rec/CPU-s, cpu {process.cpu():.1f} s, rss {process.usage.ru_maxrss // 1024} MiB, disk {disk >> 20} MiB")


def cold(bench):
    """W20: from exec to the first output record, seen from outside; no state, then existing state."""
    sets = {"producer.linger.ms": 0}
    for label, workload, warm in (("empty topology", "passthrough", False), ("count, existing state", "count", True)):
        case = {"workload": workload, "in": ["in-cold"], "args": {"cache": "0"}, "set": sets}
        for contender in bench.contenders(workload):
            bench.tool("delete", "--prefix", "in-cold")
            time.sleep(1.5)
            bench.load_as("in-cold", {"shape": "random", "n": 1000 if not warm else 200_000, "keys": 100_000})
            app, state = bench.fresh(case)
            if warm:
                bench.start(bench.command(contender, case, app, state), f"cold-prepare-{contender}").wait(120)
            for pair in range(bench.options.pairs):
                if bench.late():
                    return
                if warm:
                    bench.load_as("in-cold", {"shape": "random", "n": 1000, "keys": 100_000})
                else:
                    app, state = bench.fresh(case)
                watch = bench.watcher("watch", "watch", out=app + "-out", secs=60)
                while not watch.lines():
                    time.sleep(0.02)
                time.sleep(0.5)
                process = bench.start(bench.command(contender, case, app, state), f"cold-{contender}")
                watch.wait(70)
                process.wait(120)
                ms = watch.lines()[-1]["epoch_ms"] - process.began * 1000
                line = process.lines()[-1]
                bench.keep(mode="cold", what=label, contender=contender, pair=pair, first_output_ms=ms, cpu_s=process.cpu(), rss_kib=process.usage.ru_maxrss, line=line)
                bench.say(f"cold {label} {contender}: first output {ms:.0f} ms (running {line['running_ms']} ms), whole run cpu {process.cpu():.2f} s, rss {process.usage.ru_maxrss // 1024} MiB")
                if not warm:
                    bench.clean(app, state)
            if warm:
                bench.clean(app, state)


def idle(bench):
    """W21: memory, threads, files and idle processor share of one process with 1, 10 and 50 partitions of count plus window store."""
    for partitions in (1, 10, 50):
        for contender in bench.contenders("count+window"):
            for pair in range(bench.options.pairs):
                if bench.late():
                    return
                case = {"workload": "count+window", "in": [f"in-idle-{partitions}"]}
                if bench.tool("ends", "--prefix", case["in"][0]).get(case["in"][0]) is None:
                    bench.load_as(case["in"][0], {"shape": "random", "n": 1000 * partitions, "keys": 1000 * partitions, "partitions": partitions})
                app, state = bench.fresh(case, partitions)
                process = bench.start(bench.command(contender, case, app, state, "--serve"), f"idle-{contender}")
                time.sleep(20)
                before = processor_seconds(process.pid)
                time.sleep(15)
                share = 100 * (processor_seconds(process.pid) - before) / 15
                status = status_of(process.pid)
                process.stop()
                bench.keep(mode="idle", contender=contender, pair=pair, partitions=partitions, idle_percent=share, cpu_s=process.cpu(), **status)
                bench.say(f"idle {partitions} partitions {contender}: rss {status['VmRSS'] // 1024} MiB (peak {status['VmHWM'] // 1024}), {status['Threads']} threads, "
                          f"{status['fds']} files, idle cpu {share:.1f} %, cpu of first 35 s {process.cpu():.1f} s")
                bench.clean(app, state)


def latency(bench):
    """W22: open loop at a fixed rate; the first ten seconds are not counted. Its cases are L1, L2, ..."""
    rate, secs = bench.options.rate, bench.options.secs
    plain = {"producer.linger.ms": 0}
    only = bench.options.only.split(",") if bench.options.only else None
    cases = (
        ("passthrough, linger 0", "passthrough", {}, plain),
        ("passthrough, defaults", "passthrough", {}, {}),
        ("repartition, linger 0", "repartition", {}, plain),
        ("repartition, defaults", "repartition", {}, {}),
        ("count, cache 0, linger 0", "count", {"cache": "0"}, plain),
        ("count, cache 0, defaults", "count", {"cache": "0"}, {}),
        ("count, commit 100 ms", "count", {"commit": "100"}, {}),
        ("count, EOS 100 ms", "count", {"eos": True, "commit": "100"}, {}),
        ("passthrough, EOS 100 ms, linger 0", "passthrough", {"eos": True, "commit": "100"}, plain),
    )
    for number, (label, workload, args, sets) in enumerate(cases, 1):
        if only and f"L{number}" not in only:
            continue
        for pair in range(bench.options.pairs):
            for contender in bench.contenders(workload, args):
                if bench.late():
                    return
                case = {"workload": workload, "in": [f"in-live-{bench.number + 1}"], "args": args, "set": sets}
                bench.tool("create", "--topic", case["in"][0], "--partitions", "4")
                app, state = bench.fresh(case)
                process = bench.start(bench.command(contender, case, app, state, "--serve"), f"latency-{contender}")
                running(process, 60)
                # Counts carry no payload, so they are stamped by record timestamp; repartitioned and passed records keep the value.
                drive = bench.watcher("drive", "drive", **{"in": case["in"][0], "out": app + "-out", "rate": rate, "secs": secs, "skip_ms": 10_000,
                                                            "stamp": "timestamp" if workload == "count" else "value"})
                drive.wait(secs + 60)
                result = drive.lines()[-1]
                cpu = processor_seconds(process.pid)
                process.stop()
                line = process.lines()[-1]
                bench.keep(mode="latency", what=label, contender=contender, pair=pair, rate=rate, secs=secs, cpu_s=cpu, result=result, line=line)
                commits = f", commits {line['commit_ms_mean']:.1f}, p99 {line['commit_ms_p99']:.1f}, longest {line['commit_ms_max']:.1f} ms" if "commit_ms_max" in line else ""
                bench.say(f"latency {label} {contender}: p50 {result['p50_ms']} p99 {result['p99_ms']} p99.9 {result['p999_ms']} max {result['max_ms']} ms, "
                          f"{result['received']}/{result['sent']} received, cpu {cpu:.1f} s{commits}")
                bench.clean(app, state)
                bench.tool("delete", "--prefix", case["in"][0])


def running(process, limit):
    end = time.time() + limit
    while time.time() < end:
        if any(line.get("event") == "RUNNING" for line in process.lines()):
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    raise RuntimeError(f"no RUNNING from {process.out}")


def settled(process, quiet, limit):
    """Waits until a process has reported no change of state for `quiet` seconds."""
    end = time.time() + limit
    while time.time() < end:
        lines = [line for line in process.lines() if "event" in line]
        if lines and lines[-1]["event"] == "RUNNING" and time.time() - lines[-1]["epoch_ms"] / 1000 > quiet:
            return
        time.sleep(0.1)
    raise RuntimeError(f"{process.out} did not settle")


def pair_of(bench, contender, case, standbys, rate, secs):
    """Two members, loaded at a fixed rate; returns them with the driver once both have settled."""
    app, state = bench.fresh(case)
    members = []
    for at in range(2):
        members.append(bench.start(bench.command(contender, case, app, os.path.join(state, str(at)), "--serve", "--standbys", str(standbys)), f"member{at}-{contender}"))
        running(members[-1], 60)
    settled(members[0], 8, 90)
    settled(members[1], 8, 90)
    drive = bench.watcher("drive", "drive", **{"in": case["in"][0], "out": app + "-out", "rate": rate, "secs": secs, "stamp": "timestamp", "tail": 60, "keys": 100_000, "gap_ms": 300})
    while not drive.lines():
        time.sleep(0.05)
    return app, state, members, drive


def failover(bench):
    """W18: kill -9 one of two members; the longest silence of any partition, session timeout 6 s, one standby."""
    rate = bench.options.rate
    for pair in range(bench.options.pairs):
        for contender in bench.contenders("count"):
            for standbys in map(int, bench.options.standbys.split(",")):
                if bench.late():
                    return
                topic = f"in-live-{bench.number + 1}"
                bench.tool("create", "--topic", topic, "--partitions", "4")
                case = {"workload": "count", "in": [topic], "args": {"cache": "0"},
                        "set": {"producer.linger.ms": 0, "consumer.session.timeout.ms": 6000, "consumer.heartbeat.interval.ms": 2000, "commit.interval.ms": 1000}}
                app, state, members, drive = pair_of(bench, contender, case, standbys, rate, 45)
                began = drive.lines()[0]["start_epoch_ms"] / 1000
                time.sleep(max(0, began + 15 - time.time()))
                killed = time.time() - began
                members[1].stop(signal.SIGKILL)
                drive.wait(150)
                result = drive.lines()[-1]
                gaps = [g for g in result["gaps"] if g[1] + g[2] > killed * 1000]
                longest = max((g[2] for g in gaps), default=0)
                members[0].stop()
                bench.keep(mode="failover", contender=contender, pair=pair, standbys=standbys, rate=rate, killed_ms=killed * 1000, gaps=gaps, longest_ms=longest, result=result)
                bench.say(f"failover, {standbys} standby, {contender}: longest gap {longest} ms; gaps [partition, start, length] {gaps}; killed at {killed * 1000:.0f} ms, "
                          f"{result['received']}/{result['sent']}, events {[l for l in members[0].lines() if 'event' in l][-2:]}")
                bench.clean(app, state)
                bench.tool("delete", "--prefix", topic)


def join(bench):
    """W19: a third member joins two; the longest pause of every partition."""
    rate = bench.options.rate
    for pair in range(bench.options.pairs):
        for contender in bench.contenders("count"):
            if bench.late():
                return
            topic = f"in-live-{bench.number + 1}"
            bench.tool("create", "--topic", topic, "--partitions", "6")
            case = {"workload": "count", "in": [topic], "args": {"cache": "0"}, "set": {"producer.linger.ms": 0, "commit.interval.ms": 1000}}
            bench.table["topics"][topic] = {"partitions": 6}
            app, state, members, drive = pair_of(bench, contender, case, 0, rate, 45)
            began = drive.lines()[0]["start_epoch_ms"] / 1000
            time.sleep(max(0, began + 15 - time.time()))
            members.append(bench.start(bench.command(contender, case, app, os.path.join(state, "2"), "--serve", "--standbys", "0"), f"member2-{contender}"))
            joined = time.time() - began
            drive.wait(150)
            result = drive.lines()[-1]
            gaps = [g for g in result["gaps"] if g[1] + g[2] > joined * 1000]
            for member in members:
                member.stop()
            bench.keep(mode="join", contender=contender, pair=pair, rate=rate, joined_ms=joined * 1000, gaps=gaps, result=result)
            bench.say(f"join {contender}: longest gap per partition {result['longest_gap_ms']} ms; after the join {gaps}; p99 {result['p99_ms']} max {result['max_ms']} ms")
            bench.clean(app, state)
            bench.tool("delete", "--prefix", topic)
