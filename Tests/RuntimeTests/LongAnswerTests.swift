import CSystem
import CZlib
import Core
import Foundation
import Testing

@testable import Runtime

/// Answers that are made while they are sent, and clients that do not read them.
@Suite(.timeLimit(.minutes(5))) struct LongAnswerTests {
    /// What `LongBody` makes.
    private func body(_ size: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        var source = LongBody(left: size)
        while source.append(SlicedAnswer.sliceSize, to: &bytes) {}
        return bytes
    }

    private func request(_ target: String, _ fields: String = "") -> String { "GET \(target) HTTP/1.1\r\nHost: x\r\n\(fields)\r\n" }

    @Test(arguments: [1, 65_536, 65_537, 300_000, 3_000_000])
    func `a long answer arrives whole and the connection goes on`(size: Int) throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let client = RawClient(port: running.port)
        for _ in 0..<2 {
            let answer = client.get("/long?size=\(size)")
            #expect(answer?.head.contains("Transfer-Encoding: chunked") == true)
            #expect(answer?.body == body(size))
        }
        #expect(client.get("/here")?.text == "here")
    }

    @Test func `a long answer is compressed slice by slice`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let client = RawClient(port: running.port)
        for target in ["/long", "/big"] {
            let answer = try #require(client.get("\(target)?size=2000000", headers: "Accept-Encoding: gzip\r\n"))
            #expect(answer.head.contains("Content-Encoding: gzip") && answer.body.count < 2_000_000)
            let expected = target == "/long" ? body(2_000_000) : try #require(client.get("/big?size=2000000")).body
            #expect(gunzip(answer.body) == expected, "\(target)")
        }
    }

    @Test func `to a client of HTTP 1.0 the end of the connection is the end of a long answer`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let client = RawClient(port: running.port)
        client.write("GET /long?size=500000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        let text = client.read(.max)
        let end = try #require(text.firstRange(of: Array("\r\n\r\n".utf8)))
        #expect(Array(text[end.upperBound...]) == body(500_000))
    }

    @Test func `a small request is answered while long answers beside it are under way or not read at all`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        // More than any socket buffers: none of them can be finished.
        let idle = (0..<20).map { _ in RawClient(port: running.port) }
        for client in idle { client.write(request("/long?size=\(1 << 30)")) }
        let small = RawClient(port: running.port)
        for _ in 0..<50 {
            #expect(small.get("/here")?.text == "here")
            #expect(small.get("/core")?.text == "core GET /core 0")
        }
        #expect(running.driver.unsentBytes <= 20 * (SlicedAnswer.wholeMax + 1024))
        for client in idle { #expect(client.read(12) == Array("HTTP/1.1 200".utf8)) }
    }

    @Test func `of requests sent ahead the next one is taken when the answer before it has left`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let size = 24 << 20
        let client = RawClient(port: running.port)
        client.write(String(repeating: request("/long?size=\(size)"), count: 3) + request("/here"))
        running.until { running.agent.longAnswerCount == 1 }
        let small = RawClient(port: running.port)
        for _ in 0..<50 { #expect(small.get("/core") != nil) }
        #expect(running.agent.longAnswerCount == 1)
        #expect(running.driver.unsentBytes <= SlicedAnswer.wholeMax + 1024)
        for number in 1...3 {
            #expect(client.answer()?.body.count == size)
            running.until { running.agent.longAnswerCount == min(3, number + 1) }
        }
        #expect(client.answer()?.text == "here")
    }

    @Test func `small answers to requests sent ahead are not collected without a bound`() throws {
        let running = try RunningDriver()
        defer { running.stop() }
        let client = RawClient(port: running.port)
        // Each answer is under the size that is made in slices.
        let requests = String(repeating: request("/big?size=100000"), count: 1_000)
        let fd = client.fd
        Foundation.Thread.detachNewThread { [bytes = Array(requests.utf8)] in _ = send(fd, bytes, bytes.count, Int32(MSG_NOSIGNAL)) }
        running.until { running.driver.unsentBytes > 0 }
        let small = RawClient(port: running.port)
        for _ in 0..<50 { #expect(small.get("/here")?.text == "here") }
        #expect(running.driver.unsentBytes <= SlicedAnswer.wholeMax + AnswerOutputBounds.collected)
    }

    private enum AnswerOutputBounds { static let collected = 128 << 10 }

    @Test func `beyond the budget those are closed that have read nothing for the longest`() throws {
        let running = try RunningDriver { $0.limits.unsentMax = 1 << 20 }
        defer { running.stop() }
        var clients: [RawClient] = []
        for number in 1...40 {
            let client = RawClient(port: running.port)
            client.write(request("/long?size=\(64 << 20)"))
            clients.append(client)
            running.until { running.agent.longAnswerCount == number }
        }
        let small = RawClient(port: running.port)
        running.until {
            _ = small.get("/here")
            return running.driver.clientCount < 41 && running.driver.unsentBytes <= 1 << 20
        }
        #expect(small.get("/here")?.text == "here")
        // The last one has been behind for the shortest.
        #expect(clients[39].answer()?.body.count == 64 << 20)
        #expect(clients[0].read(.max).count < 64 << 20)
    }

    @Test func `beyond the budget one connection at a time is chosen, which has waited longest of all loops`() {
        let budget = AnswerBudget(unsentMax: 1_000, retainedMax: 10)
        func holder(_ number: Int) -> AnswerBudget.Holder {
            AnswerBudget.Holder(loop: number % 4, key: EventLoop.Key(place: UInt32(number), generation: 1))
        }
        func set(_ number: Int, _ retained: Int, since: Int) -> Bool {
            budget.set(holder(number), AnswerBudget.Held(unsent: retained * 10, retained: retained), since: .zero + .seconds(since))
        }
        for number in 0..<10 { #expect(set(number, 1, since: number == 7 ? 0 : 1 + number) == false) }
        #expect(budget.nextVictim() == nil)
        #expect(set(10, 2, since: 20))
        #expect(budget.nextVictim().map { $0 == (3, holder(7).key) } == true)
        #expect(budget.nextVictim().map { $0 == (0, holder(0).key) } == true)
        #expect(budget.nextVictim() == nil && budget.total.retained == 10)
        // One that is not closed yet does not count again, nor is another one closed for it.
        #expect(set(7, 1, since: 30) == false && budget.nextVictim() == nil && budget.total.retained == 10)
        #expect(set(7, 0, since: 0) == false && budget.total.retained == 10)
        for number in 0..<10 { _ = set(number, 0, since: 0) }
        _ = set(10, 200, since: 1)
        #expect(budget.nextVictim().map { $0.key == holder(10).key } == true, "bytes that are made are bounded for one alone, too")
        _ = set(10, 0, since: 0)
        #expect(budget.total == AnswerBudget.Held())
        _ = set(11, 90, since: 1)
        #expect(budget.nextVictim() == nil, "what one alone retains is not")
    }

    @Test func `beyond what answers may retain as many are closed as must be, and the others get theirs whole`() throws {
        let size = 12_000_000
        let running = try RunningDriver {
            $0.loops = 4
            $0.limits.retainedMax = 10 * size
        }
        defer { running.stop() }
        #expect(RawClient(port: running.port).get("/big?size=\(size)")?.body.count == size)
        var clients: [RawClient] = []
        for number in 1...12 {
            let client = RawClient(port: running.port, receiveBuffer: 16 << 10)
            client.write(request("/big?size=\(size)"))
            if number <= 10 { running.until { running.driver.held.retained == number * size } }
            clients.append(client)
        }
        running.until { running.driver.clientCount == 10 && running.driver.held.retained == 10 * size }
        #expect(clients.filter { $0.answer()?.body.count == size }.count == 10)
        running.until { running.driver.held == AnswerBudget.Held() }
    }

    @Test func `an answer larger than all may retain is sent when it is the only one`() throws {
        let running = try RunningDriver { $0.limits.retainedMax = 1 << 20 }
        defer { running.stop() }
        let client = RawClient(port: running.port)
        client.write(request("/big?size=12000000"))
        running.until { running.driver.held.retained == 12_000_000 }
        #expect(client.answer()?.body.count == 12_000_000)
    }

    @Test func `a client that reads slowly and steadily stays, and one that reads nothing goes`() throws {
        let running = try RunningDriver { $0.limits.stallTimeout = .seconds(3) }
        defer { running.stop() }
        let slow = RawClient(port: running.port), idle = RawClient(port: running.port)
        for client in [slow, idle] { client.write(request("/long?size=\(64 << 20)")) }
        running.until { running.agent.longAnswerCount == 2 && running.driver.clientCount == 2 }
        // The kernel holds megabytes for the slow one: for all of this time it takes no more from the agent.
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let end = SystemClock.now() + .seconds(9)
        while SystemClock.now() < end {
            let count = recv(slow.fd, &buffer, buffer.count, 0)
            #expect(count > 0)
            usleep(50_000)
        }
        #expect(running.driver.clientCount == 1)
        #expect(idle.read(.max).count < 64 << 20)
    }

    private func gunzip(_ bytes: [UInt8]) -> [UInt8] {
        var stream = z_stream()
        guard czlib_gunzip_begin(&stream) == Z_OK else { return [] }
        defer { inflateEnd(&stream) }
        var out = [UInt8](repeating: 0, count: 4 << 20)
        var input = bytes
        let count: Int = input.withUnsafeMutableBufferPointer { input in
            out.withUnsafeMutableBufferPointer { out in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(input.count)
                stream.next_out = out.baseAddress
                stream.avail_out = UInt32(out.count)
                return inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_in == 0 ? out.count - Int(stream.avail_out) : 0
            }
        }
        return Array(out[..<count])
    }
}
