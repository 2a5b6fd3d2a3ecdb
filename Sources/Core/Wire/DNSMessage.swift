/// Numbers of record types (RFC 1035 §3.2.2 and later ones).
public enum DNSType {
    public static let a: UInt16 = 1
    public static let ns: UInt16 = 2
    public static let cname: UInt16 = 5
    public static let soa: UInt16 = 6
    public static let ptr: UInt16 = 12
    public static let txt: UInt16 = 16
    public static let aaaa: UInt16 = 28
    public static let srv: UInt16 = 33
    public static let opt: UInt16 = 41
    public static let ds: UInt16 = 43
    public static let axfr: UInt16 = 252
    public static let any: UInt16 = 255
}

public enum DNSCode {
    public static let noError: UInt16 = 0
    public static let formatError: UInt16 = 1
    public static let serverFailure: UInt16 = 2
    public static let nameError: UInt16 = 3
    public static let notImplemented: UInt16 = 4
    public static let refused: UInt16 = 5
}

/// Bits of the second word of a header (RFC 1035 §4.1.1).
public enum DNSFlag {
    public static let response: UInt16 = 0x8000
    public static let opcodeMask: UInt16 = 0x7800
    public static let authoritative: UInt16 = 0x0400
    public static let truncated: UInt16 = 0x0200
    public static let recursionDesired: UInt16 = 0x0100
    public static let recursionAvailable: UInt16 = 0x0080
    public static let zero: UInt16 = 0x0040
    public static let checkingDisabled: UInt16 = 0x0010
    public static let codeMask: UInt16 = 0x000F
}

public struct DNSQuestion: Hashable, Sendable {
    public var name: DNSName
    public var type: UInt16
    public var recordClass: UInt16
    public init(name: DNSName, type: UInt16, recordClass: UInt16 = 1) {
        self.name = name
        self.type = type
        self.recordClass = recordClass
    }
}

public struct DNSStartOfAuthority: Hashable, Sendable {
    public var primary: DNSName
    public var mailbox: DNSName
    public var serial: UInt32
    /// Seconds, as are the following.
    public var refresh: UInt32
    public var retry: UInt32
    public var expire: UInt32
    public var minimum: UInt32
}

public enum DNSData: Hashable, Sendable {
    case a(UInt32)
    case aaaa(high: UInt64, low: UInt64)
    case ns(DNSName)
    case cname(DNSName)
    case ptr(DNSName)
    case soa(DNSStartOfAuthority)
    case srv(priority: UInt16, weight: UInt16, port: UInt16, target: DNSName)
    /// The text of one record; it is cut into strings of 255 bytes on the wire.
    case txt([UInt8])
    case other(type: UInt16, [UInt8])

    public var type: UInt16 {
        switch self {
        case .a: DNSType.a
        case .aaaa: DNSType.aaaa
        case .ns: DNSType.ns
        case .cname: DNSType.cname
        case .ptr: DNSType.ptr
        case .soa: DNSType.soa
        case .srv: DNSType.srv
        case .txt: DNSType.txt
        case .other(let type, _): type
        }
    }
}

/// A record of class IN.
public struct DNSRecord: Hashable, Sendable {
    public var owner: DNSName
    /// Seconds.
    public var ttl: UInt32
    public var data: DNSData
    public init(owner: DNSName, ttl: UInt32, data: DNSData) {
        self.owner = owner
        self.ttl = ttl
        self.data = data
    }
}

extension DNSRecord {
    var uncompressedSize: Int {
        let data =
            switch data {
            case .a: 4
            case .aaaa: 16
            case .ns(let name), .cname(let name), .ptr(let name): name.wire.count
            case .soa(let soa): soa.primary.wire.count + soa.mailbox.wire.count + 20
            case .srv(_, _, _, let target): 6 + target.wire.count
            case .txt(let text): text.count + max(1, (text.count + 254) / 255)
            case .other(_, let data): data.count
            }
        return owner.wire.count + 10 + data
    }
}

/// The OPT pseudo-record (RFC 6891), as far as it is used: the size of UDP payloads and the client's subnet (RFC 7871).
public struct DNSOptions: Hashable, Sendable {
    public struct ClientSubnet: Hashable, Sendable {
        /// 1 for IPv4, 2 for IPv6, 0 for none.
        public var family: UInt16
        public var sourcePrefix: UInt8
        public var scopePrefix: UInt8
        /// As many bytes as the source prefix touches.
        public var address: [UInt8]
    }
    public var payloadSize: UInt16
    public var clientSubnet: ClientSubnet?
    public init(payloadSize: UInt16, clientSubnet: ClientSubnet? = nil) {
        self.payloadSize = payloadSize
        self.clientSubnet = clientSubnet
    }
}

public struct DNSMessage: Hashable, Sendable {
    public var id: UInt16
    /// `DNSFlag`s, operation and response code.
    public var flags: UInt16
    public var question: DNSQuestion?
    public var answers: [DNSRecord] = []
    public var authority: [DNSRecord] = []
    public var additional: [DNSRecord] = []
    /// Stands last in the additional section.
    public var options: DNSOptions?

    public init(id: UInt16, flags: UInt16 = 0, question: DNSQuestion?) {
        self.id = id
        self.flags = flags
        self.question = question
    }

    public var code: UInt16 { flags & DNSFlag.codeMask }

    /// How long the message is without compression and without its OPT record.
    var uncompressedSize: Int {
        var size = 12 + (question.map { $0.name.wire.count + 4 } ?? 0)
        for record in answers { size += record.uncompressedSize }
        for record in authority { size += record.uncompressedSize }
        for record in additional { size += record.uncompressedSize }
        return size
    }

    /// The message in wire form.
    public func encoded(compressed: Bool = true) -> [UInt8] {
        var writer = DNSWriter(compressing: compressed)
        writer.write(self)
        return writer.bytes
    }
}
