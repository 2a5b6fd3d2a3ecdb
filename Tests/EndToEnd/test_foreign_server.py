"""A server of the reference, as `foreign_server.py` plays it, among our servers and clients: as follower, as leader, as caller."""
import http.client, io, json, os, shutil, signal, socket, subprocess, tarfile, tempfile, threading, time
from agent import CONSUL, Skipped, exchange
from foreign_server import (BARRIER, CONFIGURATION, NOOP, RST, SYN, DATA, GOAWAY, WINDOW, Client, Pool, RPCError, SIGNATURES, Server, Stream, check,
                            exactly, make, pack, text, unpack, unpack_all, zero)

HERE = os.path.dirname(os.path.abspath(__file__))
SERF = shutil.which("serf") or os.path.join(HERE, "../../.build/serf/usr/bin/serf")
NETWORK = f"127.0.{80 + os.getpid() % 150}"
with open(os.path.join(HERE, "../CoreTests/Vectors/rpc-raft.json")) as vectors:
    VECTORS = json.load(vectors)
COMMANDS = {command["name"]: bytes.fromhex(command["data_hex"]) for command in reversed(VECTORS["log_commands"]) if "data_hex" in command}


class Ours:
    """One of our agents at an address of its own."""

    def __init__(self, name, number, **config):
        self.name, self.address = name, f"{NETWORK}.{number}"
        self.raft = f"{self.address}:8300"
        self.root = tempfile.mkdtemp(prefix="consul-foreign-")
        settings = {"node_name": name, "server": True, "data_dir": self.root + "/data", "bind_addr": self.address, "client_addr": self.address,
                    "ports": {"grpc": -1}, "performance": {"raft_multiplier": 1, "rpc_hold_timeout": "2s"}, "disable_update_check": True,
                    "log_level": "debug", **config}
        with open(self.root + "/config.json", "w") as f:
            json.dump(settings, f)
        self.start()

    def start(self):
        with open(self.root + "/log", "ab") as log:
            self.process = subprocess.Popen([CONSUL, "agent", "-config-file", self.root + "/config.json"], stdout=log, stderr=log)
        eventually(lambda: self.request("GET", "/v1/agent/self")[0] == 200, f"{self.name} starts")

    def request(self, method, path, body=None):
        """(status, headers in lower case, body)"""
        return exchange(http.client.HTTPConnection(self.address, 8500, timeout=30), method, path, body)

    def json(self, method, path, body=None):
        status, _, data = self.request(method, path, json.dumps(body) if body is not None else None)
        assert status == 200, (method, path, status, data)
        return json.loads(data)

    def put(self, key, value):
        status, _, data = self.request("PUT", f"/v1/kv/{key}", value)
        assert (status, data) == (200, b"true"), (key, status, data)

    def kill(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()

    def stop(self):
        self.kill()
        shutil.rmtree(self.root, ignore_errors=True)


def eventually(condition, what, seconds=20):
    deadline, last = time.time() + seconds, None
    while True:
        try:
            if value := condition():
                return value
        except (OSError, http.client.HTTPException, AssertionError, RPCError) as error:
            last = error
        assert time.time() < deadline, f"{what} ({last})"
        time.sleep(0.02)


def differing(body, kind):
    """The fields that are not zero, of inner structs too."""
    def differences(value, nothing):
        return {k: differences(v, nothing[k]) if isinstance(v, dict) and isinstance(nothing.get(k), dict) else v
                for k, v in value.items() if v != nothing.get(k)}
    return differences(body, text(zero(kind)))


def expect_call(theirs, ours, request, method, fields, status=200):
    """That this request over HTTP becomes exactly this call."""
    with theirs.lock:
        before = len(theirs.calls)
    answer = ours.request(*request)
    with theirs.lock:
        calls = [body for name, body in theirs.calls[before:] if name == method]
    assert answer[0] == status, (request, answer)
    found = [differing(body, SIGNATURES[method][0]) for body in calls]
    assert fields in found, f"{request} should have called {method} with {fields}, did with {found}"
    return answer


def forwarded(theirs, ours):
    """What a request over HTTP becomes at the leader: every method, with the fields that are not zero."""
    dc, token = {"Datacenter": "dc1"}, "11111111-2222-3333-4444-555555555555"
    # Where the caller has no `near`, the reference names itself as the source; servers do nothing with that.
    for path, method, fields in (
            ("kv/x", "KVS.Get", {"Key": "x"}),
            ("kv/x?consistent", "KVS.Get", {"Key": "x", "RequireConsistent": True}),
            ("kv/x?index=1&wait=2s", "KVS.Get", {"Key": "x", "MinQueryIndex": 1, "MaxQueryTime": 2_000_000_000}),
            (f"kv/x?token={token}", "KVS.Get", {"Key": "x", "Token": token}),
            ("session/list", "Session.List", {}),
            ("session/node/a", "Session.NodeSessions", {"Node": "a"}),
            (f"session/info/{token}", "Session.Get", {"Session": token, "SessionID": token}),
            ("catalog/nodes?near=zz&node-meta=a:b&filter=Node==x", "Catalog.ListNodes",
             {"Filter": "Node==x", "NodeMetaFilters": {"a": "b"}, "Source": {"Datacenter": "dc1", "Node": "zz"}}),
            ("catalog/services?node-meta=k:v", "Catalog.ListServices", {"NodeMetaFilters": {"k": "v"}}),
            ("catalog/service/web?tag=a&tag=b", "Catalog.ServiceNodes", {"ServiceName": "web", "ServiceTags": ["a", "b"], "TagFilter": True}),
            ("catalog/connect/web", "Catalog.ServiceNodes", {"ServiceName": "web", "Connect": True}),
            ("catalog/node/a", "Catalog.NodeServices", {"Node": "a"}),
            ("catalog/node-services/a", "Catalog.NodeServiceList", {"Node": "a"}),
            ("health/node/a", "Health.NodeChecks", {"Node": "a"}),
            ("health/checks/web", "Health.ServiceChecks", {"ServiceName": "web"}),
            ("health/service/web?passing", "Health.ServiceNodes", {"ServiceName": "web"}),
            ("health/ingress/web", "Health.ServiceNodes", {"ServiceName": "web", "Ingress": True}),
            ("health/state/critical", "Health.ChecksInState", {"State": "critical"}),
            ("coordinate/nodes", "Coordinate.ListNodes", {}),
            ("internal/ui/nodes", "Internal.NodeDump", {}),
            ("internal/ui/services", "Internal.ServiceDump", {}),
            ("operator/raft/configuration", "Operator.RaftGetConfiguration", {}),
            ("operator/autopilot/configuration", "Operator.AutopilotGetConfiguration", {})):
        status = 404 if path.startswith("kv/") and "x" not in theirs.state else 200
        expect_call(theirs, ours, ("GET", "/v1/" + path), method, {**dc, **fields}, status)
    for path, method, fields in (("kv/?recurse", "KVS.List", {}), ("kv/a?keys&separator=/", "KVS.ListKeys", {"Prefix": "a", "Seperator": "/"}),
                                 ("coordinate/node/a", "Coordinate.Node", {"Node": "a"}), ("internal/ui/node/a", "Internal.NodeInfo", {"Node": "a"})):
        expect_call(theirs, ours, ("GET", "/v1/" + path), method, {**dc, **fields}, 404)
    expect_call(theirs, ours, ("GET", "/v1/operator/autopilot/health"), "Operator.ServerHealth", dc, 429)
    expect_call(theirs, ours, ("PUT", f"/v1/session/renew/{token}"), "Session.Renew", {**dc, "Session": token, "SessionID": token}, 404)
    expect_call(theirs, ours, ("PUT", "/v1/txn", b'[{"KV":{"Verb":"get","Key":"t"}}]'), "Txn.Read", {**dc, "Ops": [text(kv("get", "t"))]})

    expect_call(theirs, ours, ("PUT", "/v1/kv/x?flags=7", b"v"), "KVS.Apply", {**dc, "Op": "set", "DirEnt": {"Key": "x", "Flags": 7, "Value": "v"}})
    assert ours.json("GET", "/v1/kv/x")[0]["Value"] == "dg==" and theirs.state["x"]["Flags"] == 7
    expect_call(theirs, ours, ("PUT", f"/v1/kv/x?acquire={token}", b"v"), "KVS.Apply",
                {**dc, "Op": "lock", "DirEnt": {"Key": "x", "Session": token, "Value": "v"}})
    expect_call(theirs, ours, ("DELETE", "/v1/kv/y?recurse"), "KVS.Apply", {**dc, "Op": "delete-tree", "DirEnt": {"Key": "y"}})
    expect_call(theirs, ours, ("PUT", f"/v1/session/destroy/{token}"), "Session.Apply", {**dc, "Op": "destroy", "Session": {"ID": token}})
    expect_call(theirs, ours, ("PUT", "/v1/txn", b'[{"KV":{"Verb":"set","Key":"t","Value":"YQ=="}}]'), "Txn.Apply",
                {**dc, "Ops": [text(kv("set", "t", "a"))]})
    expect_call(theirs, ours, ("PUT", "/v1/catalog/deregister", b'{"Node":"q","CheckID":"c"}'), "Catalog.Deregister",
                {**dc, "Node": "q", "CheckID": "c"})
    registration = {"Node": "q", "Address": "1.1.1.1", "NodeMeta": {"m": "n"}, "SkipNodeUpdate": True,
                    "Service": {"Service": "w", "Tags": ["a"], "TaggedAddresses": {"lan": {"Address": "1.2.3.4", "Port": 5}}}}
    service = make("NodeService", Service="w", Tags=["a"], TaggedAddresses={"lan": make("ServiceAddress", Address="1.2.3.4", Port=5)})
    expect_call(theirs, ours, ("PUT", "/v1/catalog/register", json.dumps(registration)), "Catalog.Register",
                {**dc, **registration, "Service": text(service)})
    expect_call(theirs, ours, ("PUT", "/v1/operator/autopilot/configuration?cas=3", b'{"LastContactThreshold":"200ms"}'),
                "Operator.AutopilotSetConfiguration", {**dc, "CAS": True, "Config": {"LastContactThreshold": 200_000_000, "ModifyIndex": 3}})
    expect_call(theirs, ours, ("DELETE", f"/v1/operator/raft/peer?id={token}"), "Operator.RaftRemovePeerByID", {**dc, "ID": token})


def kv(verb, key, value=None):
    return make("TxnOp", KV=make("TxnKVOp", Verb=verb, DirEnt=make("DirEntry", Key=key, Value=value)))


def refused(theirs, ours):
    """Errors of the leader in answers over HTTP, and which calls are tried again."""
    for error, status, answer, again in (
            ("Permission denied", 403, b"rpc error making call: Permission denied", False),
            ("ACL not found", 403, b"rpc error making call: ACL not found", False),
            ("rpc error making call: EOF", 500, b"rpc error making call: rpc error making call: EOF", False),
            ("Invalid KVS operation 'x'", 500, b"rpc error making call: Invalid KVS operation 'x'", False),
            ("No cluster leader", 200, b"true", True)):
        attempts = []

        def handler(body):
            attempts.append(body)
            if again and len(attempts) > 2:
                return False
            raise RPCError(error)
        theirs.handlers["KVS.Apply"] = handler
        found = ours.request("PUT", "/v1/kv/refused", b"x")
        assert (found[0], found[2]) == (status, answer), (error, found)
        assert len(attempts) == (3 if again else 1), (error, len(attempts))
    del theirs.handlers["KVS.Apply"]
    # A large answer, and one after the session died under the question: reads are asked again.
    large = make("DirEntry", Key="x", Value=b"z" * 500_000)
    theirs.handlers["KVS.Get"] = lambda body: make("IndexedDirEntries", Entries=[large] * 4, **theirs.meta())
    assert len(ours.request("GET", "/v1/kv/x")[2]) > 4 * 600_000
    attempts = []

    def dies(body):
        attempts.append(body)
        if len(attempts) == 1:
            for connection in list(theirs.connections):
                connection.shutdown(socket.SHUT_RDWR)
            raise RPCError("nobody hears this")
        return make("IndexedDirEntries", **theirs.meta())
    theirs.handlers["KVS.Get"] = dies
    assert ours.request("GET", "/v1/kv/x")[0] == 404 and len(attempts) == 2, attempts
    del theirs.handlers["KVS.Get"]


def follow(theirs, a, b):
    """Theirs is the third of three that bootstrap, and follows."""
    theirs.wait_for(lambda: theirs.commit >= 4 and any(kind == 9 for _, kind, _ in theirs.commands), "the log begins")
    assert {s["Address"] for s in theirs.servers} == {a.raft, b.raft, theirs.name} and all(s["Suffrage"] == 0 for s in theirs.servers), theirs.servers
    first = [entry["Type"] for entry in theirs.log[:2]]
    assert first == [CONFIGURATION, NOOP], first
    assert any(method == "Status.Peers" for method, _ in theirs.calls), "asked before bootstrapping"
    leader, follower = (a, b) if theirs.leader == a.raft else (b, a)
    eventually(lambda: any(c["CheckID"] == "serfHealth" for c in leader.json("GET", "/v1/health/node/theirs")), "theirs is in the catalog")

    # Bytes of the reference for the same requests; the leader and theirs are all that is left.
    follower.kill()
    leader.request("PUT", "/v1/kv/app/a?flags=42", b"hello")
    leader.request("PUT", "/v1/kv/empty", b"")
    leader.request("DELETE", "/v1/kv/app/b")
    leader.json("PUT", "/v1/catalog/deregister", {"Node": "ext1", "ServiceID": "nosuch"})
    session = leader.json("PUT", "/v1/session/create", {"Name": "lock1", "TTL": "60s", "LockDelay": "5s", "Behavior": "delete"})["ID"]
    leader.put("large", b"z" * 524_288)
    theirs.wait_for(lambda: "large" in theirs.state, "a write in two chunks arrives")
    datas = [entry["Data"] for entry in theirs.log if entry["Type"] == 0]
    for name in ("Autopilot", "KVS set", "KVS delete", "Deregister"):
        assert COMMANDS[name] in datas, name
    created = next(body["Session"] for _, kind, body in theirs.commands if kind == 3)
    assert created == text(make("Session", ID=session, Name="lock1", Node=leader.name, TTL="60s", LockDelay=5_000_000_000, Behavior="delete",
                                NodeChecks=["serfHealth"])), created
    chunks = [entry for entry in theirs.log if entry["Extensions"] is not None]
    assert [len(entry["Data"]) for entry in chunks][0] == 524_288 and len(chunks) == 2, [len(entry["Data"]) for entry in chunks]
    follower.start()
    eventually(lambda: follower.request("GET", "/v1/kv/large?stale")[0] == 200, "the other one catches up")


def lead(theirs, a, b):
    """Theirs takes the lead. Ours follow, whatever its log holds."""
    request = make("RequestVote", Candidate=theirs.name, LastLogIndex=1000, LastLogTerm=1000, ProtocolVersion=3, Term=1000)
    assert text(theirs.ask(b.raft, 1, request))["Granted"] is False, "a vote although a leader is known"
    for version in (0, 1, 4):
        try:
            theirs.ask(b.raft, 1, {**request, "ProtocolVersion": version})
            raise AssertionError(f"protocol version {version} is accepted")
        except RPCError as error:
            assert str(error) == "operation not supported with current protocol version", error
    eventually(lambda: theirs.campaign(transfer=True), "votes for theirs")
    theirs.wait_for(lambda: theirs.commit == theirs.last()[0], "the barrier commits")
    for ours in (a, b):
        eventually(lambda: ours.json("GET", "/v1/status/leader") == theirs.name, "theirs is known as the leader")

    found = {}

    def watch(ours):
        index = ours.request("GET", "/v1/kv/watched?stale")[1]["x-consul-index"]
        waiting.release()
        found[ours] = ours.request("GET", f"/v1/kv/watched?stale&index={index}&wait=25s")[0]
    waiting = threading.Semaphore(0)
    watchers = [threading.Thread(target=watch, args=(ours,)) for ours in (a, b)]
    for watcher in watchers:
        watcher.start()
        waiting.acquire()

    # All commands that the reference is known to write, and some that nobody knows.
    for command in VECTORS["log_commands"]:
        if command["log_type"] == 0 and "data_hex" in command and not command["name"].endswith(("Delete", "destroy", "reap")):
            index = theirs.propose(bytes.fromhex(command["data_hex"]).replace(b"\xa2c1", b"\xa2s1"))
            theirs.wait_for(lambda: theirs.commit >= index, command["name"])
    for odd in (bytes([0x80 + 77]) + pack({"x": 1}), bytes([0x8A, 0xC0])):
        theirs.propose(odd)
    theirs.append(NOOP, None)
    theirs.append(BARRIER, None)
    large = b"\x02" + pack(make("KVSRequest", Datacenter="dc1", Op="set", DirEnt=make("DirEntry", Key="chunked", Value=b"c" * 700_000)))
    theirs.propose(large[:524_288], bytes.fromhex("08b2e6b0d6d790aace261802"))
    last = theirs.propose(large[524_288:], bytes.fromhex("08b2e6b0d6d790aace2610011802"))
    half = theirs.propose(large[:524_288], bytes.fromhex("08051802"))
    watched = theirs.propose(b"\x02" + pack(make("KVSRequest", Op="set", DirEnt=make("DirEntry", Key="watched", Value=b"1"))))
    theirs.wait_for(lambda: theirs.commit >= watched, "commands that nobody knows commit")
    for watcher in watchers:
        watcher.join()
    assert found == {a: 200, b: 200}, found
    for ours in (a, b):
        for path, value in (("kv/app/a", "aGVsbG8="), ("kv/txn/k", "dmFs"), ("kv/watched", "MQ==")):
            assert ours.json("GET", f"/v1/{path}?stale")[0]["Value"] == value, path
        assert ours.json("GET", "/v1/kv/chunked?stale")[0]["ModifyIndex"] == last
        assert ours.json("GET", "/v1/session/list?stale"), "the session is there"
        assert {"s1"} <= {node["Node"] for node in ours.json("GET", "/v1/catalog/nodes?stale")}

    # What they do not serve yet they keep for the next leader.
    header, archive = snapshot(a, make("SnapshotRequest", Datacenter="dc1", AllowStale=True))
    state = tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz").extractfile("state.bin").read()
    records = theirs.read_state(state)[1]
    assert header["Error"] == "" and {kind for kind, _ in records} == {0, 6, 3, 17, 19, 23, 25, 27, 2, 7, 9, 12, 13, 14, 15, 22, 30, 16, 29} | (
        {5} if any(kind == 5 for kind, _ in records) else set()), sorted({kind for kind, _ in records})
    collected = records[-1][1]["ChunkMap"]
    assert [piece and (piece["SequenceNum"], piece["NumChunks"], piece["OpNum"], len(piece["Data"])) for piece in collected[5]] == [
        (0, 2, 5, 524_288), None], (half, {key: len(value) for key, value in collected.items()})


def snapshot(ours, request, archive=b""):
    """(response header, what follows it)"""
    with socket.create_connection((ours.address, 8300), 20) as connection:
        connection.sendall(b"\x05" + pack(request) + archive)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    stream = io.BytesIO(answer)
    header = unpack(exactly(stream.read))
    assert not check(header, "SnapshotResponse"), header
    return text(header), stream.read()


def hand_over(theirs, a, b):
    """Theirs tells one of ours to take over, and is sent the state when an archive is restored."""
    with theirs.lock:
        before = len(theirs.messages)
    theirs.ask(a.raft, 3, make("TimeoutNow", ProtocolVersion=3))
    theirs.wait_for(lambda: theirs.leader == a.raft, "the told one takes over")
    vote = next(message for name, message in theirs.messages[before:] if name == "RequestVote")
    assert vote["LeadershipTransfer"] is True and vote["Candidate"] == a.raft.encode(), vote
    eventually(lambda: a.request("PUT", "/v1/kv/new", b"1")[0] == 200, "a serves")

    for fields, error in (({}, "No path to datacenter"), ({"Datacenter": "dc1", "Op": 7}, "unrecognized snapshot op '\\a'"),
                          ({"Datacenter": "dc1", "Op": 1, "AllowStale": True}, "stale not allowed for restore")):
        assert snapshot(a, make("SnapshotRequest", **fields))[0]["Error"] == error, fields
    with open(os.path.join(HERE, "../CoreTests/Vectors/snapshot-1.8.6.snap"), "rb") as f:
        archive = f.read()
    with open(os.path.join(HERE, "../CoreTests/Vectors/snapshot-1.8.6-state.bin"), "rb") as f:
        state = f.read()
    top = theirs.last()[0]
    assert snapshot(b, make("SnapshotRequest", Datacenter="dc1", Op=1), archive) == (text(make("SnapshotResponse")), b"")
    theirs.wait_for(lambda: theirs.snapshots, "the restored state is sent")
    request, sent = theirs.snapshots[-1]
    assert request["LastLogIndex"] > top and request["Term"] == request["LastLogTerm"] == theirs.term, request
    recorded, kept = (sorted((kind, pack(record)) for kind, record in theirs.read_state(data)[1]) for data in (state, sent))
    assert recorded == kept, "the records are those of the archive"
    theirs.wait_for(lambda: theirs.log and theirs.log[0]["Index"] == theirs.base + 1 and theirs.log[0]["Type"] == NOOP, "a noop behind the hole")


def call(theirs, a, b):
    """Theirs calls ours: the leader, a follower that forwards, many at a time, and in every odd way that yamux allows."""
    for ours in (a, b):
        client = Client(ours.address, 8300, theirs.problem, source=theirs.address)

        def ask(method, **fields):
            return client.call(method, make(SIGNATURES[method][0], Datacenter="dc1", **fields))

        def refusal(method, body=None, **fields):
            try:
                return client.call(method, body if body is not None else make(SIGNATURES[method][0], **{"Datacenter": "dc1", **fields}))
            except RPCError as error:
                return str(error)
        prefix = "rpc error making call: " if ours is b else ""
        assert client.call("Status.Ping", {}) == {} and ask("Status.Leader") == a.raft and len(ask("Status.Peers")) == 3
        client.call("Status.RaftStats", {})
        assert ask("KVS.Apply", Op="set", DirEnt=make("DirEntry", Key="mine", Value=b"1", Flags=1 << 63)) is False
        assert ask("KVS.Get", Key="mine")["Entries"][0]["Flags"] == 1 << 63
        assert ask("KVS.Get", Key="mine", AllowStale=True)["KnownLeader"] is True
        assert refusal("KVS.Apply", Op="bogus", DirEnt=make("DirEntry", Key="x")) == prefix + "Invalid KVS operation 'bogus'"
        assert refusal("KVS.Get", Datacenter="dc9") == refusal("KVS.Get", Datacenter="") == "No path to datacenter"
        assert ask("Catalog.Register", Node="n", Address="10.0.0.1", Service=make("NodeService", Service="web", Tags=["x"]),
                   Check=make("HealthCheck", CheckID="c", Name="c", Status="passing", ServiceID="web")) == {}
        created = ask("Session.Apply", Op="create", Session=make("Session", ID="ignored", Node="n", NodeChecks=["c"], TTL="20s"))
        assert len(created) == 36 and ask("Session.Renew", SessionID=created)["Sessions"][0]["TTL"] == "20s"
        assert ask("KVS.Apply", Op="lock", DirEnt=make("DirEntry", Key="l" + ours.name, Session=created)) is True
        assert ask("Txn.Apply", Ops=[kv("set", "t", b"1"), kv("get", "t")])["Errors"] is None
        assert ask("Txn.Apply", Ops=[kv("check-not-exists", "t")])["Errors"] == [{"OpIndex": 0, "What": 'key "t" exists'}]
        assert ask("Txn.Read", Ops=[kv("get", "t")])["Results"][0]["KV"]["Value"] == "1"
        assert ask("Coordinate.Update", Node="n", Coord=make("SerfCoordinate", Vec=[0.0] * 8, Error=1.5, Height=1e-5)) == {}
        for method, fields in (("Catalog.ListNodes", {}), ("Catalog.ListServices", {}), ("Catalog.ServiceNodes", {"ServiceName": "web"}),
                               ("Catalog.ServiceList", {}), ("Catalog.NodeServices", {"Node": "n"}), ("Catalog.NodeServiceList", {"Node": "n"}),
                               ("Catalog.NodeServiceList", {"Node": "none"}), ("Health.ChecksInState", {"State": "any"}),
                               ("Health.NodeChecks", {"Node": "n"}),
                               ("Health.ServiceChecks", {"ServiceName": "web"}), ("Health.ServiceNodes", {"ServiceName": "web"}),
                               ("KVS.List", {"Key": ""}), ("KVS.ListKeys", {"Seperator": "/"}), ("Session.Get", {"Session": created}),
                               ("Session.List", {}),
                               ("Session.NodeSessions", {"Node": "n"}), ("Coordinate.ListNodes", {}), ("Coordinate.Node", {"Node": "n"}),
                               ("Internal.NodeInfo", {"Node": "n"}), ("Internal.NodeDump", {}), ("Internal.ServiceDump", {}),
                               ("Internal.EventFire", {"Name": "e", "AllowStale": True}), ("Operator.RaftGetConfiguration", {}),
                               ("Operator.AutopilotGetConfiguration", {}), ("Operator.ServerHealth", {})):
            reply = ask(method, **fields)
            least = 0 if method.startswith(("Operator", "Internal.E")) else 1
            assert reply.get("KnownLeader", True) is True and reply.get("Index", 1) >= least, (method, reply)
        client.call("Coordinate.ListDatacenters", {})
        assert client.call("Catalog.ListDatacenters", make("DatacentersRequest")) == ["dc1"]

        # What is asked is wrong.
        for method, body, error, open_after in (
                ("Nope.Nope", b"\x80", "rpc: can't find service Nope.Nope", False),
                ("Status.Nope", b"\x80", "rpc: can't find method Status.Nope", False),
                ("StatusPing", b"\x80", "rpc: service/method request ill-formed: StatusPing", False),
                ("KVS.Get", b"\xa1x", "codec.decoder: Only encoded map or array can be decoded into a struct. (valueType: 6)", False),
                ("KVS.Get", pack({"Datacenter": "dc9", "Unknown": [1, {"a": None}]}), "No path to datacenter", True)):
            stream = client.session.open()
            try:
                client.call(method, body, stream)
                raise AssertionError(f"{method} succeeds")
            except RPCError as found:
                assert str(found) == error, (method, str(found))
            if open_after:
                assert client.call("Status.Ping", {}, stream) == {}
            else:
                eventually(lambda: stream.remote_closed or stream.reset, f"the stream ends after {error}")
        client.close()

    client = Client(a.address, 8300, theirs.problem, source=theirs.address)
    session = client.session
    ping = pack({"Seq": 1, "ServiceMethod": "Status.Ping"}) + b"\x80"
    single = Client(a.address, 8300, theirs.problem, multiplexed=False, source=theirs.address)
    assert [single.call("Status.Ping", {}) for _ in range(3)] == [{}] * 3
    single.close()
    # Byte for byte; two questions at once; the end of our side before the answer; SYN with data; unknown streams; an abandoned question.
    stream = session.open()
    for byte in ping:
        stream.write(bytes([byte]))
    assert unpack(stream.read)["Seq"] == 1 and unpack(stream.read) == {}
    stream.write(ping + ping)
    assert [unpack(stream.read) for _ in range(4)][1::2] == [{}, {}]
    stream = session.open()
    stream.write(ping)
    stream.close()
    assert unpack(stream.read)["Seq"] == 1 and unpack(stream.read) == {}
    eventually(lambda: stream.remote_closed, "the server ends its side too")
    with session.lock:
        stream = session.streams[session.next] = Stream(session, session.next)
        session.next += 2
        session.send(DATA, SYN, stream.number, len(ping), ping)
    assert unpack(stream.read)["Seq"] == 1 and unpack(stream.read) == {}
    session.send(DATA, 0, 9999, 3, b"abc")
    session.send(WINDOW, 0, 9997, 3)
    blocking = make("KeyRequest", Datacenter="dc1", Key="w", MinQueryIndex=1 << 40, MaxQueryTime=20_000_000_000)
    stream = session.open()
    stream.write(pack({"Seq": 1, "ServiceMethod": "KVS.Get"}) + pack(blocking))
    session.send(WINDOW, RST, stream.number, 0)
    assert session.ping(7) and session.ping(0xFFFF_FFFF), "pings are answered"

    # More than a window each way, and a reader that waits holds up nobody else.
    value = os.urandom(1_500_000)
    assert client.call("KVS.Apply", make("KVSRequest", Datacenter="dc1", Op="set", DirEnt=make("DirEntry", Key="big", Value=value))) is False
    stream = session.open()
    stream.write(pack({"Seq": 1, "ServiceMethod": "KVS.Get"}) + pack(make("KeyRequest", Datacenter="dc1", Key="big")))
    eventually(lambda: len(stream.buffer) == 262_144, "exactly a window arrives unread")
    assert client.call("Status.Ping", {}) == {}
    unpack(stream.read)
    assert unpack(stream.read)["Entries"][0]["Value"] == value

    index = client.call("KVS.Get", make("KeyRequest", Datacenter="dc1", Key="w"))["Index"]
    streams = [session.open() for _ in range(200)]
    for number, stream in enumerate(streams):
        stream.write(pack({"Seq": number, "ServiceMethod": "KVS.Get"}) + pack({**blocking, "MinQueryIndex": index}))
    b.put("w", b"1")
    assert [(unpack(s.read)["Seq"], len(unpack(s.read)["Entries"])) for s in streams] == [(number, 1) for number in range(200)]
    for misdeed in (lambda y: y.send(WINDOW, SYN, 1, 0), lambda y: y.connection.sendall(b"\x01" + bytes(11)), lambda y: y.send(7, 0, 0, 0),
                    lambda y: y.send(DATA, 0, 1, 1 << 30)):
        other = Client(a.address, 8300, theirs.problem, source=theirs.address)
        other.session.open()
        misdeed(other.session)
        eventually(lambda: other.session.closed, "a session ends for a breach of the protocol")
    session.send(GOAWAY, 0, 0, 0)
    assert client.call("Status.Ping", {}) == {}, "who goes away may still ask on what is open"
    client.close()


def mislead(theirs, ours):
    """Bytes that make no sense, at the ports of Raft and of calls."""
    huge = make("InstallSnapshot", Term=1 << 40, Size=1 << 60, SnapshotVersion=1, ProtocolVersion=3)
    for mode, data in ((1, b"\x09\x80"), (1, b"\x00\xc1"), (1, b"\x00\x90"), (1, b"\x00\xdf\xff\xff\xff\xff"), (1, b"\x00" + pack({"Term": -1})),
                       (1, b"\x00" + pack({"Entries": 5})), (1, b"\x00\x81" + pack("Entries") + b"\xdd\x7f\xff\xff\xff"),
                       (1, b"\x00" + b"\x91" * 100_000),
                       (1, b"\x02" + pack(huge)), (1, b"\x02" + pack({**huge, "Size": -5})), (0, b"\xc1"), (0, b"\x81" * 100_000),
                       (0, b"\xdf\xff\xff\xff\xff"), (4, b"\xff" * 100), (5, b"\xc1" * 10), (2, b"\0"), (6, b"\0"), (8, b"\0"), (255, b"\0")):
        with socket.create_connection((ours.address, 8300), 10) as connection:
            connection.sendall(bytes([mode]) + data)
            connection.shutdown(socket.SHUT_WR)
            try:
                while connection.recv(65536):
                    pass
            except ConnectionError:
                pass
    assert ours.process.poll() is None and ours.request("GET", "/v1/kv/?keys&stale")[0] == 200


def among_servers():
    ours = [Ours(name, n, bootstrap_expect=3, retry_join=[f"{NETWORK}.{3 - n}"]) for name, n in (("a", 1), ("b", 2))]
    theirs, pool = Server(f"{NETWORK}.3", 8300), None
    try:
        pool = Pool(SERF, "theirs", theirs, 8301, expect=3, join=[ours[0].address])
        for part in (follow, lead):
            part(theirs, *ours)
        forwarded(theirs, ours[1])
        refused(theirs, ours[0])
        for part in (hand_over, call):
            part(theirs, *ours)
        mislead(theirs, ours[1])
        assert not theirs.problems, "\n".join(theirs.problems)
    finally:
        theirs.close()
        if pool:
            pool.stop()
        for agent in ours:
            agent.stop()


def alone():
    """Theirs is the only server: a client of ours has nobody else, and a server of ours begins with its snapshot."""
    theirs, agents = Server(f"{NETWORK}.13", 8300), []
    theirs.servers, theirs.term = [{"Address": theirs.name, "ID": theirs.identity, "Suffrage": 0}], 2
    with open(os.path.join(HERE, "../CoreTests/Vectors/snapshot-1.8.6-state.bin"), "rb") as f:
        theirs.become(f.read(), 47)
    assert theirs.campaign()
    pool = Pool(SERF, "theirs", theirs, 8301)
    try:
        service = {"name": "web", "port": 80, "tags": ["v1"], "check": {"ttl": "30s"}}
        client = Ours("c", 11, server=False, retry_join=[theirs.address], services=[service])
        agents.append(client)
        eventually(lambda: client.json("GET", "/v1/status/leader") == theirs.name, "the client finds its server")
        theirs.wait_for(lambda: any(m == "Catalog.Register" and b["Service"] for m, b in theirs.calls), "the service is registered")
        # The first sync asks the leader what the catalog says of checks that have not run yet; later ones take stale answers.
        first = next(body for method, body in theirs.calls if method == "Catalog.NodeServiceList")
        assert differing(first, "NodeSpecificRequest") == {"Datacenter": "dc1", "Node": "c"}, first
        register = next(b for m, b in theirs.calls if m == "Catalog.Register" and b["Service"])
        assert register["Check"]["CheckID"] == "service:web" and register["Checks"] is None, register
        forwarded(theirs, client)
        refused(theirs, client)
        assert expect_call(theirs, client, ("GET", "/v1/kv/x?stale&max_stale=1s"), "KVS.Get", {
            "AllowStale": True, "Datacenter": "dc1", "Key": "x", "MaxStaleDuration": 1_000_000_000})[1]["x-consul-knownleader"] == "true"
        expect_call(theirs, client, ("GET", "/v1/kv/x?dc=dc9"), "KVS.Get", {"Datacenter": "dc9", "Key": "x"})
        expect_call(theirs, client, ("GET", "/v1/catalog/datacenters"), "Catalog.ListDatacenters", {})

        server = Ours("s", 12, retry_join=[theirs.address])
        agents.append(server)
        identity = server.json("GET", "/v1/agent/self")["Config"]["NodeID"]
        theirs.append(CONFIGURATION, pack({"Servers": theirs.servers + [{"Address": server.raft, "ID": identity, "Suffrage": 1}]}))
        for work in (theirs.replicate, theirs.heartbeat):
            threading.Thread(target=work, args=(server.raft, theirs.epoch), daemon=True).start()
        eventually(lambda: server.json("GET", "/v1/kv/app/a?stale")[0]["Value"] == "aGVsbG8=", "the snapshot of theirs is there")
        assert server.json("GET", "/v1/kv/empty?stale")[0]["Value"] is None
        theirs.append(CONFIGURATION, pack({"Servers": [{**s, "Suffrage": 0} for s in theirs.servers]}))
        server.put("both", b"1")
        dial = Client(server.address, 8300, theirs.problem, source=theirs.address)
        stats = dial.call("Status.RaftStats", {})
        assert stats["LastTerm"] == theirs.term and stats["LastContact"].endswith(("ms", "µs", "s")) and stats["LastContact"] != "never", stats
        server.kill()
        server.start()
        eventually(lambda: server.json("GET", "/v1/kv/both?stale")[0]["Value"] == "MQ==", "all is there after a restart")
        base = dict(Configuration=pack({"Servers": theirs.servers}), ConfigurationIndex=1, LastLogIndex=10_000, LastLogTerm=theirs.term,
                    Leader=theirs.name, Peers=pack([theirs.name]), ProtocolVersion=3, SnapshotVersion=1, Term=theirs.term)
        for fields, body, error in (({"ProtocolVersion": 1}, b"abc", "operation not supported with current protocol version"),
                                    ({"SnapshotVersion": 7}, b"abc", "unsupported snapshot version 7"),
                                    ({}, b"\xff" * 50, "failed to restore snapshot: ")):
            try:
                theirs.ask(server.raft, 2, make("InstallSnapshot", **{**base, "Size": len(body), **fields}), body)
                raise AssertionError(f"a snapshot is taken that should not be: {fields}")
            except RPCError as found:
                assert str(found).startswith(error), found
        assert theirs.ask(server.raft, 2, make("InstallSnapshot", **{**base, "Size": 3, "Term": 1}), b"abc")["Success"] is False
        assert server.json("GET", "/v1/kv/both?stale")[0]["Value"] == "MQ=="
        assert not theirs.problems, "\n".join(theirs.problems)
    finally:
        theirs.close()
        pool.stop()
        for agent in agents:
            agent.stop()


def obeyed():
    """A server of ours does what two leaders tell it, one after the other: appends, conflicts, votes, snapshots, a full pipeline."""
    theirs, other = Server(f"{NETWORK}.23", 8300), f"{NETWORK}.24:8300"
    ours = Ours("o", 21, performance={"raft_multiplier": 10})
    try:
        identity = ours.json("GET", "/v1/agent/self")["Config"]["NodeID"]
        me, us = ({"Address": address, "ID": name, "Suffrage": suffrage} for address, name, suffrage in (
            (theirs.name, theirs.identity, 0), (ours.raft, identity, 1)))
        them = {"Address": other, "ID": "22222222-2222-2222-2222-222222222222", "Suffrage": 0}

        def entry(index, term, kind=0, data=None):
            return {"Data": data, "Extensions": None, "Index": index, "Term": term, "Type": kind}

        def write(key):
            return b"\x02" + pack(make("KVSRequest", Op="set", DirEnt=make("DirEntry", Key=key, Value=b"1")))

        def append(term, previous, previous_term, entries, commit, leader=theirs.name):
            reply = theirs.ask(ours.raft, 0, make("AppendEntries", Entries=entries, Leader=leader, LeaderCommitIndex=commit, PrevLogEntry=previous,
                                                  PrevLogTerm=previous_term, ProtocolVersion=3, Term=term))
            return reply["Success"], reply["LastLog"], reply["NoRetryBackoff"], reply["Term"]

        def vote(**fields):
            reply = theirs.ask(ours.raft, 1, make("RequestVote", **{**dict(Candidate=theirs.name, LastLogIndex=100, LastLogTerm=100, Term=20,
                                                                           ProtocolVersion=3, LeadershipTransfer=True), **fields}))
            return reply["Granted"], reply["Term"]

        def members():
            return {s["Address"] for s in ours.json("GET", "/v1/operator/raft/configuration?stale")["Servers"]}

        assert append(5, 0, 0, None, 0) == (True, 0, False, 5)
        assert append(5, 10, 5, [entry(11, 5)], 0) == (False, 0, True, 5)
        first = [entry(1, 1, CONFIGURATION, pack({"Servers": [me, us, them]})), entry(2, 5, NOOP), entry(3, 5, 0, write("a"))]
        assert append(5, 0, 0, first, 0) == (True, 0, False, 5)
        assert append(5, 0, 0, first, 3) == (True, 3, False, 5)
        assert append(5, 3, 5, [entry(4, 5, CONFIGURATION, pack({"Servers": [me, us]})), entry(5, 5, 0, write("lost"))], 3) == (True, 3, False, 5)
        assert members() == {theirs.name, ours.raft}, "a configuration counts before it is committed"
        assert append(4, 5, 5, [entry(6, 4)], 5) == (False, 5, False, 5)
        assert append(6, 3, 5, [entry(4, 6, NOOP), entry(5, 6, 0, write("kept"))], 3, other) == (True, 5, False, 6)
        assert members() == {theirs.name, ours.raft, other}, "and no longer once it is replaced"
        assert append(6, 5, 5, [entry(6, 6)], 5, other) == (False, 5, True, 6)
        assert append(6, 3, 5, [entry(4, 6, NOOP)], 5, other) == (True, 5, False, 6)
        assert append(6, 5, 6, [], 100, other) == (True, 5, False, 6)
        assert [ours.request("GET", f"/v1/kv/{key}?stale")[0] for key in ("a", "kept", "lost")] == [200, 200, 404]

        assert vote() == vote() == (True, 20) and vote(Candidate=other) == (False, 20)
        ours.kill()
        ours.start()
        assert vote(Candidate=other) == (False, 20) and vote() == (True, 20), "a vote outlives its voter"
        assert vote(Term=21, LastLogIndex=1, LastLogTerm=6) == (False, 21) and vote(Term=22, LastLogIndex=5, LastLogTerm=6) == (True, 22)
        assert vote(Term=23, LastLogIndex=500, LastLogTerm=5) == (False, 23) and vote(Term=1) == (False, 23)

        assert append(30, 5, 6, [entry(6, 30, 2, pack([theirs.name, ours.raft]))], 6) == (True, 5, False, 30)
        assert members() == {theirs.name, ours.raft}, "a set of peers as old servers write it"
        with open(os.path.join(HERE, "../CoreTests/Vectors/snapshot-1.8.6-state.bin"), "rb") as f:
            state = f.read()
        install = make("InstallSnapshot", Configuration=pack({"Servers": [me, us, them]}), ConfigurationIndex=7, LastLogIndex=120, LastLogTerm=30,
                       Leader=theirs.name, Peers=pack([theirs.name, other]), ProtocolVersion=3, SnapshotVersion=1, Term=30, Size=len(state))
        connection = theirs.dial(ours.raft)
        connection.sendall(b"\x02" + pack(install) + state[:5000])
        connection.close()
        connection = theirs.dial(ours.raft)
        for at in range(0, len(state), 1500):
            connection.sendall((b"" if at else b"\x02" + pack(install)) + state[at:at + 1500])
            time.sleep(0.005)
        assert theirs.reply(connection, 2)["Success"] and members() == {theirs.name, ours.raft, other}
        connection.sendall(b"".join(b"\x00" + pack(make("AppendEntries", Entries=[entry(n, 30, 0, write(f"p/{n}"))], Leader=theirs.name, Term=30,
                                                        LeaderCommitIndex=n, PrevLogEntry=n - 1, PrevLogTerm=30, ProtocolVersion=3))
                                    for n in range(121, 249)))
        replies = [theirs.reply(connection, 0) for _ in range(128)]
        assert [reply["LastLog"] for reply in replies] == list(range(120, 248)) and all(reply["Success"] for reply in replies)
        assert len(ours.json("GET", "/v1/kv/p/?keys&stale")) == 128 and ours.request("GET", "/v1/kv/kept?stale")[0] == 404
        assert not theirs.problems, "\n".join(theirs.problems)
    finally:
        theirs.close()
        ours.stop()


def joined():
    """Theirs joins a leader of ours: it is added without a vote, gets one once it was healthy for a while, and is removed when it leaves."""
    ours = Ours("j", 31, bootstrap_expect=1, autopilot={"server_stabilization_time": "1s"})
    theirs, pool = Server(f"{NETWORK}.33", 8300), None
    try:
        eventually(lambda: ours.request("PUT", "/v1/kv/x", b"1")[0] == 200, "ours leads")
        pool = Pool(SERF, "theirs", theirs, 8301, join=[ours.address])
        theirs.wait_for(lambda: [s["Suffrage"] for s in theirs.servers if s["ID"] == theirs.identity] == [1], "theirs is added")
        theirs.wait_for(lambda: [s["Suffrage"] for s in theirs.servers if s["ID"] == theirs.identity] == [0], "theirs is promoted", 40)
        assert any(method == "Status.RaftStats" for method, _ in theirs.calls)
        ours.put("both", b"1")
        theirs.wait_for(lambda: "both" in theirs.state, "theirs has it")
        assert pool.command("leave") is not None
        eventually(lambda: len(ours.json("GET", "/v1/operator/raft/configuration")["Servers"]) == 1, "theirs is removed")
        ours.put("alone", b"1")
        assert not theirs.problems, "\n".join(theirs.problems)
    finally:
        theirs.close()
        if pool:
            pool.stop()
        ours.stop()


def deserted():
    """A leader of ours whose only follower falls silent steps down, and goes on answering those who are content with what it has."""
    ours = Ours("d", 41, bootstrap_expect=2)
    theirs, pool = Server(f"{NETWORK}.43", 8300), None
    try:
        pool = Pool(SERF, "theirs", theirs, 8301, expect=2, join=[ours.address])
        eventually(lambda: ours.request("PUT", "/v1/kv/x", b"1")[0] == 200, "ours leads")
        theirs.fall_silent()
        eventually(lambda: ours.json("GET", "/v1/status/leader") == "", "ours steps down")
        answer = ours.request("GET", "/v1/kv/x?stale")
        assert answer[0] == 200 and answer[1]["x-consul-knownleader"] == "false", answer
        stats = Client(ours.address, 8300, theirs.problem, source=theirs.address).call("Status.RaftStats", {})
        assert stats["LastContact"] != "never", stats
    finally:
        theirs.close()
        if pool:
            pool.stop()
        ours.stop()


def second_version():
    """With version 2 of the Raft protocol servers are known by their addresses: one of ours stands under its own."""
    theirs, pool = Server(f"{NETWORK}.53", 8300), None
    ours = Ours("v", 51, raft_protocol=2)
    try:
        theirs.servers, theirs.term = [{"Address": theirs.name, "ID": theirs.name, "Suffrage": 0}], 2
        assert theirs.campaign()
        pool = Pool(SERF, "theirs", theirs, 8301, join=[ours.address], raft_vsn="2")
        theirs.append(CONFIGURATION, pack({"Servers": theirs.servers + [{"Address": ours.raft, "ID": ours.raft, "Suffrage": 0}]}))
        for work in (theirs.replicate, theirs.heartbeat):
            threading.Thread(target=work, args=(ours.raft, theirs.epoch), daemon=True).start()
        theirs.wait_for(lambda: theirs.commit == theirs.last()[0], "ours acknowledges")
        assert theirs.ask(ours.raft, 3, make("TimeoutNow", ProtocolVersion=2)) == {"ProtocolVersion": 0}
        theirs.wait_for(lambda: theirs.leader == ours.raft, "ours takes over", 10)
    finally:
        theirs.close()
        if pool:
            pool.stop()
        ours.stop()


def with_serf(part):
    if not os.path.exists(SERF):
        raise Skipped("no serf on this machine: run Tools/install-dependencies tests")
    part()


TESTS = {
    "a foreign server among ours follows, leads and hands over": lambda: with_serf(among_servers),
    "a foreign server has our client and our new server": lambda: with_serf(alone),
    "our server does what foreign leaders tell it": lambda: with_serf(obeyed),
    "a foreign server joins our leader and leaves": lambda: with_serf(joined),
    "our leader steps down when its foreign follower is silent": lambda: with_serf(deserted),
    "version 2 of the raft protocol": lambda: with_serf(second_version),
}
