import CSystem
import Core
import Glibc

/// A probe that begins with a connection: resolves the name, then tries one address after the other.
class DialingProbe: Probe {
    let id: UInt64
    unowned let runner: ProbeRunner
    private(set) var fd: Int32 = -1
    private var key: EventLoop.Key?
    private var addresses: [SocketAddress] = []
    private var next = 0
    private var isConnected = false
    private var host = ""

    init(id: UInt64, runner: ProbeRunner) {
        self.id = id
        self.runner = runner
    }

    func start() { preconditionFailure("a subclass says what to dial") }

    /// The connection stands.
    func connected() { preconditionFailure("a subclass says what to do with the connection") }

    /// Something happened on the standing connection.
    func happened(_ events: UInt32) {}

    func dial(host: String, port: Int) {
        self.host = host
        isConnected = false
        if let address = SocketAddress(ip: host, port: port) {
            resolved([address])
        } else {
            runner.resolver.resolve(id, host: host, port: port)
        }
    }

    final func resolved(_ found: [SocketAddress]) {
        if found.isEmpty { return finish(.failed("dial tcp: lookup \(host): no such host")) }
        addresses = found
        next = 0
        dialNext()
    }

    private func dialNext() {
        let address = addresses[next]
        next += 1
        disconnect()
        let new = socket(address.family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard new >= 0 else { return failed(address, "socket") }
        fd = new
        if address.withSockaddr({ connect(new, $0, $1) }) != 0, errno != EINPROGRESS { return failed(address, "connect") }
        do throws(SystemError) {
            key = try runner.events.add(new, events: .readable | .writable | .peerClosed | .edgeTriggered, self)
        } catch {
            errno = error.code
            failed(address, "epoll")
        }
    }

    private func failed(_ address: SocketAddress, _ call: String) {
        let error = SystemError.current
        if next < addresses.count { return dialNext() }
        finish(.failed("dial tcp \(address): \(call): \(error)"))
    }

    final func ready(_ events: UInt32) {
        if isConnected { return happened(events) }
        if let error = pendingError(of: fd) {
            errno = error.code
            return failed(addresses[next - 1], "connect")
        }
        guard events & .writable != 0 else { return }
        isConnected = true
        connected()
    }

    final func disconnect() {
        if let key { runner.events.remove(key) }
        key = nil
        if fd >= 0 { close(fd) }
        fd = -1
    }

    final func finish(_ outcome: CheckOutcome?) {
        disconnect()
        runner.finish(self, outcome)
    }

    final func timeOut() { finish(.timedOut) }
    final func cancel() { finish(nil) }

    /// `host:port`, `[::1]:port`, or the reference's error text.
    static func split(_ address: String) -> Result<(host: String, port: Int), ProbeFailure> {
        func failure(_ text: String) -> Result<(host: String, port: Int), ProbeFailure> {
            .failure(ProbeFailure(description: "dial tcp: address \(address): \(text)"))
        }
        let host: String, portText: String
        do throws(TextError) { (host, portText) = try HostPort.split(address) } catch {
            return .failure(ProbeFailure(description: "dial tcp: \(error.text)"))
        }
        guard let port = Int(portText) else {
            return .failure(ProbeFailure(description: "dial tcp: lookup tcp/\(portText): Servname not supported for ai_socktype"))
        }
        guard port >= 0 && port <= 65535 else { return failure("invalid port") }
        // Go takes an empty host for this machine.
        return .success((host.isEmpty ? "127.0.0.1" : host, port))
    }
}

struct ProbeFailure: Error, Hashable, CustomStringConvertible {
    let description: String
}

/// Connects, and that is all. Spec: behaviour §7.5.
final class TCPProbe: DialingProbe {
    private let address: String

    init(id: UInt64, address: String, runner: ProbeRunner) {
        self.address = address
        super.init(id: id, runner: runner)
    }

    override func start() {
        switch Self.split(address) {
        case .failure(let failure): finish(.failed(failure.description))
        case .success(let target): dial(host: target.host, port: target.port)
        }
    }

    override func connected() { finish(.tcpConnected) }
}
