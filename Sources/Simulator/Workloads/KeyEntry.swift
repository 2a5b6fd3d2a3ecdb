import Core

/// An entry of the key/value store as an answer shows it (http-2 §2.1).
struct KeyEntry {
    var key: String
    var value: [UInt8]
    var session: String
    var lockIndex: UInt64
    var createIndex: UInt64
    var modifyIndex: UInt64

    init?(_ json: DynamicValue) {
        guard let key = json["Key"]?.text, let lockIndex = json["LockIndex"]?.number, let create = json["CreateIndex"]?.number,
            let modify = json["ModifyIndex"]?.number
        else { return nil }
        self.key = key
        self.lockIndex = lockIndex
        createIndex = create
        modifyIndex = modify
        session = json["Session"]?.text ?? ""
        value = json["Value"]?.text.flatMap { try? Base64.decode($0) } ?? []
    }

    /// The number in values of the form `v17`.
    var number: Int32? {
        guard value.first == UInt8(ascii: "v") else { return nil }
        return Int32(String(decoding: value.dropFirst(), as: UTF8.self))
    }
}
