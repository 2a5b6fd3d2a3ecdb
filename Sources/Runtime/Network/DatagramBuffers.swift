import CSystem
import Core
import Glibc

/// The memory that `recvmmsg` and `sendmmsg` work on. Most of it is never touched, and so takes up no room.
final class DatagramBuffers {
    /// Messages per system call.
    static let count = 32
    /// Questions of every size are accepted (dns §1).
    static let size = 65536
    /// Of an answer that is written in place; longer ones come as arrays.
    static let replySize = 4096

    private let bytes: UnsafeMutableRawBufferPointer
    private let replies: UnsafeMutableRawBufferPointer
    private let headers: UnsafeMutablePointer<csystem_mmsghdr>
    private let vectors: UnsafeMutablePointer<iovec>
    private let peers: UnsafeMutablePointer<sockaddr_storage>
    /// Length of each answer, and the message that it answers.
    private var answers: [(length: Int, index: Int)] = []

    init() {
        bytes = .allocate(byteCount: Self.count * Self.size, alignment: 4096)
        replies = .allocate(byteCount: Self.count * Self.replySize, alignment: 4096)
        headers = .allocate(capacity: Self.count)
        vectors = .allocate(capacity: Self.count)
        peers = .allocate(capacity: Self.count)
        headers.initialize(repeating: csystem_mmsghdr(), count: Self.count)
        vectors.initialize(repeating: iovec(), count: Self.count)
        peers.initialize(repeating: sockaddr_storage(), count: Self.count)
    }

    deinit {
        bytes.deallocate()
        replies.deallocate()
        headers.deallocate()
        vectors.deallocate()
        peers.deallocate()
    }

    func receive(_ fd: Int32) -> Int {
        for index in 0..<Self.count {
            vectors[index] = iovec(iov_base: bytes.baseAddress! + index * Self.size, iov_len: Self.size)
            set(index, vector: index)
            headers[index].header.msg_namelen = socklen_t(MemoryLayout<sockaddr_storage>.size)
        }
        return Int(csystem_recvmmsg(fd, headers, UInt32(Self.count), Int32(MSG_DONTWAIT)))
    }

    private func set(_ index: Int, vector: Int) {
        headers[index].header.msg_name = UnsafeMutableRawPointer(peers + vector)
        headers[index].header.msg_iov = vectors + vector
        headers[index].header.msg_iovlen = 1
    }

    func message(_ index: Int) -> [UInt8] { Array(view(index)) }

    /// Good until the next answer is written.
    func view(_ index: Int) -> UnsafeRawBufferPointer {
        let start = index * Self.size
        return UnsafeRawBufferPointer(rebasing: bytes[start..<start + Int(headers[index].length)])
    }

    func peer(_ index: Int) -> SocketAddress? { SocketAddress(peers + index, length: headers[index].header.msg_namelen) }
    func rawPeer(_ index: Int) -> (sockaddr_storage, socklen_t) { (peers[index], headers[index].header.msg_namelen) }

    /// Room for the next answer, for `addWritten`: apart from all questions that are not seen to yet, and from the one at hand.
    var room: UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: replies[answers.count * Self.replySize..<(answers.count + 1) * Self.replySize])
    }

    /// The answer to message `index` stands in `room`.
    func addWritten(_ length: Int, to index: Int) { note(length, index, replies.baseAddress! + answers.count * Self.replySize) }

    /// Takes the answer to message `index`, for the next `send`.
    func add(_ answer: [UInt8], to index: Int) {
        // The question of this place or an earlier one is done with: its memory takes the answer.
        let place = answers.count, length = min(answer.count, Self.size)
        let target = UnsafeMutableRawBufferPointer(rebasing: bytes[place * Self.size..<place * Self.size + length])
        target.copyBytes(from: answer.prefix(length))
        note(length, index, target.baseAddress!)
    }

    private func note(_ length: Int, _ index: Int, _ start: UnsafeMutableRawPointer) {
        let place = answers.count
        vectors[place] = iovec(iov_base: start, iov_len: length)
        answers.append((length, index))
    }

    /// Sends the answers. What the socket has no room for is lost, as datagrams are.
    func send(_ fd: Int32) {
        if answers.isEmpty { return }
        for (place, entry) in answers.enumerated() {
            let nameLength = headers[entry.index].header.msg_namelen
            headers[place].header.msg_name = UnsafeMutableRawPointer(peers + entry.index)
            headers[place].header.msg_namelen = nameLength
            headers[place].header.msg_iov = vectors + place
            headers[place].header.msg_iovlen = 1
        }
        transmit(fd, answers.count)
        answers.removeAll(keepingCapacity: true)
    }

    /// Sends up to `count` datagrams; how many there were. What the socket has no room for is lost.
    func send(_ fd: Int32, _ packets: ArraySlice<(bytes: [UInt8], target: SocketAddress)>) -> Int {
        let batch = packets.prefix(Self.count)
        for (place, packet) in batch.enumerated() {
            let length = min(packet.bytes.count, Self.size)
            let memory = UnsafeMutableRawBufferPointer(rebasing: bytes[place * Self.size..<place * Self.size + length])
            memory.copyBytes(from: packet.bytes.prefix(length))
            vectors[place] = iovec(iov_base: memory.baseAddress, iov_len: length)
            set(place, vector: place)
            headers[place].header.msg_namelen = packet.target.withSockaddr { address, size in
                memcpy(peers + place, address, Int(size))
                return size
            }
        }
        transmit(fd, batch.count)
        return batch.count
    }

    private func transmit(_ fd: Int32, _ total: Int) {
        var sent = 0
        while sent < total {
            let count = csystem_sendmmsg(fd, headers + sent, UInt32(total - sent), Int32(MSG_DONTWAIT))
            // The first one failed (an unreachable client, a full buffer): the others may not.
            sent += count > 0 ? Int(count) : 1
        }
    }
}
