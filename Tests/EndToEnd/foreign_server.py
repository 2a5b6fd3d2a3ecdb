"""A server of the reference as its peers see it: msgpack, yamux, RPC, Raft. Everything that arrives is checked as strictly as it is written.

Written from the description of the wire alone, without a look at the implementation under test: what both got wrong in the same way
would have to be misread twice. What is not as the reference sends it is collected in `Server.problems`.
"""
import io, random, socket, struct, subprocess, tempfile, threading, time, traceback, uuid

# --- Types ------------------------------------------------------------------------------------------------------------------------

SCHEMA = """
QueryOptions: AllowStale:bool Filter:str MaxAge:dur MaxQueryTime:dur MaxStaleDuration:dur MinQueryIndex:uint64 MustRevalidate:bool
  RequireConsistent:bool StaleIfError:dur Token:str UseCache:bool
QueryMeta: ConsistencyLevel:str Index:uint64 KnownLeader:bool LastContact:dur
WriteRequest: Token:str
RaftIndex: CreateIndex:uint64 ModifyIndex:uint64
DCSpecificRequest: Datacenter:str NodeMetaFilters:map<str,str> Source:QuerySource QO
NodeSpecificRequest: Datacenter:str Node:str QO
ServiceSpecificRequest: Connect:bool Datacenter:str Ingress:bool NodeMetaFilters:map<str,str> ServiceAddress:str ServiceName:str ServiceTag:str
  ServiceTags:[str] Source:QuerySource TagFilter:bool QO
DatacentersRequest: QO
QuerySource: Datacenter:str Ip:str Node:str Segment:str
ServiceName: Name:str
ServiceID: ID:str
RegisterRequest: Address:str Check:HealthCheck? Checks:[HealthCheck?] Datacenter:str ID:str Node:str NodeMeta:map<str,str> Service:NodeService?
  SkipNodeUpdate:bool TaggedAddresses:map<str,str> Token:str RI
DeregisterRequest: CheckID:str Datacenter:str Node:str ServiceID:str Token:str
Node: Address:str Datacenter:str ID:str Meta:map<str,str> Node:str TaggedAddresses:map<str,str> RI
NodeService: Address:str Connect:ServiceConnect EnableTagOverride:bool ID:str Kind:str LocallyRegisteredAsSidecar:bool Meta:map<str,str>
  Port:int Proxy:ConnectProxyConfig Service:str TaggedAddresses:map<str,ServiceAddress> Tags:[str] Weights:Weights? RI
ServiceAddress: Address:str Port:int
Weights: Passing:int Warning:int
ServiceConnect: Native:bool SidecarService:ServiceDefinition?
ServiceDefinition: Address:str Check:CheckType Checks:[CheckType?] Connect:ServiceConnect? EnableTagOverride:bool ID:str Kind:str
  Meta:map<str,str> Name:str Port:int Proxy:ConnectProxyConfig? TaggedAddresses:map<str,ServiceAddress> Tags:[str] Token:str Weights:Weights?
CheckType: AliasNode:str AliasService:str Body:str CheckID:str DeregisterCriticalServiceAfter:dur DockerContainerID:str
  FailuresBeforeCritical:int GRPC:str GRPCUseTLS:bool HTTP:str Header:map<str,[str]> Interval:dur Method:str Name:str Notes:str
  OutputMaxSize:int ProxyGRPC:str ProxyHTTP:str ScriptArgs:[str] Shell:str Status:str SuccessBeforePassing:int TCP:str TLSSkipVerify:bool
  TTL:dur Timeout:dur
ConnectProxyConfig: Config:map<str,any> DestinationServiceID:str DestinationServiceName:str Expose:ExposeConfig LocalServiceAddress:str
  LocalServicePort:int MeshGateway:MeshGatewayConfig Upstreams:[Upstream]
Upstream: Config:map<str,any> Datacenter:str DestinationName:str DestinationNamespace:str DestinationType:str IngressHosts:[str]
  LocalBindAddress:str LocalBindPort:int MeshGateway:MeshGatewayConfig
MeshGatewayConfig: Mode:str
ExposeConfig: Checks:bool Paths:[ExposePath]
ExposePath: ListenerPort:int LocalPathPort:int ParsedFromCheck:bool Path:str Protocol:str
HealthCheck: CheckID:str Definition:HealthCheckDefinition Name:str Node:str Notes:str Output:str ServiceID:str ServiceName:str ServiceTags:[str]
  Status:str Type:str RI
HealthCheckDefinition: AliasNode:str AliasService:str Body:str DeregisterCriticalServiceAfter:dur DockerContainerID:str GRPC:str GRPCUseTLS:bool
  HTTP:str Header:map<str,[str]> Interval:dur Method:str OutputMaxSize:uint ScriptArgs:[str] Shell:str TCP:str TLSSkipVerify:bool TTL:dur
  Timeout:dur
ServiceNode: Address:str Datacenter:str ID:str Node:str NodeMeta:map<str,str> ServiceAddress:str ServiceConnect:ServiceConnect
  ServiceEnableTagOverride:bool ServiceID:str ServiceKind:str ServiceMeta:map<str,str> ServiceName:str ServicePort:int
  ServiceProxy:ConnectProxyConfig ServiceTaggedAddresses:map<str,ServiceAddress> ServiceTags:[str] ServiceWeights:Weights
  TaggedAddresses:map<str,str> RI
CheckServiceNode: Checks:[HealthCheck?] Node:Node? Service:NodeService?
NodeServices: Node:Node? Services:map<str,NodeService?>
NodeServiceList: Node:Node? Services:[NodeService?]
IndexedNodes: Nodes:[Node?] QM
IndexedServices: Services:map<str,[str]> QM
IndexedServiceList: Services:[ServiceName] QM
IndexedServiceNodes: ServiceNodes:[ServiceNode?] QM
IndexedNodeServices: NodeServices:NodeServices? QM
IndexedNodeServiceList: NodeServices:NodeServiceList QM
IndexedGatewayServices: Services:[GatewayService?] QM
GatewayService: CAFile:str CertFile:str FromWildcard:bool Gateway:ServiceName GatewayKind:str Hosts:[str] KeyFile:str Port:int Protocol:str
  SNI:str Service:ServiceName RI
ChecksInStateRequest: Datacenter:str NodeMetaFilters:map<str,str> Source:QuerySource State:str QO
IndexedHealthChecks: HealthChecks:[HealthCheck?] QM
IndexedCheckServiceNodes: Nodes:[CheckServiceNode] QM
DatacenterIndexedCheckServiceNodes: DatacenterNodes:map<str,[CheckServiceNode]> QM
KVSRequest: Datacenter:str DirEnt:DirEntry Op:str Token:str
DirEntry: Flags:uint64 Key:str LockIndex:uint64 Session:str Value:bytes RI
KeyRequest: Datacenter:str Key:str QO
KeyListRequest: Datacenter:str Prefix:str Seperator:str QO
IndexedDirEntries: Entries:[DirEntry?] QM
IndexedKeyList: Keys:[str] QM
SessionRequest: Datacenter:str Op:str Session:Session Token:str
Session: Behavior:str Checks:[str] ID:str LockDelay:dur Name:str Node:str NodeChecks:[str] ServiceChecks:[ServiceCheck] TTL:str RI
ServiceCheck: ID:str Namespace:str
SessionSpecificRequest: Datacenter:str Session:str SessionID:str QO
IndexedSessions: Sessions:[Session?] QM
TxnRequest: Datacenter:str Ops:[TxnOp?] Token:str
TxnReadRequest: Datacenter:str Ops:[TxnOp?] QO
TxnOp: Check:TxnCheckOp? Intention:TxnIntentionOp? KV:TxnKVOp? Node:TxnNodeOp? Service:TxnServiceOp? Session:TxnSessionOp?
TxnKVOp: DirEnt:DirEntry Verb:str
TxnNodeOp: Node:Node Verb:str
TxnServiceOp: Node:str Service:NodeService Verb:str
TxnCheckOp: Check:HealthCheck Verb:str
TxnSessionOp: Session:Session Verb:str
TxnIntentionOp: Datacenter:str Intention:Intention? Op:str Token:str
TxnResponse: Errors:[TxnError?] Results:[TxnResult?]
TxnReadResponse: Errors:[TxnError?] Results:[TxnResult?] QM
TxnResult: Check:HealthCheck? KV:DirEntry? Node:Node? Service:NodeService?
TxnError: OpIndex:int What:str
TombstoneRequest: Datacenter:str Op:str ReapIndex:uint64 Token:str
CoordinateUpdateRequest: Coord:SerfCoordinate? Datacenter:str Node:str Segment:str Token:str
IndexedCoordinates: Coordinates:[Coordinate?] QM
DatacenterMap: AreaID:str Coordinates:[Coordinate?] Datacenter:str
Coordinate: Coord:SerfCoordinate? Node:str Segment:str
SerfCoordinate: Adjustment:float64 Error:float64 Height:float64 Vec:[float64]
Intention: Action:str CreatedAt:time DefaultAddr:str DefaultPort:int Description:str DestinationNS:str DestinationName:str Hash:bytes ID:str
  Meta:map<str,str> Precedence:int SourceNS:str SourceName:str SourceType:str UpdatedAt:time RI
ServiceDumpRequest: Datacenter:str ServiceKind:str Source:QuerySource UseServiceKind:bool QO
IndexedServiceDump: Dump:[ServiceInfo?] QM
ServiceInfo: Checks:[HealthCheck?] GatewayService:GatewayService? Node:Node? Service:NodeService?
IndexedNodeDump: Dump:[NodeInfo?] QM
NodeInfo: Address:str Checks:[HealthCheck?] ID:str Meta:map<str,str> Node:str Services:[NodeService?] TaggedAddresses:map<str,str>
EventFireRequest: Datacenter:str Name:str Payload:bytes QO
EventFireResponse: QM
KeyringRequest: Datacenter:str Forwarded:bool Key:str LocalOnly:bool Operation:str RelayFactor:uint8 QO
KeyringResponses: Responses:[KeyringResponse?] QM
KeyringResponse: Datacenter:str Error:str Keys:map<str,int> Messages:map<str,str> NumNodes:int PrimaryKeys:map<str,int> Segment:str WAN:bool
AutopilotConfig: CleanupDeadServers:bool DisableUpgradeMigration:bool LastContactThreshold:dur MaxTrailingLogs:uint64 MinQuorum:uint
  RedundancyZoneTag:str ServerStabilizationTime:dur UpgradeVersionTag:str RI
AutopilotSetConfigRequest: CAS:bool Config:AutopilotConfig Datacenter:str Token:str
RaftConfigurationResponse: Index:uint64 Servers:[RaftServer?]
RaftServer: Address:str ID:str Leader:bool Node:str ProtocolVersion:str Voter:bool
RaftRemovePeerRequest: Address:str Datacenter:str ID:str Token:str
OperatorHealthReply: FailureTolerance:int Healthy:bool Servers:[ServerHealth]
ServerHealth: Address:str Healthy:bool ID:str LastContact:dur LastIndex:uint64 LastTerm:uint64 Leader:bool Name:str SerfStatus:int
  StableSince:time Version:str Voter:bool
ServerStats: LastContact:str LastIndex:uint64 LastTerm:uint64
FederationStateRequest: Datacenter:str Op:str State:FederationState? Token:str
FederationState: Datacenter:str MeshGateways:[CheckServiceNode] PrimaryModifyIndex:uint64 UpdatedAt:time RI
FederationStateQuery: Datacenter:str TargetDatacenter:str QO
FederationStateResponse: State:FederationState? QM
IndexedFederationStates: States:[FederationState?] QM
SnapshotRequest: AllowStale:bool Datacenter:str Op:int Token:str
SnapshotResponse: Error:str QM
Log: Data:bytes Extensions:bytes Index:uint64 Term:uint64 Type:uint8
AppendEntries: Entries:[Log] Leader:bytes LeaderCommitIndex:uint64 PrevLogEntry:uint64 PrevLogTerm:uint64 ProtocolVersion:int Term:uint64
AppendEntriesReply: LastLog:uint64 NoRetryBackoff:bool ProtocolVersion:int Success:bool Term:uint64
RequestVote: Candidate:bytes LastLogIndex:uint64 LastLogTerm:uint64 LeadershipTransfer:bool ProtocolVersion:int Term:uint64
RequestVoteReply: Granted:bool Peers:bytes ProtocolVersion:int Term:uint64
InstallSnapshot: Configuration:bytes ConfigurationIndex:uint64 LastLogIndex:uint64 LastLogTerm:uint64 Leader:bytes Peers:bytes ProtocolVersion:int
  Size:int64 SnapshotVersion:int Term:uint64
InstallSnapshotReply: ProtocolVersion:int Success:bool Term:uint64
TimeoutNow: ProtocolVersion:int
TimeoutNowReply: ProtocolVersion:int
RaftConfiguration: Servers:[RaftConfigurationServer]
RaftConfigurationServer: Address:str ID:str Suffrage:int
RequestHeader: Seq:uint64 ServiceMethod:str
ReplyHeader: Error:str Seq:uint64 ServiceMethod:str
SnapshotHeader: LastIndex:uint64
IndexRecord: Key:str Value:uint64
"""

METHODS = """
Status.Ping {} {}
Status.Leader DCSpecificRequest str
Status.Peers DCSpecificRequest [str]
Status.RaftStats {} ServerStats
Catalog.Register RegisterRequest {}
Catalog.Deregister DeregisterRequest {}
Catalog.ListDatacenters DatacentersRequest [str]
Catalog.ListNodes DCSpecificRequest IndexedNodes
Catalog.ListServices DCSpecificRequest IndexedServices
Catalog.ServiceList DCSpecificRequest IndexedServiceList
Catalog.ServiceNodes ServiceSpecificRequest IndexedServiceNodes
Catalog.NodeServices NodeSpecificRequest IndexedNodeServices
Catalog.NodeServiceList NodeSpecificRequest IndexedNodeServiceList
Catalog.GatewayServices ServiceSpecificRequest IndexedGatewayServices
Health.ChecksInState ChecksInStateRequest IndexedHealthChecks
Health.NodeChecks NodeSpecificRequest IndexedHealthChecks
Health.ServiceChecks ServiceSpecificRequest IndexedHealthChecks
Health.ServiceNodes ServiceSpecificRequest IndexedCheckServiceNodes
KVS.Apply KVSRequest bool
KVS.Get KeyRequest IndexedDirEntries
KVS.List KeyRequest IndexedDirEntries
KVS.ListKeys KeyListRequest IndexedKeyList
Session.Apply SessionRequest str
Session.Get SessionSpecificRequest IndexedSessions
Session.List SessionSpecificRequest IndexedSessions
Session.NodeSessions NodeSpecificRequest IndexedSessions
Session.Renew SessionSpecificRequest IndexedSessions
Txn.Apply TxnRequest TxnResponse
Txn.Read TxnReadRequest TxnReadResponse
Coordinate.Update CoordinateUpdateRequest {}
Coordinate.ListDatacenters {} [DatacenterMap]
Coordinate.ListNodes DCSpecificRequest IndexedCoordinates
Coordinate.Node NodeSpecificRequest IndexedCoordinates
Internal.NodeInfo NodeSpecificRequest IndexedNodeDump
Internal.NodeDump DCSpecificRequest IndexedNodeDump
Internal.ServiceDump ServiceDumpRequest IndexedCheckServiceNodes
Internal.GatewayServiceDump ServiceSpecificRequest IndexedServiceDump
Internal.EventFire EventFireRequest EventFireResponse
Internal.KeyringOperation KeyringRequest KeyringResponses
Operator.RaftGetConfiguration DCSpecificRequest RaftConfigurationResponse
Operator.RaftRemovePeerByAddress RaftRemovePeerRequest {}
Operator.RaftRemovePeerByID RaftRemovePeerRequest {}
Operator.AutopilotGetConfiguration DCSpecificRequest AutopilotConfig
Operator.AutopilotSetConfiguration AutopilotSetConfigRequest bool
Operator.ServerHealth DCSpecificRequest OperatorHealthReply
"""

COMMANDS = {0: "RegisterRequest", 1: "DeregisterRequest", 2: "KVSRequest", 3: "SessionRequest", 5: "TombstoneRequest", 0x86: "[Coordinate]",
            8: "TxnRequest", 9: "AutopilotSetConfigRequest", 30: "FederationStateRequest"}
RECORDS = {0: "RegisterRequest", 3: "Session", 2: "DirEntry", 5: "DirEntry", 6: "[Coordinate]", 9: "AutopilotConfig", 12: "Intention",
           16: "IndexRecord", 30: "FederationStateRequest", **dict.fromkeys((4, 7, 11, 13, 14, 15, 17, 19, 22, 23, 25, 27, 29))}
INTEGERS = {"int": (-1 << 63, 1 << 63), "int64": (-1 << 63, 1 << 63), "dur": (-1 << 63, 1 << 63), "uint": (0, 1 << 64), "uint64": (0, 1 << 64),
            "uint32": (0, 1 << 32), "uint8": (0, 256)}


def parse_schema():
    """{struct: {field: type}}, with what is inlined put in its place."""
    lines = {}
    for line in SCHEMA.strip().replace("\n  ", " ").splitlines():
        name, fields = line.split(":", 1)
        lines[name] = fields.split()
    inlined = {"QO": "QueryOptions", "QM": "QueryMeta", "RI": "RaftIndex"}
    return {name: dict(sorted(pair.split(":", 1) for field in fields for pair in (lines[inlined[field]] if field in inlined else [field])))
            for name, fields in lines.items()}


STRUCTS = parse_schema()
SIGNATURES = {name: (request, reply) for name, request, reply in (line.split() for line in METHODS.strip().splitlines())}
ZERO_TIME = bytes([1] + [0] * 12 + [255, 255])


class Malformed(Exception):
    """Bytes that the reference would not have written."""


class RPCError(Exception):
    pass


# --- msgpack, as the reference's library of before 2013 writes it -------------------------------------------------------------------


def pack_integer(value):
    if value < 0:
        for low, code, form in ((-32, None, ">b"), (-1 << 7, 0xD0, ">b"), (-1 << 15, 0xD1, ">h"), (-1 << 31, 0xD2, ">i"), (-1 << 63, 0xD3, ">q")):
            if value >= low:
                return (b"" if code is None else bytes([code])) + struct.pack(form, value)
    for limit, code, form in ((0x80, None, ">B"), (0x100, 0xCC, ">B"), (1 << 16, 0xCD, ">H"), (1 << 32, 0xCE, ">I"), (1 << 64, 0xCF, ">Q")):
        if value < limit:
            return (b"" if code is None else bytes([code])) + struct.pack(form, value)
    raise ValueError(value)


def pack_length(length, fixed, limit, wide, wider):
    if length < limit:
        return bytes([fixed + length])
    return struct.pack(">BH", wide, length) if length < 65536 else struct.pack(">BI", wider, length)


def pack(value):
    """Maps are written as structs are: sorted by key."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return pack_integer(value)
    if isinstance(value, float):
        return struct.pack(">Bd", 0xCB, value)
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, (bytes, bytearray)):
        return pack_length(len(value), 0xA0, 32, 0xDA, 0xDB) + bytes(value)
    if isinstance(value, list):
        return pack_length(len(value), 0x90, 16, 0xDC, 0xDD) + b"".join(map(pack, value))
    if isinstance(value, dict):
        return pack_length(len(value), 0x80, 16, 0xDE, 0xDF) + b"".join(pack(k) + pack(value[k]) for k in sorted(value))
    raise TypeError(type(value))


def unpack(read):
    """One value; raws become bytes, keys of maps strings, in the order of the wire. Forms that the reference never writes are refused."""
    code = read(1)[0]
    if code < 0x80:
        return code
    if code >= 0xE0:
        return code - 256
    if code in (0xC0, 0xC2, 0xC3):
        return {0xC0: None, 0xC2: False, 0xC3: True}[code]
    if code in (0xCA, 0xCB):
        return struct.unpack(*(">f", read(4)) if code == 0xCA else (">d", read(8)))[0]
    if 0xCC <= code <= 0xD3:
        form = ">" + "BHIQbhiq"[code - 0xCC]
        data = read(struct.calcsize(form))
        value = struct.unpack(form, data)[0]
        if pack_integer(value) != bytes([code]) + data:
            raise Malformed(f"the integer {value} in a form that is too wide ({code:#x})")
        return value
    for fixed, limit, wide, wider, make in ((0xA0, 32, 0xDA, 0xDB, "raw"), (0x90, 16, 0xDC, 0xDD, "array"), (0x80, 16, 0xDE, 0xDF, "map")):
        if fixed <= code < fixed + limit or code in (wide, wider):
            if code < 0xC0:
                length = code - fixed
            else:
                length = struct.unpack(">H", read(2))[0] if code == wide else struct.unpack(">I", read(4))[0]
                if length < limit or (code == wider and length < 65536):
                    raise Malformed(f"the length {length} in a form that is too wide ({code:#x})")
            if make == "raw":
                return read(length)
            if make == "array":
                return [unpack(read) for _ in range(length)]
            pairs = [(unpack(read), unpack(read)) for _ in range(length)]
            if len(dict(pairs)) != length:
                raise Malformed("a key occurs twice")
            return {k.decode() if isinstance(k, bytes) else k: v for k, v in pairs}
    raise Malformed(f"the byte {code:#x}, which that msgpack does not have")


def unpack_all(data):
    stream = io.BytesIO(data)
    value = unpack(exactly(stream.read))
    if rest := stream.read():
        raise Malformed(f"{len(rest)} bytes behind the value")
    return value


def exactly(read):
    def wrapped(count):
        data = b""
        while len(data) < count:
            piece = read(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data
    return wrapped


def inner(kind):
    """The type of the keys and that of the values of map<K,V>."""
    return kind[4:-1].split(",", 1)


def check(value, kind, path=""):
    """What is wrong with a value of this type, as a list of texts."""
    def wrong(expected):
        return [f"{path}: {expected} expected, found {value!r:.60}"]

    if kind.endswith("?"):
        return [] if value is None else check(value, kind[:-1], path)
    if kind == "{}":
        return [] if value == {} else wrong("an empty map")
    if kind == "bool":
        return [] if isinstance(value, bool) else wrong("a boolean")
    if kind in INTEGERS:
        low, high = INTEGERS[kind]
        return [] if isinstance(value, int) and not isinstance(value, bool) and low <= value < high else wrong(kind)
    if kind in ("float32", "float64"):
        return [] if isinstance(value, float) else wrong("a float")
    if kind == "str":
        return [] if isinstance(value, bytes) else wrong("a string")
    if kind == "bytes":
        return [] if value is None or isinstance(value, bytes) else wrong("bytes or nil")
    if kind == "time":
        return [] if isinstance(value, bytes) and len(value) == 15 and value[0] == 1 else wrong("a time")
    if kind == "any":
        return []
    if kind.startswith("["):
        if value is None:
            return []
        return [e for i, v in enumerate(value) for e in check(v, kind[1:-1], f"{path}[{i}]")] if isinstance(value, list) else wrong("an array")
    if kind.startswith("map<"):
        if value is None:
            return []
        return [e for k, v in value.items() for e in check(v, inner(kind)[1], f"{path}.{k}")] if isinstance(value, dict) else wrong("a map")
    fields = STRUCTS[kind]
    if not isinstance(value, dict):
        return wrong(kind)
    found = [f"{path}.{name}: not in {kind}" for name in value if name not in fields]
    found += [f"{path}.{name}: missing from {kind}" for name in fields if name not in value]
    if list(value) != sorted(value):
        found.append(f"{path}: keys of {kind} not sorted: {' '.join(value)}")
    return found + [e for name in fields if name in value for e in check(value[name], fields[name], f"{path}.{name}")]


def zero(kind):
    if kind.endswith("?") or kind[0] == "[" or kind.startswith("map<") or kind in ("bytes", "any"):
        return None
    simple = {"bool": False, "str": "", "time": ZERO_TIME, "{}": {}, "float64": 0.0, "float32": 0.0}
    return simple[kind] if kind in simple else 0 if kind in INTEGERS else {name: zero(t) for name, t in STRUCTS[kind].items()}


def make(kind, **fields):
    """A struct as the reference sends it: all fields, zero where nothing else is said."""
    assert set(fields) <= set(STRUCTS[kind]), (kind, set(fields) - set(STRUCTS[kind]))
    return {**zero(kind), **fields}


def text(value):
    """Raws as strings where they are ones, at all depths."""
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value
    if isinstance(value, list):
        return [text(v) for v in value]
    return {k: text(v) for k, v in value.items()} if isinstance(value, dict) else value


# --- Yamux ---------------------------------------------------------------------------------------------------------------------------

DATA, WINDOW, PING, GOAWAY = range(4)
SYN, ACK, FIN, RST = 1, 2, 4, 8
MAX_WINDOW = 262144


class Stream:
    def __init__(self, session, number):
        self.session, self.number = session, number
        self.buffer, self.condition = bytearray(), threading.Condition(session.lock)
        self.receive_window = self.send_window = MAX_WINDOW
        self.remote_closed = self.local_closed = self.reset = False
        self.acknowledged = False

    def read(self, count):
        """Exactly so many bytes; the window is opened again as they come."""
        data = b""
        with self.condition:
            while True:
                piece = bytes(self.buffer[:count - len(data)])
                del self.buffer[:len(piece)]
                data += piece
                delta = MAX_WINDOW - len(self.buffer) - self.receive_window
                if delta >= MAX_WINDOW // 2:
                    self.receive_window += delta
                    self.session.send(WINDOW, 0, self.number, delta)
                if len(data) == count:
                    return data
                if not self.buffer:
                    if self.reset or self.remote_closed or self.session.closed:
                        raise EOFError
                    self.condition.wait(0.5)

    def write(self, data):
        at = 0
        while at < len(data):
            with self.condition:
                while self.send_window == 0:
                    if self.reset or self.session.closed:
                        raise EOFError
                    self.condition.wait(0.5)
                piece = data[at:at + min(self.send_window, 65536)]
                self.send_window -= len(piece)
                self.session.send(DATA, 0, self.number, len(piece), piece)
            at += len(piece)

    def close(self):
        with self.condition:
            if not self.local_closed:
                self.local_closed = True
                self.session.send(WINDOW, FIN, self.number, 0)


class Yamux:
    """One session; the streams that the other side opens go to `accept`."""

    def __init__(self, connection, client, problem, accept=None):
        self.connection, self.client, self.problem, self.accept = connection, client, problem, accept
        self.lock, self.streams, self.next = threading.RLock(), {}, 1 if client else 2
        self.closed, self.pongs, self.pings_seen, self.away, self.highest, self.frames = False, [], [], None, 0, []
        threading.Thread(target=self.run, daemon=True).start()

    def send(self, kind, flags, stream, length, payload=b""):
        with self.lock:
            try:
                self.connection.sendall(struct.pack(">BBHII", 0, kind, flags, stream, length) + payload)
            except OSError:
                self.closed = True

    def open(self):
        with self.lock:
            stream = self.streams[self.next] = Stream(self, self.next)
            self.next += 2
            self.send(WINDOW, SYN, stream.number, 0)
            return stream

    def ping(self, number, seconds=5):
        self.send(PING, SYN, 0, number)
        deadline = time.time() + seconds
        while number not in self.pongs and time.time() < deadline and not self.closed:
            time.sleep(0.005)
        return number in self.pongs

    def close(self):
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.connection.close()

    def run(self):
        read = exactly(self.connection.recv)
        try:
            while True:
                version, kind, flags, number, length = struct.unpack(">BBHII", read(12))
                payload = read(length) if kind == DATA else b""
                with self.lock:
                    self.frames.append((kind, flags, number, length))
                    self.frame(version, kind, flags, number, length, payload)
        except (EOFError, OSError):
            pass
        finally:
            with self.lock:
                self.closed = True
                for stream in self.streams.values():
                    stream.condition.notify_all()

    def frame(self, version, kind, flags, number, length, payload):
        if version != 0 or kind > GOAWAY or flags & ~15:
            return self.problem(f"yamux: a frame of version {version}, type {kind}, flags {flags}")
        if kind == PING:
            if number != 0 or flags not in (SYN, ACK):
                self.problem(f"yamux: a ping with flags {flags} on stream {number}")
            if flags == SYN:
                self.pings_seen.append(length)
                return self.send(PING, ACK, 0, length)
            return self.pongs.append(length)
        if kind == GOAWAY:
            self.away = length
            if number != 0 or length > 2:
                self.problem(f"yamux: go away on stream {number} with code {length}")
            return None
        if flags & SYN:
            if self.client:
                return self.problem("yamux: the server opened a stream")
            if number % 2 == 0 or number <= self.highest:
                self.problem(f"yamux: stream {number} opened behind {self.highest}")
            self.highest = number
            stream = self.streams[number] = Stream(self, number)
            self.send(WINDOW, ACK, number, 0)
            threading.Thread(target=self.accept, args=(stream,), daemon=True).start()
        stream = self.streams.get(number)
        if stream is None:
            return None
        with stream.condition:
            if flags & ACK:
                if stream.acknowledged:
                    self.problem(f"yamux: stream {number} acknowledged twice")
                stream.acknowledged = True
            if flags & RST:
                stream.reset = True
            if kind == WINDOW:
                stream.send_window += length
                if stream.send_window > MAX_WINDOW:
                    self.problem(f"yamux: the window of stream {number} grew to {stream.send_window}")
            if kind == DATA:
                if stream.remote_closed and length:
                    self.problem(f"yamux: data on stream {number} behind its end")
                stream.receive_window -= length
                if stream.receive_window < 0:
                    self.problem(f"yamux: more than the window of stream {number}")
                stream.buffer += payload
            if flags & FIN:
                if stream.remote_closed:
                    self.problem(f"yamux: stream {number} ended twice")
                stream.remote_closed = True
            stream.condition.notify_all()
        if stream.reset or (stream.remote_closed and stream.local_closed):
            self.streams.pop(number, None)
        return None


# --- Calls ---------------------------------------------------------------------------------------------------------------------------


class Client:
    """Calls to a server, each on a stream of its own in one session (mode byte 4), or one after another on a connection (mode byte 0)."""

    sequence = 0

    def __init__(self, address, port, problem, multiplexed=True, source=None):
        self.connection = socket.create_connection((address, port), 10, source_address=source and (source, 0))
        self.connection.settimeout(None)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection.sendall(b"\x04" if multiplexed else b"\x00")
        self.problem = problem
        self.session = Yamux(self.connection, True, problem) if multiplexed else None

    def call(self, method, body, stream=None, raw=False):
        """The reply; RPCError with the text of an error."""
        keep = stream is not None
        if self.session and stream is None:
            stream = self.session.open()
        Client.sequence += 1
        data = pack({"Seq": Client.sequence, "ServiceMethod": method}) + (body if isinstance(body, bytes) else pack(body))
        if stream:
            stream.write(data)
            read = stream.read
        else:
            self.connection.sendall(data)
            read = exactly(self.connection.recv)
        header = unpack(read)
        for problem in check(header, "ReplyHeader", method):
            self.problem(problem)
        if header["Seq"] != Client.sequence or header["ServiceMethod"] != method.encode():
            self.problem(f"{method}: answered with the header {header}")
        reply = unpack(read)
        if stream and not keep:
            stream.close()
        if header["Error"]:
            if reply != {}:
                self.problem(f"{method}: an error with the body {reply!r:.100}")
            raise RPCError(header["Error"].decode())
        if method in SIGNATURES and not raw:
            for problem in check(reply, SIGNATURES[method][1], f"reply of {method}"):
                self.problem(problem)
        return reply if raw else text(reply)

    def close(self):
        self.connection.close()


# --- The server ----------------------------------------------------------------------------------------------------------------------

NOOP, BARRIER, CONFIGURATION = 1, 4, 5


class Server:
    """Speaks the server port at its address. Follows until it is told to seek the leadership."""

    def __init__(self, address, port, identity=None):
        self.address, self.port, self.identity = address, port, identity or str(uuid.uuid4())
        self.name = f"{address}:{port}"
        self.problems, self.calls, self.messages = [], [], []
        self.handlers = {}  # method: body (as text) -> reply
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        # Raft.
        self.term, self.vote, self.base, self.base_term, self.log, self.commit, self.applied = 0, None, 0, 0, [], 0, 0
        self.leader, self.role, self.servers, self.epoch = None, "follower", [], 0
        self.contact, self.state, self.mute, self.chunks, self.match = 0.0, {}, False, {}, {}
        self.commands, self.results, self.snapshots, self.last_contact = [], {}, [], None
        self.trees, self.extensions = None, 0
        self.connections = set()
        self.closing = False
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, port))
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def problem(self, what):
        with self.lock:
            if what not in self.problems:
                self.problems.append(what)

    def close(self):
        self.closing = True
        self.step_down()
        self.listener.close()
        self.hang_up()

    def hang_up(self):
        for connection in list(self.connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def fall_silent(self):
        """Answers nothing of Raft any more."""
        with self.lock:
            self.mute = True
        self.hang_up()

    def accept(self):
        while not self.closing:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections.add(connection)
        read = exactly(connection.recv)
        keep = False
        try:
            mode = connection.recv(1)
            if mode == b"\x00":
                self.problem("a connection of mode 0: the reference dials with 4")
                self.serve_calls(read, connection.sendall)
            elif mode == b"\x01":
                self.serve_raft(read, connection)
            elif mode == b"\x04":
                keep = True
                Yamux(connection, False, self.problem, lambda stream: self.serve_stream(stream))
            elif mode == b"\x05":
                self.serve_snapshot(connection, read)
            elif mode:
                self.problem(f"a connection of mode {mode[0]}")
        except Malformed as error:
            self.problem(f"mode {mode.hex()}: {error}")
        except (EOFError, OSError):
            pass
        except Exception:
            self.problem(traceback.format_exc())
        finally:
            if not keep:
                self.connections.discard(connection)
                connection.close()

    # Calls.

    def serve_stream(self, stream):
        try:
            self.serve_calls(stream.read, stream.write)
        except Malformed as error:
            self.problem(f"yamux stream: {error}")
        except (EOFError, OSError):
            pass
        except Exception:
            self.problem(traceback.format_exc())
        finally:
            stream.close()

    def serve_calls(self, read, write):
        while True:
            header = unpack(read)
            for problem in check(header, "RequestHeader", "request"):
                self.problem(problem)
            method, body = header["ServiceMethod"].decode(), unpack(read)
            error, reply = "", {}
            signature = SIGNATURES.get(method)
            if signature is None:
                with self.lock:
                    self.calls.append((method, body))
                error = f"rpc: can't find method {method}"
            else:
                for problem in check(body, signature[0], method):
                    self.problem(problem)
                body = text(body)
                with self.lock:
                    self.calls.append((method, body))
                try:
                    reply = self.handlers.get(method, self.answer)(body) if method in self.handlers else self.answer(method, body)
                except RPCError as failure:
                    error, reply = str(failure), {}
            write(pack({"Error": error, "Seq": header["Seq"], "ServiceMethod": method}) + pack(reply))

    def meta(self, **fields):
        """Of an answer to a question, as the leader fills it."""
        return {"Index": max(1, self.applied), "KnownLeader": self.leader is not None, **fields}

    def answer(self, method, body):
        if method == "Status.RaftStats":
            with self.lock:
                last, term = self.last()
                age = "0" if self.role == "leader" else f"{(time.time() - self.contact) * 1000:.6f}ms" if self.contact else "never"
                return make("ServerStats", LastContact=age, LastIndex=last, LastTerm=term)
        if method == "Status.Peers":
            return [s["Address"] for s in self.servers]
        if method == "Status.Leader":
            return self.leader or ""
        if method == "Status.Ping":
            return {}
        if self.role != "leader":
            raise RPCError("No cluster leader")
        commands = {"KVS.Apply": 2, "Catalog.Register": 0, "Catalog.Deregister": 1, "Session.Apply": 3, "Txn.Apply": 8}
        if method in commands:
            if method == "Session.Apply" and body["Op"] == "create":
                body["Session"]["ID"] = str(uuid.uuid4())
            index = self.propose(bytes([commands[method]]) + pack(body))
            self.wait_for(lambda: self.applied >= index, "own command is applied")
            if method == "KVS.Apply":
                return bool(self.results.get(index)) if body["Op"] in ("cas", "lock", "unlock", "delete-cas") else False
            return body["Session"]["ID"] if method == "Session.Apply" else make("TxnResponse") if method == "Txn.Apply" else {}
        reply = SIGNATURES[method][1]
        if method == "KVS.Get":
            found = self.state.get(body["Key"])
            return make(reply, Entries=[found] if found else None, **self.meta())
        if reply in STRUCTS and "KnownLeader" in STRUCTS[reply]:
            return make(reply, **self.meta())
        return zero(reply)

    # Snapshots on request.

    def serve_snapshot(self, connection, read):
        request = unpack(read)
        for problem in check(request, "SnapshotRequest", "snapshot"):
            self.problem(problem)
        rest = b""
        while piece := connection.recv(65536):  # The end of the sender's side is part of the protocol.
            rest += piece
        self.calls.append(("snapshot", {**text(request), "archive": rest}))
        handler = self.handlers.get("snapshot")
        error, archive = handler(text(request), rest) if handler else ("No cluster leader", b"")
        connection.sendall(pack(make("SnapshotResponse", Error=error, **({} if error else self.meta()))) + archive)

    # Raft: what is asked.

    def last(self):
        return (self.base + len(self.log), self.log[-1]["Term"]) if self.log else (self.base, self.base_term)

    def entry(self, index):
        return self.log[index - self.base - 1]

    def term_at(self, index):
        """None if unknown."""
        if index == self.base:
            return self.base_term
        return self.entry(index)["Term"] if self.base < index <= self.base + len(self.log) else None

    def serve_raft(self, read, connection):
        names = {0: "AppendEntries", 1: "RequestVote", 2: "InstallSnapshot", 3: "TimeoutNow"}
        while True:
            kind = read(1)[0]
            if kind not in names:  # As an extension of another implementation would begin. The reference ends the connection.
                self.extensions += 1
                return
            request = unpack(read)
            for problem in check(request, names[kind], names[kind]):
                self.problem(problem)
            if request["ProtocolVersion"] != 3:
                self.problem(f"{names[kind]}: protocol version {request['ProtocolVersion']}")
            body = read(request["Size"]) if kind == 2 else b""
            with self.lock:
                if self.mute:
                    return
                self.messages.append((names[kind], request))
                reply = getattr(self, "on_" + names[kind])(request, body)
            assert not check(reply, names[kind] + "Reply"), reply
            connection.sendall(pack("") + pack(reply))

    def become_follower(self, term, leader=None):
        if term > self.term:
            self.term, self.vote = term, None
        if self.role == "leader":
            self.step_down()
        self.role, self.leader = "follower", leader or self.leader

    def step_down(self):
        with self.lock:
            self.role, self.leader, self.epoch = "follower", None, self.epoch + 1
            self.changed.notify_all()

    def on_AppendEntries(self, request, _):
        reply = make("AppendEntriesReply", Term=self.term, LastLog=self.last()[0], ProtocolVersion=3)
        heartbeat = request["PrevLogEntry"] == 0 and request["LeaderCommitIndex"] == 0 and not request["Entries"]
        if heartbeat != (request["Entries"] is None):
            self.problem(f"Entries of {'a heartbeat' if heartbeat else 'an append'} are {request['Entries']!r:.40}")
        if len(request["Entries"] or []) > 64:
            self.problem(f"{len(request['Entries'])} entries in one append")
        if request["Term"] < self.term:
            return reply
        if request["Term"] > self.term or self.role != "follower":
            self.become_follower(request["Term"])
            reply["Term"] = self.term
        self.leader = request["Leader"].decode()
        previous = request["PrevLogEntry"]
        if previous > 0 and self.term_at(previous) != request["PrevLogTerm"]:
            reply["NoRetryBackoff"] = True
            return reply
        expected = previous
        for entry in request["Entries"] or []:
            expected += 1
            if entry["Index"] != expected:
                self.problem(f"the entry {entry['Index']} where {expected} belongs")
            if entry["Extensions"] == b"":
                self.problem("Extensions empty, not nil")
            if entry["Type"] in (NOOP, BARRIER) and entry["Data"] is not None:
                self.problem(f"data in an entry of type {entry['Type']}: {entry['Data'][:20]!r}")
            if entry["Type"] not in (0, NOOP, BARRIER, CONFIGURATION):
                self.problem(f"an entry of type {entry['Type']}")
            if self.term_at(entry["Index"]) == entry["Term"] or entry["Index"] <= self.base:
                continue
            if entry["Index"] <= self.commit:
                self.problem(f"the committed entry {entry['Index']} is replaced")
            del self.log[entry["Index"] - self.base - 1:]
            self.log.append(entry)
            if entry["Type"] == CONFIGURATION:
                self.configure(entry["Data"])
        if request["LeaderCommitIndex"] > self.commit:
            self.commit = min(request["LeaderCommitIndex"], self.last()[0])
            self.apply()
        reply["Success"], self.contact = True, time.time()
        self.changed.notify_all()
        return reply

    def configure(self, data):
        configuration = unpack_all(data)
        for problem in check(configuration, "RaftConfiguration", "configuration"):
            self.problem(problem)
        self.servers = text(configuration)["Servers"]

    def on_RequestVote(self, request, _):
        reply = make("RequestVoteReply", Term=self.term, ProtocolVersion=3)
        if self.leader and self.leader != request["Candidate"].decode() and not request["LeadershipTransfer"]:
            return reply
        if request["Term"] < self.term:
            return reply
        if request["Term"] > self.term:
            self.become_follower(request["Term"])
            self.leader, reply["Term"] = None, self.term
        if self.vote not in (None, request["Candidate"]):
            return reply
        index, term = self.last()
        if (term, index) > (request["LastLogTerm"], request["LastLogIndex"]):
            return reply
        self.vote, reply["Granted"], self.contact = request["Candidate"], True, time.time()
        return reply

    def on_InstallSnapshot(self, request, body):
        reply = make("InstallSnapshotReply", Term=self.term)
        if request["SnapshotVersion"] != 1:
            self.problem(f"a snapshot of version {request['SnapshotVersion']}")
        if request["Term"] < self.term:
            return reply
        self.become_follower(request["Term"])
        self.leader, reply["Term"], reply["Success"] = request["Leader"].decode(), self.term, True
        self.configure(request["Configuration"])
        peers = unpack_all(request["Peers"] or b"\xc0")
        if peers != [s["Address"].encode() for s in self.servers if s["Suffrage"] == 0]:
            self.problem(f"InstallSnapshot.Peers are {peers}")
        self.base, self.base_term, self.log = request["LastLogIndex"], request["LastLogTerm"], []
        self.commit = self.applied = self.base
        self.trees = self.read_state(body)
        self.state = {record["Key"]: record for kind, record in self.trees[1] if kind == 2}
        self.snapshots.append((request, body))
        self.contact = time.time()
        self.changed.notify_all()
        return reply

    def on_TimeoutNow(self, request, _):
        self.leader = None
        threading.Thread(target=self.campaign, args=(True,), daemon=True).start()
        return make("TimeoutNowReply")

    def read_state(self, data):
        """(header, [(type, record)]) of a state.bin"""
        stream = io.BytesIO(data)
        read = exactly(stream.read)
        header = unpack(read)
        for problem in check(header, "SnapshotHeader", "snapshot"):
            self.problem(problem)
        records = []
        while kind := stream.read(1):
            kind, record = kind[0], unpack(read)
            if kind not in RECORDS:
                self.problem(f"snapshot: a record of type {kind}")
            elif RECORDS[kind]:
                for problem in check(record, RECORDS[kind], f"record {kind}"):
                    self.problem(problem)
            records.append((kind, text(record)))
        return header, records

    # The state machine: enough to answer for keys, and all that is needed to check commands.

    def apply(self):
        while self.applied < self.commit:
            self.applied += 1
            entry = self.entry(self.applied)
            if entry["Type"] == 0:
                try:
                    self.command(entry)
                except (Malformed, EOFError, LookupError) as error:
                    self.problem(f"command {entry['Index']}: {error!r}")
        self.changed.notify_all()

    def command(self, entry):
        data = entry["Data"]
        if entry["Extensions"] is not None:
            parts = protobuf(entry["Extensions"])
            pieces = self.chunks.setdefault(parts.get(1, 0), {})
            pieces[parts.get(2, 0)] = data
            if len(pieces) < parts[3]:
                return
            data = b"".join(pieces[n] for n in range(parts[3]))
            self.chunks.clear()
        kind, body = data[0], unpack_all(data[1:])
        if kind not in COMMANDS:
            self.commands.append((entry["Index"], kind, body))
            return self.problem(f"a command of type {kind:#x}") if self.role != "leader" else None
        for problem in check(body, COMMANDS[kind], f"command {kind}"):
            self.problem(problem)
        body = text(body)
        self.commands.append((entry["Index"], kind, body))
        if kind == 2:
            found = body["DirEnt"]
            if body["Op"] == "set":
                self.state[found["Key"]] = {**found, "CreateIndex": entry["Index"], "ModifyIndex": entry["Index"]}
            elif body["Op"] == "delete":
                self.state.pop(found["Key"], None)
            elif body["Op"] == "cas":
                known = self.state.get(found["Key"])
                self.results[entry["Index"]] = fits = (known["ModifyIndex"] if known else 0) == found["ModifyIndex"]
                if fits:
                    self.state[found["Key"]] = {**found, "ModifyIndex": entry["Index"], "CreateIndex": entry["Index"]}
        return None

    # Raft: what is asked of others.

    def wait_for(self, condition, what, seconds=20):
        deadline = time.time() + seconds
        with self.changed:
            while not condition():
                if time.time() > deadline:
                    raise AssertionError(f"{what}: not within {seconds} s (term {self.term}, commit {self.commit}, last {self.last()}, {self.role})")
                self.changed.wait(0.05)

    def others(self):
        return [s["Address"] for s in self.servers if s["Address"] != self.name]

    def ask(self, peer, kind, request, body=b"", connection=None):
        own = connection is None
        connection = connection or self.dial(peer)
        try:
            connection.sendall(bytes([kind]) + pack(request) + body)
            return self.reply(connection, kind)
        finally:
            own and connection.close()

    def dial(self, peer):
        host, port = peer.rsplit(":", 1)
        connection = socket.create_connection((host, int(port)), 10, source_address=(self.address, 0))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(b"\x01")
        return connection

    def reply(self, connection, kind):
        name = ("AppendEntriesReply", "RequestVoteReply", "InstallSnapshotReply", "TimeoutNowReply")[kind]
        read = exactly(connection.recv)
        error, reply = unpack(read), unpack(read)
        if error:
            raise RPCError(error.decode())
        for problem in check(reply, name, name):
            self.problem(problem)
        if reply["ProtocolVersion"] != (3 if kind < 2 else 0):
            self.problem(f"{name}: protocol version {reply['ProtocolVersion']}")
        if kind == 1 and reply["Peers"] is not None:
            self.problem(f"{name}: Peers {reply['Peers']!r}")
        return reply

    def campaign(self, transfer=False):
        """One round; whether it was won. With `transfer` the others vote even though they know a leader."""
        with self.lock:
            self.term, self.vote, self.leader, self.role = self.term + 1, self.name.encode(), None, "candidate"
            term, (index, last_term), needed = self.term, self.last(), len(self.servers) // 2 + 1
        request = make("RequestVote", Candidate=self.name, LastLogIndex=index, LastLogTerm=last_term, LeadershipTransfer=transfer,
                       ProtocolVersion=3, Term=term)
        votes = 1
        for peer in self.others():
            try:
                reply = self.ask(peer, 1, request)
            except OSError:
                continue
            votes += reply["Granted"]
            if reply["Term"] > term:
                self.become_follower(reply["Term"])
        with self.lock:
            if votes < needed or self.role != "candidate" or self.term != term:
                self.role = "follower" if self.role == "candidate" else self.role
                return False
            self.role, self.leader, self.epoch = "leader", self.name, self.epoch + 1
            self.match = {}
            self.append(NOOP, None)
            self.append(BARRIER, None)
            for peer in self.others():
                threading.Thread(target=self.replicate, args=(peer, self.epoch), daemon=True).start()
                threading.Thread(target=self.heartbeat, args=(peer, self.epoch), daemon=True).start()
        return True

    def append(self, kind, data, extensions=None):
        with self.lock:
            index = self.last()[0] + 1
            self.log.append({"Data": data, "Extensions": extensions, "Index": index, "Term": self.term, "Type": kind})
            if kind == CONFIGURATION:
                self.configure(data)
            self.advance()
            self.changed.notify_all()
            return index

    def propose(self, data, extensions=None):
        with self.lock:
            if self.role != "leader":
                raise RPCError("node is not the leader")
            return self.append(0, data, extensions)

    def leading(self, epoch):
        return self.role == "leader" and self.epoch == epoch and not self.closing

    def heartbeat(self, peer, epoch):
        connection = None
        while self.leading(epoch):
            try:
                connection, term = connection or self.dial(peer), self.term
                reply = self.ask(peer, 0, make("AppendEntries", Leader=self.name, ProtocolVersion=3, Term=term), connection=connection)
                if reply["Term"] > term:
                    with self.lock:
                        if reply["Term"] > self.term:
                            self.become_follower(reply["Term"])
                elif not reply["Success"]:
                    self.problem(f"a heartbeat of the leader is refused: {reply}")
            except (OSError, EOFError):
                connection = None
            time.sleep(random.uniform(0.05, 0.1))

    def request_for(self, following):
        """The append that begins with this index, None if the log does not reach back so far."""
        previous = self.term_at(following - 1)
        if previous is None:
            return None
        entries = self.log[following - self.base - 1:][:64]
        return make("AppendEntries", Entries=entries, Leader=self.name, LeaderCommitIndex=self.commit, PrevLogEntry=following - 1,
                    PrevLogTerm=previous, ProtocolVersion=3, Term=self.term)

    def replicate(self, peer, epoch):
        """Plainly until an append succeeds, then in a pipeline: requests are written back to back and the answers read behind them."""
        connection, following, pipeline, commit = None, self.last()[0] + 1, False, -1
        while self.leading(epoch):
            with self.changed:
                if pipeline and following > self.last()[0] and commit == self.commit:
                    self.changed.wait(random.uniform(0.05, 0.1))
                if not self.leading(epoch):
                    return
                requests, at, commit = [], following, self.commit
                while len(requests) < (8 if pipeline else 1):
                    request = self.request_for(at)
                    if request is None or (requests and not request["Entries"]):
                        break
                    requests.append(request)
                    at += len(request["Entries"])
            try:
                connection = connection or self.dial(peer)
                if not requests:
                    following, pipeline = self.send_snapshot(peer, connection) + 1, False
                    continue
                connection.sendall(b"".join(b"\0" + pack(request) for request in requests))
                replies = [self.reply(connection, 0) for _ in requests]
            except (OSError, EOFError):
                connection, pipeline = None, False
                time.sleep(0.05)
                continue
            with self.lock:
                for request, reply in zip(requests, replies):
                    if reply["Term"] > self.term:
                        self.become_follower(reply["Term"])
                        return
                    if not reply["Success"]:
                        following, pipeline = max(min(following - 1, reply["LastLog"] + 1), 1), False
                        break
                    following = request["PrevLogEntry"] + len(request["Entries"]) + 1
                    pipeline = True
                    self.match[peer] = following - 1
                self.advance()

    def advance(self):
        """With the lock held: commits what a majority has."""
        if self.role != "leader":
            return
        marks = sorted(self.match.get(s["Address"], 0) if s["Address"] != self.name else self.last()[0] for s in self.servers if s["Suffrage"] == 0)
        index = marks[(len(marks) - 1) // 2]
        if index > self.commit and self.term_at(index) == self.term:
            self.commit = index
            self.apply()

    def send_snapshot(self, peer, connection):
        with self.lock:
            request, state = self.snapshot
            request = {**request, "Leader": self.name, "Term": self.term}
        reply = self.ask(peer, 2, request, state, connection)
        if not reply["Success"]:
            raise OSError("the snapshot is refused")
        return request["LastLogIndex"]

    def become(self, state, index, term=None):
        """As if restored from this state.bin: later entries follow, earlier ones are gone."""
        with self.lock:
            configuration = pack({"Servers": self.servers})
            self.base, self.base_term, self.log = index, term or self.term, []
            self.commit = self.applied = index
            peers = pack([s["Address"] for s in self.servers])
            self.snapshot = (make("InstallSnapshot", Configuration=configuration, ConfigurationIndex=1, LastLogIndex=index, Peers=peers,
                                  LastLogTerm=self.base_term, ProtocolVersion=3, Size=len(state), SnapshotVersion=1), state)


def protobuf(data):
    """{field: number} of a message whose fields are varints."""
    fields, at = {}, 0

    def varint():
        nonlocal at
        value, shift = 0, 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    while at < len(data):
        tag = varint()
        assert tag & 7 == 0, data
        fields[tag >> 3] = varint()
    return fields


# --- Membership ----------------------------------------------------------------------------------------------------------------------


class Pool:
    """The reference's Serf, which says of this process that it is a server."""

    def __init__(self, program, name, server, serf_port, expect=None, join=(), build="1.8.6:2fa535b5", **tags):
        tags = {"role": "consul", "dc": "dc1", "segment": "", "id": server.identity, "vsn": "2", "vsn_min": "2", "vsn_max": "3", "raft_vsn": "3",
                "build": build, "port": str(server.port), "acls": "0", "ft_fs": "1", **({"expect": str(expect)} if expect else {}), **tags}
        self.log = tempfile.TemporaryFile()
        rpc = f"{server.address}:7373"
        arguments = [f"-tag={key}={value}" for key, value in tags.items()] + ["-retry-interval=1s"] + [f"-retry-join={address}" for address in join]
        self.program, self.rpc = program, rpc
        self.process = subprocess.Popen([program, "agent", f"-node={name}", f"-bind={server.address}:{serf_port}", "-profile=lan", f"-rpc-addr={rpc}",
                                         *arguments], stdout=self.log, stderr=self.log)

    def command(self, *arguments):
        done = subprocess.run([self.program, arguments[0], f"-rpc-addr={self.rpc}", *arguments[1:]], capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else None

    def stop(self):
        self.process.kill()
        self.process.wait()
