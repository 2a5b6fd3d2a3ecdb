// The verbs of a transaction's operations, as they are named on the wire, in the log and in JSON. Spec: http-2 §6.1.
//
// One that nobody knows is kept: it is refused where the operation is carried out, in every server alike.

/// What is to be done with a key.
public enum KVVerb: Hashable, Sendable {
    /// Also what nobody knows.
    case write(KVOperation)
    case get
    /// Every key that starts so.
    case getTree
    case checkIndex, checkSession, checkNotExists

    public init(_ text: String) {
        self =
            switch text {
            case "get": .get
            case "get-tree": .getTree
            case "check-index": .checkIndex
            case "check-session": .checkSession
            case "check-not-exists": .checkNotExists
            default: .write(KVOperation(text))
            }
    }

    public var text: String {
        switch self {
        case .write(let operation): operation.text
        case .get: "get"
        case .getTree: "get-tree"
        case .checkIndex: "check-index"
        case .checkSession: "check-session"
        case .checkNotExists: "check-not-exists"
        }
    }
}

/// What is to be done with a node, a service or a check.
public enum CatalogVerb: Hashable, Sendable {
    case get, set
    /// Sets it if it is as the client believes.
    case cas
    case delete
    /// If it is as the client believes.
    case deleteCAS
    case unknown(String)

    public init(_ text: String) {
        self =
            switch text {
            case "get": .get
            case "set": .set
            case "cas": .cas
            case "delete": .delete
            case "delete-cas": .deleteCAS
            default: .unknown(text)
            }
    }

    public var text: String {
        switch self {
        case .get: "get"
        case .set: "set"
        case .cas: "cas"
        case .delete: "delete"
        case .deleteCAS: "delete-cas"
        case .unknown(let text): text
        }
    }
}

/// What is to be done with a session.
public enum SessionVerb: Hashable, Sendable {
    case delete
    case unknown(String)

    public init(_ text: String) { self = text == "delete" ? .delete : .unknown(text) }

    public var text: String {
        switch self {
        case .delete: "delete"
        case .unknown(let text): text
        }
    }
}
