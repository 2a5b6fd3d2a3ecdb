"""A member of gossip pools written from the protocol alone: sends what an agent of the reference sends, and reads strictly, so that
whatever the reference would not have sent comes out as a violation."""
import collections, os, random, select, socket, struct, threading, time, zlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VSN = bytes([1, 5, 2, 2, 5, 4])
PING, INDIRECT, ACK, SUSPECT, ALIVE, DEAD, PUSH_PULL, COMPOUND, USER, COMPRESS, ENCRYPT, NACK, CRC, ERROR = range(14)
LEAVE, JOIN, STATE, EVENT, QUERY, RESPONSE, CONFLICT, KEY_REQUEST, KEY_RESPONSE, RELAY = range(10)
STATE_ALIVE, STATE_SUSPECT, STATE_DEAD, STATE_LEFT = range(4)


class Violation(Exception):
    """Bytes that the reference would not have sent."""


# Msgpack as the reference writes it: the old specification without str8 and bin; payloads of Consul's events use the new one.

def header(n, fixed, limit, wider):
    if n < limit:
        return bytes([fixed + n])
    for code, form, top in wider:
        if n < top:
            return bytes([code]) + struct.pack(form, n)


def encode(value, new=False):
    if value is None:
        return b"\xc0"
    if value is True or value is False:
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        if value < 0:
            assert value >= -32, "no message has one"
            return struct.pack(">b", value)
        return header(value, 0, 0x80, ((0xcc, ">B", 1 << 8), (0xcd, ">H", 1 << 16), (0xce, ">I", 1 << 32), (0xcf, ">Q", 1 << 64)))
    if isinstance(value, float):
        return b"\xcb" + struct.pack(">d", value)
    if isinstance(value, bytes) and new:
        return header(len(value), 0, 0, ((0xc4, ">B", 1 << 8), (0xc5, ">H", 1 << 16), (0xc6, ">I", 1 << 32))) + value
    if isinstance(value, (str, bytes)):
        data = value.encode() if isinstance(value, str) else value
        str8 = ((0xd9, ">B", 1 << 8),) if new else ()
        return header(len(data), 0xa0, 32, str8 + ((0xda, ">H", 1 << 16), (0xdb, ">I", 1 << 32))) + data
    if isinstance(value, dict):
        start = header(len(value), 0x80, 16, ((0xde, ">H", 1 << 16), (0xdf, ">I", 1 << 32)))
        return start + b"".join(encode(k, new) + encode(value[k], new) for k in sorted(value, key=str.encode))
    return header(len(value), 0x90, 16, ((0xdc, ">H", 1 << 16), (0xdd, ">I", 1 << 32))) + b"".join(encode(v, new) for v in value)


class Reader:
    def __init__(self, data, position=0, new=False):
        self.data, self.position, self.new = data, position, new

    def take(self, n):
        if self.position + n > len(self.data):
            raise Violation(f"ends after {len(self.data)} bytes: {self.data[:40].hex()}…")
        self.position += n
        return self.data[self.position - n:self.position]

    def number(self, form):
        return struct.unpack(form, self.take(struct.calcsize(form)))[0]

    def sized(self, kind, fixed, mask, forms, least):
        """The length of a list, map or string in the shortest form there is."""
        code = self.take(1)[0]
        if fixed is not None and code & ~mask & 0xff == fixed:
            return code & mask
        if code not in forms:
            raise Violation(f"{code:02x} where a {kind} belongs")
        n = self.number(forms[code])
        if n < least[code]:
            raise Violation(f"{kind} of length {n} written as {code:02x}")
        return n

    def bytes(self, binary=True):
        if self.new and binary:
            return self.take(self.sized("binary", None, 0, {0xc4: ">B", 0xc5: ">H", 0xc6: ">I"}, {0xc4: 0, 0xc5: 1 << 8, 0xc6: 1 << 16}))
        str8 = {0xd9: ">B"} if self.new else {}
        least = {0xd9: 32, 0xda: 1 << 8 if self.new else 32, 0xdb: 1 << 16}
        return self.take(self.sized("string", 0xa0, 31, {**str8, 0xda: ">H", 0xdb: ">I"}, least))

    def map(self):
        return self.sized("map", 0x80, 15, {0xde: ">H", 0xdf: ">I"}, {0xde: 16, 0xdf: 1 << 16})

    def list(self):
        return self.sized("list", 0x90, 15, {0xdc: ">H", 0xdd: ">I"}, {0xdc: 16, 0xdd: 1 << 16})

    def integer(self, bits):
        code = self.take(1)[0]
        if code < 0x80:
            return code
        forms = {0xcc: (">B", 0x80), 0xcd: (">H", 1 << 8), 0xce: (">I", 1 << 16), 0xcf: (">Q", 1 << 32)}
        if code not in forms:
            raise Violation(f"{code:02x} where a number belongs")
        n = self.number(forms[code][0])
        if n < forms[code][1] or n >> bits:
            raise Violation(f"number {n} written as {code:02x} for {bits} bits")
        return n

    def read(self, kind):
        """A value of one of the kinds that the tables of messages name."""
        nil = self.data[self.position:self.position + 1] == b"\xc0"
        if isinstance(kind, dict):
            return self.struct(kind)
        if isinstance(kind, int):
            return self.integer(kind)
        if kind[0] == "nullable":
            return self.take(1) and None if nil else self.read(kind[1])
        if kind[0] == "list":
            return self.take(1) and None if nil else [self.read(kind[1]) for _ in range(self.list())]
        if kind[0] == "map":
            return {self.read("string"): self.read(kind[1]) for _ in range(self.map())}
        if kind == "bytes":
            return self.take(1) and None if nil else self.bytes()
        if kind == "string":
            try:
                return self.bytes(binary=False).decode()
            except UnicodeDecodeError:
                raise Violation("a string that is not UTF-8")
        if kind == "bool":
            code = self.take(1)[0]
            if code not in (0xc2, 0xc3):
                raise Violation(f"{code:02x} where a bool belongs")
            return code == 0xc3
        if kind == "float":
            if (code := self.take(1)[0]) != 0xcb:
                raise Violation(f"{code:02x} where a float belongs")
            return self.number(">d")
        raise ValueError(kind)

    def struct(self, fields):
        """A map with exactly these fields in ascending order; those whose names end in `?` are left out when they are empty."""
        value, names = {}, []
        known = {name.rstrip("?"): (kind, name[-1] == "?") for name, kind in fields.items()}
        for _ in range(self.map()):
            name = self.bytes(binary=False).decode(errors="replace")
            names.append(name)
            if name not in known:
                raise Violation(f"unknown field {name}")
            kind, omitted = known[name]
            value[name] = self.read(kind)
            if omitted and not value[name]:
                raise Violation(f"{name} is empty, and not left out")
        if names != sorted(set(names), key=str.encode):
            raise Violation(f"fields out of order: {names}")
        if missing := [name for name, (_, omitted) in known.items() if name not in value and not omitted]:
            raise Violation(f"fields missing: {missing}")
        return value


U8, U16, U32, U64 = 8, 16, 32, 64
ORIGIN = {"SourceAddr?": "bytes", "SourcePort?": U16, "SourceNode?": "string"}
FIELDS = {
    PING: {"SeqNo": U32, "Node": "string", **ORIGIN},
    INDIRECT: {"SeqNo": U32, "Target": "bytes", "Port": U16, "Node": "string", "Nack": "bool", **ORIGIN},
    ACK: {"SeqNo": U32, "Payload": "bytes"},
    SUSPECT: {"Incarnation": U32, "Node": "string", "From": "string"},
    ALIVE: {"Incarnation": U32, "Node": "string", "Addr": "bytes", "Port": U16, "Meta": "bytes", "Vsn": "bytes"},
    DEAD: {"Incarnation": U32, "Node": "string", "From": "string"},
    NACK: {"SeqNo": U32},
    ERROR: {"Error": "string"},
}
COMPRESSED = {"Algo": U8, "Buf": "bytes"}
STREAM_HEADER = {"Nodes": 63, "UserStateLen": 63, "Join": "bool"}
NODE_STATE = {"Name": "string", "Addr": "bytes", "Port": U16, "Meta": "bytes", "Incarnation": U32, "State": U8, "Vsn": "bytes"}
SERF_FIELDS = {
    LEAVE: {"LTime": U64, "Node": "string", "Prune": "bool"},
    JOIN: {"LTime": U64, "Node": "string"},
    STATE: {"LTime": U64, "StatusLTimes": ("map", U64), "LeftMembers": ("list", "string"), "EventLTime": U64,
            "Events": ("list", ("nullable", {"LTime": U64, "Events": ("list", {"Name": "string", "Payload": "bytes"})})),
            "QueryLTime": U64},
    EVENT: {"LTime": U64, "Name": "string", "Payload": "bytes", "CC": "bool"},
    QUERY: {"LTime": U64, "ID": U32, "Addr": "bytes", "Port": U16, "SourceNode": "string", "Filters": ("list", "bytes"), "Flags": U32,
            "RelayFactor": U8, "Timeout": 63, "Name": "string", "Payload": "bytes"},
    RESPONSE: {"LTime": U64, "ID": U32, "From": "string", "Flags": U32, "Payload": "bytes"},
    CONFLICT: ("nullable", {"Name": "string", "Addr": "bytes", "Port": U16, "Tags": ("map", "string"), "Status": U8, **dict.fromkeys(
        ("ProtocolMin", "ProtocolMax", "ProtocolCur", "DelegateMin", "DelegateMax", "DelegateCur"), U8)}),
    KEY_REQUEST: {"Key": "bytes"},
    KEY_RESPONSE: {"Result": "bool", "Message": "string", "Keys": ("list", "string"), "PrimaryKey": "string"},
    RELAY: {"DestAddr": {"IP": "bytes", "Port": U16, "Zone": "string"}, "DestName": "string"},
}
COORDINATE = {"Vec": ("list", "float"), "Error": "float", "Adjustment": "float", "Height": "float"}
CONSUL_EVENT = {"ID": "string", "n": "string", "p?": "bytes", "nf?": "string", "sf?": "string", "tf?": "string", "v": U8}


def whole(kind, data, position=0, new=False):
    reader = Reader(data, position, new)
    value = reader.read(kind)
    if reader.position != len(data):
        raise Violation(f"{len(data) - reader.position} bytes follow the message")
    return value


def message(kind, **fields):
    return bytes([kind]) + encode(fields)


def serf(kind, **fields):
    return bytes([USER, kind]) + encode(fields)


def meta(tags):
    return b"\xff" + encode(tags)


def tags_of(data):
    if not data or data[:1] != b"\xff":
        return {"role": (data or b"").decode()}
    return whole(("map", "string"), data, 1)


def ping_payload(coordinate):
    return b"\x01" + encode(coordinate)


def coordinate(vec=(0.0,) * 8, error=1.5, adjustment=0.0, height=10e-6):
    return {"Vec": list(vec), "Error": error, "Adjustment": adjustment, "Height": height}


# LZW, least significant bit first, literals of 8 bits.

def pack(data):
    out, bits, count, width, high, table, code = bytearray(), 0, 0, 9, 257, {}, None

    def emit(value):
        nonlocal bits, count
        bits |= value << count
        count += width
        while count >= 8:
            out.append(bits & 255)
            bits >>= 8
            count -= 8

    def step():
        """True when the table is full."""
        nonlocal width, high
        high += 1
        if high == 1 << width:
            width += 1
        if high < 4095:
            return False
        width = 12
        emit(256)
        width, high = 9, 257
        table.clear()
        return True

    emit(256)
    for byte in data:
        if code is None:
            code = byte
        elif (code, byte) in table:
            code = table[code, byte]
        else:
            emit(code)
            if not step():
                table[code, byte] = high
            code = byte
    if code is not None:
        emit(code)
        step()
    emit(257)
    if count:
        out.append(bits & 255)
    return bytes(out)


def unpack(data):
    out, bits, count, width, table, previous, position = bytearray(), 0, 0, 9, [], None, 0
    while True:
        while count < width:
            if position == len(data):
                raise Violation("compressed bytes without an end code")
            bits |= data[position] << count
            count += 8
            position += 1
        code, bits, count = bits & (1 << width) - 1, bits >> width, count - width
        if code == 256:
            table, width, previous = [bytes([n]) for n in range(256)] + [b"", b""], 9, None
            continue
        if code == 257:
            return bytes(out)
        if not table or code > len(table) or code == len(table) and previous is None:
            raise Violation("a compressed code that is none")
        entry = table[code] if code < len(table) else previous + previous[:1]
        out += entry
        if previous is not None and len(table) < 4096:
            table.append(previous + entry[:1])
        if len(table) == 1 << width and width < 12:
            width += 1
        previous = entry


def compress(data):
    return bytes([COMPRESS]) + encode({"Algo": 0, "Buf": pack(data)})


def checked(data):
    return bytes([CRC]) + struct.pack(">I", zlib.crc32(data)) + data


def compound(parts):
    return bytes([COMPOUND, len(parts)]) + b"".join(struct.pack(">H", len(p)) for p in parts) + b"".join(parts)


def encrypt(key, data, extra=b"", version=1):
    if version == 0:
        data += bytes([16 - len(data) % 16]) * (16 - len(data) % 16)
    nonce = os.urandom(12)
    return bytes([version]) + nonce + AESGCM(key).encrypt(nonce, data, extra)


def decrypt(keys, data, extra=b""):
    if data[:1] != b"\x01":
        raise Violation(f"encryption version {data[:1].hex()}")
    for key in keys:
        try:
            return AESGCM(key).decrypt(data[1:13], data[13:], extra)
        except InvalidTag:
            pass
    raise Violation("no key decrypts it")


def address_of(ip, port):
    return socket.inet_ntop(socket.AF_INET if len(ip) == 4 else socket.AF_INET6, ip), port


def client_tags(identity, dc="dc1", **more):
    return {"acls": "0", "build": "1.8.6:2fa535b5", "dc": dc, "id": identity, "role": "node", "segment": "", "vsn": "2", "vsn_max": "3",
            "vsn_min": "2", **more}


def server_tags(identity, port, dc="dc1", **more):
    return {**client_tags(identity, dc), "role": "consul", "ft_fs": "1", "port": str(port), "raft_vsn": "3", **more}


Received = collections.namedtuple("Received", "time source stream direct crc kind fields serf")


class Peer:
    """Answers like an agent of the reference unless told otherwise, and keeps everything that it received."""

    def __init__(self, name, tags=None, keys=(), address="127.0.0.1", port=0, vsn=VSN, start=True, verify=True):
        self.name, self.keys, self.vsn, self.address = name, list(keys), vsn, address
        self.identity = "%08x-1111-2222-3333-%012x" % (zlib.crc32(name.encode()), random.getrandbits(48))
        self.meta = meta(client_tags(self.identity) if tags is None else tags)
        self.incarnation, self.sequence, self.time, self.event_time, self.query_time = 1, 1000, 1, 1, 1
        self.acks_pings, self.refutes, self.gossips, self.answers_streams = True, True, True, True
        self.coordinate = coordinate()
        self.others, self.status_times, self.left, self.events, self.heard = {}, {name: 0}, [], {}, set()
        self.received, self.violations, self.news, self.problems = [], [], [], []
        self.changed, self.closed = threading.Condition(), False
        while True:
            self.tcp = socket.socket()
            self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.tcp.bind((address, port))
            self.port = self.tcp.getsockname()[1]
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                self.udp.bind((address, self.port))
                break
            except OSError:
                if port:
                    raise
        self.tcp.listen(64)
        if start:
            for work in (self.packets, self.streams, self.gossip):
                threading.Thread(target=work, daemon=True).start()

    def close(self):
        self.closed = True
        self.tcp.shutdown(socket.SHUT_RDWR)
        self.tcp.close()
        self.udp.close()

    # What it sends.

    def own_alive(self, **changes):
        return message(ALIVE, **{"Incarnation": self.incarnation, "Node": self.name, "Addr": socket.inet_aton(self.address), "Port": self.port,
                                 "Meta": self.meta, "Vsn": self.vsn, **changes})

    def origin(self):
        return {"SourceAddr": socket.inet_aton(self.address), "SourcePort": self.port, "SourceNode": self.name}

    def packet(self, data, crc=False):
        """The layers of a packet that the reference would put around a message."""
        packed = compress(data)
        data = packed if len(packed) < len(data) else data
        data = checked(data) if crc else data
        return encrypt(self.keys[0], data) if self.keys else data

    def send(self, to, data, crc=False):
        self.udp.sendto(self.packet(data, crc), to)

    def send_raw(self, to, data):
        self.udp.sendto(data, to)

    def broadcast(self, data, times=4):
        self.news.append([data, times])

    def gossip(self):
        while not self.closed:
            time.sleep(0.1)
            if self.gossips and self.news and self.others:
                queue, self.news = self.news, []
                parts = [data for data, _ in queue[:5]]
                for node in random.sample(list(self.others.values()), min(3, len(self.others))):
                    if node["State"] <= STATE_SUSPECT:
                        try:
                            self.send(address_of(node["Addr"], node["Port"]), compound(parts) if len(parts) > 1 else parts[0], crc=True)
                        except OSError:
                            return
                self.news += [[data, times - 1] for data, times in queue[:5] if times > 1] + queue[5:]

    def next(self):
        self.sequence += 1
        return self.sequence

    def ping(self, to, node, seconds=5, **changes):
        """The ack of a ping, once it came."""
        number = self.next()
        self.send(to, message(PING, **{"SeqNo": number, "Node": node, **self.origin(), **changes}))
        return self.wait(lambda r: r.kind == ACK and r.fields["SeqNo"] == number, seconds)

    def state(self):
        return bytes([STATE]) + encode({
            "LTime": self.time, "StatusLTimes": self.status_times, "LeftMembers": self.left, "EventLTime": self.event_time,
            "Events": [self.events.get(n) for n in range(512)], "QueryLTime": self.query_time})

    def nodes(self):
        own = {"Name": self.name, "Addr": socket.inet_aton(self.address), "Port": self.port, "Meta": self.meta,
               "Incarnation": self.incarnation, "State": STATE_ALIVE, "Vsn": self.vsn}
        return [own, *self.others.values()]

    def push_pull(self, join, nodes=None, state=None):
        nodes, state = self.nodes() if nodes is None else nodes, self.state() if state is None else state
        return bytes([PUSH_PULL]) + encode({"Nodes": len(nodes), "UserStateLen": len(state), "Join": join}) + \
            b"".join(map(encode, nodes)) + state

    def wrapped(self, data, compressed=True):
        """The layers of a stream."""
        data = compress(data) if compressed else data
        if self.keys:
            extra = bytes([ENCRYPT]) + struct.pack(">I", len(data) + 29)
            data = extra + encrypt(self.keys[0], data, extra)
        return data

    def exchange(self, to, data, seconds=10):
        """What a stream with these bytes is answered with, as they are."""
        with socket.create_connection(to, seconds) as connection:
            connection.sendall(data)
            answer = b""
            try:
                while part := connection.recv(65536):
                    answer += part
            except ConnectionResetError:
                pass
            return answer

    def join(self, to, intent=True):
        """Joins as the reference does; the state that the other side answered."""
        kind, answer = self.read_stream(self.exchange(to, self.wrapped(self.push_pull(True))))
        assert kind == PUSH_PULL, answer
        if not answer["header"]["Join"]:
            raise Violation("an answer to a join that is none")
        self.merge(answer)
        if intent:
            self.say_joined()
        return answer

    def say_joined(self):
        self.broadcast(serf(JOIN, LTime=self.time, Node=self.name))
        self.status_times[self.name] = self.time
        self.time += 1

    def merge(self, remote):
        state = remote["state"]
        self.time, self.event_time = max(self.time, state["LTime"]), max(self.event_time, state["EventLTime"])
        self.query_time = max(self.query_time, state["QueryLTime"])
        for node in remote["nodes"]:
            known = self.others.get(node["Name"])
            if node["Name"] != self.name and (not known or node["Incarnation"] >= known["Incarnation"]):
                self.others[node["Name"]] = dict(node)
                self.status_times[node["Name"]] = state["StatusLTimes"].get(node["Name"], 0)

    # What it receives.

    def wait(self, condition, seconds=5, since=0):
        """The first message received that meets the condition; None if none does."""
        deadline, seen = time.time() + seconds, since
        with self.changed:
            while True:
                while seen < len(self.received):
                    if condition(self.received[seen]):
                        return self.received[seen]
                    seen += 1
                if not self.changed.wait(max(0, deadline - time.time())) and time.time() >= deadline:
                    return None

    def all(self, condition, since=0):
        with self.changed:
            return [r for r in self.received[since:] if condition(r)]

    def packets(self):
        while not self.closed:
            try:
                if not select.select([self.udp], [], [], 0.5)[0]:
                    continue
                data, source = self.udp.recvfrom(65536)
            except (OSError, ValueError):
                return
            try:
                self.read_packet(data, source)
            except Violation as problem:
                self.violations.append(f"packet: {problem}: {data.hex()}")
            except OSError:
                pass
            except Exception as problem:
                self.problems.append(repr(problem))

    def read_packet(self, data, source):
        size = len(data)
        if self.keys:
            data = decrypt(self.keys, data)
        if crc := data[0] == CRC:
            if struct.unpack(">I", data[1:5])[0] != zlib.crc32(data[5:]):
                raise Violation("wrong checksum")
            data = data[5:]
        data, wire = self.decompressed(data), data
        if wire[0] != COMPRESS and len(compress(data)) < len(data):
            raise Violation("could have been compressed")
        if wire[0] == COMPRESS and len(wire) >= len(data):
            raise Violation("compressed although not smaller")
        parts = [data]
        if data[0] == COMPOUND:
            count = data[1]
            lengths = struct.unpack(f">{count}H", data[2:2 + 2 * count])
            if count < 2 or len(data) != 2 + 2 * count + sum(lengths):
                raise Violation("lengths of a compound packet")
            starts = [2 + 2 * count + sum(lengths[:n]) for n in range(count)]
            parts = [data[start:start + length] for start, length in zip(starts, lengths)]
        kinds = [part[0] for part in parts]
        direct = kinds[0] in (PING, INDIRECT, ACK, NACK) or kinds[0] == USER and parts[0][1] in (RESPONSE, RELAY)
        # The length of a direct message before the news is not counted.
        if len(parts) > 1 and len(data) + (29 if self.keys else 0) > 1400 + (2 if direct else 0):
            raise Violation(f"a packet of {len(data)} bytes: {kinds}")
        if any(kind in (PING, INDIRECT, ACK, NACK) for kind in kinds[1:]):
            raise Violation(f"a direct message behind another one: {kinds}")
        if crc and self.vsn[1] < 5 or direct and crc and kinds != [PING, SUSPECT] and kinds != [USER] or not direct and not crc and self.vsn[1] >= 5:
            raise Violation(f"checksum {crc} on {kinds}")
        for n, part in enumerate(parts):
            self.read_message(part, source, None if n else direct, crc)

    def decompressed(self, data):
        if data[0] != COMPRESS:
            return data
        body = whole(COMPRESSED, data, 1)
        plain = unpack(body["Buf"])
        if body["Algo"] != 0 or pack(plain) != body["Buf"]:
            raise Violation("compressed in another way")
        return plain

    def read_message(self, data, source, direct, crc, stream=False):
        kind, inner = data[0], None
        if kind == USER:
            fields, inner = self.read_serf(data[1:])
        elif kind in FIELDS and kind not in (ERROR,):
            fields = whole(FIELDS[kind], data, 1)
        else:
            raise Violation(f"a message of type {kind}")
        if kind == ALIVE:
            tags_of(fields["Meta"])
            if len(fields["Vsn"]) != 6 or len(fields["Meta"]) > 512:
                raise Violation(f"an alive message that says {fields}")
        if kind == ACK and fields["Payload"] is not None:
            if fields["Payload"][0] != 1 or len(whole(COORDINATE, fields["Payload"], 1)["Vec"]) != 8:
                raise Violation("payload of an ack")
        with self.changed:
            self.received.append(Received(time.time(), source, stream, direct, crc, kind, fields, inner))
            self.changed.notify_all()
        self.react(kind, fields, inner, source)
        if inner in (LEAVE, JOIN, EVENT, QUERY) and not fields.get("Flags", 0) & 2 and data not in self.heard:
            self.heard.add(data)
            if inner != LEAVE or fields["Node"] != self.name:
                self.broadcast(data)

    def read_serf(self, data):
        kind = data[0]
        if kind == RELAY:
            reader = Reader(data, 1)
            fields = reader.read(SERF_FIELDS[RELAY])
            return {**fields, "relayed": data[reader.position:], "inner": self.read_serf(data[reader.position:])}, RELAY
        if kind not in (LEAVE, JOIN, EVENT, QUERY, RESPONSE):
            raise Violation(f"a Serf message of type {kind}")
        fields = whole(SERF_FIELDS[kind], data, 1)
        if kind == EVENT and fields["Name"].startswith("consul:event:"):
            fields["event"] = whole(CONSUL_EVENT, fields["Payload"], new=True)
        if kind == QUERY and fields["Name"].startswith("_serf_") and fields["Name"].endswith(("-key", "-keys")):
            if fields["Payload"][0] != KEY_REQUEST:
                raise Violation("payload of a key query")
            fields["key"] = whole(SERF_FIELDS[KEY_REQUEST], fields["Payload"], 1)["Key"]
        return fields, kind

    def react(self, kind, fields, inner, source):
        origin = address_of(fields["SourceAddr"], fields["SourcePort"]) if fields.get("SourceAddr") and fields.get("SourcePort") else source
        if kind == PING and fields["Node"] in ("", self.name) and self.acks_pings:
            self.send(origin, message(ACK, SeqNo=fields["SeqNo"], Payload=ping_payload(self.coordinate)))
        elif kind == INDIRECT and self.acks_pings:
            threading.Thread(target=self.probe_for, args=(fields, origin), daemon=True).start()
        elif kind == ALIVE and fields["Node"] != self.name:
            known = self.others.get(fields["Node"])
            if not known or fields["Incarnation"] > known["Incarnation"]:
                self.others[fields["Node"]] = {**{k: v for k, v in fields.items() if k != "Node"}, "Name": fields["Node"], "State": STATE_ALIVE}
                self.broadcast(message(ALIVE, **fields))
        elif kind in (SUSPECT, DEAD) and fields["Node"] == self.name:
            if self.refutes and fields["Incarnation"] >= self.incarnation:
                self.incarnation = fields["Incarnation"] + 1
                self.broadcast(self.own_alive())
        elif kind in (SUSPECT, DEAD) and (known := self.others.get(fields["Node"])) and fields["Incarnation"] >= known["Incarnation"]:
            state = kind == SUSPECT and STATE_SUSPECT or (STATE_LEFT if fields["Node"] == fields["From"] else STATE_DEAD)
            if known["State"] < state:
                known["State"] = state
                self.broadcast(message(kind, **fields))
        elif kind == USER and inner == RELAY:
            self.send(address_of(fields["DestAddr"]["IP"], fields["DestAddr"]["Port"]), bytes([USER]) + fields["relayed"])
        elif kind == USER and inner == QUERY:
            self.query_time = max(self.query_time, fields["LTime"] + 1)
        elif kind == USER and inner == EVENT:
            self.event_time = max(self.event_time, fields["LTime"] + 1)
        elif kind == USER and inner in (JOIN, LEAVE):
            self.time = max(self.time, fields["LTime"] + 1)
            if inner == LEAVE and fields["Node"] == self.name and self.refutes:
                self.say_joined()

    def probe_for(self, fields, origin):
        try:
            if self.ping(address_of(fields["Target"], fields["Port"]), fields["Node"], 0.5):
                self.send(origin, message(ACK, SeqNo=fields["SeqNo"], Payload=None))
            elif fields["Nack"]:
                self.send(origin, message(NACK, SeqNo=fields["SeqNo"]))
        except OSError:
            pass

    def streams(self):
        while not self.closed:
            try:
                connection, source = self.tcp.accept()
            except OSError:
                return
            if self.closed:
                connection.close()
                return
            threading.Thread(target=self.serve, args=(connection, source), daemon=True).start()

    def serve(self, connection, source):
        with connection:
            connection.settimeout(10)
            data = b""
            try:
                while not data or not self.complete(data):
                    if not (part := connection.recv(65536)):
                        if not data:
                            return
                        raise Violation(f"a stream of {len(data)} bytes that ends early")
                    data += part
                if not self.answers_streams:
                    return
                kind, fields = self.read_stream(data)
                with self.changed:
                    self.received.append(Received(time.time(), source, True, None, False, kind, fields, None))
                    self.changed.notify_all()
                if kind == PING and fields["Node"] in ("", self.name) and self.acks_pings:
                    connection.sendall(self.wrapped(message(ACK, SeqNo=fields["SeqNo"], Payload=None)))
                elif kind == PUSH_PULL:
                    connection.sendall(self.wrapped(self.push_pull(fields["header"]["Join"])))
                    self.merge(fields)
            except Violation as problem:
                self.violations.append(f"stream: {problem}: {data[:400].hex()}")
            except OSError:
                pass
            except Exception as problem:
                self.problems.append(repr(problem))

    def complete(self, data):
        """Whether a stream that is sent as one wrapped message is all there."""
        if data[0] == ENCRYPT:
            return len(data) >= 5 and len(data) >= 5 + struct.unpack(">I", data[1:5])[0]
        try:
            Reader(data, 1).read(COMPRESSED)
            return True
        except Violation:
            return data[0] != COMPRESS

    def read_stream(self, data):
        """The type and the contents of a stream with all its layers."""
        if not data:
            return None, "closed without an answer"
        if data[0] == ENCRYPT:
            length = struct.unpack(">I", data[1:5])[0]
            if len(data) != 5 + length:
                raise Violation("length of an encrypted stream")
            data = decrypt(self.keys, data[5:], data[:5])
        elif self.keys:
            raise Violation("a plain stream in an encrypted pool")
        if data[0] != COMPRESS:
            raise Violation("a stream that is not compressed")
        data = self.decompressed(data)
        if data[0] in (PING, ACK, ERROR):
            return data[0], whole(FIELDS[data[0]], data, 1)
        if data[0] != PUSH_PULL:
            raise Violation(f"a stream of type {data[0]}")
        reader = Reader(data, 1)
        head = reader.read(STREAM_HEADER)
        nodes = [reader.read(NODE_STATE) for _ in range(head["Nodes"])]
        for node in nodes:
            if node["State"] > STATE_LEFT or len(node["Vsn"]) != 6:
                raise Violation(f"a node that says {node}")
            tags_of(node["Meta"])
        rest = data[reader.position:]
        if len(rest) != head["UserStateLen"] or rest[0] != STATE:
            raise Violation("length of the user state")
        state = whole(SERF_FIELDS[STATE], rest, 1)
        if len(state["Events"]) != 512 or state["LeftMembers"] is None:
            raise Violation("form of the user state")
        for slot, entry in enumerate(state["Events"]):
            if entry and entry["LTime"] % 512 != slot:
                raise Violation("an event in another's slot")
        return PUSH_PULL, {"header": head, "nodes": nodes, "state": state}

    # Serf.

    def fire(self, to, name, payload=b"", time=None):
        """Sends an event to one member; gives its time."""
        when = time or self.event_time
        self.event_time = max(self.event_time, when + 1)
        self.send(to, serf(EVENT, LTime=when, Name=name, Payload=payload, CC=False), crc=True)
        return when

    def query(self, to, name, payload=None, filters=None, flags=0, relay=0, timeout=3.2, time=None, identity=None):
        """Sends a query to one member; gives its number."""
        identity = identity or random.getrandbits(31)
        when = time or self.query_time
        self.query_time = max(self.query_time, when + 1)
        self.send(to, serf(QUERY, LTime=when, ID=identity, Addr=socket.inet_aton(self.address), Port=self.port, SourceNode=self.name,
                           Filters=filters, Flags=flags, RelayFactor=relay, Timeout=int(timeout * 1e9), Name=name, Payload=payload), crc=True)
        return identity

    def answer(self, identity, flags=0, seconds=5):
        got = self.wait(lambda r: r.serf == RESPONSE and r.fields["ID"] == identity and r.fields["Flags"] == flags, seconds)
        return got and got.fields

    def ask(self, to, name, payload=None, **options):
        """The type of the answer to an internal query, and what it says; None if there was no answer."""
        answer = self.answer(self.query(to, name, payload, **options))
        if answer is None:
            return None
        kind = answer["Payload"][0]
        return kind, whole(SERF_FIELDS[kind], answer["Payload"], 1)
