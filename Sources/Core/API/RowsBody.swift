/// A JSON document that ends in a list: as much of it is rendered at a time as the client takes.
struct RowsBody<Row: Sendable>: BodySource {
    typealias Render = @Sendable (inout JSONWriter, Row) -> Void

    /// Inside the list; holds no bytes between slices.
    private var json: JSONWriter
    private let rows: [Row]
    private var next = 0
    private let render: Render
    /// Closes the list and what is around it.
    private let end: @Sendable (inout JSONWriter) -> Void

    /// Rows that a slice passes over, whether a filter lets them show or not.
    static var rowsMax: Int { 1024 }

    /// `json` has just begun the list. `render` may leave a row out.
    init(_ json: JSONWriter, _ rows: [Row], _ render: @escaping Render, end: @escaping @Sendable (inout JSONWriter) -> Void) {
        self.json = json
        self.rows = rows
        self.render = render
        self.end = end
    }

    mutating func append(_ size: Int, to out: inout [UInt8]) -> Bool {
        json.exchangeBytes(with: &out)
        let bytesMax = json.bytes.count + size, last = min(rows.count, next + Self.rowsMax)
        while next < last, json.bytes.count < bytesMax {
            render(&json, rows[next])
            next += 1
        }
        let isMore = next < rows.count
        if !isMore {
            end(&json)
            json.endDocument()
        }
        json.exchangeBytes(with: &out)
        return isMore
    }

    /// What the head of the document came to.
    fileprivate mutating func takeBytes() -> [UInt8] {
        var bytes: [UInt8] = []
        json.exchangeBytes(with: &bytes)
        return bytes
    }
}

extension HTTPResponse {
    /// The beginning of the document is rendered now, and the rest, if it is long, while it is sent.
    mutating func setBody<Row>(_ rows: RowsBody<Row>) {
        var rows = rows
        body = rows.takeBytes()
        for _ in 0..<Self.slicesAtOnceMax {
            if !rows.append(SlicedAnswer.wholeMax - body.count, to: &body) { return }
            if body.count >= SlicedAnswer.wholeMax / 2 { break }
        }
        rest = BodyRest(rows)
    }

    /// Of rows that hardly come to anything.
    private static var slicesAtOnceMax: Int { 16 }

    /// A JSON array. `size`: about how many bytes a row comes to, if that is known.
    mutating func setRows<Row>(
        _ rows: [Row], pretty: Bool, size: (Row) -> Int = { _ in 64 }, _ render: @escaping RowsBody<Row>.Render
    ) {
        var json = JSONWriter(pretty: pretty, reservingCapacity: Self.capacity(rows, pretty, size))
        json.beginArray()
        setBody(RowsBody(json, rows, render) { $0.endArray() })
    }

    /// A JSON object; `render` writes a key and its value.
    mutating func setMembers<Row>(
        _ rows: [Row], pretty: Bool, size: (Row) -> Int, _ render: @escaping RowsBody<Row>.Render
    ) {
        var json = JSONWriter(pretty: pretty, reservingCapacity: Self.capacity(rows, pretty, size))
        json.beginObject()
        setBody(RowsBody(json, rows, render) { $0.endObject() })
    }

    /// About the length of what is rendered at once, so that it is not copied while it grows.
    private static func capacity<Row>(_ rows: [Row], _ pretty: Bool, _ size: (Row) -> Int) -> Int {
        var sum = 64
        for row in rows {
            sum += pretty ? size(row) + 128 : size(row)
            if sum >= SlicedAnswer.wholeMax { return SlicedAnswer.wholeMax + 4_096 }
        }
        return sum
    }
}
