import Testing

@testable import Core

@Suite struct DNSMessageTests {
    private func name(_ text: String) -> DNSName { DNSName(text) ?? .root }

    private func bytes(_ text: String) -> [UInt8] {
        let digits = text.utf8.compactMap { hexValue($0) }
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    @Test func `names are labels behind their lengths`() {
        #expect(name("web.service.consul").wire == name("web.service.consul.").wire)
        #expect(name("a.bc").wire == [1, 0x61, 2, 0x62, 0x63, 0])
        #expect(DNSName("n1", suffix: name("node.consul"))?.text == "n1.node.consul.")
        #expect(DNSName("") == .root && DNSName(".") == .root && DNSName.root.text == ".")
        #expect(DNSName("a..b") == nil && DNSName(".a") == nil && DNSName("a..") == nil)
        #expect(DNSName(String(repeating: "x", count: 63)) != nil && DNSName(String(repeating: "x", count: 64)) == nil)
        let long = Array(repeating: String(repeating: "x", count: 49), count: 5).joined(separator: ".")
        #expect(DNSName(long + ".yyy")?.wire.count == 255 && DNSName(long + ".yyyy") == nil)
        #expect(name("WEB.Consul").lowercased == name("web.consul"))
        #expect(name("web.consul").isAtOrBelow(name("consul")) && !name("xconsul").isAtOrBelow(name("consul")))
    }

    @Test func `the bytes of an answer are those of the reference`() {
        var message = DNSMessage(id: 0x1234, flags: 0x8590, question: DNSQuestion(name: name("web.service.consul"), type: DNSType.a))
        message.answers = [0x0A01_0002, 0x0A02_0003].map { DNSRecord(owner: name("web.service.consul"), ttl: 10, data: .a($0)) }
        let expected = bytes(
            """
            1234 8590 0001 0002 0000 0000 03776562 0773657276696365 06636f6e73756c 00 0001 0001
            c00c 0001 0001 0000000a 0004 0a010002 c00c 0001 0001 0000000a 0004 0a020003
            """)
        #expect(message.encoded() == expected)
    }

    @Test func `later names point into earlier ones, targets of services are written out`() throws {
        var message = DNSMessage(id: 1, flags: 0x8400, question: DNSQuestion(name: name("web.service.consul"), type: DNSType.srv))
        let target = name("n1.node.dc1.consul")
        message.answers = [
            DNSRecord(owner: name("web.service.consul"), ttl: 0, data: .srv(priority: 1, weight: 2, port: 80, target: target))
        ]
        message.additional = [
            DNSRecord(owner: target, ttl: 0, data: .a(1)), DNSRecord(owner: target, ttl: 0, data: .txt(Array("k=v".utf8))),
        ]
        let encoded = message.encoded()
        // Header 12, question 24, service 12 + 6 + 20, address 12 + 4, text 12 + 4.
        #expect(encoded.count == 12 + 24 + 38 + 16 + 16)
        #expect(message.encoded(compressed: false).count == 12 + 24 + 20 - 2 + 38 + 2 + 16 + 18 + 16 + 18 - 2)
        #expect(try DNSMessage(decoding: encoded) == message)
        #expect(try DNSMessage(decoding: message.encoded(compressed: false)) == message)
    }

    @Test func `every kind of record survives encoding and decoding`() throws {
        var random = Random(seed: 4)
        for round in 0..<300 {
            func randomName() -> DNSName {
                let labels = (0..<Int.random(in: 1...5, using: &random)).map { _ in
                    ["consul", "node", "Node", "x", "service", "dc1"].randomElement(using: &random) ?? ""
                }
                return name(labels.joined(separator: "."))
            }
            func record() -> DNSRecord {
                let data: DNSData =
                    switch Int.random(in: 0..<9, using: &random) {
                    case 0: .a(UInt32.random(in: 0...UInt32.max, using: &random))
                    case 1: .aaaa(high: random.next(), low: random.next())
                    case 2: .ns(randomName())
                    case 3: .cname(randomName())
                    case 4: .ptr(randomName())
                    case 5:
                        .soa(
                            DNSStartOfAuthority(
                                primary: randomName(), mailbox: randomName(), serial: 1, refresh: 2, retry: 3, expire: 4, minimum: 5))
                    case 6: .srv(priority: 1, weight: 2, port: 3, target: randomName())
                    case 7: .txt([UInt8](repeating: 7, count: Int.random(in: 0...600, using: &random)))
                    default: .other(type: 99, [1, 2, 3])
                    }
                return DNSRecord(owner: randomName(), ttl: 5, data: data)
            }
            var message = DNSMessage(id: UInt16(round), flags: 0x8400, question: DNSQuestion(name: randomName(), type: 255))
            message.answers = (0..<Int.random(in: 0...(round % 10 == 0 ? 400 : 5), using: &random)).map { _ in record() }
            message.authority = [record()]
            message.additional = [record()]
            let subnet = DNSOptions.ClientSubnet(family: 1, sourcePrefix: 20, scopePrefix: 0, address: [10, 1, 16])
            message.options = round % 2 == 0 ? DNSOptions(payloadSize: 1232, clientSubnet: subnet) : nil
            for compressed in [true, false] { #expect(try DNSMessage(decoding: message.encoded(compressed: compressed)) == message) }
            #expect(message.encoded().count <= message.encoded(compressed: false).count)
        }
    }

    @Test func `no prefix, count, length or number of a message stops who reads it`() {
        let target = name("a.consul")
        let every: [DNSData] = [
            .a(1), .aaaa(high: 1, low: 2), .ns(target), .cname(target), .ptr(target), .srv(priority: 1, weight: 2, port: 3, target: target),
            .soa(DNSStartOfAuthority(primary: target, mailbox: target, serial: 1, refresh: 2, retry: 3, expire: 4, minimum: 5)),
            .txt([1, 2, 3]), .other(type: 99, [1, 2, 3]),
        ]
        var catalog = DNSTestCatalog()
        catalog.node("n1", "10.2.0.1")
        for data in every {
            var message = DNSMessage(id: 7, flags: 0, question: DNSQuestion(name: name("n1.node.consul"), type: DNSType.a))
            message.answers = [DNSRecord(owner: target, ttl: 5, data: data)]
            message.options = DNSOptions(
                payloadSize: 1_232,
                clientSubnet: DNSOptions.ClientSubnet(family: 1, sourcePrefix: 20, scopePrefix: 0, address: [10, 1, 16]))
            for compressed in [true, false] {
                let bytes = message.encoded(compressed: compressed)
                var variants = bytes.indices.map { Array(bytes[..<$0]) }
                for at in bytes.indices.dropLast() {
                    for value: UInt16 in [0, 1, 0xFF, 0x100, 0x7FFF, 0x8000, 0xC000, 0xFFFF] {
                        var changed = bytes
                        (changed[at], changed[at + 1]) = (UInt8(value >> 8), UInt8(value & 0xFF))
                        variants.append(changed)
                    }
                }
                for variant in variants {
                    _ = try? DNSMessage(decoding: variant)
                    _ = catalog.raw(variant, tcp: compressed)
                }
            }
        }
        #expect(catalog.answers("n1.node.consul", DNSType.a) == ["n1.node.consul. 0 A 10.2.0.1"])
    }

    @Test func `pointers that lead forward or in circles are refused`() {
        let header = bytes("1234 0100 0001 0000 0000 0000")
        for name in ["c00c", "c00e 00", "01", "40", "3f61", "c0", "01 61 c00c 0001 0001"] {
            #expect(throws: DNSError.malformed, "\(name)") { try DNSMessage(decoding: header + bytes(name)) }
        }
        #expect(throws: DNSError.noHeader) { try DNSMessage(decoding: Array(header.dropLast())) }
    }

    @Test func `addresses are read and printed`() {
        #expect(DNSAddress("10.1.0.2") == .v4(0x0A01_0002))
        #expect(DNSAddress("::ffff:10.1.0.2") == .v4(0x0A01_0002))
        for text in ["10.1.0", "10.1.0.256", "10.1.0.02", "10.1.0.2.3", "web", "", "1..2.3", ".1.2.3", "1.2.3."] {
            #expect(DNSAddress(text) == nil, "\(text)")
        }
        for text in ["fd00::6", "::1", "::", "1::", "1:2:3:4:5:6:7:8", "1:0:0:2::3", "1:0:2:3:4:5:6:7", "0.0.0.0", "255.255.255.255"] {
            #expect(DNSAddress(text)?.text == text)
        }
        let reverse = name("6.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa")
        #expect(DNSAddress(reverse: reverse)?.text == "fd00::6")
        #expect(DNSAddress(reverse: name("1.0.5.10.in-addr.arpa"))?.text == "10.5.0.1")
        #expect(DNSAddress(reverse: name("01.0.5.10.in-addr.arpa")) == nil && DNSAddress(reverse: name("5.10.in-addr.arpa")) == nil)
    }
}
