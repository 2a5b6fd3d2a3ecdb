import COpenSSL
import Core

/// AES-GCM from OpenSSL, for gossip (gossip §7). The key's length, 16, 24 or 32 bytes, chooses among AES-128, -192 and -256.
public struct AESGCM: GossipCipher {
    public static let tagSize = 16
    public static let nonceSize = 12

    public init() {}

    public func seal(_ plaintext: [UInt8], key: [UInt8], nonce: [UInt8], additionalData: [UInt8]) -> [UInt8] {
        precondition(nonce.count == Self.nonceSize, "a nonce has 12 bytes")
        guard let cipher = Self.cipher(key.count), let context = EVP_CIPHER_CTX_new() else {
            preconditionFailure("OpenSSL provides AES-GCM for keys of 16, 24 and 32 bytes")
        }
        defer { EVP_CIPHER_CTX_free(context) }
        var length: Int32 = 0
        var out = [UInt8](repeating: 0, count: plaintext.count + Self.tagSize)
        var isDone = EVP_EncryptInit_ex(context, cipher, nil, key, nonce) == 1
        if !additionalData.isEmpty {
            isDone = isDone && EVP_EncryptUpdate(context, nil, &length, additionalData, Int32(additionalData.count)) == 1
        }
        if !plaintext.isEmpty {
            isDone = isDone && EVP_EncryptUpdate(context, &out, &length, plaintext, Int32(plaintext.count)) == 1
        }
        isDone =
            isDone
            && out.withUnsafeMutableBufferPointer { bytes in
                let tag = bytes.baseAddress! + plaintext.count
                return EVP_EncryptFinal_ex(context, tag, &length) == 1
                    && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(Self.tagSize), tag) == 1
            }
        precondition(isDone, "encryption cannot fail")
        return out
    }

    public func open(_ sealed: ArraySlice<UInt8>, key: [UInt8], nonce: ArraySlice<UInt8>, additionalData: [UInt8]) -> [UInt8]? {
        guard sealed.count >= Self.tagSize, nonce.count == Self.nonceSize, sealed.count < Int(Int32.max) else { return nil }
        guard let cipher = Self.cipher(key.count), let context = EVP_CIPHER_CTX_new() else { return nil }
        defer { EVP_CIPHER_CTX_free(context) }
        let size = sealed.count - Self.tagSize
        var length: Int32 = 0
        var tag = Array(sealed.suffix(Self.tagSize))
        guard nonce.withUnsafeBufferPointer({ EVP_DecryptInit_ex(context, cipher, nil, key, $0.baseAddress) }) == 1 else { return nil }
        if !additionalData.isEmpty {
            guard EVP_DecryptUpdate(context, nil, &length, additionalData, Int32(additionalData.count)) == 1 else { return nil }
        }
        var out = [UInt8](repeating: 0, count: size)
        if size > 0 {
            let isRead = sealed.withUnsafeBufferPointer { EVP_DecryptUpdate(context, &out, &length, $0.baseAddress, Int32(size)) }
            guard isRead == 1 else { return nil }
        }
        guard EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(Self.tagSize), &tag) == 1 else { return nil }
        // Nothing is left to be written: GCM has no blocks to fill.
        var rest: UInt8 = 0
        return EVP_DecryptFinal_ex(context, &rest, &length) == 1 ? out : nil
    }

    private static func cipher(_ keySize: Int) -> OpaquePointer? {
        switch keySize {
        case 16: EVP_aes_128_gcm()
        case 24: EVP_aes_192_gcm()
        case 32: EVP_aes_256_gcm()
        default: nil
        }
    }
}
