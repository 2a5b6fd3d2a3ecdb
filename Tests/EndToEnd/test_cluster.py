"""Three servers and three clients that are killed, paused and cut off by turns: what they acknowledged stays, and the catalog converges.

SOAK_SECONDS=1800 makes a soak of it. Histories of reads and writes are judged by `consul-sim check`."""
import base64, http.client, itertools, json, os, random, signal, subprocess, sys, tempfile, threading, time

from cluster import Cluster

ALONE = True  # bridges and namespaces have fixed names
DURATION = float(os.environ.get("SOAK_SECONDS", "60"))
SEED = int(os.environ.get("SEED", "3"))
KEYS, WORKERS = 4, 6
SECONDS = DURATION + 400


def test_what_a_disturbed_cluster_acknowledged_stays():
    random.seed(SEED)

    cluster = Cluster(servers=3, clients=3)
    stop = threading.Event()
    values = itertools.count(1)
    lines = [[] for _ in range(WORKERS)]
    acknowledged = [0] * WORKERS

    def work(worker):
        """Reads and writes registers through an agent of its own, as often as it gets answers."""
        mine = random.Random(SEED * 1000 + worker)
        member = cluster.members[worker % len(cluster.members)]
        known = {}
        while not stop.is_set():
            key = mine.randrange(KEYS)
            path = f"/v1/kv/register/{key}"
            action = mine.choice(["put", "read", "read", "cas"])
            if action == "cas" and not known.get(key):
                action = "read"
            value, expected, index = 0, 0, 0
            invoked = time.monotonic_ns()
            outcome, returned = "unknown", 0
            try:
                if action == "read":
                    status, _, body = member.request("GET", path + "?consistent", timeout=8)
                    if status in (200, 404):
                        outcome, returned = "done", time.monotonic_ns()
                        if status == 200:
                            entry = json.loads(body)[0]
                            value, index = int(base64.b64decode(entry["Value"])), entry["ModifyIndex"]
                        known[key] = (value, index)
                else:
                    value = next(values)
                    if action == "cas":
                        expected, compared = known[key]
                        path += f"?cas={compared}"
                    status, _, body = member.request("PUT", path, str(value), timeout=8)
                    if status == 200:
                        outcome, returned = ("done" if body.strip() == b"true" else "refused"), time.monotonic_ns()
                    known.pop(key, None)
            except (OSError, http.client.HTTPException):
                pass
            if action == "read" and outcome != "done":
                time.sleep(0.05)
                continue
            if outcome == "done":
                acknowledged[worker] += 1
            lines[worker].append(f"{key} {worker} {action} {value} {expected} {index} {outcome} {invoked} {returned}")
            time.sleep(0.02 if outcome != "unknown" else 0.1)

    def disturb():
        """One fault, and its end."""
        kind = random.choice(["kill", "pause", "partition", "kill leader", "cut client"])
        if kind == "partition" and not cluster.network.real:
            kind = "pause"
        if kind == "cut client":
            victim = random.choice(cluster.clients)
            kind = "partition" if cluster.network.real else "pause"
        elif kind == "kill leader":
            victim, kind = cluster.leader() or random.choice(cluster.servers), "kill"
        else:
            victim = random.choice(cluster.members if kind == "pause" else cluster.servers)
        lasting = random.uniform(1, 6)
        print(f"{time.strftime('%X')} {kind} {victim.name} for {lasting:.1f} s", flush=True)
        if kind == "kill":
            victim.kill()
            time.sleep(lasting)
            victim.start()
        elif kind == "pause":
            victim.signal(signal.SIGSTOP)
            time.sleep(lasting)
            victim.signal(signal.SIGCONT)
        else:
            cluster.network.isolate([victim.number])
            time.sleep(lasting)
            cluster.network.heal()

    def registered(member):
        """{service: (node, status of its check)} as `member` answers."""
        found = {}
        for client in cluster.clients:
            for entry in member.json("GET", f"/v1/health/service/web-{client.name}"):
                found[entry["Service"]["ID"]] = (entry["Node"]["Node"], {c["CheckID"]: c["Status"] for c in entry["Checks"]})
        return found

    try:
        cluster.start()
        cluster.wait_for_leader()
        cluster.wait_until_all_see_all()
        for client in cluster.clients:
            client.json("PUT", "/v1/agent/service/register",
                        {"Name": f"web-{client.name}", "ID": f"web-{client.name}", "Port": 80, "Check": {"TCP": f"{client.address}:8600", "Interval": "1s"}})
        expected = {f"web-{c.name}": (c.name, {"serfHealth": "passing", f"service:web-{c.name}": "passing"}) for c in cluster.clients}
        cluster.wait("services are registered and healthy", lambda: all(registered(m) == expected for m in cluster.members))

        threads = [threading.Thread(target=work, args=(w,), daemon=True) for w in range(WORKERS)]
        for thread in threads:
            thread.start()
        end = time.time() + DURATION
        while time.time() < end:
            disturb()
            time.sleep(random.uniform(0.5, 4))
        time.sleep(1)
        stop.set()
        for thread in threads:
            thread.join(20)

        cluster.wait_for_leader()
        cluster.wait_until_all_see_all(60)
        cluster.wait("the catalog equals what is registered", lambda: all(registered(m) == expected for m in cluster.members), 90)
        nodes = sorted(m.name for m in cluster.members)
        cluster.wait("the catalog has every node", lambda: sorted(n["Node"] for n in cluster.members[0].json("GET", "/v1/catalog/nodes")) == nodes, 60)

        with tempfile.NamedTemporaryFile("w", suffix=".history") as history:
            history.write("\n".join(line for worker in lines for line in worker) + "\n")
            history.flush()
            verdict = subprocess.run([os.environ["CONSUL_SIM"], "check", history.name], capture_output=True, text=True)
            print(verdict.stdout, verdict.stderr)
            if verdict.returncode != 0:
                keep = os.path.join(tempfile.gettempdir(), "cluster.history")
                os.replace(history.name, keep)
                open(history.name, "w").close()
                raise AssertionError(f"the history is in {keep}")
        assert min(acknowledged) > DURATION / 2, f"hardly anything went through: {acknowledged}"
        print(f"{sum(acknowledged)} acknowledged operations, {sum(map(len, lines))} recorded")
    finally:
        stop.set()
        cluster.close()
