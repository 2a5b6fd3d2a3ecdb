import Testing

@testable import Core

/// Long answers are the same in slices of every size as they are whole.
@Suite struct SlicedAnswerTests {
    private let context = APIContext()

    private func render(_ result: QueryResult, _ form: ReadShape.Form, pretty: Bool = false, filter: Filter? = nil) -> HTTPResponse {
        Renderer.render(
            result, meta: QueryMeta(), options: QueryOptions(), shape: ReadShape(form, pretty: pretty, filter: filter), context: context)
    }

    private static let entries: [DirEntry] = (0..<6_000).map { number in
        var entry = KVEntry()
        entry.value = Array(repeating: UInt8(truncatingIfNeeded: number), count: number % 50)
        entry.index = RaftIndex(create: UInt64(number), modify: UInt64(number) * 3)
        return DirEntry(key: ByteString("key/\(number)"), entry: entry)
    }

    private static let nodes: [Row<Node>] = (0..<4_000).map { number in
        var node = Node()
        node.node = "node-\(number)"
        node.address = "10.0.\(number / 250).\(number % 250)"
        return Row(node)
    }

    private func json(_ pretty: Bool, _ body: (inout JSONWriter) -> Void) -> [UInt8] {
        var json = JSONWriter(pretty: pretty)
        body(&json)
        return json.finish()
    }

    /// The body, made with slices of that size.
    private func body(_ response: HTTPResponse, slices size: Int) -> [UInt8] {
        var bytes = response.body
        guard var source = response.rest?.source else { return bytes }
        while source.append(size, to: &bytes) {}
        return bytes
    }

    @Test(arguments: [1, 97, 4_096, SlicedAnswer.sliceSize, 1 << 24], [false, true])
    func `lists of rows are the same in slices of any size`(size: Int, pretty: Bool) throws {
        let entries = render(.entries(EntryList(Self.entries)), .kvEntries, pretty: pretty)
        #expect(entries.rest != nil && entries.body.count < 2 * SlicedAnswer.wholeMax)
        #expect(
            body(entries, slices: size)
                == json(pretty) { json in
                    json.beginArray()
                    for entry in Self.entries { json.entry(entry) }
                    json.endArray()
                })
        let nodes = render(.nodes(Self.nodes), .nodes, pretty: pretty, filter: try Filter.compile("Node matches \"7$\"", Node.filterSchema))
        let expected = json(pretty) { json in
            json.beginArray()
            for row in Self.nodes where row.value.node.hasSuffix("7") { json.node(row.value) }
            json.endArray()
        }
        #expect(body(nodes, slices: size) == expected)
        let txn = Renderer.txn(TxnResponse(results: Self.entries.map { .kv($0) }), meta: QueryMeta(), pretty: pretty, context: context)
        #expect(txn.rest != nil)
        let whole = body(txn, slices: size)
        #expect(whole == txn.wholeBody)
        #expect(String(decoding: whole, as: UTF8.self).hasSuffix(pretty ? "\"ConsistencyLevel\": \"\"\n}\n" : "\"ConsistencyLevel\":\"\"}"))
    }

    @Test func `an answer that a filter empties is empty`() throws {
        let filter = try Filter.compile("Node == nobody", Node.filterSchema)
        let many = Array((0..<10).map { _ in Self.nodes }.joined())
        #expect(render(.nodes(many), .nodes, filter: filter).wholeBody == Array("[]".utf8))
    }

    @Test func `a slice ends at its size or after one row more`() throws {
        var source = try #require(render(.entries(EntryList(Self.entries)), .kvEntries).rest?.source)
        var isMore = true
        while isMore {
            var slice: [UInt8] = []
            isMore = source.append(10_000, to: &slice)
            #expect(slice.count < 10_400 && (slice.count >= 10_000 || !isMore))
        }
    }

    @Test func `a prefix is walked as the state was that it was read from`() throws {
        var store = Store()
        func put(_ key: String, _ value: String, _ index: UInt64) {
            var request = KVSRequest()
            request.op = .set
            request.dirEnt.key = ByteString(key)
            request.dirEnt.entry.value = Array(value.utf8)
            var changes = ChangeSet()
            _ = store.apply(.kv(request), index: index, changes: &changes)
        }
        for number in 0..<20_000 { put("key/\(number)", "value \(number)", UInt64(number + 10)) }
        put("kez", "beyond", 30_000)
        guard case .success((.entries(let found), let index)) = store.evaluate(.kv(.list(prefix: "key/")), options: QueryOptions()) else {
            return #expect(Bool(false))
        }
        #expect(found.count == 20_000 && index == 20_009 && found.first?.key == "key/0")
        let response = render(.entries(found), .kvEntries)
        let expected = json(false) { json in
            json.beginArray()
            for entry in Array(found) { json.entry(entry) }
            json.endArray()
        }
        for number in stride(from: 0, to: 20_000, by: 7) { put("key/\(number)", "changed", UInt64(number + 40_000)) }
        #expect(response.rest != nil && body(response, slices: 10_000) == expected)
    }

    private struct NoGzip: Compressor {
        func gzip(_ bytes: [UInt8], into out: inout [UInt8]) { out += bytes }
        func stream() -> any CompressionStream { Plain() }
    }

    private final class Plain: CompressionStream {
        func append(_ bytes: [UInt8], isLast: Bool, to out: inout [UInt8]) { out += bytes }
    }

    @Test(arguments: [0, 1, SlicedAnswer.wholeMax, SlicedAnswer.wholeMax + 1, 3 * SlicedAnswer.wholeMax], [false, true])
    func `a body of every length arrives as it is`(length: Int, isSized: Bool) throws {
        var response = HTTPResponse(status: 200, body: (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7) })
        response.isSized = isSized
        for acceptsGzip in [false, true] {
            var framing = HTTPFraming()
            framing.acceptsGzip = acceptsGzip
            var out: [UInt8] = []
            var compressor = NoGzip()
            let (isOpen, rest) = HTTPSerializer.begin(response, framing: framing, date: [], to: &out, compressor: &compressor)
            #expect(isOpen && (rest != nil) == (length > SlicedAnswer.wholeMax))
            if var rest { while rest.append(to: &out) {} }
            var parser = HTTPResponseParser(bodyLimit: 1 << 24)
            var at = 0
            guard case .response(let answer) = parser.parse(out, at: &at) else {
                Issue.record("no answer")
                continue
            }
            #expect(answer.body == response.body && at == out.count)
        }
    }
}
