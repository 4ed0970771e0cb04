"""The broker with its topics, the contenders' command lines, and what is kept of their runs."""
import json
import os
import shutil
import subprocess
import time

from process import Process

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


class Bed:
    def __init__(self, options):
        self.options = options
        with open(options.config, encoding="utf-8") as text:
            self.table = json.load(text)
        self.work = os.path.abspath(options.work)
        os.makedirs(self.work, exist_ok=True)
        self.bootstrap = options.bootstrap
        self.broker = None
        self.number = int(time.time()) % 1_000_000
        self.results = []
        self.deadline = time.time() + 60 * options.limit_min

    # -- programs ------------------------------------------------------------------------------------------------------

    def fill(self, words, **more):
        names = {"here": HERE, "root": ROOT, **more}
        return [word.format(**names) for word in words]

    def start(self, command, label):
        self.number += 1
        if self.options.pin:
            command = ["taskset", "-c", "1"] + command
        return Process(command, os.path.join(self.work, f"{self.number}-{label}.out"))

    def tool(self, *words, limit=300):
        """Runs a command of Tool to its end; gives what it printed last."""
        process = Process(self.fill(self.table["tool"]) + list(words) + ["--bootstrap", self.bootstrap], os.path.join(self.work, "tool.out"))
        if process.wait(limit):
            with open(process.out + ".err", encoding="utf-8", errors="replace") as text:
                raise RuntimeError(f"{words}: {text.read()}")
        lines = process.lines()
        return lines[-1] if lines else {}

    def watcher(self, command, label, **options):
        """Starts a command of Tool that looks on while a contender runs."""
        words = [x for name, value in options.items() for x in ("--" + name.replace("_", "-"), str(value))]
        return Process(self.fill(self.table["tool"]) + [command, "--bootstrap", self.bootstrap] + words, os.path.join(self.work, label + ".out"))

    # -- broker and topics ---------------------------------------------------------------------------------------------

    def start_broker(self):
        if self.bootstrap:
            return
        folder = os.path.join(self.work, "broker")
        os.makedirs(folder, exist_ok=True)
        port = self.options.port
        with open(os.path.join(HERE, "broker.properties"), encoding="utf-8") as text:
            properties = text.read().format(port=port, controller=port + 1, data=os.path.join(folder, "data"))
        path = os.path.join(folder, "server.properties")
        with open(path, "w", encoding="utf-8") as text:
            text.write(properties)
        java = ["java", "-Xmx2g", "-cp", os.path.join(self.kafka_libs(), "*")]
        if not os.path.exists(os.path.join(folder, "data")):
            subprocess.run(java + ["kafka.tools.StorageTool", "format", "-t", "headwaterBenchmarkAAAAA", "-c", path], check=True, capture_output=True)
        pin = ["taskset", "-c", "0"] if self.options.pin else []
        self.broker = Process(pin + java + ["kafka.Kafka", path], os.path.join(folder, "broker.out"))
        self.bootstrap = f"127.0.0.1:{port}"
        for _ in range(60):
            time.sleep(1)
            try:
                self.tool("ends", "--prefix", "none", limit=20)
                return
            except (RuntimeError, TimeoutError):
                if self.broker.poll() is not None:
                    break
        raise RuntimeError(f"the broker did not start; see {self.broker.out}")

    def kafka_libs(self):
        if self.options.kafka_libs:
            return os.path.abspath(self.options.kafka_libs)
        said = subprocess.run(["cargo", "xtask", "kafka", "libs"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
        return said.split("\n")[-2]

    def load(self, names):
        have = self.tool("ends", "--prefix", "in-")
        have.update(self.tool("ends", "--prefix", "empty"))
        for name in names:
            spec = dict(self.table["topics"][name])
            if have.get(name) == spec["n"]:
                continue
            if name in have:
                self.tool("delete", "--prefix", name)
                time.sleep(2)
            self.load_as(name, spec)

    def load_as(self, topic, spec):
        spec = dict(spec)
        words = self.fill(self.table["load"]) + [spec.pop("shape"), "--topic", topic, "--bootstrap", self.bootstrap]
        for name, value in spec.items():
            words += ["--" + name, str(value)]
        loader = self.start(words, "load-" + topic)
        if loader.wait(600):
            raise RuntimeError(f"loading {topic} failed; see {loader.out}.err")
        self.say(f"loaded {topic}: {loader.lines()[-1]}")

    def partitions(self, topic):
        return self.table["topics"].get(topic, {}).get("partitions", 4)

    def fresh(self, case, partitions=None):
        """A new application id with an output topic and an empty state directory of its own."""
        self.number += 1
        app = f"app-{self.number}"
        state = os.path.join(self.work, "state", app)
        os.makedirs(state, exist_ok=True)
        self.tool("create", "--topic", app + "-out", "--partitions", str(partitions or self.partitions(case["in"][0])))
        return app, state

    def clean(self, app, state):
        self.tool("delete", "--prefix", app + "-")
        shutil.rmtree(state, ignore_errors=True)

    def command(self, contender, case, app, state, *more):
        words = self.fill(self.table["contenders"][contender], workload=case["workload"])
        words += ["--bootstrap", self.bootstrap, "--in", ",".join(case["in"]), "--out", app + "-out", "--app", app, "--state-dir", state]
        for name, value in case.get("args", {}).items():
            words += ["--" + name] if value is True else ["--" + name, str(value)]
        for name, value in case.get("set", {}).items():
            words += ["--set", f"{name}={value}"]
        return words + list(more)

    # -- reporting -----------------------------------------------------------------------------------------------------

    def say(self, text):
        print(time.strftime("%H:%M:%S"), text, flush=True)

    def keep(self, **result):
        result["at"] = time.strftime("%Y-%m-%dT%H:%M:%S")
        result["load"] = os.getloadavg()
        self.results.append(result)
        with open(self.options.results, "a", encoding="utf-8") as text:
            text.write(json.dumps(result) + "\n")

    def late(self):
        if time.time() > self.deadline:
            self.say("the time limit is reached; stopping here")
            return True
        return False

    def contenders(self, workload, args=()):
        """Those of the command line, or else of the table, without those that cannot do this yet."""
        names = self.options.contenders.split(",") if self.options.contenders else self.table["default"]
        return [name for name in names if not {workload, *args} & set(self.table["not-yet"].get(name, []))]

    def cases(self):
        only = self.options.only.split(",") if self.options.only else None
        return [c for c in self.table["cases"] if only is None or c["id"] in only]
