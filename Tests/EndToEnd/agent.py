"""Starts the built agent on ports of its own and talks to it."""
import contextlib, fcntl, http.client, json, os, random, shutil, signal, socket, subprocess, sys, tempfile, time

CONSUL = os.environ.get("CONSUL", "consul")


class Skipped(Exception):
    """The test cannot run on this machine, and why."""


claims = []  # Descriptors whose locks keep other tests from the ports of this one until the process ends.


def free_port():
    """A port that is free for both protocols and no other running test has been given, below those that the system gives to outgoing
    connections. Drawn apart from `random`, so that two tests with one seed do not draw the same."""
    directory = os.path.join(tempfile.gettempdir(), "consul-test-ports")
    os.makedirs(directory, exist_ok=True)
    while True:
        port = random.SystemRandom().randrange(22000, 32000)
        claim = os.open(os.path.join(directory, str(port)), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o666)
        with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
            try:
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
                stream.bind(("127.0.0.1", port))
                datagrams.bind(("127.0.0.1", port))
                claims.append(claim)
                return port
            except OSError:
                os.close(claim)


def exchange(connection, method, path, body=None):
    """(status, headers in lower case, body); closes the connection."""
    try:
        connection.request(method, path, body)
        r = connection.getresponse()
        return r.status, {k.lower(): v for k, v in r.getheaders()}, r.read()
    finally:
        connection.close()


def eventually(condition, what, seconds=30, pause=0.1):
    deadline = time.time() + seconds
    while not (value := condition()):
        assert time.time() < deadline, what
        time.sleep(pause)
    return value


class Agent:
    """A lone server whose data survives `kill` and `start`."""

    def __init__(self, directory=None, dev=False, config=None):
        self.root = tempfile.mkdtemp(prefix="consul-test-")
        self.data = directory or os.path.join(self.root, "data")
        self.dev = dev
        self.http_port, self.dns_port, self.server_port, self.serf_port, self.wan_port = (free_port() for _ in range(5))
        settings = {
            "ports": {"http": self.http_port, "dns": self.dns_port, "server": self.server_port, "serf_lan": self.serf_port,
                      "serf_wan": self.wan_port, "grpc": -1},
            "node_name": "n1", "bind_addr": "127.0.0.1", "performance": {"raft_multiplier": 1}, "disable_update_check": True,
            **(config or {}),
        }
        self.config = os.path.join(self.root, "config.json")
        with open(self.config, "w") as f:
            json.dump(settings, f)
        self.process = None
        self.log_path = os.path.join(self.root, "log")

    def start(self, wait=True, preexec=None):
        arguments = [CONSUL, "agent", "-config-file", self.config]
        arguments += ["-dev"] if self.dev else ["-server", "-bootstrap-expect", "1", "-data-dir", self.data]
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(arguments, stdout=self.log, stderr=self.log, preexec_fn=preexec)
        if wait:
            self.wait_until_leading()
        return self

    def wait_until_leading(self, seconds=30):
        deadline = time.time() + seconds
        while True:
            try:
                if self.request("PUT", "/v1/kv/test/ready", b"x")[0] == 200:
                    return
            except (OSError, http.client.HTTPException):
                pass
            if self.process.poll() is not None:
                raise RuntimeError("the agent ended:\n" + self.logs()[-4000:])
            if time.time() > deadline:
                raise RuntimeError("no leader:\n" + self.logs()[-4000:])
            time.sleep(0.01)

    def request(self, method, path, body=None, timeout=30):
        """(status, headers in lower case, body)"""
        return exchange(http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=timeout), method, path, body)

    def json(self, method, path, body=None):
        status, headers, data = self.request(method, path, json.dumps(body) if body is not None else None)
        assert status == 200, (method, path, status, data)
        return json.loads(data) if data else None

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self.root, ignore_errors=True)

    def logs(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def memory(self):
        """Resident size in KiB."""
        with open(f"/proc/{self.process.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def cli(self, *arguments, stdin=""):
        env = {"PATH": os.environ["PATH"], "CONSUL_HTTP_ADDR": f"127.0.0.1:{self.http_port}"}
        p = subprocess.run([CONSUL, *arguments], input=stdin, capture_output=True, text=True, env=env, timeout=60)
        return p.returncode, p.stdout, p.stderr


@contextlib.contextmanager
def running(**options):
    """An agent that leads while the block runs."""
    agent = Agent(**options)
    try:
        yield agent.start()
    finally:
        agent.stop()
