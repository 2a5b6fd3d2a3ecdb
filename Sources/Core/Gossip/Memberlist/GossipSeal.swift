/// Encrypted messages (gossip §7): version, nonce, ciphertext, tag.
enum GossipSeal {
    static let nonceSize = 12
    private static let tagSize = 16
    private static let blockSize = 16
    static let newestVersion: UInt8 = 1

    enum Failure: Error, Hashable {
        case empty
        case unsupportedVersion(UInt8)
        case tooSmall(Int)
        case noKey
        case badPadding

        var text: String {
            switch self {
            case .empty: "Cannot decrypt empty payload"
            case .unsupportedVersion(let version): "Unsupported encryption version \(version)"
            case .tooSmall(let size): "Payload is too small to decrypt: \(size)"
            case .noKey: "No installed keys could decrypt the message"
            case .badPadding: "Payload has a bad padding"
            }
        }
    }

    /// How much longer a message may become.
    static func overhead(version: UInt8) -> Int { version == 0 ? 45 : 29 }

    /// The length of what `seal` gives for a message of that length.
    static func sealedLength(_ length: Int, version: UInt8) -> Int {
        let padding = version == 0 ? blockSize - length % blockSize : 0
        return 1 + nonceSize + length + padding + tagSize
    }

    static func seal(
        _ message: [UInt8], version: UInt8, key: [UInt8], nonce: [UInt8], additionalData: [UInt8], cipher: any GossipCipher
    ) -> [UInt8] {
        var plaintext = message
        if version == 0 {
            let padding = blockSize - message.count % blockSize
            plaintext.append(contentsOf: repeatElement(UInt8(padding), count: padding))
        }
        return [version] + nonce + cipher.seal(plaintext, key: key, nonce: nonce, additionalData: additionalData)
    }

    static func open(
        _ sealed: ArraySlice<UInt8>, keyring: GossipKeyring, additionalData: [UInt8], cipher: any GossipCipher
    ) throws(Failure) -> [UInt8] {
        guard let version = sealed.first else { throw .empty }
        guard version <= newestVersion else { throw .unsupportedVersion(version) }
        guard sealed.count >= overhead(version: version) else { throw .tooSmall(sealed.count) }
        let nonce = sealed.dropFirst().prefix(nonceSize)
        let body = sealed.dropFirst(1 + nonceSize)
        for key in planted(.onlyPrimaryOpens) ? Array(keyring.keys.prefix(1)) : keyring.keys {
            guard let plaintext = cipher.open(body, key: key, nonce: nonce, additionalData: additionalData) else { continue }
            guard version == 0 else { return plaintext }
            guard let padding = plaintext.last.map({ Int($0) }), (1...blockSize).contains(padding), padding <= plaintext.count else {
                throw .badPadding
            }
            return Array(plaintext.dropLast(padding))
        }
        throw .noKey
    }
}
