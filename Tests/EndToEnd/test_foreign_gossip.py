"""A member written from the protocol alone (foreign_gossip.py) in the pools of our agents: what they send must be what the reference
would have sent, byte by byte, and whatever the reference sends must be understood."""
import base64, json, os, random, socket, struct, subprocess, threading, time, zlib

from agent import CONSUL, Agent, free_port
from agent import eventually as agent_eventually
from foreign_gossip import *

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../CoreTests/Vectors/gossip.json")
LOCAL = bytes([127, 0, 0, 1])
KEYS = [bytes([n]) * 32 for n in (1, 2, 3)]
DEFAULT_TAGS = ("acls", "build", "dc", "id", "role", "segment", "vsn", "vsn_max", "vsn_min")
peers = []


class Client(Agent):
    def start(self):
        self.log = open(self.log_path, "ab")
        arguments = [CONSUL, "agent", "-config-file", self.config, "-data-dir", self.data]
        self.process = subprocess.Popen(arguments, stdout=self.log, stderr=self.log)
        eventually(self.answers, "the client starts")
        return self

    def answers(self):
        try:
            return self.request("GET", "/v1/agent/self")[0] == 200
        except OSError:
            return False


def peer(*arguments, **options):
    peers.append(Peer(*arguments, **options))
    return peers[-1]


def eventually(condition, what, seconds=15):
    return agent_eventually(condition, what, seconds, pause=0.02)


def heard(condition, what, *by):
    """Gossip chooses at random whom it tells: one of them got it."""
    eventually(lambda: any(who.all(condition) for who in by), what)


def address(agent):
    return "127.0.0.1", agent.serf_port


def members(agent):
    return {member["Name"]: member for member in agent.json("GET", "/v1/agent/members")}


def status(agent, name):
    return members(agent).get(name, {}).get("Status")


def text(key):
    return base64.b64encode(key).decode()


def node_state(name, state=STATE_ALIVE, incarnation=1, ip=LOCAL, port=9):
    identity = "%08x-0000-1111-2222-333333333333" % zlib.crc32(name.encode())
    return {"Name": name, "Addr": ip, "Port": port, "Meta": meta(client_tags(identity)), "Incarnation": incarnation, "State": state, "Vsn": VSN}


def serf_state(**changes):
    return bytes([STATE]) + encode({"LTime": 1, "StatusLTimes": {}, "LeftMembers": [], "EventLTime": 1, "Events": [None] * 512,
                                    "QueryLTime": 1, **changes})


def consul_event(name, **fields):
    return encode({"ID": "b54fe110-7af5-cafc-d1fb-afc8ba432b1c", "n": name, "v": 1, **fields}, new=True)


def reader():
    """What the peer takes for the reference's must hold for what the reference was recorded to send."""
    with open(VECTORS) as file:
        vectors = {vector["name"]: vector for vector in json.load(file)}
    checked_ones = 0
    for name, vector in vectors.items():
        if not name.startswith("captured_"):
            continue
        recorded = Peer("recorded", keys=[base64.b64decode(vector["key_base64"])] if "key_base64" in vector else [], start=False)
        recorded.react = lambda *_: None
        data = bytes.fromhex(vector["hex"])
        if "stream" in name or "tcp" in name:
            assert recorded.read_stream(data)[0] in (PING, ACK, PUSH_PULL, ERROR)
        else:
            recorded.read_packet(data, None)
        recorded.close()
        checked_ones += 1
    assert checked_ones == 20, checked_ones
    for name in ("ping", "ping_minimal", "ping_large_seq", "indirect_ping", "ack_with_coordinate", "ack_no_payload", "nack", "suspect", "dead",
                 "alive_server", "err"):
        data = bytes.fromhex(vectors[name]["hex"])
        assert message(data[0], **whole(FIELDS[data[0]], data, 1)) == data, name
    number, plain = 1, bytearray()
    for _ in range(20000):
        number = number * 1103515245 + 12345 & 0xffffffff
        plain.append(number >> 16 & 255)
    table = vectors["lzw_table_reset"]["decoded"]
    assert f"{zlib.crc32(pack(bytes(plain))):08x}" == table["compressed_crc32"] and unpack(pack(bytes(plain))) == plain


def acquaintance(agent, to):
    """Joins both ways, tags, pings of all kinds."""
    one, two = peer("one"), peer("two")
    answer = one.join(to)
    [own] = answer["nodes"]
    tags = tags_of(own["Meta"])
    assert set(tags) == {*DEFAULT_TAGS, "bootstrap", "ft_fs", "port", "raft_vsn", "wan_join_port"}, tags
    expected = {"role": "consul", "bootstrap": "1", "vsn": "2", "vsn_min": "2", "vsn_max": "3", "raft_vsn": "3", "ft_fs": "1", "acls": "0",
                "dc": "dc1", "segment": "", "port": str(agent.server_port), "wan_join_port": str(agent.wan_port)}
    assert expected.items() <= tags.items() and tags["build"].startswith("1.8.6:") and len(tags["build"]) == 14, tags
    assert (own["Addr"], own["Port"], own["Vsn"], own["Incarnation"], own["State"]) == (LOCAL, agent.serf_port, VSN, 1, STATE_ALIVE)
    assert answer["state"]["StatusLTimes"] == {"n1": 0} and answer["state"]["LeftMembers"] == []
    assert answer["state"]["Events"][1] == {"LTime": 1, "Events": [{"Name": "consul:new-leader", "Payload": b"n1"}]}, "the first leader"
    assert agent.request("PUT", f"/v1/agent/join/127.0.0.1:{two.port}")[0] == 200
    asked = two.wait(lambda r: r.kind == PUSH_PULL)
    assert asked.fields["header"]["Join"] and {n["Name"] for n in asked.fields["nodes"]} == {"n1", "one"}
    assert two.wait(lambda r: r.serf == JOIN and r.fields["Node"] == "n1"), "our intent to join"
    seen = members(agent)["one"]
    assert seen["Tags"] == tags_of(one.meta) and (seen["Status"], seen["Port"]) == (1, one.port), seen
    assert [seen[kind + end] for kind in ("Protocol", "Delegate") for end in ("Min", "Max", "Cur")] == list(VSN)
    eventually(lambda: status(agent, "two") == 1, "both are members")
    assert two.wait(lambda r: r.serf == JOIN and r.fields["Node"] == "one"), "an intent is passed on"

    # Pings for us, for others and in forms of others; over streams; through us.
    assert one.ping(to, "n1").fields["Payload"][0] == 1 and one.ping(to, "") and not one.ping(to, "n2", 0.5)
    number = two.next()
    two.send(to, message(PING, SeqNo=number, Node="n1", **one.origin()))
    assert one.wait(lambda r: r.kind == ACK and r.fields["SeqNo"] == number), "an ack goes to where the ping says"
    assert one.read_stream(one.exchange(to, one.wrapped(message(PING, SeqNo=9, Node="n1")))) == (ACK, {"SeqNo": 9, "Payload": None})
    assert one.exchange(to, one.wrapped(message(PING, SeqNo=9, Node="n2"))) == b""
    target = {"Target": LOCAL, "Port": two.port, "Node": "two", **one.origin()}
    one.send(to, message(INDIRECT, SeqNo=5001, Nack=True, **target))
    assert one.wait(lambda r: r.kind == ACK and r.fields == {"SeqNo": 5001, "Payload": None}), "an indirect ping"
    two.acks_pings = False
    start = time.time()
    one.send(to, message(INDIRECT, SeqNo=5002, Nack=True, **target))
    one.send(to, message(INDIRECT, SeqNo=5003, Nack=False, **target))
    nack = one.wait(lambda r: r.kind == NACK and r.fields["SeqNo"] == 5002)
    two.acks_pings = True
    assert nack and 0.4 < nack.time - start, "a nack after the probe timeout"
    assert not one.wait(lambda r: r.kind in (ACK, NACK) and r.fields["SeqNo"] == 5003, 0.3), "no nack for those who do not know them"

    # Accusations and lies about us; news of others.
    for say in (lambda n: message(SUSPECT, Incarnation=n, Node="n1", From="one"), lambda n: message(DEAD, Incarnation=n, Node="n1", From="one"),
                lambda n: message(DEAD, Incarnation=n, Node="n1", From="n1"),
                lambda n: message(ALIVE, Incarnation=n, Node="n1", Addr=LOCAL, Port=to[1], Meta=meta({"role": "x"}), Vsn=VSN)):
        now = max(r.fields["Incarnation"] for r in one.all(lambda r: r.kind == ALIVE and r.fields["Node"] == "n1"))
        one.send(to, say(now + 3), crc=True)
        refuted = one.wait(lambda r: r.kind == ALIVE and r.fields["Node"] == "n1" and r.fields["Incarnation"] > now + 3)
        assert refuted.fields["Incarnation"] == now + 4 and tags_of(refuted.fields["Meta"]) == tags, refuted
    for state in range(4):
        claimed = now + 10 * (state + 1)
        one.exchange(to, one.wrapped(one.push_pull(False, [*one.nodes()[:1], node_state("n1", state, claimed, port=to[1])])))
        assert one.wait(lambda r: r.kind == ALIVE and r.fields["Node"] == "n1" and r.fields["Incarnation"] == claimed + 1), state
    one.incarnation += 1
    one.meta = meta(client_tags(one.identity, color="blue"))
    one.send(to, one.own_alive(), crc=True)
    eventually(lambda: members(agent)["one"]["Tags"].get("color") == "blue", "a tag changes")
    claimed = one.time + 100
    one.send(to, serf(LEAVE, LTime=claimed, Node="n1", Prune=False), crc=True)
    assert one.wait(lambda r: r.serf == JOIN and r.fields["Node"] == "n1" and r.fields["LTime"] > claimed), "we are not leaving"
    assert not one.all(lambda r: r.serf == LEAVE and r.fields["Node"] == "n1"), "what we refute is not passed on"
    return one, two


def conversation(agent, to, one, two):
    """Events, queries, coordinates."""
    def listed():
        return [(e["Name"], e["LTime"]) for e in agent.json("GET", "/v1/event/list")]

    first = one.fire(to, "consul:event:deploy", consul_event("deploy", p=b"1.2.3", nf="^n"))
    one.fire(to, "consul:event:deploy", consul_event("deploy", p=b"1.2.3", nf="^n"), first)
    one.fire(to, "consul:event:other", consul_event("other"), first)
    one.fire(to, "consul:event:elsewhere", consul_event("elsewhere", nf="^x"))
    one.fire(to, "foreign", b"bytes")
    eventually(lambda: listed() == [("deploy", first), ("other", first)], "each event once")
    assert two.wait(lambda r: r.serf == EVENT and r.fields["Name"] == "foreign"), "events are passed on"
    inner = bytes([EVENT]) + encode({"LTime": first + 9, "Name": "consul:event:stream", "Payload": consul_event("stream"), "CC": True})
    one.exchange(to, one.wrapped(bytes([USER]) + encode({"UserMsgLen": len(inner)}) + inner))
    eventually(lambda: ("stream", first + 9) in listed(), "a user message of a stream")
    one.exchange(to, one.wrapped(one.push_pull(False, state=serf_state(
        EventLTime=first + 20, Events=[None, {"LTime": first + 10, "Events": [{"Name": "consul:event:told", "Payload": consul_event("told")}]}]))))
    eventually(lambda: ("told", first + 10) in listed(), "an event of a state, at any place")
    assert agent.cli("event", "-name", "ours", "-node", "n.*", "-service", "web", "-tag", "v1", "payload")[0] == 0
    event = one.wait(lambda r: r.serf == EVENT and r.fields["Name"] == "consul:event:ours").fields
    assert not event["CC"] and event["event"].items() >= {"n": "ours", "nf": "n.*", "sf": "web", "tf": "v1", "p": b"payload", "v": 1}.items()
    assert event["LTime"] == first + 20, "the clock followed the state"

    # Queries and their filters; internal ones; relays.
    by_role = lambda role: bytes([1]) + encode({"Tag": "role", "Expr": role})
    by_name = lambda *names: bytes([0]) + encode(list(names))
    wanted = {one.query(to, "_serf_ping", filters=filters, flags=3): right for filters, right in (
        (None, True), ([], True), ([by_name("n1", "x")], True), ([by_role("^con")], True), ([by_name("n1"), by_role("sul$")], True),
        ([by_name("one")], False), ([by_role("node")], False), ([by_name("n1"), by_role("^x")], False), ([by_role("(")], False), ([b""], False),
        ([b"\x02"], False), ([b"\x00\xff"], False))}
    last = one.query(to, "_serf_ping", flags=1)
    assert one.answer(last, 1) == {"LTime": one.query_time - 1, "ID": last, "From": "n1", "Flags": 1, "Payload": None}
    assert two.wait(lambda r: r.serf == QUERY and r.fields["ID"] == last), "queries are passed on"
    assert not two.all(lambda r: r.serf == QUERY and r.fields["ID"] in wanted), "unless they say not to"
    acks = [r.fields["ID"] for r in one.all(lambda r: r.serf == RESPONSE)]
    assert sorted(acks) == sorted([last, *(number for number, right in wanted.items() if right)])
    kind, known = one.ask(to, "_serf_conflict", b"two")
    assert kind == CONFLICT and known["Port"] == two.port and known["Status"] == 1 and known["Tags"] == tags_of(two.meta)
    assert one.ask(to, "_serf_conflict", b"nobody") == (CONFLICT, None)
    assert one.answer(one.query(to, "_serf_conflict", b"n1"), seconds=0.5) is None
    nothing = {"Keys": None, "Message": "No keyring to modify (encryption not enabled)", "PrimaryKey": "", "Result": False}
    request = bytes([KEY_REQUEST]) + encode({"Key": KEYS[0]})
    for name in ("install", "use", "remove"):
        assert one.ask(to, f"_serf_{name}-key", request) == (KEY_RESPONSE, nothing)
    assert one.ask(to, "_serf_list-keys", request)[1]["Message"] == "Keyring is empty (encryption not enabled)"
    assert one.ask(to, "_serf_install-key", bytes([KEY_REQUEST, 0xff]), flags=2)[1] == {**nothing, "Message": ""}
    relayed = one.query(to, "_serf_ping", flags=1, relay=2)
    assert one.answer(relayed, 1)
    heard(lambda r: r.serf == RELAY and r.fields["inner"][0]["ID"] == relayed, "a relayed ack", one, two)
    inner = bytes([RESPONSE]) + encode({"LTime": 1, "ID": 4242, "From": "x", "Flags": 0, "Payload": b"pong"})
    two.send(to, bytes([USER, RELAY]) + encode({"DestAddr": {"IP": LOCAL, "Port": one.port, "Zone": ""}, "DestName": "one"}) + inner)
    assert one.answer(4242), "we relay"

    # Our coordinate follows those of others; what is no coordinate does not matter.
    where = lambda: whole(COORDINATE, one.ping(to, "n1").fields["Payload"], 1)
    before = where()
    one.coordinate = two.coordinate = coordinate((0.05,) + (0.0,) * 7, 0.3, 0.0, 0.002)
    eventually(lambda: where()["Vec"] != before["Vec"], "our coordinate moves")
    one.coordinate, two.coordinate = {"Vec": [float("nan")] * 8, "Error": 1.5, "Adjustment": 0.0, "Height": 1e-5}, coordinate((0.0,) * 3)


def forms(agent, to, one):
    """What need not be as the reference writes it is read all the same, and nothing that is broken does any harm."""
    node, sequence = encode("Node") + encode("n1"), encode("SeqNo")
    ping = lambda number: message(PING, SeqNo=number, Node="n1")
    good = [
        lambda n: b"\x00\x92" + encode(n) + encode("n1"),
        lambda n: b"\x00\x97" + b"".join(map(encode, (n, "n1", LOCAL, one.port, "one", "more", {"x": [1]}))),
        lambda n: b"\x00\x91" + encode(n),
        lambda n: b"\x00" + encode({"Node": "n1", "SeqNo": n, "Zzz": [1, {"a": b"b" * 40}, None, 1.5, True]}),
        lambda n: b"\x00\x82" + sequence + b"\xcf" + struct.pack(">Q", n) + node,
        lambda n: b"\x00\xde\0\2" + b"\xd9\x05SeqNo" + b"\xd2" + struct.pack(">i", n) + encode("Node") + b"\xdb\0\0\0\x02n1",
        lambda n: b"\x00\x84" + sequence + encode(n) + node + encode("SourceAddr") + b"\xc4\x04" + LOCAL + encode("SourcePort") + encode(one.port),
        lambda n: b"\x00" + encode({"Node": None, "SeqNo": n, "SourceAddr": None, "SourcePort": None, "SourceNode": None}),
        lambda n: ping(n) + b"\xc1\xff",
        lambda n: message(PING, SeqNo=n, Node="n1", SourceAddr=b"\0" * 10 + b"\xff\xff" + LOCAL, SourcePort=one.port, SourceNode="one"),
        lambda n: checked(compress(ping(n))),
        lambda n: compound([compound([b"\x0b\x80", compress(ping(n))]), b"\x0b\x80"]),
        lambda n: compound([b"\x0b\x80"] * 126 + [ping(n)]),
        lambda n: compound([ping(n), ping(n)])[:-1],
    ]
    bad = [
        lambda n: b"\x0c\0\0\0\0" + ping(n), lambda n: compound([checked(ping(n)), b"\x0b\x80"]), lambda n: compress(checked(ping(n))),
        lambda n: b"\x09" + encode({"Algo": 1, "Buf": pack(ping(n))}), lambda n: b"\x09" + encode({"Algo": 0, "Buf": pack(ping(n))[:-2]}),
        lambda n: b"\x00" + encode({"SeqNo": (1 << 32) + n, "Node": "n1"}), lambda n: b"\xf4" + ping(n), lambda n: encrypt(KEYS[0], ping(n)),
        lambda n: compound([b"", b""]), lambda n: b"\x07\x00", lambda n: b"", lambda n: compress(b""), lambda n: b"\x07\xff" + ping(n),
    ]
    for n, form in enumerate(good):
        one.send_raw(to, form(7000 + n))
    for n, form in enumerate(bad):
        one.send_raw(to, form(8000 + n))
    for kind in range(256):
        for rest in (b"", b"\x80", b"\xc0", b"\xff" * 20, b"\xdf\xff\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff", b"\x91" * 3000):
            one.send_raw(to, bytes([kind]) + rest)
            if kind < 12 and kind not in (LEAVE, JOIN, EVENT, QUERY, RELAY):
                one.send_raw(to, bytes([USER, kind]) + rest)
    chance = random.Random(1)
    for n in range(2000):
        damaged = bytearray(chance.choice((one.own_alive(Node="one"), message(SUSPECT, Incarnation=0, Node="one", From="two"), ping(9000))))
        damaged[chance.randrange(1, len(damaged))] = chance.randrange(256)
        one.send_raw(to, bytes(damaged[:chance.randrange(1, len(damaged))]))
    for data in (b"\x63", b"\x09\xff", b"\x06\xff", b"\x06" + encode({"Nodes": 1 << 40, "UserStateLen": 1 << 40, "Join": True}), compress(b""),
                 compress(compress(ping(1))), message(ACK, SeqNo=1, Payload=None), b"\x08" + encode({"UserMsgLen": 1 << 40}), b""):
        with socket.create_connection(to, 5) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65536)
            assert not answer or one.read_stream(answer)[0] == ERROR, (data, answer)
    assert one.ping(to, "n1"), "nothing harmed us"
    answered = {r.fields["SeqNo"] for r in one.all(lambda r: r.kind == ACK)}
    assert not [n for n in range(len(good)) if 7000 + n not in answered] and not [n for n in range(len(bad)) if 8000 + n in answered]

    # A stream in small pieces, uncompressed.
    with socket.create_connection(to, 5) as connection:
        for byte in one.push_pull(False):
            connection.sendall(bytes([byte]))
        answer = b""
        while part := connection.recv(65536):
            answer += part
    assert one.read_stream(answer)[0] == PUSH_PULL


def refusals(agent, to):
    """Who must not come in is told why, whichever side asks."""
    own = agent.json("GET", "/v1/agent/self")["Config"]["NodeID"]
    cases = [
        (peer("client2", tags=client_tags("a" * 8, dc="dc2")), "Member 'client2' part of wrong datacenter 'dc2'"),
        (peer("server2", tags=server_tags("b" * 8, 8300, dc="dc2")), "Member 'server2' part of wrong datacenter 'dc2'"),
        (peer("segment", tags=client_tags("c" * 8, segment="alpha")), "Member 'segment' part of wrong segment 'alpha' (expected '')"),
        (peer("twin", tags=client_tags(own)), f"Member 'twin' has conflicting node ID '{own}' with this agent's ID"),
        (peer("future", vsn=bytes([3, 5, 3, 2, 5, 4])), " protocol version (2) is incompatible: [3, 5]"),
        (peer("delegate", vsn=bytes([1, 5, 2, 5, 5, 5])), " delegate protocol version (4) is incompatible: [5, 5]"),
        (peer("past", vsn=bytes([1, 1, 1, 2, 5, 4])), " protocol version (2) is incompatible: [1, 1]"),
        (peer("none", vsn=bytes([1, 5, 2])), "Node 'none' "),
    ]
    for who, why in cases:
        code, _, body = agent.request("PUT", f"/v1/agent/join/127.0.0.1:{who.port}")
        body = body.decode()
        assert code == 500 and body.startswith("1 error occurred:\n\t* Failed to join 127.0.0.1: ") and why in body and body.endswith("\n\n"), body
        answer = who.exchange(to, who.wrapped(who.push_pull(True, nodes=who.nodes()[:1])))
        assert who.read_stream(answer)[0] == PUSH_PULL, "the state is sent before the other's is judged"
        eventually(lambda: why in agent.logs().split("Failed push/pull merge: ", 1)[-1], why)
        if why.startswith("Member"):
            who.send(to, who.own_alive(), crc=True)
            eventually(lambda: f"ignoring alive message for '{who.name}': {why}" in agent.logs(), why)
    same = [node_state("a"), {**node_state("b"), "Meta": node_state("a")["Meta"]}]
    one = cases[0][0]
    one.exchange(to, one.wrapped(one.push_pull(True, nodes=same)))
    eventually(lambda: "Member 'b' has conflicting node ID '" in agent.logs() and "' with member 'a'" in agent.logs(), "two of one ID")
    assert set(members(agent)) == {"n1", "one", "two"}
    for who, _ in cases:
        who.close()
    port = free_port()
    assert agent.request("PUT", f"/v1/agent/join/127.0.0.1:{port}")[2].decode() == \
        f"1 error occurred:\n\t* Failed to join 127.0.0.1: dial tcp 127.0.0.1:{port}: connect: connection refused\n\n"


def departures(agent, to, one, two):
    """Leaving, failing, coming back, being told to have left."""
    three = peer("three")
    three.join(to)
    eventually(lambda: status(agent, "three") == 1, "a third")
    three.refutes = False
    three.send(to, serf(LEAVE, LTime=three.time, Node="three", Prune=False), crc=True)
    eventually(lambda: status(agent, "three") == 2, "leaving")
    assert one.wait(lambda r: r.serf == LEAVE and r.fields["Node"] == "three"), "passed on"
    three.send(to, message(DEAD, Incarnation=1, Node="three", From="three"), crc=True)
    eventually(lambda: status(agent, "three") == 3, "left")
    told = one.read_stream(one.exchange(to, one.wrapped(one.push_pull(False))))[1]
    assert {n["Name"]: n["State"] for n in told["nodes"]}["three"] == STATE_LEFT and told["state"]["LeftMembers"] == ["three"]
    three.close()
    # While old news of it are under way, they would bring back its old address.
    eventually(lambda: not one.news and not two.news, "the end of the news")
    time.sleep(1)
    three = peer("three", tags=client_tags(three.identity))
    three.join(to)
    eventually(lambda: status(agent, "three") == 1 and members(agent)["three"]["Port"] == three.port, "back at another address")
    impostor = peer("two", tags=client_tags("d" * 8))
    impostor.send(to, impostor.own_alive(Incarnation=99), crc=True)
    eventually(lambda: "Name conflict for 'two'" in agent.logs(), "a conflict")
    assert members(agent)["two"]["Port"] == two.port
    impostor.close()

    # What a state says of the dead is a suspicion, which can be refuted; a death without an intent is a failure.
    one.exchange(to, one.wrapped(one.push_pull(False, [node_state("three", STATE_DEAD, 1, port=three.port)])))
    suspected = {"Incarnation": 1, "Node": "three", "From": "n1"}
    heard(lambda r: r.kind == SUSPECT and r.fields == suspected, "a suspicion", one, two, three)
    assert one.wait(lambda r: r.kind == ALIVE and r.fields["Node"] == "three" and r.fields["Incarnation"] == 2), "refuted"
    three.refutes = False
    three.send(to, message(DEAD, Incarnation=2, Node="three", From="three"), crc=True)
    eventually(lambda: status(agent, "three") == 4, "failed")
    assert agent.cli("force-leave", "three")[0] == 0
    eventually(lambda: status(agent, "three") == 3, "forced")
    asked = one.wait(lambda r: r.serf == LEAVE and r.fields["Node"] == "three" and r.fields["LTime"] > told["state"]["StatusLTimes"]["three"])
    assert asked and not asked.fields["Prune"]
    assert agent.cli("force-leave", "-prune", "three")[0] == 0
    eventually(lambda: "three" not in members(agent), "pruned")
    assert one.wait(lambda r: r.serf == LEAVE and r.fields["Node"] == "three" and r.fields["Prune"])
    three.close()
    assert agent.cli("force-leave", "one")[0] == 0
    assert one.wait(lambda r: r.serf == LEAVE and r.fields["Node"] == "one")
    eventually(lambda: status(agent, "one") == 1, "who is alive says so")

    # Buffered intents of members that are not known yet.
    one.send(to, serf(LEAVE, LTime=one.time + 5, Node="early", Prune=False), crc=True)
    assert two.wait(lambda r: r.serf == LEAVE and r.fields["Node"] == "early"), "an intent of a stranger is passed on"
    early = peer("early")
    early.refutes = False
    early.join(to, intent=False)
    eventually(lambda: status(agent, "early") == 2, "leaving before it came")
    early.send(to, message(DEAD, Incarnation=1, Node="early", From="early"), crc=True)
    early.close()

    # Silence: pings, the help of another, suspicion, death; and life again.
    two.acks_pings = two.refutes = False
    ping = one.wait(lambda r: r.kind == INDIRECT and r.fields["Node"] == "two", 20).fields
    assert ping["Nack"] and (ping["Target"], ping["Port"]) == (LOCAL, two.port), ping
    suspicion = one.wait(lambda r: r.kind == SUSPECT and r.fields["Node"] == "two", 20)
    assert two.wait(lambda r: r.kind == PING and r.stream), "a last try by stream"
    for accuser in ("early", "three"):
        one.send(to, message(SUSPECT, Incarnation=suspicion.fields["Incarnation"], Node="two", From=accuser), crc=True)
    death = one.wait(lambda r: r.kind == DEAD and r.fields["Node"] == "two" and r.fields["From"] == "n1", 22)
    assert suspicion and death and 3.5 < death.time - suspicion.time < 20, "two who confirm it make a suspicion short"
    eventually(lambda: status(agent, "two") == 4, "failed")
    assert two.wait(lambda r: r.kind == DEAD and r.fields["Node"] == "two"), "the dead hear of it"
    two.acks_pings = two.refutes = True
    two.incarnation = death.fields["Incarnation"] + 1
    two.send(to, two.own_alive(), crc=True)
    eventually(lambda: status(agent, "two") == 1, "alive again")


def crowd(agent, to, one):
    """Several hundred members in a state, from us and to us; the packets of their news keep the limit."""
    many = [node_state(f"m{n}", ip=LOCAL, port=one.port) for n in range(400)]
    one.exchange(to, one.wrapped(one.push_pull(True, [*one.nodes()[:1], *many])))
    eventually(lambda: len(members(agent)) >= 403, "all of them")
    told = one.read_stream(one.exchange(to, one.wrapped(one.push_pull(False, one.nodes()[:1]))))[1]
    assert {node["Name"] for node in many} < {node["Name"] for node in told["nodes"]} and told["header"]["Nodes"] == len(told["nodes"])
    assert one.ping(to, "n1")
    assert one.wait(lambda r: r.kind == ALIVE and r.direct is None and r.fields["Node"].startswith("m")), "several in one packet"


def encryption():
    agent = Agent(config={"encrypt": text(KEYS[0])}).start()
    open_agent = Agent(config={"node_name": "open"}).start()
    try:
        to, open_to = address(agent), address(open_agent)
        one, plain, stranger = peer("one", keys=KEYS[:1]), peer("plain"), peer("stranger", keys=KEYS[1:2])
        one.join(to)
        eventually(lambda: status(agent, "one") == 1, "who has the key comes in")
        assert one.ping(to, "n1")
        old = one.next()
        one.send_raw(to, encrypt(KEYS[0], message(PING, SeqNo=old, Node="n1", **one.origin()), version=0))
        assert one.wait(lambda r: r.kind == ACK and r.fields["SeqNo"] == old), "the older encryption"
        refused = "Encryption is configured but remote state is not encrypted"
        missing = "Remote state is encrypted and encryption is not configured"
        assert one.read_stream(plain.exchange(to, plain.wrapped(plain.push_pull(True)))) == (ERROR, {"Error": refused})
        assert plain.read_stream(one.exchange(open_to, one.wrapped(one.push_pull(True)))) == (ERROR, {"Error": missing})
        assert one.read_stream(stranger.exchange(to, stranger.wrapped(stranger.push_pull(True)))) == \
            (ERROR, {"Error": "No installed keys could decrypt the message"})
        huge = one.read_stream(one.exchange(to, b"\x0a" + struct.pack(">I", 20971521)))
        assert huge == (ERROR, {"Error": "Remote node state is larger than limit (20971521)"}), huge
        for from_agent, target, why in ((open_agent, agent, missing), (agent, open_agent, refused)):
            assert from_agent.request("PUT", f"/v1/agent/join/127.0.0.1:{target.serf_port}")[2].decode() == \
                f"1 error occurred:\n\t* Failed to join 127.0.0.1: {why}\n\n"
        for data, why in ((plain.own_alive(), "Unsupported encryption version 4"),
                          (encrypt(KEYS[1], stranger.own_alive()), "No installed keys could decrypt the message"),
                          (b"\x01" + b"x" * 20, "Payload is too small to decrypt: 21"), (b"\x00" + b"x" * 43, "Payload is too small to decrypt: 44")):
            plain.send_raw(to, data)
            eventually(lambda: why in agent.logs(), why)
        nonce = bytes(12)
        for rest in (b"", b"\xff" * 16, b"\x00" * 16):
            plain.send_raw(to, b"\0" + nonce + AESGCM(KEYS[0]).encrypt(nonce, rest, b""))
        assert set(members(agent)) == {"n1", "one"}

        # The ring, by queries of others.
        def keys(operation, key=b""):
            return one.ask(to, f"_serf_{operation}", bytes([KEY_REQUEST]) + encode({"Key": key}))[1]

        fine = {"Keys": None, "Message": "", "PrimaryKey": "", "Result": True}
        failed = lambda why: {**fine, "Message": why, "Result": False}
        assert keys("list-keys") == {**fine, "Keys": [text(KEYS[0])], "PrimaryKey": text(KEYS[0])}
        assert keys("use-key", KEYS[1]) == failed("Requested key is not in the keyring")
        assert keys("install-key", b"short") == failed("key size must be 16, 24 or 32 bytes")
        assert keys("install-key", KEYS[1]) == fine == keys("install-key", KEYS[1]) == keys("remove-key", KEYS[2])
        assert keys("remove-key", KEYS[0]) == failed("Removing the primary key is not allowed")
        one.keys = KEYS[:2]
        assert keys("use-key", KEYS[1]) == fine
        one.keys = KEYS[1::-1]
        assert keys("list-keys") == {**fine, "Keys": [text(KEYS[1]), text(KEYS[0])], "PrimaryKey": text(KEYS[1])}
        assert keys("remove-key", KEYS[0]) == fine
        with open(os.path.join(agent.data, "serf/local.keyring")) as file:
            assert file.read() == f'[\n  "{text(KEYS[1])}"\n]'
        for n in range(30):
            assert keys("install-key", bytes([100 + n]) * 32) == fine
        shown = keys("list-keys")
        assert shown["Result"] and shown["Message"] == f"truncated key list response, showing first {len(shown['Keys'])} of 31 keys", shown
        response = one.all(lambda r: r.serf == RESPONSE)[-1].fields
        one_more = {**shown, "Keys": [*shown["Keys"], text(KEYS[0])]}
        longer = {**response, "Payload": bytes([KEY_RESPONSE]) + encode(one_more)}
        assert 1 + len(encode(response)) <= 1024 < 1 + len(encode(longer)), "as many as fit"
        one.keys = KEYS[1:2]

        # The ring, by our own queries.
        heard = []

        def react(kind, fields, inner, source, usual=one.react):
            usual(kind, fields, inner, source)
            if inner == QUERY and "key" in fields and fields["ID"] not in heard:
                heard.append(fields["ID"])
                answer = bytes([KEY_RESPONSE]) + encode(failed("not mine"))
                one.send(to, serf(RESPONSE, LTime=fields["LTime"], ID=fields["ID"], From="one", Flags=0, Payload=answer))

        one.react = react
        code, _, body = agent.request("POST", "/v1/operator/keyring?relay-factor=2", json.dumps({"Key": text(KEYS[2])}))
        assert code == 500 and body == b"2 errors occurred:\n\t* dc1 (LAN) error: 1/2 nodes reported failure\n\t* one: not mine\n\n", body
        query = one.wait(lambda r: r.serf == QUERY and r.fields["Name"] == "_serf_install-key" and r.fields["SourceNode"] == "n1").fields
        assert query["key"] == KEYS[2] and (query["RelayFactor"], query["Flags"], query["Filters"], query["Timeout"]) == (2, 0, None, 3200000000)
    finally:
        agent.stop()
        open_agent.stop()


def client():
    """A client agent in a pool with one other member: its tags, a conflict about its name, events for it, its departure."""
    server = peer("server", tags=server_tags("e" * 8, 9, expect="3"))
    agent = Client(config={"node_name": "c1", "retry_join": [f"127.0.0.1:{server.port}"]}).start()
    try:
        to = address(agent)
        eventually(lambda: status(agent, "server") == 1, "it joins")
        tags = tags_of(server.wait(lambda r: r.kind == PUSH_PULL).fields["nodes"][0]["Meta"])
        assert set(tags) == set(DEFAULT_TAGS) and tags["role"] == "node", tags
        server.send(to, server.own_alive(Node="c1", Incarnation=50), crc=True)
        query = server.wait(lambda r: r.serf == QUERY and r.fields["Name"] == "_serf_conflict").fields
        assert query["Payload"] == b"c1" and query["Flags"] == 0
        found = {"Name": "c1", "Addr": LOCAL, "Port": agent.serf_port, "Tags": {}, "Status": 1, "ProtocolMin": 1, "ProtocolMax": 5,
                 "ProtocolCur": 2, "DelegateMin": 2, "DelegateMax": 5, "DelegateCur": 4}
        server.send(to, serf(RESPONSE, LTime=query["LTime"], ID=query["ID"], From="server", Flags=0, Payload=bytes([CONFLICT]) + encode(found)))
        eventually(lambda: "majority in name conflict resolution [1 / 1]" in agent.logs(), "the name is its own")
        server.fire(to, "consul:event:_rexec", consul_event("_rexec", p=b"{}"))
        server.fire(to, "consul:event:deploy", consul_event("deploy"))
        listed = lambda: [event["Name"] for event in agent.json("GET", "/v1/event/list")]
        eventually(lambda: "deploy" in listed(), "an event")
        assert listed() == ["deploy"], "orders to run something are no events to list"
        threading.Thread(target=lambda: agent.cli("leave"), daemon=True).start()
        intent = server.wait(lambda r: r.serf == LEAVE and r.fields["Node"] == "c1")
        assert intent and not intent.fields["Prune"]
        farewell = server.wait(lambda r: r.kind == DEAD and r.fields["Node"] == "c1")
        assert farewell and farewell.fields["From"] == "c1" and farewell.time > intent.time, "the only other member hears of the departure"
        assert server.ping(to, "c1"), "it still answers"
        agent.process.wait(10)
        assert "failed to leave serf" not in agent.logs()
    finally:
        agent.stop()


def verdict():
    wrong = [(who.name, who.violations + who.problems) for who in peers if who.violations or who.problems]
    assert not wrong, wrong


def test_what_the_peer_expects_holds_for_what_the_reference_sent():
    reader()


def test_a_member_is_treated_as_the_reference_treats_it():
    agent = Agent().start()
    try:
        to = address(agent)
        one, two = acquaintance(agent, to)
        conversation(agent, to, one, two)
        refusals(agent, to)
        forms(agent, to, one)
        departures(agent, to, one, two)
        crowd(agent, to, one)
        assert agent.process.poll() is None
    finally:
        agent.stop()
    verdict()


def test_an_encrypted_pool_and_its_keys():
    encryption()
    verdict()


def test_a_client_agent_in_a_foreign_pool():
    client()
    verdict()
