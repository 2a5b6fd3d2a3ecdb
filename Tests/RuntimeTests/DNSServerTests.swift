import CSystem
import Core
import Foundation
import Testing

@testable import Runtime

/// Asks DNS questions, which here are any bytes.
enum DNSClient {
    static func udp(port: Int, _ questions: [[UInt8]]) -> [[UInt8]] {
        let fd = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(fd) }
        var patience = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        precondition(SocketAddress(ip: "127.0.0.1", port: port)!.withSockaddr { connect(fd, $0, $1) } == 0)
        var buffer = [UInt8](repeating: 0, count: 65536)
        return questions.map { question in
            _ = question.withUnsafeBytes { send(fd, $0.baseAddress!, $0.count, 0) }
            let count = recv(fd, &buffer, buffer.count, 0)
            return Array(buffer.prefix(max(0, count)))
        }
    }

    static func tcp(port: Int, _ questions: [[UInt8]]) -> [[UInt8]] {
        let client = RawClient(port: port)
        for question in questions { client.write(framed(question)) }
        return questions.map { _ in answer(client) }
    }

    static func framed(_ question: [UInt8]) -> [UInt8] { [UInt8(question.count >> 8), UInt8(question.count & 255)] + question }

    static func answer(_ client: RawClient) -> [UInt8] {
        let size = client.read(2)
        return size.count < 2 ? [] : client.read(Int(size[0]) << 8 | Int(size[1]))
    }
}

@Suite(.timeLimit(.minutes(5))) struct DNSServerTests {
    @Test func `questions over UDP are answered, whatever their size`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let questions = [12, 100, 4096, 60_000].map { size in (0..<size).map { UInt8(truncatingIfNeeded: $0) } }
        #expect(DNSClient.udp(port: running.dnsPort, questions) == questions.map { $0.reversed() })
    }

    @Test func `what is no question, or is dropped, does not stop the others`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let fd = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(fd) }
        let question = [UInt8](1...30)
        SocketAddress(ip: "127.0.0.1", port: running.dnsPort)!.withSockaddr { address, length in
            let dropped = [UInt8](repeating: 0xFF, count: 20)
            for _ in 0..<100 {
                for bytes in [[], [1], [UInt8](1...11), dropped] {
                    _ = bytes.withUnsafeBytes { sendto(fd, $0.baseAddress, $0.count, 0, address, length) }
                }
            }
        }
        #expect(DNSClient.udp(port: running.dnsPort, [question]) == [question.reversed()])
    }

    @Test func `many questions at once are all answered`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let fd = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        defer { close(fd) }
        precondition(SocketAddress(ip: "127.0.0.1", port: running.dnsPort)!.withSockaddr { connect(fd, $0, $1) } == 0)
        for number in 0..<100 {
            let question = [UInt8](repeating: UInt8(number), count: 40)
            _ = question.withUnsafeBytes { send(fd, $0.baseAddress!, $0.count, 0) }
        }
        var seen: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        for _ in 0..<100 {
            #expect(recv(fd, &buffer, buffer.count, 0) == 40)
            seen.append(buffer[0])
        }
        #expect(seen.sorted() == (0..<100).map { UInt8($0) })
    }

    @Test func `one TCP connection carries many questions, in odd pieces, up to the limit`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let client = RawClient(port: running.dnsPort)
        let question = [UInt8](1...50)
        let all = (0..<130).flatMap { _ in DNSClient.framed(question) }
        for at in stride(from: 0, to: all.count, by: 33) { client.write(Array(all[at..<min(at + 33, all.count)])) }
        for _ in 0..<DNSConnection.questionsMax { #expect(DNSClient.answer(client) == question.reversed()) }
        #expect(DNSClient.answer(client) == [], "the server closes after \(DNSConnection.questionsMax) questions")
    }

    @Test func `a TCP connection without a question is closed`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let client = RawClient(port: running.dnsPort)
        client.write([0])
        #expect(client.read(1).isEmpty)
    }
}
