/// One thing that a caller may or may not do. Spec: acl §3 (resources), §13 (what needs which).
///
/// Every route, RPC method and operation names the ones that it needs; there is no default.
public enum Permission: Hashable, Sendable {
    /// Needs no right at all.
    case openToEverybody
    /// Access control itself, and archives of the whole state.
    case aclRead, aclWrite
    /// Of the agent on the node of that name.
    case agentRead(String), agentWrite(String)
    /// By the name of the event.
    case eventRead(String), eventWrite(String)
    case keyRead(ByteString), keyWrite(ByteString)
    /// Every key that starts so.
    case keyWritePrefix(ByteString)
    case keyringRead, keyringWrite
    case nodeRead(String), nodeWrite(String)
    case operatorRead, operatorWrite
    case serviceRead(String), serviceWrite(String)
    /// By the node of the session.
    case sessionRead(String), sessionWrite(String)
}

extension Permission {
    public enum Resource: String, Hashable, Sendable {
        case acl, agent, event, key, keyring, node, `operator`, service, session
    }

    public enum Level: String, Hashable, Sendable { case read, write }

    /// What it is about and how much of it; nil for what needs no right.
    public var subject: (resource: Resource, level: Level)? {
        switch self {
        case .openToEverybody: nil
        case .aclRead: (.acl, .read)
        case .aclWrite: (.acl, .write)
        case .agentRead: (.agent, .read)
        case .agentWrite: (.agent, .write)
        case .eventRead: (.event, .read)
        case .eventWrite: (.event, .write)
        case .keyRead: (.key, .read)
        case .keyWrite, .keyWritePrefix: (.key, .write)
        case .keyringRead: (.keyring, .read)
        case .keyringWrite: (.keyring, .write)
        case .nodeRead: (.node, .read)
        case .nodeWrite: (.node, .write)
        case .operatorRead: (.operator, .read)
        case .operatorWrite: (.operator, .write)
        case .serviceRead: (.service, .read)
        case .serviceWrite: (.service, .write)
        case .sessionRead: (.session, .read)
        case .sessionWrite: (.session, .write)
        }
    }

    /// The name within the resource; nil for those that have no parts.
    public var segment: String? {
        switch self {
        case .agentRead(let name), .agentWrite(let name), .eventRead(let name), .eventWrite(let name), .nodeRead(let name),
            .nodeWrite(let name), .serviceRead(let name), .serviceWrite(let name), .sessionRead(let name), .sessionWrite(let name):
            name
        case .keyRead(let key), .keyWrite(let key), .keyWritePrefix(let key): key.string
        case .openToEverybody, .aclRead, .aclWrite, .keyringRead, .keyringWrite, .operatorRead, .operatorWrite: nil
        }
    }

    /// As a denial names it: `service:write on web`.
    var description: String {
        guard let (resource, level) = subject else { return "nothing" }
        return "\(resource.rawValue):\(level.rawValue)" + (segment.map { " on \($0)" } ?? "")
    }
}

/// A caller may not do what it asks for. The text is the answer; over HTTP its status is 403 (acl §14).
public struct Denied: Error, Hashable, Sendable {
    public var text: String

    public init() { text = "Permission denied" }

    /// Names what the caller lacks: `Permission denied: Missing service:write on web`.
    public init(missing permission: Permission) { text = "Permission denied: Missing \(permission.description)" }

    /// In words of its own, which some calls have.
    public init(text: String) { self.text = text }
}
