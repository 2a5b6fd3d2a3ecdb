"""The reference's own Serf (Debian's package) in one LAN pool with our agent: each must do with the other as with its like."""
import base64, os, shutil, subprocess, tempfile, time
from agent import Agent, Skipped, eventually, free_port

SERF = shutil.which("serf") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.build/serf/usr/bin/serf")
KEY, NEW_KEY = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


class Serf:
    """An agent of the reference's Serf."""

    def __init__(self, name, *arguments):
        self.rpc, self.port = free_port(), free_port()
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [SERF, "agent", f"-node={name}", f"-bind=127.0.0.1:{self.port}", f"-advertise=127.0.0.1:{self.port}", "-profile=lan",
             f"-rpc-addr=127.0.0.1:{self.rpc}", *arguments], stdout=self.log, stderr=self.log)
        eventually(lambda: self.command("info"), "Serf starts")

    def command(self, *arguments):
        """What a command says; None if it fails."""
        done = subprocess.run([SERF, arguments[0], f"-rpc-addr=127.0.0.1:{self.rpc}", *arguments[1:]], capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else None

    def status(self, name):
        lines = [line.split() for line in (self.command("members") or "").splitlines()]
        return next((line[2] for line in lines if line[0] == name), None)

    def time(self, clock):
        return int(self.command("info").split(f"{clock} = ")[1].split()[0])

    def kill(self):
        self.process.kill()
        self.process.wait()


def statuses(agent):
    return {member["Name"]: member["Status"] for member in agent.json("GET", "/v1/agent/members")}


def tag(agent, name, key):
    return next((member["Tags"].get(key) for member in agent.json("GET", "/v1/agent/members") if member["Name"] == name), None)


def test_serf_and_our_agent_in_one_pool():
    if not os.path.exists(SERF):
        raise Skipped("no serf on this machine: run Tools/install-dependencies tests")
    agent = Agent(config={"encrypt": KEY}).start()
    theirs = Serf("theirs", f"-encrypt={KEY}", "-tag", "kind=reference", f"-join=127.0.0.1:{agent.serf_port}")
    lost = Serf("lost", f"-encrypt={KEY}")
    try:
        # They join us, and we join them.
        eventually(lambda: statuses(agent) == {"n1": 1, "theirs": 1}, "they join us")
        assert agent.request("PUT", f"/v1/agent/join/127.0.0.1:{lost.port}")[0] == 200
        eventually(lambda: theirs.status("lost") == "alive" and theirs.status("n1") == "alive", "all know each other")
        assert tag(agent, "theirs", "kind") == "reference"

        # Events, queries, tags, coordinates.
        before = theirs.time("event_time")
        agent.json("PUT", "/v1/event/fire/deploy")
        eventually(lambda: theirs.time("event_time") > before, "our event reaches them")
        assert "Successfully contacted all live nodes" in theirs.command("reachability")
        theirs.command("tags", "-set", "color=blue")
        eventually(lambda: tag(agent, "theirs", "color") == "blue", "their new tag reaches us")
        eventually(lambda: "Estimated" in (theirs.command("rtt", "n1", "theirs") or ""), "coordinates are exchanged")

        # Keys of the whole pool are changed from their side and from ours.
        assert theirs.command("keys", f"-install={NEW_KEY}") is not None
        # Ours has a WAN pool beside, whose ring theirs knows nothing of.
        assert agent.request("POST", "/v1/operator/keyring", f'{{"Key":"{NEW_KEY}"}}')[0] == 200
        assert agent.request("PUT", "/v1/operator/keyring", f'{{"Key":"{NEW_KEY}"}}')[0] == 200
        assert theirs.command("keys", f"-remove={KEY}") is not None
        keys = agent.json("GET", "/v1/operator/keyring")
        lan = next(ring for ring in keys if not ring["WAN"])
        assert lan["Keys"] == {NEW_KEY: 3}, lan

        # One fails, one leaves, one is told to have left.
        lost.kill()
        eventually(lambda: statuses(agent).get("lost") == 4, "we find out about a failure", 60)
        eventually(lambda: theirs.status("lost") == "failed", "and so do they", 60)
        assert theirs.command("force-leave", "lost") is not None
        eventually(lambda: statuses(agent).get("lost") == 3, "a forced departure reaches us")
        agent.stop()
        eventually(lambda: theirs.status("n1") in ("left", "failed"), "our end reaches them", 60)
    finally:
        theirs.kill()
        lost.process.poll() is None and lost.kill()
        agent.stop()

