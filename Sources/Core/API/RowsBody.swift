/// A JSON document that ends in a list: as much of it is rendered at a time as the client takes.
struct RowsBody<Rows: IteratorProtocol & Sendable>: BodySource where Rows.Element: Sendable {
    typealias Render = @Sendable (inout JSONWriter, Rows.Element) -> Void

    /// Inside the list; holds no bytes between slices.
    private var json: JSONWriter
    private var rows: Rows
    /// The first of the rows that are left.
    private var next: Rows.Element?
    private let render: Render
    /// Closes the list and what is around it.
    private let end: @Sendable (inout JSONWriter) -> Void

    /// Rows that a slice passes over, whether a filter lets them show or not.
    static var rowsMax: Int { 1024 }

    /// `json` has just begun the list. `render` may leave a row out.
    init<List: Sequence>(
        _ json: JSONWriter, _ rows: List, _ render: @escaping Render, end: @escaping @Sendable (inout JSONWriter) -> Void
    ) where List.Iterator == Rows {
        self.json = json
        self.rows = rows.makeIterator()
        next = self.rows.next()
        self.render = render
        self.end = end
    }

    mutating func append(_ size: Int, to out: inout [UInt8]) -> Bool {
        json.exchangeBytes(with: &out)
        let bytesMax = json.bytes.count + size
        var passed = 0
        while passed < Self.rowsMax, json.bytes.count < bytesMax, let row = next {
            render(&json, row)
            next = rows.next()
            passed += 1
        }
        let isMore = next != nil
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
    mutating func setBody<Rows>(_ rows: RowsBody<Rows>) {
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
    mutating func setRows<Rows: Sequence>(
        _ rows: Rows, pretty: Bool, size: (Rows.Element) -> Int = { _ in 64 },
        _ render: @escaping @Sendable (inout JSONWriter, Rows.Element) -> Void
    ) where Rows.Iterator: Sendable, Rows.Element: Sendable {
        var json = JSONWriter(pretty: pretty, reservingCapacity: Self.capacity(rows, pretty, size))
        json.beginArray()
        setBody(RowsBody(json, rows, render) { $0.endArray() })
    }

    /// A JSON object; `render` writes a key and its value.
    mutating func setMembers<Rows: Sequence>(
        _ rows: Rows, pretty: Bool, size: (Rows.Element) -> Int,
        _ render: @escaping @Sendable (inout JSONWriter, Rows.Element) -> Void
    ) where Rows.Iterator: Sendable, Rows.Element: Sendable {
        var json = JSONWriter(pretty: pretty, reservingCapacity: Self.capacity(rows, pretty, size))
        json.beginObject()
        setBody(RowsBody(json, rows, render) { $0.endObject() })
    }

    /// About the length of what is rendered at once, so that it is not copied while it grows.
    private static func capacity<Rows: Sequence>(_ rows: Rows, _ pretty: Bool, _ size: (Rows.Element) -> Int) -> Int {
        var sum = 64
        for row in rows {
            sum += pretty ? size(row) + 128 : size(row)
            if sum >= SlicedAnswer.wholeMax { return SlicedAnswer.wholeMax + 4_096 }
        }
        return sum
    }
}
