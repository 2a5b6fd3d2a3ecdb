"""Clusters of built agents: each in a network namespace of its own where the machine allows it, on loopback addresses otherwise."""
import http.client, json, os, shutil, signal, socket, subprocess, tempfile, time
from agent import exchange

CONSUL = os.environ.get("CONSUL", "consul")
BRIDGES = ("cst0", "cst1")


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a socket in the file system, which no partition of the network cuts."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def run(*arguments):
    return subprocess.run(arguments, capture_output=True, text=True).returncode == 0


class Network:
    """Namespaces on one of two bridges: members of different bridges do not reach each other."""

    def __init__(self):
        self.namespaces = []
        self.real = os.geteuid() == 0 and shutil.which("ip") is not None and self.prepare()

    def prepare(self):
        self.close()
        return all(run("ip", "link", "add", bridge, "type", "bridge") and run("ip", "link", "set", bridge, "up") for bridge in BRIDGES)

    def add(self, number):
        """The address of a new member."""
        if not self.real:
            return f"127.0.77.{number}"
        name, address = f"cst{number}n", f"10.77.0.{number}"
        ok = run("ip", "netns", "add", name)
        ok = ok and run("ip", "link", "add", f"cst{number}v", "type", "veth", "peer", "name", "eth0", "netns", name)
        ok = ok and run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            ok = ok and run("ip", "-n", name, "link", "set", link, "up")
        ok = ok and run("ip", "link", "set", f"cst{number}v", "master", BRIDGES[0]) and run("ip", "link", "set", f"cst{number}v", "up")
        if not ok:
            raise RuntimeError(f"cannot make the network namespace {name}")
        self.namespaces.append(number)
        return address

    def inside(self, number):
        return ["ip", "netns", "exec", f"cst{number}n"] if self.real else []

    def isolate(self, numbers):
        """These on the one side, everybody else on the other."""
        for number in self.namespaces:
            run("ip", "link", "set", f"cst{number}v", "master", BRIDGES[1 if number in numbers else 0])

    def heal(self):
        self.isolate([])

    def close(self):
        listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout if shutil.which("ip") else ""
        for line in listed.splitlines():
            name = line.split()[0]
            if name.startswith("cst"):
                run("ip", "netns", "del", name)
        for bridge in BRIDGES:
            run("ip", "link", "del", bridge)


class Member:
    def __init__(self, cluster, name, number, server, config):
        self.cluster, self.name, self.number, self.server = cluster, name, number, server
        self.address = cluster.network.add(number)
        self.root = os.path.join(cluster.root, name)
        os.makedirs(self.root)
        self.socket = os.path.join(self.root, "http.sock")
        self.config = os.path.join(self.root, "config.json")
        self.log_path = os.path.join(self.root, "log")
        settings = {
            "node_name": name, "server": server, "data_dir": os.path.join(self.root, "data"), "bind_addr": self.address,
            "client_addr": self.address, "addresses": {"http": f"unix://{self.socket}"}, "ports": {"grpc": -1},
            "retry_join": cluster.join, "performance": {"raft_multiplier": 1}, "disable_update_check": True, "log_level": "debug", **config,
        }
        with open(self.config, "w") as f:
            json.dump(settings, f)
        self.process = None

    def start(self):
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        with open(self.log_path, "ab") as log:
            arguments = self.cluster.network.inside(self.number) + [CONSUL, "agent", "-config-file", self.config]
            self.process = subprocess.Popen(arguments, stdout=log, stderr=log)
        return self

    def connection(self, timeout=10):
        return UnixConnection(self.socket, timeout)

    def request(self, method, path, body=None, timeout=10):
        """(status, headers in lower case, body)"""
        return exchange(self.connection(timeout), method, path, body)

    def json(self, method, path, body=None):
        status, _, data = self.request(method, path, json.dumps(body) if body is not None else None)
        if status != 200:
            raise RuntimeError(f"{self.name}: {method} {path}: {status} {data[:200]}")
        return json.loads(data) if data else None

    def cli(self, *arguments):
        env = {"PATH": os.environ["PATH"], "CONSUL_HTTP_ADDR": f"unix://{self.socket}"}
        p = subprocess.run([CONSUL, *arguments], capture_output=True, text=True, env=env, timeout=60)
        return p.returncode, p.stdout, p.stderr

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.running:
            self.signal(signal.SIGKILL)
            self.process.wait()

    def stop(self, seconds=20):
        """Ends as SIGTERM ends it; the exit status."""
        self.signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def logs(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()


class Cluster:
    def __init__(self, servers=3, clients=0, config=None, join=None):
        self.root = tempfile.mkdtemp(prefix="consul-cluster-")
        self.network = Network()
        base = "10.77.0" if self.network.real else "127.0.77"
        self.join = join or [f"{base}.{n}" for n in range(1, servers + 1)]
        self.servers = [self.member(f"s{n}", n, True, {"bootstrap_expect": servers, **(config or {})}) for n in range(1, servers + 1)]
        self.clients = [self.member(f"c{n}", 100 + n, False, config or {}) for n in range(1, clients + 1)]

    def member(self, name, number, server, config):
        return Member(self, name, number, server, config)

    @property
    def members(self):
        return self.servers + self.clients

    def start(self):
        for member in self.members:
            member.start()
        return self

    def wait(self, what, condition, seconds=30):
        """Until `condition()` is true; errors of requests count as false."""
        deadline = time.time() + seconds
        last = None
        while time.time() < deadline:
            try:
                if condition():
                    return
                last = None
            except (OSError, http.client.HTTPException, RuntimeError, ValueError) as error:
                last = error
            for member in self.members:
                if member.process is not None and member.process.poll() is not None and member.process.returncode not in (0, -signal.SIGKILL):
                    raise RuntimeError(f"{member.name} ended with {member.process.returncode}:\n{member.logs()[-3000:]}")
            time.sleep(0.05)
        logs = "\n".join(f"--- {m.name}\n{m.logs()[-2500:]}" for m in self.members)
        raise RuntimeError(f"after {seconds} s still not: {what} ({last})\n{logs}")

    def wait_for_leader(self, seconds=30):
        self.wait("a leader", lambda: all(m.json("GET", "/v1/status/leader") for m in self.members if m.running), seconds)

    def leader(self):
        """The member that leads, None without one."""
        for member in self.servers:
            if not member.running:
                continue
            try:
                address = member.json("GET", "/v1/status/leader").split(":")[0]
            except (OSError, http.client.HTTPException, RuntimeError):
                continue
            return next((m for m in self.servers if m.address == address), None)
        return None

    def statuses(self, member):
        """{name: status} as `member` sees the pool."""
        return {m["Name"]: m["Status"] for m in member.json("GET", "/v1/agent/members")}

    def wait_until_all_see_all(self, seconds=30):
        names = {m.name for m in self.members}
        alive = dict.fromkeys(names, 1)
        self.wait("all see all alive", lambda: all(self.statuses(m) == alive for m in self.members), seconds)

    def close(self):
        for member in self.members:
            if member.running:
                member.signal(signal.SIGCONT)
                member.kill()
        self.network.close()
        shutil.rmtree(self.root, ignore_errors=True)
