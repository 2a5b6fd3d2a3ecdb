import Core

/// A service whose numbered instances, each on a node of its own, show in DNS which of their registrations is in force: the version
/// is both the port and part of the address.
struct DNSSubject {
    /// Instances of one service that any answer has room for: UDP answers show no more (dns §10).
    static let instancesMax = 3

    let name: String
    let instances: Int

    /// What can be asked.
    enum Question: Hashable {
        /// SRV records, with addresses beside them.
        case service
        /// The same under its RFC 2782 name.
        case serviceByProtocol
        case addresses
        /// The address of one instance's node.
        case node(Int)

        var isOfNode: Bool { if case .node = self { true } else { false } }
    }

    func node(_ instance: Int) -> String { "\(name)-node\(instance)" }

    func bytes(_ question: Question, id: UInt16) -> [UInt8] {
        let (name, type): (String, UInt16) =
            switch question {
            case .service: ("\(name).service.consul.", DNSType.srv)
            case .serviceByProtocol: ("_\(name)._tcp.service.consul.", DNSType.srv)
            case .addresses: ("\(name).service.consul.", DNSType.a)
            case .node(let instance): ("\(node(instance)).node.consul.", DNSType.a)
            }
        guard let name = DNSName(name) else { preconditionFailure("names of subjects are names in DNS") }
        return DNSMessage(id: id, flags: DNSFlag.recursionDesired, question: DNSQuestion(name: name, type: type)).encoded()
    }

    /// Why an instance is not shown.
    enum Absence: CaseIterable {
        /// It is taken away with its node.
        case removed
        /// Its own check is critical, or its node's.
        case serviceCritical, nodeCritical
    }

    /// Every third version of an instance has a check with a warning, which shows in its weight.
    private func isWarning(_ version: Int) -> Bool { version % 3 == 1 }
    private static let weights = (passing: 7, warning: 3)

    /// The request that makes an instance show `version`, or nothing.
    func write(instance: Int, version: Int, absent: Absence?) -> (target: String, body: [UInt8]) {
        var json = JSONWriter()
        json.beginObject()
        json.key("Node")
        json.string(node(instance))
        if absent == .removed {
            json.endObject()
            return ("/v1/catalog/deregister", json.finish())
        }
        json.key("Address")
        json.string("10.\(100 + instance).\(version >> 8).\(version & 255)")
        json.key("Service")
        json.beginObject()
        json.key("ID")
        json.string("\(name)-\(instance)")
        json.key("Service")
        json.string(name)
        json.key("Port")
        json.int(version)
        json.key("Weights")
        json.beginObject()
        json.key("Passing")
        json.int(Self.weights.passing)
        json.key("Warning")
        json.int(Self.weights.warning)
        json.endObject()
        json.endObject()
        json.key("Checks")
        json.beginArray()
        let usual = isWarning(version) ? CheckStatus.warning : CheckStatus.passing
        write("own", absent == .serviceCritical ? CheckStatus.critical : usual, instance, service: "\(name)-\(instance)", &json)
        write("node", absent == .nodeCritical ? CheckStatus.critical : CheckStatus.passing, instance, service: "", &json)
        json.endArray()
        json.endObject()
        return ("/v1/catalog/register", json.finish())
    }

    private func write(_ id: String, _ status: String, _ instance: Int, service: String, _ json: inout JSONWriter) {
        json.beginObject()
        json.key("Node")
        json.string(node(instance))
        json.key("CheckID")
        json.string(id)
        json.key("Status")
        json.string(status)
        json.key("ServiceID")
        json.string(service)
        json.endObject()
    }

    /// The versions that an answer shows, by instance; nil for instances that it says nothing of.
    func versions(_ message: DNSMessage, to question: Question) throws(Violation) -> [Int?] {
        var versions: [Int?]
        switch question {
        case .node(let instance):
            versions = Array(repeating: nil, count: instances)
            versions[instance] = 0
        case .service, .serviceByProtocol, .addresses: versions = Array(repeating: 0, count: instances)
        }
        for record in message.answers {
            let (instance, version) = try version(record, message)
            guard instance < instances, versions[instance] == 0 else { throw nonsense(message) }
            versions[instance] = version
        }
        return versions
    }

    private func version(_ record: DNSRecord, _ message: DNSMessage) throws(Violation) -> (instance: Int, version: Int) {
        switch record.data {
        case .a(let address): return shown(by: address)
        case .srv(_, let weight, let port, let target):
            // The address stands beside it, and both come from one registration.
            for other in message.additional where other.owner.lowercased == target.lowercased {
                guard case .a(let address) = other.data else { continue }
                let (instance, version) = shown(by: address)
                let expected = isWarning(version) ? Self.weights.warning : Self.weights.passing
                guard version == Int(port), Int(weight) == expected, target.text.hasPrefix(node(instance) + ".node.") else {
                    throw nonsense(message)
                }
                return (instance, version)
            }
            throw nonsense(message)
        default: throw nonsense(message)
        }
    }

    private func shown(by address: UInt32) -> (instance: Int, version: Int) {
        (Int(address >> 16 & 255) - 100, Int(address & 0xFFFF))
    }

    private func nonsense(_ message: DNSMessage) -> Violation {
        Violation(rule: "answers make sense", text: "\(name): \(message.answers), \(message.additional)")
    }
}
