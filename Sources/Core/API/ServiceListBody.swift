/// The body of the list of services as it was rendered last: good until a name or a tag comes or goes, whatever else happens to instances
/// and however the index moves.
struct ServiceListBody {
    private var known: (list: ServiceList, bytes: [UInt8]?)?

    /// Longer ones, which take longer than a slice of an answer may, are rendered while they are sent.
    static let sizeMax = 512 << 10

    /// nil for other answers and for what is rendered as it is sent.
    mutating func body(of result: QueryResult, _ shape: ReadShape) -> [UInt8]? {
        guard case .services(let list) = result, case .services = shape.form, !shape.pretty else { return nil }
        if let known, known.list.isSame(as: list) { return known.bytes }
        let bytes = Self.render(list)
        known = (list, bytes)
        return bytes
    }

    private static func render(_ list: ServiceList) -> [UInt8]? {
        var json = JSONWriter()
        json.beginObject()
        for service in list {
            json.service(service)
            if json.bytes.count > sizeMax { return nil }
        }
        json.endObject()
        return json.finish()
    }
}

extension JSONWriter {
    /// A member of the list.
    mutating func service(_ service: (name: String, tags: [String])) {
        key(service.name)
        strings(service.tags)
    }
}
